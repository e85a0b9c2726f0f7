"""A job of a simulated venue: machines in instances, state, checkpoints, and a sink that may lose or delay what it holds."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from exchange import topics
from exchange.clock import VenueClock
from exchange.host import Host
from exchange.messages import Tick
from exchange.packets import encode
from tests.simulation.log import PARTITIONS, SHARDS, Log, place_of

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass
class Checkpoint:
    """What a job goes back to."""

    offsets: dict[int, int] = field(default_factory=dict)
    state: dict[str, dict[str, str]] = field(default_factory=dict)


class Job:
    """A Flink job with parallel instances of its operator, and a sink with a queue for each partition it writes to."""

    def __init__(self, log: Log, inbox: str, make_host: Callable[[VenueClock, int], Host], dice: random.Random) -> None:
        self.log = log
        self.inbox = inbox
        self.dice = dice
        self.checkpoint = Checkpoint()
        self.make_host = make_host
        self.flush_before_checkpoint = True
        self.queues: defaultdict[tuple[str, int], list[tuple[str, bytes]]] = defaultdict(list)
        self.late: list[tuple[str, str, bytes]] = []
        self.start()

    def start(self) -> None:
        """Begin at the checkpoint, with any number of instances."""
        self.hosts = [self.make_host(self.log.clock, SHARDS) for _ in range(self.dice.randint(1, 3))]
        self.offsets = dict(self.checkpoint.offsets)
        self.state = {key: dict(entries) for key, entries in self.checkpoint.state.items()}
        self.deadlines: dict[str, int] = {}

    def take_checkpoint(self) -> None:
        if self.flush_before_checkpoint:
            self.flush()
        self.checkpoint = Checkpoint(dict(self.offsets), {key: dict(entries) for key, entries in self.state.items()})

    def crash(self) -> None:
        """Lose the process. What was queued is in the log, comes there late, or never does."""
        for (topic, _), queue in self.queues.items():
            for key, value in queue:
                fate = self.dice.random()
                if fate < 0.3:
                    self.log.append(topic, key, value)
                elif fate < 0.6:
                    self.late.append((topic, key, value))
        self.queues.clear()
        self.start()

    def waiting(self) -> list[int]:
        """Return the partitions with records to read."""
        partitions = self.log.partitions
        return [p for p in range(PARTITIONS) if self.offsets.get(p, 0) < len(partitions[self.inbox, p])]

    def step(self) -> bool:
        """Process one record, if there is one."""
        waiting = self.waiting()
        if not waiting:
            return False
        place = self.dice.choice(waiting)
        offset = self.offsets.get(place, 0)
        record = self.log.partitions[self.inbox, place][offset]
        self.offsets[place] = offset + 1
        entries = self.state.setdefault(record.key, {})
        host = self.hosts[crc32(b"group" + record.key.encode()) % len(self.hosts)]
        outcome = host.process(record, lambda: entries)
        for name, text in outcome.changes.items():
            if text is None:
                entries.pop(name, None)
            else:
                entries[name] = text
        if outcome.deadline_ms is not None and self.log.clock == "live":
            self.deadlines[record.key] = outcome.deadline_ms
        for topic, key, value in outcome.records:
            self.queue(topic, key, value)
        return True

    def queue(self, topic: str, key: str, value: bytes) -> None:
        """Queue a record, cut in two or joined to the one before it as the dice say."""
        queue = self.queues[topic, place_of(key)]
        if topic == topics.DEAD_LETTERS:
            queue.append((key, value))
            return
        messages = [bytes(raw) for raw in _split(value)]
        if queue and queue[-1][0] == key and self.dice.random() < 0.2:
            messages = [bytes(raw) for raw in _split(queue.pop()[1])] + messages
        cut = self.dice.randint(0, len(messages)) if self.dice.random() < 0.3 else 0
        for part in (messages[:cut], messages[cut:]):
            if part:
                queue.append((key, b"[" + b",".join(part) + b"]"))

    def write(self, count: int) -> None:
        """Write up to `count` records of some queue."""
        names = [name for name, queue in self.queues.items() if queue]
        if names:
            name = self.dice.choice(names)
            queue = self.queues[name]
            for key, value in queue[:count]:
                self.log.append(name[0], key, value)
            del queue[:count]

    def flush(self) -> None:
        for (topic, _), queue in self.queues.items():
            for key, value in queue:
                self.log.append(topic, key, value)
            queue.clear()

    def write_late(self) -> None:
        """Let a record of a dead predecessor reach the log."""
        if self.late:
            self.log.append(*self.late.pop(self.dice.randrange(len(self.late))))

    def tick(self) -> None:
        """Wake the machines whose time has come, as the idle timer of a live venue does."""
        for key, deadline_ms in list(self.deadlines.items()):
            if deadline_ms <= self.log.now_ms:
                del self.deadlines[key]
                self.queue(self.inbox, key, encode([Tick(key=key)]))
