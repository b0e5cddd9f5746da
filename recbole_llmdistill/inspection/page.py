"""The HTML page of an inspection: one file that needs no network."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.formats.entity import ITEMS, USERS
from recbole_llmdistill.inspection.charts import all_charts, map_data
from recbole_llmdistill.inspection.findings import ANISOTROPIC, judge
from recbole_llmdistill.inspection.held_out_taste import NEIGHBOURS, TOP
from recbole_llmdistill.inspection.report import Inspection


def write_page(inspection: Inspection, path: Path) -> None:
    """Write the page, atomically. Texts are escaped: an LLM wrote them, and may have written anything.

    Raises:
        InputError: the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("recbole_llmdistill.inspection", ""), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("page.html").render(
        inspection=inspection,
        others=(ITEMS if inspection.of is USERS else USERS).name,
        findings=judge(inspection),
        encoder=_describe(inspection),
        charts=all_charts(inspection),
        map=map_data(inspection.map),
        neighbours=NEIGHBOURS,
        top=TOP,
        anisotropic=ANISOTROPIC,
        plotly=get_plotlyjs(),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out={path}: cannot be written ({error.strerror or error})") from error


def _describe(inspection: Inspection) -> str:
    """How the vectors were made, as the manifest says."""
    manifest = inspection.manifest or {}
    encoder, reducer = manifest.get("encoder"), manifest.get("reducer")
    if isinstance(encoder, dict):
        encoder = encoder.get("model") or encoder.get("encoder")
    parts = [str(encoder)] if encoder else []
    if isinstance(reducer, dict):
        parts.append(f"{reducer.get('method')}, {inspection.vectors.dimensions} dimensions")
    return " → ".join(parts)
