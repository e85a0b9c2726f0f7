"""Where a rebuild begins in `book-deltas`: not at its start, but where the last snapshots of its books let it.

Theory of operation: all snapshots are read, of which the topic keeps little more than the last of each symbol. Then each
partition of the deltas is read backwards, in growing steps, until of each of its symbols a delta has been seen that its
snapshot already has, or the one right after it: from there on every later delta follows. A symbol without such a delta makes
its partition be read from its start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.messages import BookSnapshot, Message
from exchange.packets import PacketDecoder, decode_book_deltas, decode_book_snapshots
from wire.reader import Offsets, Reader

FIRST_STEP: Final = 2_000
"""How many records of each partition the first step looks at; each further one looks at four times as many."""

Snapshots: TypeAlias = dict[str, BookSnapshot]
Alive: TypeAlias = Callable[[], None]
"""Called often while something is read, for whoever must show that it is still at work."""
M = TypeVar("M", bound=Message)


def last_snapshots(
    bootstrap_servers: str, venue: str, alive: Alive = lambda: None
) -> tuple[Snapshots, dict[str, int], list[BookSnapshot], Offsets]:
    """Return each symbol's newest snapshot and the partition it stands in; the first one that is left of each version of a listing, in their
    order; and the offsets that this was read up to.
    """
    newest: Snapshots = {}
    partitions: dict[str, int] = {}
    listings: dict[tuple[str, int], BookSnapshot] = {}
    with Reader(bootstrap_servers, venue, [topics.BOOK_SNAPSHOTS]) as reader:
        for record in reader.to_end(lambda _, __: alive()):
            for snapshot in _good(decode_book_snapshots, record):
                listings.setdefault((snapshot.symbol, snapshot.listing), snapshot)
                known = newest.get(snapshot.symbol)
                if known is None or snapshot.delta >= known.delta:
                    newest[snapshot.symbol] = snapshot
                    partitions[snapshot.symbol] = record.partition
        return newest, partitions, list(listings.values()), dict(reader.offsets)


def first_offsets(
    bootstrap_servers: str, venue: str, newest: Snapshots, partitions: dict[str, int], alive: Alive = lambda: None
) -> Offsets:
    """Return the offset of each partition of `book-deltas` from which on nothing is missing after the snapshots."""
    wanted: defaultdict[int, set[str]] = defaultdict(set)
    for symbol, partition in partitions.items():
        wanted[partition].add(symbol)
    with Reader(bootstrap_servers, venue, [topics.BOOK_DELTAS]) as reader:
        start = dict(reader.offsets)
        ends = reader.end_offsets()
        return {
            name: _first_offset(reader, name, start[name], end, {s: newest[s].delta for s in wanted[name[1]]}, alive)
            for name, end in ends.items()
        }


def _first_offset(
    reader: Reader, name: tuple[str, int], start: int, end: int, after: dict[str, int], alive: Alive
) -> int:
    """Look for the greatest offset of one partition that will do; `after` has each symbol's last delta in its snapshot."""
    if 0 in after.values():
        return start
    missing = dict(after)
    step, upper = FIRST_STEP, end
    while missing and upper > start:
        lower = max(start, upper - step)
        for key, lowest in _lowest_numbers(reader, name, lower, upper, alive).items():
            if lowest <= missing.get(key, 0) + 1:
                missing.pop(key, None)
        step, upper = step * 4, lower
    return upper


def _lowest_numbers(reader: Reader, name: tuple[str, int], lower: int, upper: int, alive: Alive) -> dict[str, int]:
    """Return the lowest delta number of each symbol between two offsets."""
    lowest: dict[str, int] = {}
    reader.only(name, lower)
    for record in reader.to({name: upper}, lambda _, __: alive()):
        for delta in _good(decode_book_deltas, record):
            lowest[delta.symbol] = min(delta.seq, lowest.get(delta.symbol, delta.seq))
    return lowest


def _good(decode: PacketDecoder[M], record: Record) -> list[M]:
    """Return a record's messages, none if it is no packet: the projection counts those."""
    try:
        return decode(record.value)
    except InvalidPacket:
        return []
