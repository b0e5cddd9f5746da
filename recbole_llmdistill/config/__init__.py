"""The settings: which there are, their defaults, their checks, and how they join RecBole's."""
