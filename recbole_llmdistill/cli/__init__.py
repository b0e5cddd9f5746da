"""Command lines: one file a command."""
