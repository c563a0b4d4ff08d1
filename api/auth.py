"""Who may do what: one dependency per scope, and the pages' own rule.

Machines say ``Authorization: Bearer chergui_...`` (or ``Token``, as InfluxDB's clients do). People who open pages
from elsewhere than this machine are asked by the browser: any user name, the key as password. Nothing is let in by
default.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from api.doors import Doors, doors_of
from api.errors import Refused
from api.store.keys import SCOPES, Key, Scope, well_formed

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def _presented(request: Request) -> str | None:
    """The key in the Authorization header; None where there is no such header."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, rest = header.partition(" ")
    rest = rest.strip()
    if scheme.lower() in ("bearer", "token"):
        return rest
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _require(request: Request, doors: Doors, scope: Scope, challenge: str) -> Key:
    text = _presented(request)
    headers = {"WWW-Authenticate": challenge}
    if text is None:
        raise Refused(401, "KeyMissing", "this needs a key: Authorization: Bearer chergui_...", headers)
    return key_of(text, doors, scope, headers)


def key_of(text: str, doors: Doors, scope: Scope, headers: Mapping[str, str] | None = None) -> Key:
    """The key that a text is, where it reaches ``scope``.

    Raises:
        Refused: 401 where it is none of ours, 403 where it does not reach so far.
    """
    key = doors.keys.find(text)
    if key is None:
        told = "this key is not known here or was revoked" if well_formed(text) else "this is no key of ours"
        raise Refused(401, "KeyUnknown", f"{told}; make one with: chergui key new", headers)
    if SCOPES.index(key.scope) < SCOPES.index(scope):
        raise Refused(403, "ScopeTooNarrow", f"the key {key.id} has scope {key.scope}; this needs {scope}")
    return key


def _scope(scope: Scope) -> object:
    def check(request: Request, doors: Annotated[Doors, Depends(doors_of)]) -> Key:
        return _require(request, doors, scope, "Bearer")

    return Depends(check)


Reader = Annotated[Key, _scope("read")]
Writer = Annotated[Key, _scope("write")]
Admin = Annotated[Key, _scope("admin")]


def page_reader(request: Request, doors: Annotated[Doors, Depends(doors_of)]) -> None:
    """Pages: free on this machine; with a key where the service, or a proxy before it, is open to others."""
    through_proxy = any(name in request.headers for name in _FORWARDED)
    if doors.settings.is_loopback and not through_proxy:
        return
    _require(request, doors, "read", 'Basic realm="chergui", charset="UTF-8"')
