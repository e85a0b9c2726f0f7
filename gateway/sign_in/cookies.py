"""The cookies of signing in. No script sees them, and no request that another site begins carries them, but for following a link here.

Where pages come over TLS, the cookie's name begins with `__Host-`: then browsers take it only from this very host, over TLS, for all
paths, so that no neighbouring host can set one here. Browsers refuse such a name without TLS, so on a plain http://localhost it is another.
"""

from __future__ import annotations

from typing import Final

from litestar.datastructures import Cookie

SESSION: Final = "openbell"
PENDING: Final = "openbell-second"
"""Between the password and the second factor."""
_HOST: Final = "__Host-"


def cookie_name(name: str, tls: bool) -> str:
    """Return what a cookie is called.

    >>> cookie_name("openbell", tls=True), cookie_name("openbell", tls=False)
    ('__Host-openbell', 'openbell')
    """
    return f"{_HOST}{name}" if tls else name


def session_cookie_name(tls: bool) -> str:
    """Return what the cookie of a session is called."""
    return cookie_name(SESSION, tls)


def keep(name: str, value: str, tls: bool, max_age_s: int | None = None) -> Cookie:
    """Return what has a browser keep a cookie; without an age until it is closed."""
    return Cookie(
        key=cookie_name(name, tls), value=value, path="/", max_age=max_age_s, httponly=True, secure=tls, samesite="lax"
    )


def forget(name: str, tls: bool) -> Cookie:
    """Return what has a browser forget a cookie."""
    return keep(name, "", tls, max_age_s=0)
