"""Bounds what a request may consist of, before anything looks at it: the number and size of its headers and of its query's parameters,
and the time that its body may take.

`BoundedHttp` is the server's side of it: a head that does not end, or comes too slowly, never becomes a request.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.problems import Problem, refuse

HEADERS_MAX: Final = 100
QUERY_BYTES_MAX: Final = 32_768
QUERY_FIELDS_MAX: Final = 100
BODY_S: Final = 30.0
"""How long a body may take to come."""
HEAD_BYTES_MAX: Final = 65_536
"""Greatest size of a request's line and headers together."""
HEAD_S: Final = 10.0
"""How long a request's line and headers may take to come."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Bounded:
    """Wraps an application and refuses requests that are out of bounds."""

    def __init__(self, app: ASGIApp, body_s: float = BODY_S) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = _problem(scope)
        if problem is not None:
            await refuse(scope, problem, receive, send)
        elif scope["type"] == "http" and has_body(scope):
            await self._app(scope, _Hurried(receive, self._body_s), send)
        else:
            await self._app(scope, receive, send)


class _Hurried:
    """Receives a body, and gives its client up when it has taken too long."""

    def __init__(self, receive: Any, seconds: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + seconds
        self._whole = False

    async def __call__(self) -> HTTPReceiveMessage:
        if self._whole:  # from here on it is only waited for the client to go
            return await self._receive()  # type: ignore[no-any-return]
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Problem(408, "REQUEST_TIMEOUT", "The request's body did not come in time: send it again.") from None
        self._whole = not message.get("more_body", False)
        return message  # type: ignore[no-any-return]


def has_body(scope: Any) -> bool:
    """Say whether a request has a body to wait for."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _problem(scope: Any) -> Problem | None:
    if len(scope["headers"]) > HEADERS_MAX:
        return Problem(431, "TOO_MANY_HEADERS", f"This request has too many headers: at most {HEADERS_MAX} are taken.")
    query = scope["query_string"]
    if len(query) > QUERY_BYTES_MAX:
        return Problem(414, "QUERY_TOO_LONG", f"This query is too long: at most {QUERY_BYTES_MAX} bytes are taken.")
    if query.count(b"&") >= QUERY_FIELDS_MAX or query.count(b";") >= QUERY_FIELDS_MAX:
        return Problem(400, "TOO_MANY_PARAMETERS", f"This query has more than {QUERY_FIELDS_MAX} parameters.")
    return None


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP with bounds of size and time for the head of a request, of which it has none itself."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._in_head = True
        self._late: asyncio.TimerHandle | None = self.loop.call_later(HEAD_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless it is a head that is too large."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        super().on_message_begin()
        self._in_head = True
        if self._late is None:
            self._late = self.loop.call_later(HEAD_S, self.transport.abort)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a body, of which there is no bound, are left away."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take a head as read."""
        self._end_of_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_of_head()
        super().connection_lost(exc)

    def _end_of_head(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
