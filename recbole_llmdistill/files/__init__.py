"""What every room does with files: atomic writes, locks, journals, fingerprints, yaml and JSON."""
