"""One table, to be written as text, Markdown, LaTeX, csv or HTML: all from the same cells."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tabulate import tabulate

_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "<": "$<$",
        ">": "$>$",
    }
)
_MARKDOWN = str.maketrans({"*": "\\*", "|": "\\|", "_": "\\_"})


@dataclass(frozen=True)
class Column:
    """Head of a column.

    Attributes:
        title: as shown.
        numbers: names of the numbers behind a cell, which csv has in columns of their own; none: the cell is a text.
        best: which value is to be emphasised.
    """

    title: str
    numbers: tuple[str, ...] = ()
    best: Literal["highest", "lowest"] | None = None


@dataclass(frozen=True)
class Cell:
    """What stands in a row of a column.

    Attributes:
        text: as shown; empty where there is nothing.
        numbers: as many as the column names, unrounded.
        mark: sign behind it that the table's notes explain.
    """

    text: str
    numbers: tuple[float, ...] = ()
    mark: str = ""


@dataclass
class Table:
    """A table.

    Attributes:
        name: of its files.
        title: what it shows.
        columns: heads; the first is the name of the row.
        rows: cells, as many as there are columns.
        notes: what a reader has to know, a line each.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)

    def is_best(self, row: int, column: int) -> bool:
        """Whether this cell is the best of its column, as it is shown; ties are all best, a lone value is not."""
        best, cell = self.columns[column].best, self.rows[row][column]
        shown = [other[column] for other in self.rows if other[column].numbers]
        if best is None or not cell.numbers or len(shown) < 2:
            return False
        choose = max if best == "highest" else min
        return cell.text.split(" ±")[0] == choose(shown, key=lambda other: other.numbers[0]).text.split(" ±")[0]

    @property
    def _align(self) -> list[str]:
        return ["right" if column.numbers else "left" for column in self.columns]

    def _texts(self, write: Callable[[Cell, bool], str]) -> list[list[str]]:
        return [[write(cell, self.is_best(r, c)) for c, cell in enumerate(row)] for r, row in enumerate(self.rows)]

    def as_text(self) -> str:
        """For a terminal."""
        heads = [column.title for column in self.columns]
        rows = self._texts(lambda cell, _best: cell.text + cell.mark)
        body = tabulate(rows, heads, tablefmt="simple", colalign=self._align, disable_numparse=True)
        return "\n".join([self.title, "", body, *self.notes])

    def as_markdown(self) -> str:
        """With the best values in bold."""

        def write(cell: Cell, best: bool) -> str:
            text = cell.text.translate(_MARKDOWN)
            return (f"**{text}**" if best else text) + cell.mark.translate(_MARKDOWN)

        heads = [column.title for column in self.columns]
        body = tabulate(self._texts(write), heads, tablefmt="pipe", colalign=self._align, disable_numparse=True)
        return "\n\n".join([f"**{self.title}**", body, *(note.translate(_MARKDOWN) for note in self.notes)])

    def as_latex(self) -> str:
        """A ``table`` environment for the package booktabs, best values in bold."""

        def write(cell: Cell, best: bool) -> str:
            text = cell.text.translate(_LATEX) + (f"$^{{{cell.mark.translate(_LATEX)}}}$" if cell.mark else "")
            return f"\\textbf{{{text}}}" if best else text

        caption = " ".join([f"{self.title}.", *self.notes]).translate(_LATEX)
        return "\n".join(
            [
                "% \\usepackage{booktabs}",
                r"\begin{table}",
                r"  \centering",
                rf"  \caption{{{caption}}}",
                rf"  \label{{tab:{self.name.replace('_', '-')}}}",
                rf"  \begin{{tabular}}{{{''.join(side[0] for side in self._align)}}}",
                r"    \toprule",
                "    " + " & ".join(column.title.translate(_LATEX) for column in self.columns) + r" \\",
                r"    \midrule",
                *(f"    {' & '.join(row)} \\\\" for row in self._texts(write)),
                r"    \bottomrule",
                r"  \end{tabular}",
                r"\end{table}",
            ]
        )

    def as_csv(self) -> str:
        """Unrounded numbers; a cell without them is empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([name for column in self.columns for name in column.numbers or (column.title,)])
        for row in self.rows:
            values: list[object] = []
            for column, cell in zip(self.columns, row, strict=True):
                if not column.numbers:
                    values.append(cell.text)
                else:
                    values += cell.numbers or [""] * len(column.numbers)
            writer.writerow(["" if isinstance(value, float) and math.isnan(value) else value for value in values])
        return stream.getvalue()
