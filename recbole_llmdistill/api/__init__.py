"""The front doors: what ``from recbole_llmdistill import generate, encode, reduce, inspect, compare, tune,
recommend, export, serve`` gives.

Each takes an options object or keyword arguments of the same names and returns a result object. None of them reads the
command line, and a running event loop (of a notebook) is no hindrance. The commands are thin layers over them.
"""
