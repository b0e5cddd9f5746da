"""Vectors that somebody else made, a file format a module.

Each yields pieces ``(tokens [n], vectors [n, K, D] float32, has_profile [n, K])``, so that no file has to fit into
memory, and raises InputError with file and place where something is wrong.
"""
