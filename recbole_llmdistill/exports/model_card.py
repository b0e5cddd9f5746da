"""The model card of an export, in Markdown."""

from recbole_llmdistill.exports.folder import CARD, INDEX, ITEMS, SETTINGS, USER_STATE, VECTORS, ExportSettings

_PURPOSE = {
    ITEMS: "item tokens by number, and how often each was a training target",
    VECTORS: "item vectors, row by number",
    USER_STATE: "graph of items and lengths to the state whose products with the item vectors are the scores",
    INDEX: "faiss's HNSW graph of the item vectors, inner product, labelled by item number",
}


def model_card(settings: ExportSettings, license_name: str | None, faithful: str) -> str:
    """Text of ``README.md``.

    Args:
        settings: of the export.
        license_name: as the user gave it.
        faithful: a sentence on how the graph compares with the checkpoint.
    """
    chosen = settings.validation
    validated = (
        f"{chosen['metric']} {chosen['value']:.4f} on the validation part, epoch {chosen['epoch']}"
        if chosen
        else "the checkpoint does not say"
    )
    rows = [
        ("model", settings.model),
        ("data set", settings.dataset),
        ("data fingerprint", f"`{settings.data_fingerprint}` (item tokens and training counts)"),
        ("items", f"{settings.n_items - 1:,}"),
        ("sequence", f"the newest {settings.longest} items"),
        ("chosen by", validated),
        ("precision", settings.precision),
        ("licence", license_name or "not stated; what the data set's licence asks of works made from it holds"),
        ("written by", settings.written_by),
    ]
    files = [f"- `{SETTINGS}`: what this page says, for programs; sizes and SHA-256 of the files"]
    files += [f"- `{name}`: {_PURPOSE.get(name, 'the graph')} ({file.bytes:,} bytes)"
              for name, file in settings.files.items()]  # fmt: skip
    if settings.format == "onnx":
        interface = (
            "int64 inputs `items [B, L]` (numbers, the newest last, 0 behind them), `lengths [B]`, `seen [B, S]` "
            "(numbers to leave out, 0 behind them), `k [1]`; outputs `best_items [B, k]`, `best_scores [B, k]`, "
            "`all_scores [B, N or more]`"
        )
    else:
        interface = (
            "`torch.export.load(...).module()(items [B, L], lengths [B], seen [B, S], k)` gives best items, their "
            "scores and all scores"
        )
    return "\n".join(
        [
            f"# {settings.model} on {settings.dataset}",
            "",
            "Recommends the next items after a sequence of items. It was trained on interactions and perhaps on "
            "profiles of users, none of which are in this folder.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            f"{faithful}",
            "",
            "## Files",
            "",
            *files,
            "",
            f"The graph: {interface}. `llmdistill recommend --checkpoint FOLDER` and `llmdistill serve --model FOLDER` "
            f"read the folder; {CARD} alone may be changed.",
            "",
        ]
    )
