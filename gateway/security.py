"""Keeps other sites out: whom a request may come from, whom it may be for, and what a browser may do with the answer.

Theory of operation: pages carry no token, because the same partial goes to every browser. Instead a request that changes something, and
every websocket handshake, must come from our own pages: browsers say so in Sec-Fetch-Site, older ones in Origin, and scripts of
other sites can forge neither. A client that is no browser sends neither header, and is let in, unless it brings a session's cookie or
signs somebody in: those are browsers' ways, so there one of the headers must be. Against names that an attacker points
at this machine, the Host must be one of ours.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send

from gateway.problems import Problem, refuse
from gateway.sign_in.cookies import session_cookie_name

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
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=63072000")
"""Over TLS: for two years browsers come in no other way."""
_NO_STORE = (b"cache-control", b"no-store")
"""On every answer that does not say itself how long it may be kept."""
_SIGNING: Final = ("/sign-in", "/sign-up", "/sign-out", "/account")
"""Paths of forms that only browsers send: a browser that signed its user in as somebody else, for another site, would say nothing of it."""


class Guard:
    """Wraps an application. `allowed_hosts` are names without a port; `ANY_HOST` among them allows all."""

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str], *, tls: bool = False) -> None:
        self._app = app
        self._cookie = session_cookie_name(tls).encode() + b"="
        self._schemes = ("https",) if tls else ("http", "https")
        self._headers = [*_HEADERS, _STRICT_TRANSPORT] if tls else _HEADERS
        self._hosts = frozenset(host.lower().rstrip(".") for host in allowed_hosts)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on and mark its answer."""

        async def send_marked(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = [*message.get("headers", ()), *self._headers]
                kept = any(name.lower() == b"cache-control" for name, _ in headers)
                message["headers"] = headers if kept else [*headers, _NO_STORE]
            await send(message)

        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        if scope.get("method") == "HEAD":  # the server leaves the body away
            scope = {**scope, "method": "GET"}
        if problem is None:
            await self._app(scope, receive, send_marked)
        else:
            await refuse(scope, problem, receive, send_marked)

    def _problem(self, scope: Any) -> Problem | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        name = _name(host) if sum(header == b"host" for header, _ in scope["headers"]) == 1 else ""
        if ANY_HOST not in self._hosts and name not in self._hosts:
            return Problem(
                400,
                "HOST_NOT_ALLOWED",
                "This server does not answer to this host name: allow it with OPENBELL_GATEWAY_HOSTS, or --allowed-host.",
            )
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return None
        fetch_site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if self._is_foreign(fetch_site, origin, host):
            return Problem(403, "CROSS_SITE", "This request comes from another site, so it was not carried out.")
        if fetch_site is None and origin is None and self._must_say(scope):
            what = f"A request with a session's cookie must say where it is from: send Origin: {self._schemes[0]}://{host}."
            return Problem(403, "ORIGIN_NEEDED", what)
        return None

    def _must_say(self, scope: Any) -> bool:
        """Say whether a request is one that only a page of ours may begin, whoever sends it."""
        cookies = b";".join(value for name, value in scope["headers"] if name == b"cookie").split(b";")
        path = f"/{scope['path'].lstrip('/')}"  # routes are found however many slashes a path begins with
        return path.startswith(_SIGNING) or any(each.strip().startswith(self._cookie) for each in cookies)

    def _is_foreign(self, fetch_site: str | None, origin: str | None, host: str) -> bool:
        if fetch_site is not None:
            return fetch_site not in ("same-origin", "none")
        return origin is not None and origin.lower() not in [f"{scheme}://{host}".lower() for scheme in self._schemes]


def _name(host: str) -> str:
    """Return a Host header's name, without port, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    return (name if colon and port.isdecimal() else host.lower()).rstrip(".")
