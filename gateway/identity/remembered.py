"""Remembers for a moment what was read, so that a busy client costs the database two reads a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from gateway.identity.ports import CacheFigures, IdentitiesUnavailable

WAIT_S: Final = 5.0
"""How long anybody waits for a reading; giving up a server that does not answer may take longer."""
FOR_S: Final = 0.5
ENTRIES_MAX: Final = 10_000

T = TypeVar("T")


class Remembered(Generic[T]):
    """Holds what was found for `FOR_S` seconds from when its reading began. Many who ask at once share one reading."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._hits = 0
        self._misses = 0
        self._entries: dict[str, tuple[float, asyncio.Future[T | None]]] = {}

    async def get(self, name: str, read: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what is remembered, or what `read` returns. That there is nothing, or an error, is not remembered.

        Raises:
            IdentitiesUnavailable: if nothing has been read within `WAIT_S`.
        """
        now = self._monotonic()
        entry = self._entries.get(name)
        if entry is None or now - entry[0] >= FOR_S:
            self._misses += 1
            entry = (now, asyncio.ensure_future(read()))
            self._add(name, entry)
        else:
            self._hits += 1
        try:
            if not entry[1].done():
                async with asyncio.timeout(WAIT_S):
                    await asyncio.shield(entry[1])  # of several who wait for it, one may go away
            found = entry[1].result()
        except TimeoutError:
            self._drop(name, entry)
            raise IdentitiesUnavailable("the database of identities does not answer") from None
        except BaseException:
            self._drop(name, entry)
            raise
        if found is None:
            self._drop(name, entry)
        return found

    @property
    def figures(self) -> CacheFigures:
        """What it was good for; entries that are too old are among those that are held."""
        return CacheFigures(hits=self._hits, misses=self._misses, size=len(self._entries))

    def forget(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def _add(self, name: str, entry: tuple[float, asyncio.Future[T | None]]) -> None:
        if len(self._entries) >= ENTRIES_MAX:
            self._entries.clear()
        self._entries[name] = entry

    def _drop(self, name: str, entry: tuple[float, asyncio.Future[T | None]]) -> None:
        if self._entries.get(name) is entry:
            del self._entries[name]
