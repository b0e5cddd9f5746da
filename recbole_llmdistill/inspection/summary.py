"""The terminal's version of an inspection."""

from recbole_llmdistill.inspection.findings import judge
from recbole_llmdistill.inspection.held_out_taste import NEIGHBOURS, TOP
from recbole_llmdistill.inspection.report import Inspection


def summarize(inspection: Inspection) -> str:
    """A few lines of plain text."""
    taste, vectors, texts = inspection.taste, inspection.vectors, inspection.texts
    several = f" ({inspection.profiles} a user, averaged)" if inspection.profiles > 1 else ""
    lines = [f"{inspection.path}: {inspection.users} users, {vectors.dimensions} dimensions{several}", ""]
    lines.append(
        f"recall@{TOP} on validation items, user-kNN with {NEIGHBOURS} neighbours, {taste.users} users (95 % interval):"
    )
    for name in ("random", "popularity", "profiles", "interactions"):
        recall = getattr(taste, name)
        lines.append(f"  {name:<13}{recall.mean:.3f} ± {recall.half_width:.3f}  {'█' * round(100 * recall.mean)}")
    if texts is not None:
        words = sorted(texts.words.tolist())
        lines += ["", f"words a user: {words[0]} to {words[-1]}, median {words[len(words) // 2]}"]
    lines.append("")
    lines += [f"{'ok     ' if finding.good else 'WARNING'} {finding.text}" for finding in judge(inspection)]
    return "\n".join(lines)
