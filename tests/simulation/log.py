"""The log of a simulated venue: topics of partitions, and what `verify` says of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from zlib import crc32

from exchange.clock import VenueClock
from exchange.host import Record
from exchange.packets import encode
from exchange.verify import DECODERS, Verdict, verify

SHARDS = 3
PARTITIONS = 3
START_MS = 1_700_000_000_000


def place_of(key: str) -> int:
    """Return the partition of a key."""
    return crc32(key.encode()) % PARTITIONS


class Log:
    """Topics of partitions; records get the broker's time, which never goes back."""

    def __init__(self, clock: VenueClock) -> None:
        self.clock = clock
        self.now_ms = START_MS
        self.partitions: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)

    def append(self, topic: str, key: str, value: bytes) -> None:
        place = place_of(key)
        partition = self.partitions[topic, place]
        partition.append(Record(topic, place, len(partition), self.now_ms, key, value))

    def read(self, topic: str) -> Iterator[Record]:
        for place in range(PARTITIONS):
            yield from self.partitions[topic, place]

    def verify(self, *, quiesced: bool) -> Verdict:
        return verify(self.read, self.clock, SHARDS, quiesced=quiesced)

    def messages(self, topic: str) -> dict[str, list[bytes]]:
        """Return a topic's messages by key, without repeats."""
        found: defaultdict[str, list[bytes]] = defaultdict(list)
        for record in self.read(topic):
            for message in DECODERS[topic](record.value):
                if message.seq == len(found[record.key]) + 1:
                    found[record.key].append(encode(message))
        return found
