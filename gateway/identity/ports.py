"""What the server's routes need of whoever keeps the users: `directory.Directory` keeps them in a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from gateway.identity.principal import Principal
from gateway.ports import GatewayError


class IdentitiesUnavailable(GatewayError):
    """Nobody can say now who may come in: the database does not answer."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key that is valid now. `secret` signs requests; `networks` are where it may be used from (CIDR; empty: anywhere)."""

    principal: Principal
    secret: bytes
    networks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show who it is of; never the secret, which a log could keep."""
        return f"Key({self.principal!r})"


class CacheFigures(msgspec.Struct, frozen=True):
    """What a cache was good for: who was given what is held or being read, the readings, and how many entries are held."""

    hits: int
    misses: int
    size: int


class Identities(Protocol):
    """Knows who somebody is. What has ended (revoked, expired, its user shut out) is unknown within a second, in every process."""

    async def key(self, key_id: str) -> Key | None:
        """Return the key that a client names; None if it is not valid. Raises IdentitiesUnavailable."""

    async def session(self, token: str) -> Principal | None:
        """Return who has a session by the token of its cookie; None if it is not valid. Raises IdentitiesUnavailable."""

    async def ended(self, principal: Principal) -> None:
        """Return once the session or key that somebody was let in by is no longer valid; of a visitor never."""

    def caches(self) -> Mapping[str, CacheFigures]:
        """Return the figures of what is remembered of who may come in, by name."""
