"""Replays the archive of daily prices into a venue in memory, in a thread beside the event loop that the venue lives in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, Final

from exchange.money import UNITS_MAX
from gateway.sim.venue import SHARDS, SimVenue
from replay.bars import INSTRUMENTS, load
from replay.history import History
from replay.orders import paper
from replay.pace import Pace, Stop
from replay.plan import make_plan
from replay.player import Player

POLL_S: Final = 0.05


class Feed:
    """A replay that begins at once, at `speed` seconds of the data's time in a second."""

    def __init__(self, venue: SimVenue, speed: float) -> None:
        self._venue = venue
        self._speed = speed
        self._stop = Stop()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="sim-replay", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End after the day that is being played."""
        self._stop.asked = True
        while self._thread.is_alive():  # noqa: ASYNC110  (what it waits for is this loop, which must go on)
            await asyncio.sleep(POLL_S)

    def _run(self) -> None:
        data, accounts, history = load(), paper(SHARDS), History()
        plan = make_plan(
            data.bars, list(INSTRUMENTS), first_ms=0, last_ms=UNITS_MAX, history=history, accounts=accounts
        )
        player = Player(
            _Writer(self._venue, self._loop),
            _Brake(),
            Pace(self._speed, self._stop),
            accounts=accounts,
            shards=SHARDS,
            history=history,
            stop=self._stop,
        )
        player.prepare(list(INSTRUMENTS.values()))
        player.play(plan)


class _Writer:
    """Writes to a venue that lives in another thread's loop."""

    def __init__(self, venue: SimVenue, loop: asyncio.AbstractEventLoop) -> None:
        self._venue = venue
        self._loop = loop

    def send(self, topic: str, key: str, messages: Iterable[Any]) -> int:
        """Hand over messages of one key."""
        written = list(messages)
        if written:
            self._loop.call_soon_threadsafe(self._venue.write, topic, key, written)
        return 1

    def flush(self) -> None:
        """Wait until the venue has taken all that was handed over."""
        taken = threading.Event()
        self._loop.call_soon_threadsafe(taken.set)
        taken.wait()


class _Brake:
    """Nothing runs ahead: each day is flushed."""

    sent = 0

    def wait(self, stop: Stop) -> None:
        """Return at once."""
