"""Lets requests and websockets to their routes only past guards.

Litestar's own guards do the same, but it copies the route's handler for each of them at each request, which costs more than what they do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection, WebSocket
from litestar.handlers import BaseRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, Receive, Send

RouteGuard: TypeAlias = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]
"""Lets a request to a route, or raises what it is refused with."""


class _Guarded:
    """Wraps a route."""

    def __init__(self, app: ASGIApp, guards: tuple[RouteGuard, ...]) -> None:
        self._app = app
        self._guards = guards

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Let a request to its route, or raise what a guard does."""
        if scope["type"] == "websocket":
            connection: ASGIConnection[Any, Any, Any, Any] = WebSocket(scope, receive, send)
        else:
            connection = ASGIConnection(scope, receive, send)
        for guard in self._guards:
            await guard(connection, scope["route_handler"])
        await self._app(scope, receive, send)


def guarded(*guards: RouteGuard) -> DefineMiddleware:
    """Return the middleware by which an application has guards, asked in turn, before each of its routes."""
    return DefineMiddleware(_Guarded, guards=guards)
