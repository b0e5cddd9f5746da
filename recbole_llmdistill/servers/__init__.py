"""Speaking with servers over HTTP: retries, limits, and keys that reach no message."""
