"""The trainer: two stages, evaluation, resuming, memory."""
