"""How often somebody may be wrong: each further time only after a longer wait.

An attempt takes its place before anything is looked at, in one transaction with all others', so that many at once get no further than
one after the other. A right one gives its place back. Who is made to wait costs a read, and is not made to wait longer for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.database import Database
from gateway.identity.errors import TooManyAttempts
from gateway.identity.models import Attempt

LONGEST_MS: Final = 900_000
"""The longest wait: 15 minutes."""
FORGET_MS: Final = 3_600_000
"""After an hour in which nothing was wrong, what was wrong before is forgotten."""


class Subject(msgspec.Struct, frozen=True):
    """Of whom attempts are counted, and how many wrong ones make nobody wait yet."""

    name: str
    free: int


def wait_ms(failures: int, free: int) -> int:
    """Return how long to wait after so many failures: 1 s after the last free one, and twice as long after each further one.

    >>> [wait_ms(failures, 5) for failures in (4, 5, 6, 7, 30)]
    [0, 1000, 2000, 4000, 900000]
    """
    return 0 if failures < free else min(LONGEST_MS, 1_000 << min(failures - free, 20))


class Throttle:
    """Counts in the database, so for all gateways together."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._insert: Any = postgresql.insert if database.is_postgresql else sqlite.insert

    async def take(self, subjects: Sequence[Subject]) -> None:
        """Count an attempt of all subjects. Raises TooManyAttempts if one of them must wait: then none is counted."""
        names = sorted(subject.name for subject in subjects)
        free = {subject.name: subject.free for subject in subjects}
        now = self._now_ms()
        async with self._database.read() as connection:
            self._wait(now, (await connection.execute(self._next(names))).scalar())
        async with self._database.write() as connection:
            rows = [{"subject": name, "failures": 0, "last_ms": now, "next_ms": 0} for name in names]
            await connection.execute(self._insert(Attempt).on_conflict_do_nothing(), rows)
            found = await connection.execute(
                select(Attempt.subject, Attempt.failures, Attempt.last_ms, Attempt.next_ms)
                .where(Attempt.subject.in_(names))
                .order_by(Attempt.subject)
                .with_for_update()
            )
            counted = found.all()
            self._wait(now, max(row.next_ms for row in counted))
            for row in counted:
                failures = 1 if row.last_ms <= now - FORGET_MS else row.failures + 1
                values = {"failures": failures, "last_ms": now, "next_ms": now + wait_ms(failures, free[row.subject])}
                await connection.execute(update(Attempt).where(Attempt.subject == row.subject).values(values))

    async def give_back(self, subjects: Sequence[Subject]) -> None:
        """Count an attempt no longer: it was right."""
        async with self._database.write() as connection:
            for name in sorted(subject.name for subject in subjects):
                fewer = {"failures": Attempt.failures - 1, "next_ms": 0}
                one = (Attempt.subject == name) & (Attempt.failures > 0)
                await connection.execute(update(Attempt).where(one).values(fewer))

    async def once(self, name: str) -> bool:
        """Say whether this is the first time within `FORGET_MS` that `name`, which is no subject's, is asked for. Raises IdentitiesUnavailable."""
        row = {"subject": name, "failures": 0, "last_ms": self._now_ms(), "next_ms": 0}
        first = self._insert(Attempt).values(row).on_conflict_do_nothing().returning(Attempt.subject)
        async with self._database.write() as connection:
            return (await connection.execute(first)).one_or_none() is not None

    async def forgive(self, connection: AsyncConnection, prefix: str) -> None:
        """Forget what was wrong with the subjects whose names begin so."""
        await connection.execute(delete(Attempt).where(Attempt.subject.startswith(prefix, autoescape=True)))

    def _next(self, names: Sequence[str]) -> Any:
        return select(func.max(Attempt.next_ms)).where(Attempt.subject.in_(names))

    def _wait(self, now: int, until: int | None) -> None:
        if until is not None and until > now:
            raise TooManyAttempts(-(-(until - now) // 1_000))
