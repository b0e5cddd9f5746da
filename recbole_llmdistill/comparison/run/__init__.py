"""Making the missing runs, a process each, and keeping what they measured."""
