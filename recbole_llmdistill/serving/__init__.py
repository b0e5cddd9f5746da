"""An exported model behind HTTP: requests that wait are answered in batches, and a new export takes over in between."""
