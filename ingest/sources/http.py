"""One question over HTTP, with a bound on everything: seconds, bytes, redirects (none) and what counts as an answer."""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from ingest.errors import SourceUnavailable

_BEGINNING = 200
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every single request


class Answer(NamedTuple):
    """A body that came whole, decompressed."""

    body: bytes
    content_type: str


def client_for(
    *,
    timeout_s: float,
    username: str | None = None,
    password_file: Path | None = None,
    token_file: Path | None = None,
    ca_file: Path | None = None,
    connections: int = 16,
) -> httpx.Client:
    """A client that logs in as told and asks no proxy: sources stand in the site's own network.

    Raises:
        SourceUnavailable: a file with a secret or certificates cannot be read.
    """
    headers = {"User-Agent": "chergui"}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {secret(token_file)}"
    auth = None
    if username is not None and password_file is not None:
        auth = httpx.BasicAuth(username, secret(password_file))
    verify: ssl.SSLContext | bool = True
    if ca_file is not None:
        try:
            verify = ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise SourceUnavailable(str(ca_file), f"no certificates can be read: {error}") from None
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.Client(
        headers=headers,
        auth=auth,
        verify=verify,
        limits=limits,
        timeout=timeout_s,
        trust_env=False,
        follow_redirects=False,
    )


def secret(path: Path) -> str:
    """First line of a file that holds a secret.

    Raises:
        SourceUnavailable: it cannot be read or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnavailable(str(path), f"the secret cannot be read: {error}") from None
    if not lines or not lines[0].strip():
        raise SourceUnavailable(str(path), "the file is empty; write the secret into its first line")
    return lines[0].strip()


def ask(
    client: httpx.Client,
    url: str,
    *,
    timeout_s: float,
    most_bytes: int,
    form: Mapping[str, str] | None = None,
    accept: str = "*/*",
    statuses: tuple[int, ...] = (200,),
) -> Answer:
    """The answer of a GET, or of a POST of ``form``.

    ``timeout_s`` bounds the whole of it: a server that drips a byte a second is given up too. ``statuses`` are those
    whose body is an answer.

    Raises:
        SourceUnavailable: no connection, another status, HTML, too long, too late, or torn in the middle.
    """
    deadline = time.monotonic() + timeout_s
    parts: list[bytes] = []
    size = 0
    try:
        with client.stream(
            "GET" if form is None else "POST", url, data=form, headers={"Accept": accept}, timeout=timeout_s
        ) as answer:
            for part in answer.iter_bytes():
                size += len(part)
                if size > most_bytes:
                    raise SourceUnavailable(url, f"the answer exceeds {most_bytes} bytes; ask for less or allow more")
                if time.monotonic() > deadline:
                    raise SourceUnavailable(url, f"no whole answer within {timeout_s:g} s")
                parts.append(part)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceUnavailable(url, f"{type(error).__name__}: {error}") from None
    body = b"".join(parts)
    kind = answer.headers.get("content-type", "")
    if answer.status_code not in statuses:
        raise SourceUnavailable(url, f"HTTP {answer.status_code}: {_shown(body, kind)}")
    if kind.partition(";")[0].strip().lower() == "text/html" or body[:15].lstrip().lower().startswith(
        (b"<!doctype", b"<html")
    ):
        raise SourceUnavailable(url, "a web page came instead of an answer; check the address")
    return Answer(body, kind)


def json_of(answer: Answer, url: str) -> Any:
    """The body as JSON.

    Raises:
        SourceUnavailable: it is none, or only half of one.
    """
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise SourceUnavailable(url, f"the answer is no JSON ({error}): {_shown(answer.body, '')}") from None


def _shown(body: bytes, kind: str) -> str:
    if "html" in kind:
        return "(a web page)"
    text = body[:_BEGINNING].decode("utf-8", "replace").strip()
    return repr(text) if text else "(nothing)"
