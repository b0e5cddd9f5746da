"""``llmdistill compare``: models on the same split, metric code and budget, with seeds, significance and controls.

``arms`` says what is compared, ``arm_config`` with which RecBole settings; ``processes`` starts one process a run
(``one_run``), ``results`` keeps what came out; ``comparison`` reads it for the tables, the page and the figure.
"""
