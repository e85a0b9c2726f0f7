"""Keeps other sites out: whom a request may come from, whom it may be for, and what a browser may do with the answer.

Theory of operation: pages carry no token, because the same partial goes to every browser. Instead a request that changes something, and
every websocket handshake, must come from our own pages: browsers say so in Sec-Fetch-Site, older ones in Origin, and scripts of
other sites can forge neither. A client that is no browser sends neither header, and is let in. Against names that an attacker points
at this machine, the Host must be one of ours.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send

from gateway.problems import Problem, problem_json

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
ANY_HOST: Final = "*"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp-reports"
)
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""On every answer, errors included."""

_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """Wraps an application. `allowed_hosts` are names without a port; `ANY_HOST` among them allows all."""

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in allowed_hosts)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on and mark its answer."""

        async def send_marked(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        if scope.get("method") == "HEAD":  # the server leaves the body away
            scope = {**scope, "method": "GET"}
        if problem is None:
            await self._app(scope, receive, send_marked)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": problem.message})
        else:
            await _refuse(problem, send_marked)

    def _problem(self, scope: Any) -> Problem | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        name = _name(host)
        if ANY_HOST not in self._hosts and name not in self._hosts:
            return Problem(
                400, "HOST_NOT_ALLOWED", "This server does not answer to this host name: allow it with --allowed-host."
            )
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return None
        if _is_foreign(headers.get(b"sec-fetch-site"), headers.get(b"origin"), host):
            return Problem(403, "CROSS_SITE", "This request comes from another site, so it was not carried out.")
        return None


def _name(host: str) -> str:
    """Return a Host header's name, without port, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    return (name if colon and port.isdecimal() else host.lower()).rstrip(".")


def _is_foreign(fetch_site: str | None, origin: str | None, host: str) -> bool:
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    return origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower())


async def _refuse(problem: Problem, send: Send) -> None:
    response = problem_json(problem)
    body = response.render(response.content, "application/json")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
