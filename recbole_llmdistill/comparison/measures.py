"""What a run measures, by the names and sizes that runs and tables share."""

NLL = "nll"
"""Mean negative log-likelihood of the held-out item, among the metrics of single cases; less is better."""
LIST_LENGTH = 10
"""Recommended items that coverage, Gini and average popularity look at."""
BATCH_SIZES = (1, 256)
"""Users whose items are scored at once, where latency is measured."""
