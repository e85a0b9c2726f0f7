"""What the notifier needs of the world outside: the log, a way to send, a place for dead letters, a clock. Each with a memory form."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from exchange.host import Record
from exchange.messages import DeadLetter
from gateway.notify.deliveries import Delivery
from wire.clock import wall_ms
from wire.reader import Offsets

Begin: TypeAlias = Callable[[], Awaitable[None]]
"""Called by a sender right before what cannot be taken back. Raises if the delivery is not this notifier's any more."""


@dataclass(frozen=True)
class Attempt:
    """What became of an attempt to deliver. `again`: it is not delivered, or may be repeated; `given-up`: neither."""

    outcome: Literal["delivered", "again", "given-up"]
    reason: str = ""


DELIVERED: Final = Attempt("delivered")
POLL_S: Final = 0.05
"""How long a log in memory waits for a record."""


class Sender(Protocol):
    """Delivers by one channel."""

    async def send(self, delivery: Delivery, begin: Begin, further: Sequence[Delivery] = ()) -> Attempt:
        """Make one attempt, in bounded time. Raises nothing but what `begin` raises.

        `further`, of e-mails only: what has happened since to the same alert, and goes along.
        """


class AlertLog(Protocol):
    """Reads the topics `alerts` and `alert-rules`. Every method raises WireError when they cannot be read."""

    alerts: str
    rules: str
    """The topics' full names."""

    async def open(self, position: Mapping[tuple[str, int], int]) -> bool:
        """Begin where one stood, and return whether rules are read from their beginning.

        What `position` lacks, or has other than the log has it, begins at the end (alerts) or at the beginning (all of the rules).
        """

    async def poll(self) -> list[Record]:
        """Return the next records, after a short wait where there are none."""

    async def ends(self) -> Offsets:
        """Return the offsets after the last records there are now."""

    @property
    def offsets(self) -> Offsets:
        """The next offset of each partition."""


class Letters(Protocol):
    """Writes to the topic `dead-letters`."""

    async def write(self, letter: DeadLetter) -> None:
        """Return when the letter is in the log. Raises WireError."""


class Clock(Protocol):
    """The time, in milliseconds since the epoch."""

    def now_ms(self) -> int:
        """Return the time now."""

    async def wait_until(self, time_ms: int) -> None:
        """Return when that time has come."""


class WallClock:
    """The wall's clock. Implements `Clock`."""

    def now_ms(self) -> int:
        """Return the time now."""
        return wall_ms()

    async def wait_until(self, time_ms: int) -> None:
        """Return when that time has come."""
        while (left_ms := time_ms - wall_ms()) > 0:  # noqa: ASYNC110  (time is not told by events, and may be set back)
            await asyncio.sleep(left_ms / 1000)


class ManualClock:
    """A clock that stands still until it is set. Implements `Clock`."""

    def __init__(self, time_ms: int) -> None:
        self._now_ms = time_ms
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        """Return the time that was set last."""
        return self._now_ms

    async def wait_until(self, time_ms: int) -> None:
        """Return when that time has been set, or a later one."""
        if time_ms > self._now_ms:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((time_ms, woken))
            await woken

    def waited_for(self) -> list[int]:
        """Return the times that are waited for, earliest first."""
        return sorted(time_ms for time_ms, woken in self._waiting if not woken.done())

    def set(self, time_ms: int) -> None:
        """Let it be `time_ms`."""
        self._now_ms = time_ms
        for due_ms, woken in self._waiting:
            if due_ms <= time_ms and not woken.done():
                woken.set_result(None)
        self._waiting = [each for each in self._waiting if not each[1].done()]


class MemoryLog:
    """A log in memory, one partition a topic, which several may read. Implements `AlertLog` and `Letters`."""

    def __init__(self, venue: str, records: dict[str, list[Record]] | None = None) -> None:
        self.alerts = f"{venue}.alerts"
        self.rules = f"{venue}.alert-rules"
        self.letters: list[DeadLetter] = []
        self.records = defaultdict[str, list[Record]](list) if records is None else records
        self._offsets: Offsets = {}
        self._appended = asyncio.Event()

    def append(self, topic: str, key: str, value: bytes, time_ms: int) -> None:
        """Append a record to a topic, named in full."""
        records = self.records[topic]
        records.append(Record(topic, 0, len(records), time_ms, key, value))
        self._appended.set()

    async def open(self, position: Mapping[tuple[str, int], int]) -> bool:
        """Begin as the port says."""
        ends = await self.ends()
        known = {name: offset for name, offset in position.items() if name in ends and offset <= ends[name]}
        self._offsets = {name: known.get(name, end if name[0] == self.alerts else 0) for name, end in ends.items()}
        return (self.rules, 0) not in known

    async def poll(self) -> list[Record]:
        """Return all that has come, after a wait of `POLL_S` at most."""
        if self._offsets == await self.ends():
            self._appended.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._appended.wait()
        found = [
            record for topic, part in self._offsets for record in self.records[topic][self._offsets[topic, part] :]
        ]
        self._offsets = await self.ends()
        return found

    async def ends(self) -> Offsets:
        """Return how many records there are."""
        return {(topic, 0): len(self.records[topic]) for topic in (self.alerts, self.rules)}

    @property
    def offsets(self) -> Offsets:
        """The next offset of each topic."""
        return dict(self._offsets)

    async def write(self, letter: DeadLetter) -> None:
        """Keep a dead letter."""
        self.letters.append(letter)
