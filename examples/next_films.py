"""The next films for somebody who has seen these: python examples/next_films.py CHECKPOINT TITLE TITLE ..."""

import sys
from importlib.resources import files

import pandas

from recbole_llmdistill import Recommender

checkpoint, *seen = sys.argv[1:]
table = pandas.read_csv(files("recbole") / "dataset_example/ml-100k/ml-100k.item", sep="\t", index_col=0, dtype=str)
titles = table["movie_title:token_seq"]
numbers = {title: number for number, title in titles.items()}
if unknown := [title for title in seen if title not in numbers]:
    sys.exit(f"MovieLens-100K has no film {unknown[0]!r}")
(found,) = Recommender.load(checkpoint).recommend([[numbers[title] for title in seen]], k=3, exclude_seen=True)
for item, score in zip(found.items, found.scores, strict=True):
    print(f"{score:6.2f}  {titles[item]}")
