"""Where to go after signing in: only ever to an address of this server."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from litestar.connection import ASGIConnection

SIGN_IN: Final = "/sign-in"
HOME: Final = "/"
WAY_MAX: Final = 2_000
"""Greatest length of a way back."""
_NOWHERE: Final = (SIGN_IN, "/sign-up", "/sign-out")
"""What leads nowhere for somebody who has just signed in."""


def own_path(text: str) -> str:
    r"""Return a path with its query if it is one of this server, and else the first page.

    A browser takes `//host`, `/\host` and what has tabs or line ends in it for another server's address, so none of that is a path here.

    >>> own_path("/market/AAPLUSD?span=1d"), own_path("//evil.example"), own_path("https://evil.example/"), own_path("/\\evil.example")
    ('/market/AAPLUSD?span=1d', '/', '/', '/')
    """
    plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    if not plain or not text.startswith("/") or text.startswith("//") or len(text) > WAY_MAX:
        return HOME
    return HOME if text.partition("?")[0].startswith(_NOWHERE) else text


def way_to_sign_in(back: str) -> str:
    """Return the address of the page that signs in, and leads back to a path of this server.

    >>> way_to_sign_in("/alerts?symbol=AAPLUSD"), way_to_sign_in("/")
    ('/sign-in?next=/alerts%3Fsymbol%3DAAPLUSD', '/sign-in')
    """
    back = own_path(back)
    return SIGN_IN if back == HOME else f"{SIGN_IN}?next={quote(back)}"


def way_here(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the path of a request, with its query."""
    path = connection.scope["raw_path"].decode("latin-1")
    query = connection.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def page_of(referrer: str, host: str) -> str:
    """Return the path of the page that a form was on, if it was one of the server at `host`, and else the first page's."""
    try:
        at = urlsplit(referrer)
    except ValueError:
        return HOME
    if at.netloc.lower() != host.lower():
        return HOME
    return own_path(f"{at.path}?{at.query}" if at.query else at.path)
