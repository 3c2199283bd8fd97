"""Heavy libraries that few calls need: loaded when something of them is first used, not when hepcuts is.

Write ``from hepcuts._core.lazy import pd`` in place of ``import pandas as pd``, and annotations with it in quotes: an
annotation is evaluated where its function is defined.
"""

from typing import TYPE_CHECKING

__all__ = ["jsonpatch", "narwhals", "pd", "pyhf", "stats", "tqdm"]

if TYPE_CHECKING:
    import jsonpatch
    import narwhals
    import pandas as pd
    import pyhf
    import tqdm
    from scipy import stats
else:
    import importlib
    import types

    class _Library(types.ModuleType):
        """Stands for a module, and asks it for everything."""

        def __getattr__(self, name: str) -> object:
            return getattr(importlib.import_module(self.__name__), name)

    jsonpatch = _Library("jsonpatch")
    narwhals = _Library("narwhals")
    pd = _Library("pandas")
    pyhf = _Library("pyhf")
    stats = _Library("scipy.stats")
    tqdm = _Library("tqdm")
