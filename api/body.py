"""Reading a request body: never more than allowed, whatever the headers claim."""

from __future__ import annotations

import zlib
from typing import Annotated, Any

from fastapi import Depends, Request

from api.errors import Refused
from api.settings import MAX_BODY
from models.strict_json import loads

_DRAINED = 4 * MAX_BODY


async def read_body(request: Request) -> bytes:
    """The whole body, counted while it comes (a chunked one says no length); gzip is undone.

    What is too long is read on for a while and thrown away, so that a client that sends first and listens
    afterwards gets its 413 instead of a broken pipe.

    Raises:
        Refused: 413 beyond the limit, 400 for a broken gzip, 415 for another encoding.
    """
    told = request.headers.get("content-length", "")
    too_long = told.isdecimal() and int(told) > MAX_BODY
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        too_long = too_long or size > MAX_BODY
        if too_long:
            parts.clear()
            if size > _DRAINED:
                break
        else:
            parts.append(part)
    if too_long:
        raise _too_long()
    body = b"".join(parts)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _unzipped(body)
    if encoding != "identity":
        raise Refused(415, "UnsupportedEncoding", f"content-encoding {encoding!r}; send gzip or none")
    return body


def _too_long() -> Refused:
    return Refused(413, "BodyTooLarge", f"the body exceeds {MAX_BODY} bytes; send less at a time")


def _unzipped(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        out = inflater.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise Refused(400, "BrokenEncoding", f"the body is no gzip: {error}") from None
    if len(out) > MAX_BODY:
        raise _too_long()
    if not inflater.eof or inflater.unused_data:
        raise Refused(400, "BrokenEncoding", "the body is no single whole gzip stream")
    return out


Body = Annotated[bytes, Depends(read_body)]


def strict_json(body: bytes, what: str) -> Any:
    """Parsed JSON of a body, by the strict reader.

    Raises:
        InvalidInput: with a JSON pointer for everything that is wrong.
    """
    return loads(body, what)
