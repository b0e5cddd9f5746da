"""The sizes that all libraries train at: RecBole's defaults, and 128 sequences a batch."""

SIZES = {"layers": 2, "heads": 2, "hidden": 64, "inner": 256, "length": 50, "batch": 128}
MASKED_SHARE = 0.2
"""Share of the items that BERT4Rec masks."""
