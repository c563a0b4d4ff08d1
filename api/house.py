"""The folders are imported by plain names (``models``, ``api``, ...); these checks keep them ours.

Another distribution that ships a ``models`` of its own, or a ``PYTHONPATH`` that names a stranger's
folder, would otherwise be imported half and half with ours. The start-up check is cheap (no package
is imported); which distribution claims a name is asked by ``chergui doctor`` only.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.errors import CherguiError

PACKAGES = ("models", "ingest", "optimizer", "agent", "api", "data")


class HouseDivided(CherguiError):
    """Some packages are not those of this installation; ``strangers`` maps each to where it was found."""

    code = "HouseDivided"

    def __init__(self, home: Path, strangers: Mapping[str, Path | None]) -> None:
        self.home = home
        self.strangers = dict(strangers)
        found = ", ".join(f"{name} in {place or 'no folder at all'}" for name, place in self.strangers.items())
        super().__init__(
            f"chergui is installed in {home}, but Python finds {found}; unset PYTHONPATH, or install chergui "
            "in an environment of its own"
        )


def home() -> Path:
    """Folder that all packages of this installation share."""
    return Path(__file__).resolve().parents[1]


def strangers(names: Iterable[str] = PACKAGES) -> dict[str, Path | None]:
    """Packages that Python would import from elsewhere than :func:`home`, each with its folder there."""
    found: dict[str, Path | None] = {}
    for name in names:
        spec = importlib.util.find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec else []
        place = Path(places[0]).resolve().parent if places else None
        if place != home():
            found[name] = place
    return found


def require_one_house() -> None:
    """The start-up check.

    Raises:
        HouseDivided: a package would come from elsewhere.
    """
    if found := strangers():
        raise HouseDivided(home(), found)


def other_claims(names: Iterable[str] = PACKAGES) -> dict[str, list[str]]:
    """Names that another installed distribution claims too, each with those distributions."""
    owners = importlib.metadata.packages_distributions()
    claims = {name: sorted(set(owners.get(name, ())) - {"chergui"}) for name in names}
    return {name: others for name, others in claims.items() if others}
