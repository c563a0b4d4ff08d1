"""The outermost layer of the web process: which hosts may be asked, safe headers, one count per request."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.metrics import Metrics
from api.settings import Settings

_SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def allowed_names(settings: Settings) -> frozenset[str]:
    """Names that a ``Host`` header may hold; addresses are always allowed.

    A page elsewhere can point a name of its own at 127.0.0.1 and so reach a service on loopback from a visitor's
    browser; it cannot do so with an address or with one of our names.
    """
    own = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
    if not settings.is_loopback:
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(own)


def host_allowed(host: str, names: Iterable[str]) -> bool:
    """Whether a ``Host`` header is one of ours; the port does not count."""
    bare = host.strip().lower()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return bare.rstrip(".") in names
    return True


class Shell:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._names = allowed_names(settings)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                safe = [(k.encode(), v.encode()) for k, v in _SAFE.items() if k.encode() not in there]
                message["headers"] = [*message["headers"], *safe]
                route = scope.get("route")
                self._metrics.request(getattr(route, "path", "none"), asked, message["status"])
            await send(message)

        asked = scope["method"]
        if asked == "HEAD":  # as GET (RFC 9110 9.3.2); the server, whose scope is another, leaves the body out
            scope = {**scope, "method": "GET"}
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if not host_allowed(host, self._names):
            told = f"the host {host[:100]!r} is not one of ours; allow it with --allow-host"
            await problem(400, "HostNotAllowed", told)(scope, receive, counted)
            return
        await self._app(scope, receive, counted)
