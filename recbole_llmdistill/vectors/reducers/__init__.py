"""Dimensionality reductions: from long vectors to short ones."""
