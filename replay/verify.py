"""Runs `exchange.verify` over the topics of a venue, as they stand at one moment.

Theory of operation: the ends of all topics are noted first, effects before their causes, so that what an output topic
holds is caused by what is read of the inboxes even while the venue runs. The inboxes cause each other; of them it is
`book-inbox` that may be ahead, as `verify` allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from exchange import topics
from exchange.clock import VenueClock
from exchange.host import Record
from exchange.verify import TOPICS, Verdict, verify
from wire.errors import WireError
from wire.reader import Offsets, Reader

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told the topic, the records read of it and the records to read."""

EFFECTS_FIRST: Final = (*(topic for topic in TOPICS if topic not in topics.INBOXES), *topics.INBOXES)


def verify_venue(
    bootstrap_servers: str,
    venue: str,
    clock: VenueClock,
    shards: int,
    *,
    quiesced: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Check everything that a venue has written so far.

    Raises:
        WireError: if a topic has lost its beginning; else as in `wire.reader`.

    """
    ends: Offsets = {}
    for topic in EFFECTS_FIRST:
        with Reader(bootstrap_servers, venue, [topic]) as reader:
            if any(reader.offsets.values()):
                raise WireError(f"the first records of {venue}'s {topic} are gone, so it cannot be verified")
            ends |= reader.end_offsets()

    def read(topic: str) -> Iterator[Record]:
        with Reader(bootstrap_servers, venue, [topic]) as reader:
            for record in reader.to_end(lambda done, total: progress(topic, done, total) if progress else None):
                if record.offset < ends[record.topic, record.partition]:
                    yield record

    return verify(read, clock, shards, quiesced=quiesced)
