"""What polars cannot parse, told in one line with the file and the line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.errors import InputError

_BAD_VALUE = re.compile(r"could not parse `(.*?)` as", re.DOTALL)


@contextmanager
def parsing_errors_told(files: RawFiles) -> Iterator[None]:
    """Context in which a polars error becomes an :class:`InputError`; of the disk, an :class:`OSError`."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        text = str(error)
        if "os error" in text:
            raise OSError(text) from error
        problem = " ".join(re.split(r"\n\n|You might want|The current offset", text)[0].split())
        raise InputError(f"{_place(files, text)}: {problem[:300]}") from error


def _place(files: RawFiles, text: str) -> str:
    """File and line of the value that the error is about, if it can be found; else where all files are."""
    found = _BAD_VALUE.search(text)
    for file, path in files.opened.items() if found else ():
        with open(path, encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if found[1] in (field.strip(' "') for field in re.split(r"[,;|:\t]", line.strip())):
                    return f"{file}, line {number}"
    return str(files.given)
