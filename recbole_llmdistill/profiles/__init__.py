"""From interaction histories to profile vectors: a module of its own, which meets training through files alone."""
