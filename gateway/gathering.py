"""Asks for many at once: one call is under way at a time, and what is asked for meanwhile goes with the next.

So a quiet process asks at once, and a busy one seldom and for much: what a call costs is shared by all that it was made for.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Generic, TypeVar

from gateway.tasks import stop

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Closed(Exception):
    """Nobody asks any more; whether what was asked for has been done is not known."""


class Gathering(Generic[Ask, Answer]):
    """Gathers what is asked for into calls; it belongs to one event loop.

    `call` is given at most `call_max` of what is asked for, first come first, and returns an answer to each. What it raises, all whom it was
    made for are told.
    """

    def __init__(
        self, call: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]], call_max: int = sys.maxsize
    ) -> None:
        self._call = call
        self._call_max = call_max
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._calling: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return how many wait for the next call."""
        return len(self._waiting)

    async def ask(self, ask: Ask) -> Answer:
        """Return the answer. Raises what the call does, and Closed."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answered))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call_on())
        return await answered

    async def close(self) -> None:
        """End the call that is under way, and tell all who wait."""
        if self._calling is not None:
            await stop([self._calling])
        self._refuse([answered for _, answered in self._waiting], Closed())
        self._waiting.clear()

    async def _call_on(self) -> None:
        """Make calls until nobody waits."""
        while self._waiting:
            asked = [self._waiting.popleft() for _ in range(min(self._call_max, len(self._waiting)))]
            told = [answered for _, answered in asked]
            try:
                answers = await self._call([ask for ask, _ in asked])
            except asyncio.CancelledError:
                self._refuse(told, Closed())
                raise
            except Exception as error:  # noqa: BLE001  (whatever it is, it is those who asked that must know)
                self._refuse(told, error)
                continue
            for answered, answer in zip(told, answers, strict=True):
                if not answered.done():  # else whoever asked has gone
                    answered.set_result(answer)

    @staticmethod
    def _refuse(told: Sequence[asyncio.Future[Answer]], error: Exception) -> None:
        for answered in told:
            if not answered.done():
                answered.set_exception(copy(error))
