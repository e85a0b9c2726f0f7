"""The one API key of a simulated venue: it trades for the one account, and nobody signs in otherwise."""

from __future__ import annotations

import asyncio

from gateway.identity.ports import CacheFigures, Key
from gateway.identity.principal import Principal


class OneKey:
    """Knows one key, which never ends. Implements `identity.ports.Identities`."""

    def __init__(self, key_id: str, secret: str, account: str) -> None:
        principal = Principal(
            user="sim",
            role="market-maker",
            account=account,
            scopes=frozenset(("read", "trade")),
            grant="key",
            grant_id=1,
        )
        self._id = key_id
        self._key = Key(principal=principal, secret=secret.encode())

    async def key(self, key_id: str) -> Key | None:
        """Return the key, if it is the one that is named."""
        return self._key if key_id == self._id else None

    async def session(self, token: str) -> Principal | None:
        """Say that there are no sessions."""
        del token
        return None

    async def ended(self, principal: Principal) -> None:
        """Wait for ever: nothing ends here."""
        del principal
        await asyncio.Event().wait()

    def caches(self) -> dict[str, CacheFigures]:
        """Tell of none: the key is no copy of anything."""
        return {}
