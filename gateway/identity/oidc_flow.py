"""What a browser keeps while its user is at the provider: sealed, so that nobody reads or makes it, and only this browser can come back by it."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import Final

import msgspec

from gateway.identity.secrets import BadSecretKey, SecretKey

FLOW_S: Final = 600
"""How long somebody may be at the provider."""
_ABOUT: Final = "oidc-flow"


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A visit to the provider. `link` is the user to whom whoever comes back is to be linked (empty: they sign in); `way` where to go then."""

    state: str
    nonce: str
    verifier: str
    issuer: str
    way: str
    link: str = ""
    begun_ms: int

    def __repr__(self) -> str:
        """Leave out what a log must not keep."""
        return "Flow()"


def begun(issuer: str, way: str, link: str, now_ms: int) -> Flow:
    """Return a new visit."""
    state, nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    return Flow(state=state, nonce=nonce, verifier=verifier, issuer=issuer, way=way, link=link, begun_ms=now_ms)


def sealed(flow: Flow, key: SecretKey) -> str:
    """Return a visit as a cookie has it."""
    return key.seal(msgspec.json.encode(flow), _ABOUT).decode()


def returned(cookie: str, state: str, issuer: str, key: SecretKey, now_ms: int) -> Flow | None:
    """Return the visit that a browser comes back from; None if it was not begun by this browser, at this provider and of late."""
    try:
        flow = msgspec.json.decode(key.open(cookie.encode(), _ABOUT), type=Flow)
    except (BadSecretKey, msgspec.MsgspecError):
        return None
    on_time = 0 <= now_ms - flow.begun_ms <= FLOW_S * 1_000
    same = compare_digest(flow.state.encode(), state.encode()) and flow.issuer == issuer
    return flow if on_time and same else None
