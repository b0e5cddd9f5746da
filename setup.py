"""Which folders make the package; everything else about it stands in pyproject.toml.

The repository keeps ``properties`` and ``dataset_converters`` at its top, a wheel has them inside the package.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
NESTED = ("properties", "dataset_converters")


def files_below(folder: str) -> list[str]:
    """Everything in a folder, relative to it."""
    return [str(path.relative_to(HERE / folder)) for path in (HERE / folder).rglob("*") if path.is_file()]


setup(
    py_modules=["llmdistill_commands"],
    packages=[
        *find_packages(include=["recbole_llmdistill", "recbole_llmdistill.*"]),
        *(f"recbole_llmdistill.{name}" for name in NESTED),
    ],
    package_dir={f"recbole_llmdistill.{name}": name for name in NESTED},
    package_data={
        "recbole_llmdistill": ["py.typed"],
        "recbole_llmdistill.properties": files_below("properties"),
        "recbole_llmdistill.inspection": ["page.html"],
        "recbole_llmdistill.comparison.report": ["page.html"],
    },
)
