"""LLM user profiles distilled into sequential recommenders, for RecBole.

``import recbole_llmdistill`` makes SASRecDistill and BERT4RecDistill known to RecBole; all else is RecBole's own:

    >>> import recbole_llmdistill
    >>> from recbole.quick_start import run_recbole
    >>> result = run_recbole(model="SASRecDistill", dataset="ml-100k")
"""

import warnings

from recbole_llmdistill.resources import checkout

__version__ = "0.1.0"

# In a checkout the data set converters are a sibling folder; this lets them be imported under one name everywhere.
if checkout_folder := checkout():
    __path__.append(str(checkout_folder))

try:
    from recbole_llmdistill import compat

    compat.install()
    from recbole_llmdistill import registry
except (ImportError, AttributeError) as error:  # RecBole or Ray beside versions that they do not run with
    # Not raised, so that `llmdistill doctor` can start and say what is wrong.
    import_error: Exception | None = error
    warnings.warn(
        f"RecBole cannot be imported ({error}), so no model is registered; run `llmdistill doctor`", stacklevel=2
    )
else:
    import_error = None
    registry.register()
