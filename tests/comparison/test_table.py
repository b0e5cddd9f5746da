"""One table in every format: the same figures everywhere."""

import csv
import io
import re

import pytest

from recbole_llmdistill.comparison.report.table import Cell, Column, Table


@pytest.fixture
def table() -> Table:
    columns = [
        Column("model"),
        Column("NDCG@10", ("NDCG@10", "NDCG@10 sd"), "highest"),
        Column("NLL", ("NLL", "NLL sd"), "lowest"),
        Column("change"),
    ]
    rows = [
        [Cell("plain_one"), Cell("0.0581 ± 0.0038", (0.05812, 0.0038)), Cell("5.986", (5.9861, 0.1)), Cell("")],
        [Cell("A & B"), Cell("0.0628 ± 0.0019", (0.06281, 0.0019), "*"), Cell("5.944", (5.9442, 0.2)), Cell("+8.1%")],
        [Cell("C"), Cell("0.0628 ± 0.0021", (0.06279, 0.0021)), Cell(""), Cell("+8.0%")],
    ]
    return Table("accuracy", "Test part, 50 %", columns, rows, ["* p < .05"])


def figures(text: str) -> list[str]:
    return re.findall(r"\d+\.\d+", text)


def test_all_formats_have_the_same_figures(table) -> None:
    expected = [number for row in table.rows for cell in row for number in figures(cell.text)]
    markdown = [line for line in table.as_markdown().splitlines() if line.startswith("|")][2:]
    latex = table.as_latex().split(r"\midrule")[1].split(r"\bottomrule")[0]
    text = table.as_text().split("\n\n", 1)[1].splitlines()[2:5]
    assert figures("\n".join(markdown)) == figures(latex) == figures("\n".join(text)) == expected
    rows = list(csv.DictReader(io.StringIO(table.as_csv())))
    for row, cells in zip(rows, table.rows, strict=True):
        assert row["model"] == cells[0].text
        assert f"{float(row['NDCG@10']):.4f} ± {float(row['NDCG@10 sd']):.4f}" == cells[1].text
        assert (f"{float(row['NLL']):.3f}" if row["NLL"] else "") == cells[2].text


def test_the_best_are_bold_and_ties_as_shown_are_all_best(table) -> None:
    bold = re.findall(r"\*\*(.+?)\*\*", "\n".join(table.as_markdown().splitlines()[2:7]))
    assert bold == ["0.0628 ± 0.0019", "5.944", "0.0628 ± 0.0021"]
    assert "**0.0628 ± 0.0019**\\* " in table.as_markdown()
    latex = table.as_latex()
    assert latex.count(r"\textbf") == 3
    for best in (r"\textbf{0.0628 $\pm$ 0.0019$^{*}$}", r"\textbf{5.944}", r"\textbf{0.0628 $\pm$ 0.0021}"):
        assert best in latex


def test_latex_can_be_pasted(table) -> None:
    latex = table.as_latex()
    body = latex.split(r"\toprule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if "&" in line]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 3 and line.endswith(r" \\") for line in lines)
    assert r"A \& B" in latex
    assert r"plain\_one" in latex
    assert r"+8.1\%" in latex
    assert r"p $<$ .05" in latex
    assert r"\begin{tabular}{lrrl}" in latex
    assert not re.search(r"(?<!\\)%(?! \\usepackage)", latex)
    assert latex.isascii()
