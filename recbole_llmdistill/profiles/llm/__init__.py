"""Who writes the profiles: one file a kind of LLM, all with the interface of :mod:`.protocol`."""
