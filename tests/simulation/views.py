"""The projector of a simulated venue, with the views in memory: killed at will, it goes on from what it stored."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.keys import Keys, MarketRow
from gateway.projecting.batch import Changes
from gateway.projecting.commands import FIRST, MARK, PRUNE
from gateway.projecting.projection import TOPICS, Projection
from gateway.projecting.store import Store
from tests.simulation.log import PARTITIONS, Log

VENUE = "simulated"
GENERATION = "g1"


class MemoryRedis:
    """As much of Redis as the views need: what a batch writes, and what a projector that starts reads."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}

    def apply(self, command: tuple[Any, ...]) -> None:
        """Carry out one command of a batch."""
        name, *arguments = command
        key, *rest = [part if isinstance(part, bytes) else str(part).encode() for part in arguments]
        getattr(self, f"_{str(name).lower()}")(key.decode(), *rest)

    def get(self, key: str) -> bytes | None:
        found: bytes | None = self.keys.get(key)
        return found

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        return dict(self.keys.get(key, {}))

    def zrange(self, key: str, start: int, end: int) -> list[bytes]:
        members = [member for _, member in sorted((score, member) for member, score in self.keys.get(key, {}).items())]
        return members[start:] if end == -1 else members[start : end + 1]

    def _set(self, key: str, value: bytes) -> None:
        self.keys[key] = value

    def _del(self, *keys: Any) -> None:
        for key in keys:
            self.keys.pop(key if isinstance(key, str) else key.decode(), None)

    def _hset(self, key: str, *pairs: bytes) -> None:
        self.keys.setdefault(key, {}).update(zip(pairs[::2], pairs[1::2], strict=True))

    def _hdel(self, key: str, *fields: bytes) -> None:
        for field in fields:
            self.keys.get(key, {}).pop(field, None)
        self._drop_empty(key)

    def _lpush(self, key: str, *values: bytes) -> None:
        self.keys[key] = [*reversed(values), *self.keys.get(key, [])]

    def _ltrim(self, key: str, start: bytes, end: bytes) -> None:
        self.keys[key] = self.keys[key][int(start) : int(end) + 1]

    def _sadd(self, key: str, *members: bytes) -> None:
        self.keys.setdefault(key, set()).update(members)

    def _zadd(self, key: str, *pairs: bytes) -> None:
        self.keys.setdefault(key, {}).update(
            (member, int(score)) for score, member in zip(pairs[::2], pairs[1::2], strict=True)
        )

    def _zremrangebyscore(self, key: str, low: bytes, high: bytes) -> None:
        least, most = (float(bound) for bound in (low, high))
        members = self.keys.get(key, {})
        for member in [member for member, score in members.items() if least <= score <= most]:
            del members[member]
        self._drop_empty(key)

    def _zremrangebyrank(self, key: str, start: bytes, end: bytes) -> None:
        ranked = self.zrange(key, 0, -1)
        last = int(end) if int(end) >= 0 else len(ranked) + int(end)
        for member in ranked[int(start) : last + 1] if last >= 0 else ():
            del self.keys[key][member]

    def _prune(self, key: str, length: bytes, *hashes: bytes) -> None:
        kept, gone = self.keys.get(key, [])[: int(length)], self.keys.get(key, [])[int(length) :]
        if gone:
            self.keys[key] = kept
            for name in hashes:
                self._hdel(name.decode(), *gone)

    def _first(self, key: str, listed: bytes, field: bytes, value: bytes) -> None:
        if field not in self.keys.setdefault(key, {}):
            self.keys[key][field] = value
            self._lpush(listed.decode(), field)

    def _mark(self, key: str, field: bytes, *hashes: bytes) -> None:
        if any(field in self.keys.get(name.decode(), {}) for name in hashes):
            self._hset(key, field, b"1")

    def _drop_empty(self, key: str) -> None:
        if not self.keys.get(key):
            self.keys.pop(key, None)


class MemoryStore(Store):
    """The store of views over `MemoryRedis`."""

    def __init__(self) -> None:
        self.keys = Keys(VENUE)
        self._redis = MemoryRedis()
        assert {FIRST, MARK, PRUNE} == {"FIRST", "MARK", "PRUNE"}, (
            "these are the commands that are no Redis commands, but for those of facts"
        )

    def take(self, changes: Changes) -> None:
        """Apply a batch."""
        for command in changes.commands:
            self._redis.apply(command)

    def contents(self) -> dict[str, Any]:
        """Return all views, and which messages are in them, but not at which offsets.

        Of several answers to one request, which say the same, the batches decide which stands: so its time and number are left out.
        So is the first version that a market counts in, which may be known from a trade before its snapshot is read, and the time of
        its last change, which a snapshot brings only to a reader who lacks what stands before it. Left out are the steps of books, for they
        lead from batch to batch, wherever those end.
        """
        found = {
            name: value.copy() if isinstance(value, dict | set) else value
            for name, value in self._redis.keys.items()
            if ":steps:" not in name
        }
        position = found.pop(self.keys.of(GENERATION).position, {})
        for name, value in found.items():
            if ":request-ids:" in name:
                found[name] = set(value)
            elif ":outcomes:" in name or ":repeats:" in name:
                found[name] = {request: msgspec.json.decode(line)[:3] for request, line in value.items()}
            elif ":market:" in name:
                found[name] = msgspec.structs.replace(msgspec.json.decode(value, type=MarketRow), since=0, time_ms=0)
        seen = {name: msgspec.json.decode(value) for name, value in position.items() if name.startswith(b"seen")}
        return found | {"seen": seen}


class Projector:
    """Folds the venue's outputs into views, in batches of any size, and starts anew from the store when it was killed."""

    def __init__(self, log: Log, dice: random.Random, *, make: Callable[[str], Projection] = Projection) -> None:
        self.log = log
        self.dice = dice
        self.store = MemoryStore()
        self.keys = self.store.keys.of(GENERATION)
        self.projection = self._of_bare_topics(make(VENUE))

    def step(self, records_max: int) -> bool:
        """Take in some records of any topics and store what they change; say whether there were any."""
        took = 0
        for topic in self.dice.sample(TOPICS, len(TOPICS)):
            for place in range(PARTITIONS):
                start = self.projection.offsets.get((topic, place), 0)
                for record in self.log.partitions[topic, place][start : start + records_max]:
                    self.projection.add(record)
                    took += 1
        if took:
            self.store.take(self.projection.changes(self.keys))
        return bool(took)

    def crash(self) -> None:
        """Lose the process, and what it had not stored."""
        projection, _ = self.store.load(VENUE, GENERATION)
        self.projection = self._of_bare_topics(projection)

    @staticmethod
    def _of_bare_topics(projection: Projection) -> Projection:
        """Let a projection read records whose topics are named without a venue, as they are in the simulated log."""
        projection._names = {topic: topic for topic in TOPICS}
        return projection

    def contents(self) -> dict[str, Any]:
        """Return the views when all of the log is in them."""
        while self.step(1_000_000):
            pass
        return self.store.contents()


def views_of(log: Log) -> dict[str, Any]:
    """Return the views of a whole log, made in one go."""
    return Projector(log, random.Random(0)).contents()
