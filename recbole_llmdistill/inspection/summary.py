"""The terminal's version of an inspection."""

from recbole_llmdistill.formats.entity import ITEMS, USERS
from recbole_llmdistill.inspection.findings import judge
from recbole_llmdistill.inspection.held_out_taste import NEIGHBOURS, TOP
from recbole_llmdistill.inspection.report import Inspection


def summarize(inspection: Inspection) -> str:
    """A few lines of plain text."""
    taste, vectors, texts, of = inspection.taste, inspection.vectors, inspection.texts, inspection.of
    several = f" ({inspection.profiles} per {of.noun}, averaged)" if inspection.profiles > 1 else ""
    lines = [f"{inspection.path}: {inspection.users} {of.name}, {vectors.dimensions} dimensions{several}", ""]
    others = ITEMS if of is USERS else USERS
    lines.append(
        f"recall@{TOP} on validation {others.name}, {of.noun}-kNN with {NEIGHBOURS} neighbours, {taste.users} "
        f"{of.name} (95 % interval):"
    )
    recalls = {"random": taste.random, "popularity": taste.popularity, f"{of.text}s": taste.profiles}
    recalls[of.common] = taste.interactions
    width = max(13, *(len(name) + 1 for name in recalls))
    for name, recall in recalls.items():
        lines.append(f"  {name:<{width}}{recall.mean:.3f} ± {recall.half_width:.3f}  {'█' * round(100 * recall.mean)}")
    if texts is not None:
        words = sorted(texts.words.tolist())
        lines += ["", f"words per {of.noun}: {words[0]} to {words[-1]}, median {words[len(words) // 2]}"]
    lines.append("")
    lines += [f"{'ok     ' if finding.good else 'WARNING'} {finding.text}" for finding in judge(inspection)]
    return "\n".join(lines)
