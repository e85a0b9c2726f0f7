"""What an operator sees of the markets: how each is listed, its phase, its book and what its auction would do.

Theory of operation: the last snapshot of each book says all of it as of one number of the book's events;
the events after that number are taken in on top. Repeats have numbers that are there already, and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.instruments import Instrument, Rules
from exchange.messages import CALL_PHASES, AuctionIndicated, BookDelta, BookSnapshot, Phase, PhaseChanged
from exchange.packets import decode_book_deltas
from exchange.views import BookView, Indication
from openbell.errors import SettingError
from openbell.market import trimmed
from openbell.venue import Venue
from wire.clock import wall_ms


def knows(rules: Rules, phase: Phase) -> bool:
    """Say whether a market with these rules has such a phase (docs/MATCHING.md, rule 60)."""
    return not (rules.pairs and phase in CALL_PHASES)


@dataclass
class Market:
    """One symbol as of event `seq` of its book; `time_ms` is that event's."""

    symbol: str
    listing: int
    instrument: Instrument
    rules: Rules
    phase: Phase
    book: BookView
    seq: int
    time_ms: int
    delisted: bool = False
    indicated: Indication | None = None

    @classmethod
    def at(cls, snapshot: BookSnapshot) -> Market:
        """Begin with a snapshot."""
        return cls(
            snapshot.symbol,
            snapshot.listing,
            snapshot.instrument,
            snapshot.rules,
            snapshot.phase,
            BookView(snapshot.bids, snapshot.asks),
            snapshot.delta,
            snapshot.time_ms,
            snapshot.delisted,
            Indication(*snapshot.indicated) if snapshot.indicated[0] else None,
        )

    def add(self, event: Any) -> bool:
        """Take in an event of the book, and say whether it is new; a repeat changes nothing."""
        if event.seq <= self.seq:
            return False
        self.seq, self.time_ms = event.seq, event.time_ms
        if isinstance(event, BookDelta):
            self.book.add(event)
        elif isinstance(event, PhaseChanged):
            self.phase, self.indicated = event.phase, None
        elif isinstance(event, AuctionIndicated):
            self.indicated = Indication(event.price, event.volume, event.imbalance) if event.price else None
        return True

    def need_phase(self, phase: Phase) -> None:
        """Raise SettingError if the market has no such phase."""
        if not knows(self.rules, phase):
            raise SettingError(
                f"{self.symbol} is matched by {self.rules.matching}, which knows only continuous and closed"
            )

    def now_ms(self, at: Venue) -> int:
        """Return the time at the venue: the wall's, or in a replay venue that of this market's last event."""
        return wall_ms() if at.clock == "live" else self.time_ms

    def levels(self) -> set[tuple[str, int]]:
        """Return side and price of everything that is seen to rest."""
        return {("buy", price) for price in self.book.bids.quantities} | {
            ("sell", price) for price in self.book.asks.quantities
        }

    def row(self) -> dict[str, Any]:
        """Return all of it with prices and quantities as decimal strings; None where there is none."""
        listed, book, told = self.instrument, self.book, self.indicated
        bid, ask = book.bids.best(), book.asks.best()
        return {
            "symbol": self.symbol,
            "phase": self.phase,
            "delisted": self.delisted,
            "listing": self.listing,
            "instrument": msgspec.to_builtins(listed),
            "rules": {name: getattr(self.rules, name) for name in Rules.__struct_fields__},
            "bid": None if bid is None else trimmed(listed.price_text(bid)),
            "bid_quantity": None if bid is None else listed.quantity_text(book.bids.quantities[bid]),
            "ask": None if ask is None else trimmed(listed.price_text(ask)),
            "ask_quantity": None if ask is None else listed.quantity_text(book.asks.quantities[ask]),
            "auction_price": None if told is None else trimmed(listed.price_text(told.price)),
            "auction_quantity": None if told is None else listed.quantity_text(told.volume),
            "auction_imbalance": None if told is None else listed.quantity_text(told.imbalance),
            "time_ms": self.time_ms,
        }


class Board:
    """The markets of a venue by symbol."""

    def __init__(self, snapshots: Iterable[BookSnapshot]) -> None:
        self.markets = {snapshot.symbol: Market.at(snapshot) for snapshot in snapshots}

    def add(self, record: Record) -> None:
        """Take in a record of `book-deltas`; one that is no packet is nothing, as for every reader."""
        try:
            events = decode_book_deltas(record.value)
        except InvalidPacket:
            return
        for event in events:
            market = self.markets.get(event.symbol)
            if market is not None:
                market.add(event)

    def market(self, symbol: str) -> Market:
        """Return a market. Raises SettingError if nothing is listed under the symbol."""
        market = self.markets.get(symbol)
        if market is None:
            known = ", ".join(sorted(self.markets)) or "none yet"
            raise SettingError(f"{symbol} is not listed; listed are: {known}")
        return market


def read_board(bootstrap_servers: str, venue: str) -> Board:
    """Read the present state of all markets; errors as in `wire.reader`."""
    from gateway.projecting.beginning import first_offsets, last_snapshots
    from wire.reader import Reader

    newest, partitions = last_snapshots(bootstrap_servers, venue)[:2]
    start = first_offsets(bootstrap_servers, venue, newest, partitions)
    board = Board(newest.values())
    with Reader(bootstrap_servers, venue, [topics.BOOK_DELTAS], start) as reader:
        for record in reader.to_end():
            board.add(record)
    return board
