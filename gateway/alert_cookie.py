"""How many alerts a browser's reader has read: its own, kept by the browser, for there is one account and there may be many readers."""

from __future__ import annotations

from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from gateway.parameters import is_whole

NAME: Final = "openbell_alerts_read"
KEPT_S: Final = 365 * 86_400
READ_MAX: Final = 10**15


def alerts_read(connection: ASGIConnection[Any, Any, Any, Any]) -> int:
    """Return how many alerts have been read; 0 where a browser says nothing, or nonsense."""
    text = connection.cookies.get(NAME, "")
    return int(text) if is_whole(text, READ_MAX) else 0


def read_cookie(count: int) -> Cookie:
    """Return what tells a browser to keep how many have been read."""
    return Cookie(key=NAME, value=str(count), path="/", max_age=KEPT_S, httponly=True, samesite="lax")
