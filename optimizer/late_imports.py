"""A part of SciPy that Pyomo loads at once and no solve uses: loaded only when somebody reaches for it.

It is a third of the time that the solver's process needs to start. Import this module before any other that
brings Pyomo or SciPy. (Python's own ``LazyLoader`` loads a module as soon as it is named, until Python 3.12.)
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

LATE = "scipy.stats"


class _Late(ModuleType):
    """Stands for a module until an attribute of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


sys.modules.setdefault(LATE, _Late(LATE))
