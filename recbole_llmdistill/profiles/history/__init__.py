"""What an LLM reads of a user: the training history and its items as text."""
