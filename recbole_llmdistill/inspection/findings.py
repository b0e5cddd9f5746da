"""What an inspection means, in sentences; good or a warning."""

from dataclasses import dataclass

from recbole_llmdistill.formats.entity import USERS
from recbole_llmdistill.inspection.report import Inspection
from recbole_llmdistill.inspection.text_statistics import NEAR

ANISOTROPIC = 0.8
"""Mean cosine from which on an encoder is said to see all texts alike: MiniLM gave .94 on template texts, .66 on texts
that an LLM wrote."""
_DUPLICATES = 0.05
_SHORT = 20  # words


@dataclass(frozen=True)
class Finding:
    """One sentence.

    Attributes:
        good: or a warning.
        text: the sentence.
    """

    good: bool
    text: str


def judge(inspection: Inspection) -> list[Finding]:
    """Findings, the most important first."""
    findings = [Finding(False, f"Careful: {problem}.")] if (problem := inspection.content.problem) else []
    findings += [_taste(inspection), *_split(inspection), _coverage(inspection), _anisotropy(inspection)]
    return findings + (_texts(inspection) if inspection.texts else [])


def _taste(inspection: Inspection) -> Finding:
    taste, of = inspection.taste, inspection.of
    interval = f"{taste.gain.mean:+.3f} ± {taste.gain.half_width:.3f}"
    if taste.gain.mean - taste.gain.half_width <= 0:
        return Finding(
            False,
            f"Neighbours in {of.text} space share no more held-out {of.held_out} than random {of.name} do ({interval} "
            "recall@20): distilling these vectors can hardly help.",
        )
    return Finding(
        True,
        f"Neighbours in {of.text} space share held-out {of.held_out}: recall@20 is {interval} above random neighbours, "
        f"{taste.share:.0%} of what neighbours by {of.common} gain.",
    )


def _split(inspection: Inspection) -> list[Finding]:
    """What profiles saw; texts of items are written from no interactions."""
    if inspection.of is not USERS:
        return []
    if inspection.split_matches is None:
        text = "No manifest says which interactions the profiles were written from: a leak cannot be ruled out."
        return [Finding(False, text)]
    if not inspection.split_matches:
        text = (
            "The profiles were written from another training split than this one: they may have seen validation or "
            "test items, and the figures here may be too good."
        )
        return [Finding(False, text)]
    return [Finding(True, "The profiles were written from this very training split.")]


def _coverage(inspection: Inspection) -> Finding:
    share, them = inspection.covered / inspection.training_users, inspection.of.name
    text = f"{inspection.covered:,} of {inspection.training_users:,} training {them} ({share:.1%}) have a vector"
    if inspection.unknown_users:
        text += f"; {inspection.unknown_users:,} vectors are of {them} without training interactions"
    return Finding(share >= 0.5, text + ".")


def _anisotropy(inspection: Inspection) -> Finding:
    vectors = inspection.vectors
    text = (
        f"Mean cosine between {inspection.of.name} is {vectors.mean_cosine:.2f}; the vectors use about "
        f"{vectors.effective_dimensions:.0f} of {vectors.dimensions} dimensions"
    )
    if vectors.mean_cosine >= ANISOTROPIC:
        return Finding(False, text + ": the encoder sees nearly the same in all texts.")
    return Finding(True, text + ".")


def _texts(inspection: Inspection) -> list[Finding]:
    texts, of = inspection.texts, inspection.of
    findings = []
    if texts.empty:
        findings.append(Finding(False, f"{texts.empty:,} {of.name} have an empty text."))
    if of is USERS and (short := int((texts.words < _SHORT).sum())):
        findings.append(Finding(False, f"{short:,} texts have fewer than {_SHORT} words."))
    text = (
        f"{texts.duplicates:,} of {texts.users:,} {of.name} share their text with another; {texts.near_duplicates:,} "
        f"of {texts.sample:,} have a near-duplicate (cosine of words and word pairs at least {NEAR})."
    )
    return [*findings, Finding(texts.near_duplicates <= _DUPLICATES * texts.sample, text)]
