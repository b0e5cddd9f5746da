"""``llmdistill compare``: models on the same split, metric code and budget, with seeds, significance and controls.

``plan/`` says which runs there have to be, ``run/`` makes those that are missing, a process each, ``report/`` reads the
results folder for the tables, the page and the figure, and needs neither torch nor RecBole for it. ``api.compare``
has all three in one function.
"""
