"""Packaging: the repository keeps ``properties`` and ``dataset_converters`` at its top, a wheel inside the package."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
NESTED = ("properties", "dataset_converters")
# Sentence encoders, and UMAP among the reductions.
ENCODERS = ["sentence-transformers>=5", "transformers>=5,<6", "umap-learn>=0.5.7", "numba>=0.60"]
# The client of OpenAI-compatible servers, and local language models.
LLM = ["openai[aiohttp]>=3,<4", "aiohttp>=3.10", "transformers>=5,<6"]
# Searchers of Ray Tune that learn from the trials before. bayesian-optimization: of the releases that Ray 2.6.3 calls
# rightly, the last that does not ask for another colorama than RecBole.
TUNE = ["hyperopt>=0.2.7,<0.4", "optuna>=3,<6", "bayesian-optimization>=1.3,<1.4.1"]
# The figure of a comparison, and those in benchmarks/.
PLOT = ["matplotlib>=3.8"]
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "recbole_llmdistill" / "__init__.py").read_text(encoding="utf-8").splitlines()
    if line.startswith("__version__")
)


def files_below(folder: str) -> list[str]:
    """Everything in a folder, relative to it."""
    return [str(path.relative_to(HERE / folder)) for path in (HERE / folder).rglob("*") if path.is_file()]


setup(
    name="recbole-llmdistill",
    version=VERSION,
    description="LLM user profiles distilled into sequential recommenders, for RecBole: no LLM at inference",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.12",  # ray 2.6.3, which RecBole 1.2.1 asks for, has wheels up to 3.11
    packages=[
        *find_packages(include=["recbole_llmdistill", "recbole_llmdistill.*"]),
        *(f"recbole_llmdistill.{name}" for name in NESTED),
    ],
    package_dir={f"recbole_llmdistill.{name}": name for name in NESTED},
    package_data={
        "recbole_llmdistill.properties": files_below("properties"),
        "recbole_llmdistill.profiles.inspect": ["page.html"],
        "recbole_llmdistill.comparison": ["page.html"],
    },
    # Ranges within which the mended RecBole runs; constraints.txt has the exact set that the tests ran with.
    install_requires=[
        "recbole==1.2.1",
        "ray[tune]>=2.6.3,<2.7",
        "numpy>=1.26.4,<2",
        "pandas>=2.1,<3",
        "pyarrow>=14,<20",
        "setuptools<81",
        "torch>=2.6",
        "scipy>=1.11",
        "scikit-learn>=1.4",
        "pydantic>=2.7,<3",
        "packaging>=23",
        "tqdm>=4.64",
        "pyyaml>=6",
        "polars>=2,<3",
        "plotly>=5.20",
        "jinja2>=3.1",
        "ijson>=3.2",
        "tabulate>=0.9",
    ],
    extras_require={
        "encoders": ENCODERS,
        "llm": LLM,
        "tune": TUNE,
        "plot": PLOT,
        "test": ["pytest>=8", "ruff>=0.9", "build>=1.2", "hypothesis>=6.100", *ENCODERS, *LLM, *TUNE, *PLOT],
    },
    entry_points={
        "console_scripts": [
            "run_recbole=recbole_llmdistill.cli.run_recbole:main",
            "run_hyper=recbole_llmdistill.cli.run_hyper:main",
            "llmdistill=recbole_llmdistill.cli.llmdistill:main",
        ]
    },
)
