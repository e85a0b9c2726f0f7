"""Sessions of browsers: begun at log-in, listed, ended. Their tokens stand in cookies only; the database has hashes of them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.core import NOWHERE, Core, Origin
from gateway.identity.errors import NotFound
from gateway.identity.grants import session_holds
from gateway.identity.models import Session, User
from gateway.identity.secrets import digest, new_token
from gateway.identity.users import end_sessions, folded, number_of

KEPT_MS: Final = 30 * 86_400_000
"""How long sessions are kept after they began: for so long an address is known from which somebody logged in."""


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is valid. `number` is its principal's `grant_id`; times are milliseconds since the epoch."""

    number: int
    created_ms: int
    seen_ms: int
    expires_ms: int
    address: str
    user_agent: str


class Sessions:
    """The sessions of each user."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def of(self, user: str) -> list[SessionShown]:
        """Return a user's valid sessions, the last seen first. Raises IdentitiesUnavailable."""
        holds = session_holds(self._core.now_ms(), self._core.lifetimes.idle_ms)
        async with self._core.database.read() as connection:
            found = await connection.execute(
                _SHOWN.where(User.folded == folded(user), holds).order_by(Session.seen_ms.desc(), Session.id.desc())
            )
            return [SessionShown(**row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's public name for it

    async def log_out(self, token: str, origin: Origin = NOWHERE) -> None:
        """End the session of a token, also one that waits for a second factor; if there is none, nothing happens."""
        await self._revoke(Session.token_hash == digest(token), "", origin)

    async def revoke(self, user: str, number: int, *, by: str = "", origin: Origin = NOWHERE) -> None:
        """End a session of a user. Raises NotFound, IdentitiesUnavailable."""
        mine = (Session.id == number) & (User.folded == folded(user))
        if not 0 < number < 2**63 or not await self._revoke(mine, by, origin):
            raise NotFound("There is no such session: it may have ended.")

    async def revoke_all(self, user: str, *, but: int = 0, by: str = "", origin: Origin = NOWHERE) -> int:
        """End all sessions of a user, but one if that is named, and return how many. Raises NotFound, IdentitiesUnavailable."""
        async with self._core.database.write() as connection:
            number = await number_of(connection, user)
            ended = await end_sessions(connection, number, self._core.now_ms(), but)
        self._core.changed()
        if ended:
            await self._core.told("session-revoked", user, by=by, origin=origin, sessions=str(ended))
        return ended

    async def tidy(self) -> None:
        """Forget what began long ago. Raises IdentitiesUnavailable."""
        now = self._core.now_ms()
        async with self._core.database.write() as connection:
            old = (Session.created_ms < now - KEPT_MS) & (Session.expires_ms < now)
            unused = Session.waiting.is_(True) & (Session.expires_ms < now)
            await connection.execute(delete(Session).where(old | unused))

    async def _revoke(self, which: Any, by: str, origin: Origin) -> bool:
        async with self._core.database.write() as connection:
            found = await connection.execute(
                select(Session.id, User.name)
                .join(User, User.id == Session.user_id)
                .where(which, Session.revoked_ms.is_(None))
            )
            row = found.one_or_none()
            if row is None:
                return False
            ended = update(Session).where(Session.id == row.id).values(revoked_ms=self._core.now_ms())
            await connection.execute(ended)
        self._core.changed()
        await self._core.told("session-revoked", row.name, by=by, origin=origin, sessions="1")
        return True


async def begin(connection: AsyncConnection, core: Core, user_id: int, origin: Origin, *, waiting: bool = False) -> str:
    """Write a session and return its token; `waiting`: it lets nobody in, but can be turned into one by a second factor."""
    token, now = new_token(), core.now_ms()
    lifetime = core.lifetimes.second_factor_ms if waiting else core.lifetimes.session_ms
    values = {
        "token_hash": digest(token),
        "user_id": user_id,
        "waiting": waiting,
        "created_ms": now,
        "seen_ms": now,
        "expires_ms": now + lifetime,
        "address": origin.address[:64],
        "user_agent": "".join(letter for letter in origin.user_agent if letter.isprintable())[:200],
    }
    await connection.execute(insert(Session).values(values))
    return token


_SHOWN: Final = select(
    Session.id.label("number"),
    Session.created_ms,
    Session.seen_ms,
    Session.expires_ms,
    Session.address,
    Session.user_agent,
).join(User, User.id == Session.user_id)
