"""LLM user profiles distilled into sequential recommenders, for RecBole.

``import recbole_llmdistill`` makes SASRecDistill and BERT4RecDistill known to RecBole; all else is RecBole's own:

    >>> import recbole_llmdistill
    >>> from recbole.quick_start import run_recbole
    >>> result = run_recbole(model="SASRecDistill", dataset="ml-100k")
"""

import os
import sys
import warnings
from pathlib import Path

from recbole_llmdistill.files.resources import checkout

__version__ = "0.1.0"

# In a checkout the data set converters are a sibling folder; this lets them be imported under one name everywhere.
if checkout_folder := checkout():
    __path__.append(str(checkout_folder))

try:
    from recbole_llmdistill import compat

    compat.install()
    from recbole_llmdistill import registry
except (
    ImportError,
    AttributeError,
) as error:  # RecBole is missing, or stands beside versions that it does not run with
    # Not raised, so that `llmdistill doctor` can start and say what is wrong.
    import_error: Exception | None = error
    warnings.warn(f"no model is registered: {error}; `llmdistill doctor` checks the installation", stacklevel=2)
except KeyboardInterrupt:  # these imports take seconds, and a command's own answer to Ctrl-C is not there yet
    if Path(sys.argv[0]).name not in ("llmdistill", "run_recbole", "run_hyper"):
        raise
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(130)
else:
    import_error = None
    registry.register()
