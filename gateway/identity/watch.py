"""Tells those who were let in when that has ended: one look at the database for all who wait, several times a second."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from gateway.identity import grants
from gateway.identity.database import Database
from gateway.identity.principal import Grant, Principal
from gateway.tasks import stop

EVERY_S: Final = 0.4
TRUST_S: Final = 10.0
"""So long those who were let in stay in while the database does not answer; then nobody can say that they may."""
_AT_ONCE: Final = 1_000
_LOG = logging.getLogger(__name__)


class Watch:
    """Knows who waits for their end. Right after a change in this process it looks at once."""

    def __init__(
        self, database: Database, now_ms: Callable[[], int], monotonic: Callable[[], float], idle_ms: int
    ) -> None:
        self._database = database
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._idle_ms = idle_ms
        self._waiting: dict[asyncio.Future[None], Principal] = {}
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no longer; who waits is told nothing any more."""
        if self._task is not None:
            await stop([self._task])

    def look(self) -> None:
        """Look now: something has changed."""
        self._look.set()

    async def ended(self, principal: Principal) -> None:
        """Return once a session or key has ended, or no longer gives the rights that it gave; of a visitor never."""
        end = asyncio.get_running_loop().create_future()
        if principal.grant != "visit":
            self._waiting[end] = principal
        try:
            await end
        finally:
            self._waiting.pop(end, None)

    async def _run(self) -> None:
        heard = self._monotonic()
        while True:
            try:
                await self._once()
                heard = self._monotonic()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not go unseen that nobody looks
                _LOG.warning("who has ended could not be looked up: %s", error)
                if self._monotonic() - heard > TRUST_S:
                    self._end(list(self._waiting))
            try:
                await asyncio.wait_for(self._look.wait(), EVERY_S)
            except TimeoutError:
                continue
            self._look.clear()

    async def _once(self) -> None:
        waiting = dict(self._waiting)
        if not waiting:
            return
        numbers: defaultdict[Grant, set[int]] = defaultdict(set)
        for principal in waiting.values():
            numbers[principal.grant].add(principal.grant_id)
        now = self._now_ms()
        current: dict[tuple[Grant, int], Principal] = {}
        async with self._database.read() as connection:
            for some in _pieces(sorted(numbers["session"])):
                found = await grants.sessions_by_number(connection, some, now, self._idle_ms)
                current |= {("session", number): principal for number, principal in found.items()}
            for some in _pieces(sorted(numbers["key"])):
                found = await grants.keys_by_number(connection, some, now)
                current |= {("key", number): principal for number, principal in found.items()}
        self._end([end for end, was in waiting.items() if not _still(was, current.get((was.grant, was.grant_id)))])

    def _end(self, ends: Sequence[asyncio.Future[None]]) -> None:
        for end in ends:
            if not end.done():
                end.set_result(None)


def _still(was: Principal, now: Principal | None) -> bool:
    """Say whether what somebody was let in by gives the same rights now. They may have named another account than their own."""
    if now is None or (was.user, was.role, was.accounts, was.scopes) != (now.user, now.role, now.accounts, now.scopes):
        return False
    return was.account is None or now.may_use(was.account)


def _pieces(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE)]
