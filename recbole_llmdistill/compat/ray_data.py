"""Lets Ray Data 2.6.3 import on the current stack; Ray Tune needs none of it.

``ray/air/util/tensor_extensions/arrow.py`` line 5 imports ``pkg_resources._vendor.packaging``, which setuptools dropped
after 70; ``ray/air/util/tensor_extensions/pandas.py`` line 45 imports ``ExtensionArrayFormatter``, which pandas 2.2
renamed to ``_ExtensionArrayFormatter``.
"""

import sys
import types
import warnings


def install() -> None:
    """Give both names back, in this process; idempotent."""
    import packaging.version
    import pandas.io.formats.format as pandas_format

    if not hasattr(pandas_format, "ExtensionArrayFormatter"):
        pandas_format.ExtensionArrayFormatter = pandas_format._ExtensionArrayFormatter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pkg_resources
    if not hasattr(pkg_resources, "_vendor"):
        vendor = types.ModuleType("pkg_resources._vendor")
        vendor.packaging = packaging
        sys.modules.setdefault("pkg_resources._vendor", vendor)
        sys.modules.setdefault("pkg_resources._vendor.packaging", packaging)
        sys.modules.setdefault("pkg_resources._vendor.packaging.version", packaging.version)
