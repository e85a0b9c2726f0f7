"""What bridges before this one have done, as the topics say: a bridge keeps no state of its own.

Theory of operation: a bridge writes what it refuses before any later order, and an instrument's orders in the order of the foreign
topic. So of an instrument's foreign orders that are not among the dead letters, the first `entered` are in the book's inbox,
whatever happened, and the next one is the one to go on with. What went out says in its record key where it came
from: `RIL-17` is that trade, `incoming_orders-17` the order at that offset.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from exchange import topics
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.messages import EnterOrder, ListInstrument
from exchange.packets import decode_book_inbox, decode_dead_letters
from exchange.seed_formats import SeedFormat
from wire.reader import Reader

_LISTING: Final = b'"ListInstrument"'


@dataclass
class Standing:
    """`entered`: orders by instrument; `dead`: offsets refused; `passed`: last offset by stream; `traded`: last trade by instrument."""

    entered: dict[str, int] = field(default_factory=dict)
    listings: dict[str, ListInstrument] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    passed: dict[str, int] = field(default_factory=dict)
    traded: dict[str, int] = field(default_factory=dict)


def source_of(seed: SeedFormat) -> str:
    """Return the name under which a design's orders enter the books."""
    return f"@{seed.name}"


def read_standing(bootstrap_servers: str, venue: str, seed: SeedFormat) -> Standing:
    """Read how far bridges have come in a venue. Raises WireError if the topics cannot be read."""
    with (
        Reader(bootstrap_servers, venue, [topics.BOOK_INBOX]) as inbox,
        Reader(bootstrap_servers, venue, [topics.DEAD_LETTERS]) as letters,
        Reader(bootstrap_servers, None, [seed.trades, *seed.sides.values()]) as written,
    ):
        return standing_of(seed, inbox.to_end(), letters.to_end(), written.to_end())


def standing_of(
    seed: SeedFormat, inbox: Iterable[Record], letters: Iterable[Record], written: Iterable[Record]
) -> Standing:
    """Say how far bridges have come, from what stands in the books' inbox, the dead letters and the design's own topics."""
    standing = Standing()
    dropped: set[tuple[str, int, int]] = set()
    for record in letters:
        for letter in decode_dead_letters(record.value):
            if letter.topic == seed.orders:
                standing.dead.add(letter.offset)
            elif letter.reason == "INVALID_PACKET":
                dropped.add((letter.topic, letter.partition, letter.offset))
    applied = (record for record in inbox if (record.topic, record.partition, record.offset) not in dropped)
    _read_inbox(applied, source_of(seed), standing)
    for record in written:
        name, _, number = record.key.rpartition("-")
        if not number.isdecimal():
            continue  # it is not a bridge's
        if record.topic == seed.trades:
            standing.traded[name] = max(int(number), standing.traded.get(name, 0))
        else:
            standing.passed[record.topic] = max(int(number), standing.passed.get(record.topic, 0))
    return standing


def _read_inbox(inbox: Iterable[Record], source: str, standing: Standing) -> None:
    """Count the orders of one source, each once, and find how each symbol is listed."""
    counts: dict[str, Inbound] = {}
    own = f'"{source}"'.encode()
    for record in inbox:
        if own not in record.value and _LISTING not in record.value:
            continue
        try:
            packet = decode_book_inbox(record.value)
        except InvalidPacket:
            continue  # a dead letter of the matching job
        for message in packet:
            if isinstance(message, ListInstrument):
                known = standing.listings.get(message.key)
                if known is None or message.version > known.version:
                    standing.listings[message.key] = message
            elif isinstance(message, EnterOrder) and message.source == source:
                counts.setdefault(message.symbol, Inbound()).admit(source, message.seq, 0)
    standing.entered = {symbol: inbound.counts.get(source, 0) for symbol, inbound in counts.items()}
