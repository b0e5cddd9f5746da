"""Sequences and profiles as RecBole data sets."""
