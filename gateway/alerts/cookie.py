"""How many alerts a browser's reader has read: of each account its own, kept by the browser, for an account may have many readers."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from gateway.identity.principal import Principal
from gateway.parameters import is_whole

NAME: Final = "openbell_alerts_read"
KEPT_S: Final = 365 * 86_400
READ_MAX: Final = 10**15


def alerts_read(connection: ASGIConnection[Any, Any, Any, Any], principal: Principal) -> int:
    """Return how many alerts of somebody's account have been read; 0 where a browser says nothing, or nonsense."""
    text = connection.cookies.get(_name(principal), "")
    return int(text) if is_whole(text, READ_MAX) else 0


def read_cookie(count: int, principal: Principal) -> Cookie:
    """Return what tells a browser to keep how many have been read."""
    return Cookie(key=_name(principal), value=str(count), path="/", max_age=KEPT_S, httponly=True, samesite="lax")


def _name(principal: Principal) -> str:
    """Return what the cookie is called: an account's name can have letters in it that a cookie's cannot."""
    if principal.grant == "visit" or principal.account is None:
        return NAME
    return f"{NAME}_{sha256(principal.account.encode()).hexdigest()[:16]}"
