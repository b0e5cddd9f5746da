"""Hyper-parameter search with Ray Tune over any model that RecBole knows, selected by validation alone."""
