"""A venue's log and its machines in memory: what Kafka and the Flink jobs are to a venue of many processes.

Theory of operation: a record that is written is appended under the clock's time, given to the machines that read its topic, and so is what
they say about it, until nobody has anything more to say; only then does `write` return. Nothing is kept of the log but the numbers
of its records and what `take` has not fetched yet, so it takes no memory in the long run; the machines' state is kept
beside them as Flink keeps it, so that a machine which breaks an invariant halts and goes on as it would there. A machine that waits for a time has a
timer: when it has come, its inbox gets a `Tick`, or, if it closes what the clock has ended, it is asked for that.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from exchange import topics
from exchange.clock import VenueClock
from exchange.host import Host, Load, Outcome, Record, accounts_host, book_host
from exchange.messages import DeadLetter, Tick
from exchange.packets import decode_dead_letters
from exchange.topics import topic_name
from wire.writer import packets

IDLE_MS: Final = 1_000
"""A key that has heard nothing for so long is idle, and what the clock has ended of it is closed."""
DEAD_LETTERS_MAX: Final = 100

LOG = logging.getLogger("openbell.sim")

_Timer: TypeAlias = tuple[int, int, int, str]
"""When, a number that makes it unique, the station and the key."""


@runtime_checkable
class Closing(Protocol):
    """A host of machines that are asked what the clock has ended, such as `udfs.watch.host.ClosingHost`."""

    def closing(self, key: str, load: Load, now_ms: int, *, is_quiet: bool) -> Outcome:
        """Return the records that tell it, and when to ask again."""


@dataclass(eq=False)
class Station:
    """Machines of one kind, as a job hosts them. `inputs` are the topics that they read; with `key` all records go to that one machine.

    `ticking`: whether a machine that waits for a time gets a `Tick` in the first of `inputs` when that has come.
    """

    host: Host
    inputs: tuple[str, ...]
    key: str | None = None
    ticking: bool = False
    state: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    heard_ms: dict[str, int] = field(default_factory=dict)
    pending: dict[str, _Timer] = field(default_factory=dict)


def exchange_stations(clock: VenueClock, shards: int) -> list[Station]:
    """Return the machines of the `accounts` and `matching` jobs."""
    ticking = clock == "live"
    return [
        Station(accounts_host(clock, shards), (topics.ACCOUNT_INBOX,), ticking=ticking),
        Station(book_host(clock, shards), (topics.BOOK_INBOX,), ticking=ticking),
    ]


class MemoryLog:
    """One venue's log. `outputs` are the topics whose records `take` fetches, under their full names."""

    def __init__(
        self, venue: str, stations: Sequence[Station], now_ms: Callable[[], int], outputs: Sequence[str]
    ) -> None:
        self.dead_letters: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_MAX)
        self._stations = list(stations)
        self._readers: dict[str, list[int]] = defaultdict(list)
        for number, station in enumerate(self._stations):
            for topic in station.inputs:
                self._readers[topic].append(number)
        self._now_ms = now_ms
        self._names = {topic: topic_name(venue, topic) for topic in outputs}
        self._offsets: dict[str, int] = defaultdict(int)
        self._taken: list[Record] = []
        self._timers: list[_Timer] = []
        self._numbers = count()

    def write(self, topic: str, key: str, messages: Sequence[Any]) -> None:
        """Append messages of one key, and all that they cause."""
        self._append([(topic, key, packet) for packet in packets(messages)])

    def take(self) -> list[Record]:
        """Return the records of `outputs` since the last time."""
        taken, self._taken = self._taken, []
        return taken

    def due_ms(self) -> int | None:
        """Return when the next timer goes off."""
        while self._timers:
            timer = self._timers[0]
            if self._stations[timer[2]].pending.get(timer[3]) == timer:
                return timer[0]
            heappop(self._timers)  # an earlier one has been set since
        return None

    def ring(self) -> bool:
        """Let a timer that has come go off, and say whether there was one."""
        due_ms = self.due_ms()
        if due_ms is None or due_ms > self._now_ms():
            return False
        _, _, number, key = heappop(self._timers)
        station = self._stations[number]
        del station.pending[key]
        if isinstance(station.host, Closing):
            self._close(number, station, station.host, key)
        else:
            self.write(station.inputs[0], key, [Tick(key=key)])
        return True

    def close(self) -> None:
        """Let go of all machines."""
        for station in self._stations:
            station.host.close()

    def _append(self, records: list[tuple[str, str, bytes]]) -> None:
        queue = deque(records)
        while queue:
            topic, key, value = queue.popleft()
            offset = self._offsets[topic]
            self._offsets[topic] += 1
            record = Record(topic, 0, offset, self._now_ms(), key, value)
            if topic in self._names:
                self._taken.append(replace(record, topic=self._names[topic]))
            for number in self._readers.get(topic, ()):
                queue.extend(self._process(number, record))
            if topic == topics.DEAD_LETTERS:
                self._note(value)

    def _process(self, number: int, record: Record) -> list[tuple[str, str, bytes]]:
        station = self._stations[number]
        key = station.key or record.key
        if key != record.key:
            record = replace(record, key=key)
        station.heard_ms[key] = record.time_ms
        stored = station.state[key]
        outcome = station.host.process(record, lambda: dict(stored))
        for name, text in outcome.changes.items():
            if text is None:
                stored.pop(name, None)
            else:
                stored[name] = text
        if outcome.deadline_ms is not None and (station.ticking or isinstance(station.host, Closing)):
            self._set(number, key, outcome.deadline_ms)
        return outcome.records

    def _close(self, number: int, station: Station, host: Closing, key: str) -> None:
        """Tell what is due, and close what the clock has ended if nothing comes in."""
        now_ms = self._now_ms()
        is_quiet = now_ms - station.heard_ms[key] >= IDLE_MS
        outcome = host.closing(key, lambda: dict(station.state[key]), now_ms, is_quiet=is_quiet)
        if outcome.deadline_ms is not None:
            self._set(number, key, outcome.deadline_ms if is_quiet else now_ms + IDLE_MS)
        self._append(outcome.records)

    def _set(self, number: int, key: str, deadline_ms: int) -> None:
        """Set a key's timer, unless it has an earlier one; one that has passed goes off at the next millisecond."""
        now_ms = self._now_ms()
        at_ms = deadline_ms if deadline_ms > now_ms else now_ms + 1
        pending = self._stations[number].pending
        if key not in pending or at_ms < pending[key][0]:
            timer = pending[key] = (at_ms, next(self._numbers), number, key)
            heappush(self._timers, timer)

    def _note(self, value: bytes) -> None:
        for letter in decode_dead_letters(value):
            self.dead_letters.append(letter)
            LOG.warning("a dead letter of %s: %s, %s", letter.topic, letter.reason, letter.detail)
