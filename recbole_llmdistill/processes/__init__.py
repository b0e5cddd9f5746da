"""Processes of a command: those that it started, and the signals that end it."""
