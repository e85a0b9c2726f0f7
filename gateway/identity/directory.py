"""Keeps the users in a database: what the gateway's routes, its pages and the command line know of who may come in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from argon2 import PasswordHasher
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.identity import grants
from gateway.identity.api_keys import Keys
from gateway.identity.core import Core, Lifetimes
from gateway.identity.database import Database
from gateway.identity.elsewhere import Elsewhere
from gateway.identity.events import Tell, tell_nobody
from gateway.identity.grants import Granted
from gateway.identity.log_in import Door
from gateway.identity.models import ApiKey, Attempt, Seal, SecondFactor, Session
from gateway.identity.passwords import Passwords
from gateway.identity.ports import CacheFigures, IdentitiesUnavailable, Key
from gateway.identity.principal import Principal
from gateway.identity.reauthentication import Reauthentication
from gateway.identity.remembered import Remembered
from gateway.identity.second_factor import SecondFactors
from gateway.identity.secrets import BadSecretKey, SecretKey
from gateway.identity.sessions import Sessions
from gateway.identity.throttle import FORGET_MS, Throttle
from gateway.identity.untold import keeping, tell_all
from gateway.identity.users import Users
from gateway.identity.watch import Watch
from gateway.tasks import stop
from wire.clock import wall_ms

SEEN_MS: Final = 60_000
"""How often at most it is written down that a session is in use."""
TIDY_S: Final = 3_600
UNTOLD_S: Final = 2
_SEAL: Final = ("seal", b"openbell")
_LOG = logging.getLogger(__name__)


class Directory:
    """Is `ports.Identities`; its parts do the rest.

    `users` makes and changes users; `door` signs up, and lets in by a password and a second factor, `elsewhere` by another provider; `sessions`, `keys` and `second_factors` are what a user
    manages of their own, and `reauthentication` asks them once more who they are. Of several directories on one database, in whatever
    processes, each sees within a second what another has changed.
    """

    def __init__(
        self,
        database_url: str,
        secret_key: SecretKey,
        *,
        tell: Tell | None = tell_nobody,
        now_ms: Callable[[], int] = wall_ms,
        monotonic: Callable[[], float] = time.monotonic,
        hasher: PasswordHasher | None = None,
        lifetimes: Lifetimes | None = None,
        venue: str = "Openbell",
    ) -> None:
        """Take what to work with: `tell` is told of every security event (None: events wait in the database for a directory that has one), `hasher` sets what a password's hash costs. Raises BadDatabase."""
        database, passwords = Database(database_url), Passwords(hasher)
        self._core = core = Core(
            database=database,
            secret=secret_key,
            passwords=passwords,
            throttle=Throttle(database, now_ms),
            lifetimes=lifetimes or Lifetimes(),
            now_ms=now_ms,
            tell=tell or keeping(database),
            changed=self._changed,
            venue=venue,
        )
        self._keys: Remembered[Granted] = Remembered(monotonic)
        self._sessions: Remembered[Granted] = Remembered(monotonic)
        self._watch = Watch(database, now_ms, monotonic, core.lifetimes.idle_ms)
        self._tell = None if tell is tell_nobody else tell
        self._tasks: list[asyncio.Task[None]] = []
        self.users = Users(core)
        self.door = Door(core)
        self.elsewhere = Elsewhere(core)
        self.sessions = Sessions(core)
        self.keys = Keys(core)
        self.second_factors = SecondFactors(core)
        self.reauthentication = Reauthentication(core, self.users, self.door, self.second_factors)

    @property
    def hashes(self) -> int:
        """How many passwords this process has hashed."""
        return self._core.passwords.hashes

    def caches(self) -> dict[str, CacheFigures]:
        """Return the figures of what is remembered of who may come in, by name."""
        return {"keys": self._keys.figures, "sessions": self._sessions.figures}

    async def start(self) -> None:
        """Make the tables or bring them up to date, and begin to watch. Raises IdentitiesUnavailable, BadDatabase, BadSecretKey."""
        await self._core.database.start()
        await self._check_seal()
        self._watch.start()
        self._tasks = [asyncio.create_task(self._tidy()), asyncio.create_task(self._tell_untold())]

    async def stop(self) -> None:
        """Close everything."""
        await self._watch.stop()
        await stop(self._tasks)
        self._core.passwords.stop()
        await self._core.database.stop()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Directory]:
        """Start, and stop at the end."""
        try:
            await self.start()
            yield self
        finally:
            await self.stop()

    async def key(self, key_id: str) -> Key | None:
        """Return the key that a client names; None if it is not valid. Raises IdentitiesUnavailable."""

        async def read() -> Granted | None:
            async with self._core.database.read() as connection:
                return await grants.key_of(connection, key_id, self._core.now_ms(), self._core.secret)

        if not (key_id.isascii() and key_id.isalnum() and len(key_id) <= 64):
            return None
        found = await self._keys.get(key_id, read)
        return None if found is None or self._is_over(found) else found.key

    async def session(self, token: str) -> Principal | None:
        """Return who has a session by the token of its cookie; None if it is not valid. Raises IdentitiesUnavailable."""

        async def read() -> Granted | None:
            now, idle_ms = self._core.now_ms(), self._core.lifetimes.idle_ms
            async with self._core.database.read() as connection:
                found = await grants.session_of(connection, token, now, idle_ms)
            if found is not None and found.seen_ms <= now - SEEN_MS:
                async with self._core.database.write() as connection:
                    mine = Session.id == found.principal.grant_id
                    await connection.execute(update(Session).where(mine).values(seen_ms=now))
            return found

        if not (token.isascii() and 0 < len(token) <= 64):
            return None
        found = await self._sessions.get(token, read)
        return None if found is None or self._is_over(found) else found.principal

    async def ended(self, principal: Principal) -> None:
        """Return once the session or key that somebody was let in by is no longer valid, or gives fewer or other rights; of a visitor never."""
        await self._watch.ended(principal)

    async def renew_seals(self) -> int:
        """Seal everything anew by the first of the secret keys, after which the others can go; return how many secrets there are.

        Raises IdentitiesUnavailable, BadSecretKey.
        """
        secret, count = self._core.secret, 0
        async with self._core.database.write() as connection:
            for column, name in (
                (ApiKey.secret, ApiKey.id),
                (SecondFactor.secret, SecondFactor.user_id),
                (Seal.sealed, Seal.id),
            ):
                table: Any = column.class_
                for number, sealed in (await connection.execute(select(name, column).with_for_update())).all():
                    renewed = {column.key: secret.renewed(sealed)}
                    await connection.execute(update(table).where(name == number).values(renewed))
                    count += 1
        return count

    def _is_over(self, granted: Granted) -> bool:
        return granted.until_ms is not None and granted.until_ms <= self._core.now_ms()

    def _changed(self) -> None:
        self._keys.forget()
        self._sessions.forget()
        self._watch.look()

    async def _check_seal(self) -> None:
        """See to it that the secret key is the one that the database was written with."""
        about, known = _SEAL
        insert: Any = postgresql.insert if self._core.database.is_postgresql else sqlite.insert
        sealed = self._core.secret.seal(known, about)
        async with self._core.database.write() as connection:
            await connection.execute(insert(Seal).values(id=1, sealed=sealed).on_conflict_do_nothing())
            kept = (await connection.execute(select(Seal.sealed).where(Seal.id == 1))).scalar_one()
        try:
            self._core.secret.open(kept, about)
        except BadSecretKey:
            raise BadSecretKey(
                f"the secret key is not the one that {self._core.database!r} was written with: put that one back"
            ) from None

    async def _tidy(self) -> None:
        """Forget now and then what is of no use any more."""
        while True:
            try:
                await self.sessions.tidy()
                async with self._core.database.write() as connection:
                    old = Attempt.last_ms < self._core.now_ms() - FORGET_MS
                    await connection.execute(delete(Attempt).where(old))
            except IdentitiesUnavailable as error:
                _LOG.warning("old sessions stay for now: %s", error)
            await asyncio.sleep(TIDY_S)

    async def _tell_untold(self) -> None:
        """Tell what others, such as the command line, could not."""
        while self._tell is not None:
            try:
                await tell_all(self._core.database, self._tell)
            except IdentitiesUnavailable as error:
                _LOG.warning("events of the command line wait: %s", error)
            await asyncio.sleep(UNTOLD_S)
