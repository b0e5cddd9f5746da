"""Write RecBole's own MovieLens-100K as plain tables, for `llmdistill convert csv` and its split in time.

python benchmarks/paper/ml_100k_tables.py ml-100k-tables
"""

import argparse
import csv
from pathlib import Path

import recbole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(recbole.__file__).parent / "dataset_example" / "ml-100k"
    for suffix, table in {"inter": "interactions.csv", "item": "items.csv"}.items():
        lines = (source / f"ml-100k.{suffix}").read_text(encoding="utf-8").splitlines()
        header, *rows = [line.split("\t") for line in lines]
        with open(folder / table, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column.rpartition(":")[0] for column in header])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
