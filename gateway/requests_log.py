"""Logs requests, and names each with an id that its answer bears, too.

A line has the route and never the address that was asked for: who mistypes writes passwords and signatures in there. Logged are,
unless it is set otherwise, failures, what is refused because of who asks or how much, and whatever concerns safety; of each kind of
answer at most `LINES_PER_S`, so that who asks for nonsense does not fill the disk.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from litestar.types import ASGIApp, Message, Receive, Send

from gateway.limiting.address import client_address
from gateway.request_ids import HEADER, REQUEST_ID, named

AccessLog: TypeAlias = Literal["off", "notable", "all"]

LINES_PER_S: Final = 20
NOTABLE: Final = frozenset((400, 401, 403, 408, 413, 418, 429, 431))
"""What clients are refused with whose requests are logged, beside all failures of the server."""
CONCERNING: Final = frozenset(("enter", "manage-self", "operate", "administer"))
"""The actions (`identity.roles`) that are logged when somebody changes something by them."""
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))

LOG: Final = logging.getLogger("openbell.requests")


def concerns_safety(method: str | None, opt: Mapping[str, Any]) -> bool:
    """Say whether a request to a route (its `opt`) changes what concerns safety, or tries to; signing in and up does.

    What is done by a route that anybody may enter with a signature is told by what the signature must allow.
    """
    return method is not None and method not in SAFE_METHODS and opt.get("signed", opt.get("needs")) in CONCERNING


class RequestLog:
    """Wraps an application, outside of all else that does."""

    def __init__(
        self,
        app: ASGIApp,
        which: AccessLog,
        trusted_proxies: tuple[str, ...] = (),
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._which = which
        self._trusted = trusted_proxies
        self._clock_s = clock_s
        self._second = 0
        self._lines: Counter[int] = Counter()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, mark its answer, and log it when it has ended."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = named(scope)
        told = REQUEST_ID.set(request_id)
        header = (HEADER, request_id.encode())
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            elif message["type"] == "websocket.accept":
                status = 101
                message["headers"] = [*message.get("headers", ()), header]
            elif message["type"] == "websocket.close" and status == 0:
                status = 403  # closed before it was open, which servers answer so
            await send(message)

        begun = self._clock_s()
        try:
            await self._app(scope, receive, send_marked)
        finally:
            if self._which != "off" and self._wanted(scope, status or 500):
                self._log(scope, status or 500, self._clock_s() - begun)
            REQUEST_ID.reset(told)

    def _wanted(self, scope: Any, status: int) -> bool:
        if self._which == "all":
            return True
        handler = scope.get("route_handler")
        wanted = status >= 500 or status in NOTABLE
        wanted = wanted or (handler is not None and concerns_safety(scope.get("method"), handler.opt))
        return wanted and self._has_room(status)

    def _has_room(self, status: int) -> bool:
        second = int(self._clock_s())
        if second != self._second:
            for kind, count in sorted(self._lines.items()):
                if count > LINES_PER_S:
                    LOG.warning("more requests were answered with %s than are logged: %s", kind, count - LINES_PER_S)
            self._second = second
            self._lines.clear()
        self._lines[status] += 1
        return self._lines[status] <= LINES_PER_S

    def _log(self, scope: Any, status: int, seconds: float) -> None:
        fields = {
            "method": scope.get("method", "WEBSOCKET"),
            "route": scope.get("path_template") or "none",
            "status": status,
            "ms": round(seconds * 1000, 1),
            "address": client_address(scope, self._trusted),
        }
        level = logging.ERROR if status >= 500 else logging.WARNING if status in NOTABLE else logging.INFO
        LOG.log(
            level, "request %s", " ".join(f"{name}={value}" for name, value in fields.items()), extra={"fields": fields}
        )
