"""What is told of all that concerns safety, for a log that can be trusted later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import msgspec

What: TypeAlias = Literal[
    "signed-up",
    "user-created",
    "logged-in",
    "log-in-refused",
    "second-factor-refused",
    "second-factor-on",
    "second-factor-off",
    "recovery-code-used",
    "recovery-codes-made",
    "password-changed",
    "session-revoked",
    "key-made",
    "key-revoked",
    "role-changed",
    "accounts-changed",
    "user-disabled",
    "user-enabled",
    "log-in-linked",
    "log-in-unlinked",
]


class SecurityEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a user: `user` is whom it concerns (empty: nobody known here), `by` who did it (empty: they themselves).

    `address` is where it came from, empty where nobody knows; `facts` never have a secret in them.
    """

    what: What
    user: str
    at_ms: int
    by: str = ""
    address: str = ""
    facts: dict[str, str] = {}


Tell: TypeAlias = Callable[[SecurityEvent], Awaitable[None]]
"""Takes an event after what it tells of is in the database. It must not raise: nothing is undone for it."""


async def tell_nobody(event: SecurityEvent) -> None:
    """Forget an event."""
    del event
