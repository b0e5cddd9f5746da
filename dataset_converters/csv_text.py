"""Text files of rows as people export them: their encoding, their separator and their quotes.

polars reads UTF-8 and quotes as RFC 4180 has them, and nothing else. Whatever is different here, and can be known for
sure, is written again into a workspace; whatever cannot be known is refused with its line.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import polars as pl

from recbole_llmdistill.errors import InputError

_CHUNK = 1 << 22
_SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
_WIDE = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_LONGEST_HEAD = 1 << 16
_SWALLOWED_ROWS = 3
"""From so many whole rows in one quoted field on the quote is a stray one: text of several lines does not look so."""


@dataclass(frozen=True)
class CsvText:
    """A file that polars reads.

    Attributes:
        path: the file, or what was made of it in the workspace, line by line the same.
        name: of the file, for messages.
        separator: between fields.
        columns: names of the columns; a column without a name has an empty one.
        head_lines: lines before the names.
        quotes: whether a straight double quote encloses a field; else it is a character as any other.
        remarks: what was done to the file.
    """

    path: Path
    name: str
    separator: str
    columns: list[str]
    head_lines: int = 0
    quotes: bool = True
    remarks: list[str] = field(default_factory=list)

    def scan(self) -> pl.LazyFrame:
        """All named columns, as strings."""
        names = [name or f"\0{place}" for place, name in enumerate(self.columns)]
        table = pl.scan_csv(
            self.path,
            separator=self.separator,
            quote_char='"' if self.quotes else None,
            has_header=False,
            skip_rows=self.head_lines + 1,
            schema=dict.fromkeys(names, pl.String),
            missing_columns="insert",  # for polars the first row tells how many there are
        )
        return table.select(name for name in self.columns if name)

    def line_of_row(self, row: int) -> int:
        """Line, from 1, on which a row begins; rows are counted from 0, below the names."""
        with _open(self.path) as file:
            for number, (line, _) in enumerate(self._records(file)):
                if number == row + 1:
                    return line
        return 0

    def surplus_field(self) -> tuple[int, int] | None:
        """Line and number of fields of the first row that has more of them than there are columns."""
        with _open(self.path) as file:
            for line, cells in self._records(file):
                if len(cells) > len(self.columns):
                    return line, len(cells)
        return None

    def _records(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """The names and every row, each with the line on which it begins."""
        for _ in range(self.head_lines):
            file.readline()
        reader = csv.reader(
            file, delimiter=self.separator, quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        )
        csv.field_size_limit(2**31 - 1)
        before = 0
        for cells in reader:
            yield self.head_lines + before + 1, cells
            before = reader.line_num


def open_csv(path: Path, name: str, workspace: Path, encoding: str | None = None, quotes: bool = True) -> CsvText:
    """Find out how a file is written, and write it again where polars could not read it.

    Args:
        path: a csv, tsv or txt file with names of columns in its first line.
        name: how to call it in messages.
        workspace: existing folder for what has to be written again.
        encoding: of the text if it is not UTF-8.
        quotes: whether straight double quotes enclose fields.

    Raises:
        InputError: it is empty, of an unknown encoding, has two columns of one name, or a quote that does not close.
    """
    remarks: list[str] = []
    plain = _as_utf8(path, name, workspace, encoding, remarks)
    with _open(plain) as file:
        head_lines, head = 0, file.readline()
        named = re.fullmatch(r'"?sep=(.)"?\s*', head)  # Excel's own hint
        if named:
            head_lines, head = 1, file.readline()
        while quotes and head.count('"') % 2 and len(head) < _LONGEST_HEAD and (more := file.readline()):
            head += more  # a line break inside a name
    if not head.strip():
        raise InputError(f"{name} is empty" if not head else f"{name}, line {head_lines + 1}: no names of columns")
    outside_quotes = re.sub(r'"[^"]*("|$)', "", head) if quotes else head
    separator = named[1] if named else max(_SEPARATORS, key=outside_quotes.count)
    text = CsvText(plain, name, separator, [], head_lines, quotes, remarks)
    with _open(plain) as file:
        columns = [column.strip() for column in next(text._records(file))[1]]
    text.columns.extend(columns)
    _check_names(text)
    if quotes and _has_quotes(plain):
        return _with_sound_quotes(text, workspace)
    return text


def _open(path: Path) -> TextIO:
    return open(path, encoding="utf-8-sig", newline="")


def _check_names(text: CsvText) -> None:
    twice = sorted({name for name in text.columns if name and text.columns.count(name) > 1})
    if twice:
        raise InputError(
            f"{text.name}, line {text.head_lines + 1}: {text.columns.count(twice[0])} columns are named {twice[0]!r}; "
            "rename all but one"
        )


def _as_utf8(path: Path, name: str, workspace: Path, encoding: str | None, remarks: list[str]) -> Path:
    """The file itself if it is UTF-8 with line feeds, or a copy that is."""
    with open(path, "rb") as file:
        start = file.read(1 << 16)
    for mark, marked in _WIDE.items():
        if start.startswith(mark) and marked != "utf-8-sig":
            return _recoded(path, name, workspace, marked, remarks)
    if encoding and not _is_ascii_compatible(encoding):
        return _recoded(path, name, workspace, encoding, remarks)
    if b"\0" in start:
        raise InputError(f"{name}: zero bytes in the text; if it is UTF-16 give --encoding=utf-16-le (or utf-16-be)")
    place = first_not_utf8(path)
    if place is not None:
        line, byte = place
        if encoding:
            return _recoded(path, name, workspace, encoding, remarks)
        shown = bytes([byte]).decode("cp1252", "replace")
        raise InputError(
            f"{name}, line {line}: this is not UTF-8 (byte 0x{byte:02x}); say what it is, e.g. --encoding=cp1252 "
            f"(Windows, Western Europe; there the byte is {shown!r}), cp1250, cp1251, latin-1"
        )
    if b"\r" in start and b"\n" not in start:  # line ends of old
        return _recoded(path, name, workspace, "utf-8-sig", remarks)
    return path


def _is_ascii_compatible(encoding: str) -> bool:
    try:
        return "a,;\n".encode(encoding) == b"a,;\n"
    except LookupError as error:
        raise InputError(f"--encoding={encoding}: there is no such encoding; e.g. cp1252, cp1251, latin-1") from error


def first_not_utf8(path: Path) -> tuple[int, int] | None:
    """Line and value of the first byte that UTF-8 does not have there."""
    lines, rest = 1, b""
    with open(path, "rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            content = rest + chunk
            try:
                used = codecs.utf_8_decode(content, "strict", not chunk)[1]
            except UnicodeDecodeError as error:
                return lines + content.count(b"\n", 0, error.start), content[error.start]
            if not chunk:
                return None
            lines += content.count(b"\n", 0, used)
            rest = content[used:]


def _recoded(path: Path, name: str, workspace: Path, encoding: str, remarks: list[str]) -> Path:
    target = _new_file(workspace)
    line_feeds = None if _has_no_line_feed(path) else ""
    try:
        with (
            open(path, encoding=encoding, newline=line_feeds) as file,
            open(target, "w", encoding="utf-8", newline="") as out,
        ):
            while chunk := file.read(_CHUNK):
                out.write(chunk)
    except UnicodeError as error:
        raise InputError(f"{name}: this is not {encoding} ({error}); give another --encoding") from error
    if encoding not in ("utf-8-sig", "utf-16"):
        remarks.append(f"{name}: read as {encoding}")
    return target


def _has_no_line_feed(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"\n" not in file.read(1 << 16)


def _new_file(workspace: Path) -> Path:
    folder = workspace / "text"
    folder.mkdir(exist_ok=True)
    return folder / f"{len(list(folder.iterdir()))}.csv"


def _has_quotes(path: Path) -> bool:
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            if b'"' in chunk:
                return True
    return False


def _with_sound_quotes(text: CsvText, workspace: Path) -> CsvText:
    """The file if all its quotes enclose whole fields, else a copy in which they do.

    A quote inside a field that does not begin with one (``27" monitor``) is a character; ``\\"`` inside of a quoted
    field, as Spark writes it, is a quote.
    """
    quoting = _Quoting(text)
    with _open(text.path) as file:
        for line in file:
            quoting.see(line)
    quoting.end()
    if not quoting.stray and not quoting.backslashes:
        return text
    target = _new_file(workspace)
    with _open(text.path) as file, open(target, "w", encoding="utf-8", newline="") as out:
        lines = (line.replace('\\"', '""') for line in file) if quoting.backslashes else file
        for _ in range(text.head_lines):
            out.write(next(lines))
        writer = csv.writer(out, delimiter=text.separator, lineterminator="\n")
        for cells in csv.reader(lines, delimiter=text.separator):
            writer.writerow(cells)
    return CsvText(target, text.name, text.separator, text.columns, text.head_lines, True, text.remarks)


class _Quoting:
    """Follows the quotes of a file, line by line.

    Attributes:
        stray: whether a quote stands where RFC 4180 has none.
        backslashes: whether ``\\"`` stands for a quote in a quoted field.
    """

    def __init__(self, text: CsvText) -> None:
        self._text = text
        separator = re.escape(text.separator)
        self._fields = re.compile(rf'(?:[^"{separator}\r\n][^{separator}\r\n]*|"(?:[^"]|"")*"(?={separator}|\r|\n|$)|)')
        sound = rf'(?:[^"{separator}\r\n]*|"[^"\\]*(?:""[^"\\]*)*")'
        self._sound_line = re.compile(rf"{sound}(?:{separator}{sound})*\r?\n?")
        self._inside = re.compile(rf'(?:[^"]|"")*"(?={separator}|\r|\n|$)')
        self._line = self._opened = self._whole_rows = 0
        self.stray = self.backslashes = False

    def see(self, line: str) -> None:
        """Take one more line, with its end."""
        self._line += 1
        if '"' not in line:
            if self._opened:
                self._inner(line)
            return
        if not self._opened and self._sound_line.fullmatch(line):  # nearly every line, so all at once
            return
        position = 0
        if self._opened:
            closing = self._inside.match(line)
            if not closing:
                self._inner(line)
                self.backslashes |= '\\"' in line
                return
            position, self._opened = closing.end(), 0
            self.backslashes |= closing[0].endswith('\\"')
            if line[position : position + 1] == self._text.separator:
                position += 1
            else:
                return
        while True:
            found = self._fields.match(line, position)
            assert found is not None  # the pattern fits nothing, too
            if found.end() == position and line[position : position + 1] == '"':
                self._opens(line, position)
                return
            content = found[0]
            if '"' in content:
                self.stray |= not content.startswith('"')
                self.backslashes |= content.startswith('"') and '\\"' in content
            position = found.end()
            if line[position : position + 1] != self._text.separator:
                return
            position += 1

    def _opens(self, line: str, position: int) -> None:
        """A quoted field that does not end on this line, or not as it should."""
        if '\\"' in line[position:]:
            self.backslashes = True
            if len(re.findall(r'(?<!\\)"', line[position:])) % 2 == 0:
                return
        elif len(re.findall('"', line[position:])) % 2 == 0:  # "xx" y
            self.stray = True
            return
        self._opened, self._whole_rows = self._line, 0

    def _inner(self, line: str) -> None:
        columns = len(self._text.columns)
        self._whole_rows += columns > 1 and line.count(self._text.separator) == columns - 1
        if self._whole_rows >= _SWALLOWED_ROWS:
            self._refuse(f"it would swallow the rows up to line {self._line}")

    def end(self) -> None:
        """Tell of a field that is still open."""
        if self._opened:
            self._refuse("the file ends inside of it")

    def _refuse(self, problem: str) -> None:
        raise InputError(
            f"{self._text.name}, line {self._opened}: a quote opens here and does not close, {problem}; double it "
            'inside a quoted field (""), remove it, or give --no-quotes if quotes are characters as any other here'
        )
