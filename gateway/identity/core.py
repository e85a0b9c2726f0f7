"""What all parts of the directory work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.identity.database import Database
from gateway.identity.events import SecurityEvent, Tell, What
from gateway.identity.passwords import Passwords
from gateway.identity.secrets import SecretKey
from gateway.identity.throttle import Throttle


class Lifetimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long things hold, in milliseconds: a session that is not used, a session at all, the wait for a second factor, and that
    somebody has signed in of late.
    """

    idle_ms: int = 12 * 3_600_000
    session_ms: int = 7 * 86_400_000
    second_factor_ms: int = 5 * 60_000
    fresh_ms: int = 10 * 60_000


class Origin(msgspec.Struct, frozen=True):
    """Where a request came from: the address of whoever sent it, and the browser's word for itself."""

    address: str = ""
    user_agent: str = ""


NOWHERE = Origin()
"""Where nobody knows, as on the command line."""


@dataclass(frozen=True, kw_only=True)
class Core:
    """`now_ms` is the wall's clock; `changed` is to be called when what sessions or keys allow has changed in the database."""

    database: Database
    secret: SecretKey
    passwords: Passwords
    throttle: Throttle
    lifetimes: Lifetimes
    now_ms: Callable[[], int]
    tell: Tell
    changed: Callable[[], None]
    venue: str

    async def told(self, what: What, user: str, *, by: str = "", origin: Origin = NOWHERE, **facts: str) -> None:
        """Tell of an event now."""
        await self.tell(
            SecurityEvent(what=what, user=user, at_ms=self.now_ms(), by=by, address=origin.address, facts=facts)
        )
