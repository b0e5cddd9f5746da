"""MovieLens titles: ``Usual Suspects, The (1995)`` is *The Usual Suspects*, of 1995."""

import polars as pl

_YEAR = r"\s*\((\d{4})\s*(?:[-–—]\s*\d{0,4}\s*)?\)\s*$"
_ARTICLES = (
    "The|A|An|La|Le|Les|Las|Los|El|Il|Lo|Gli|I|O|Os|As|Un|Une|Una|Uno|Der|Die|Das|Den|Det|De|Het|Ein|Eine|En|Ett|Et"
)


def release_year(title: pl.Expr) -> pl.Expr:
    """The year in brackets at the end, the first one of a span such as ``(2006–2007)``; null where there is none."""
    return title.str.extract(_YEAR, 1)


def natural_title(title: pl.Expr) -> pl.Expr:
    """The title without the year, articles in front, in the main title and in those in brackets."""
    title = title.str.replace(_YEAR, "").str.strip_chars()
    title = title.str.replace(rf"^(.+?), ({_ARTICLES})( \(.*)?$", "$2 $1$3")
    title = title.str.replace_all(rf"\(([^()]+), ({_ARTICLES})\)", "($2 $1)")
    title = title.str.replace(r"^(.+?), L'( \(.*)?$", "L'$1$2")
    return title.str.replace_all(r"\(([^()]+), L'\)", "(L'$1)")
