"""What the public sees of a market, as a fold over trades, book events and book snapshots.

Theory of operation: prices and quantities are counted in the ticks and lots of one version of the listing. A version with another
tick or lot makes a market's trades, day and candles start anew; the log keeps what was before. Topics have no order between
them, so each trade says the version that it was made under: one of an older count is passed over, and one of a version that no
snapshot has told of yet waits for that snapshot, which a book publishes before the version's first trade. Book events need no
such care, for a book empties itself, event by event, before it counts in another way.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from itertools import islice, zip_longest
from typing import Final, NamedTuple
from zlib import crc32

from exchange.candles import DAY_MS, Candle
from exchange.instruments import Instrument, Rules
from exchange.messages import (
    INDICATED_PHASES,
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    BookEvent,
    BookSnapshot,
    Phase,
    PhaseChanged,
    Side,
    Trade,
    TradeBusted,
)

CHECKSUM_LEVELS: Final = 10
"""How many prices of each side a checksum covers."""


class Indication(NamedTuple):
    """What an auction would do: its price in ticks (0: there would be none), its lots, and the lots left over (above 0: of buyers)."""

    price: int
    volume: int
    imbalance: int


class SideView:
    """One side of a book: the quantity at each price, in lots by ticks; `sign` is 1 for bids and -1 for asks.

    As in `ladder`, prices are kept sorted by rank, the best last.
    """

    __slots__ = ("quantities", "ranks", "sign")

    def __init__(self, sign: int, levels: Iterable[tuple[int, int]] = ()) -> None:
        self.sign = sign
        self.quantities: dict[int, int] = dict(levels)
        self.ranks = sorted(price * sign for price in self.quantities)

    def set(self, price: int, quantity: int) -> None:
        """Let `quantity` rest at a price; 0: none."""
        if not quantity:
            if self.quantities.pop(price, None) is not None:
                del self.ranks[bisect_left(self.ranks, price * self.sign)]
            return
        if price not in self.quantities:
            insort(self.ranks, price * self.sign)
        self.quantities[price] = quantity

    def best(self) -> int | None:
        """Return the best price, in ticks."""
        return self.ranks[-1] * self.sign if self.ranks else None

    def top(self, levels: int) -> list[tuple[int, int]]:
        """Return the best prices with their quantities, best first."""
        return [(rank * self.sign, self.quantities[rank * self.sign]) for rank in islice(reversed(self.ranks), levels)]


class BookView:
    """Both sides of a book. Bids may stand above asks: in a call phase nothing trades, and some matching rules leave them so."""

    __slots__ = ("asks", "bids")

    def __init__(self, bids: Iterable[tuple[int, int]] = (), asks: Iterable[tuple[int, int]] = ()) -> None:
        self.bids, self.asks = SideView(1, bids), SideView(-1, asks)

    def side(self, side: Side) -> SideView:
        """Return the bids for `buy`, the asks for `sell`."""
        return self.bids if side == "buy" else self.asks

    def add(self, delta: BookDelta) -> None:
        """Take in the next delta of the symbol."""
        self.side(delta.side).set(delta.price, delta.quantity)

    def crc32(self) -> int:
        """Return what a `BookChecksum` must say of this book."""
        levels = zip_longest(self.bids.top(CHECKSUM_LEVELS), self.asks.top(CHECKSUM_LEVELS))
        places = (f"{place[0]}:{place[1]}" for pair in levels for place in pair if place is not None)
        return crc32(":".join(places).encode())


class MarketView:
    """One symbol: its book, its phase, its current day as a candle, the close of the day before, and the number of its trades.

    `deltas` and `trades` count the messages of each kind that are in it, `mismatches` the checksums that were not those of its book.
    `listing` is the version that it counts in, and `since` the first one that counts alike; `waiting` are trades of later ones.
    `reference` is the last auction's price, from which price collars are measured. A busted trade stays in the day and in the close: what was published is not
    rewritten, and the tape marks it.
    """

    __slots__ = (
        "book",
        "day",
        "delisted",
        "deltas",
        "indication",
        "instrument",
        "listing",
        "mismatches",
        "phase",
        "previous_close",
        "reference",
        "rules",
        "since",
        "symbol",
        "time_ms",
        "trades",
        "waiting",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.instrument: Instrument | None = None
        self.rules = Rules()
        self.delisted = False
        self.listing = 0
        self.since = 0
        self.book = BookView()
        self.phase: Phase = "continuous"
        self.indication: Indication | None = None
        self.day: Candle | None = None
        self.previous_close: int | None = None
        self.reference: int | None = None
        self.trades = 0
        self.deltas = 0
        self.mismatches = 0
        self.time_ms = 0
        self.waiting: deque[Trade] = deque()

    # Trades

    def trade(self, trade: Trade) -> list[Trade]:
        """Take in the next trade of the symbol, and return those that can be shown now: none, it, or it and some that waited."""
        if not self.listing:  # nothing else can be known of the version yet
            self.listing = self.since = trade.listing
        self.trades = trade.seq
        self.time_ms = max(self.time_ms, trade.time_ms)
        self.waiting.append(trade)
        return self.shown()

    def shown(self) -> list[Trade]:
        """Fold the trades that wait for no other version, and return those that count in the present ticks and lots."""
        shown = []
        while self.waiting and self.waiting[0].listing <= self.listing:
            trade = self.waiting.popleft()
            if trade.listing >= self.since:
                self._fold(trade)
                shown.append(trade)
        return shown

    def _fold(self, trade: Trade) -> None:
        """Let a trade be the day's last. A day begins at midnight in UTC."""
        start_ms = trade.time_ms - trade.time_ms % DAY_MS
        if self.day is None or self.day.start_ms != start_ms:
            self.previous_close = self.day.close if self.day else None
            self.day = Candle(self.symbol, start_ms, trade.price)
        self.day.add(trade.price, trade.quantity)
        if trade.auction:
            self.reference = trade.price

    # The book

    def event(self, event: BookEvent) -> None:
        """Take in the next event of the symbol's book. A busted trade only counts: whoever shows trades marks it."""
        self.deltas = event.seq
        self.time_ms = max(self.time_ms, event.time_ms)
        match event:
            case BookDelta():
                self.book.add(event)
            case BookChecksum():
                self.mismatches += event.crc32 != self.book.crc32()
            case PhaseChanged():
                self._enter(event.phase)
            case AuctionIndicated():
                self.indication = Indication(event.price, event.volume, event.imbalance)
            case TradeBusted():
                pass

    def _enter(self, phase: Phase) -> None:
        """Go into a phase. One in which there will be an auction begins as if there were nothing to trade in it."""
        self.phase = phase
        self.indication = Indication(0, 0, 0) if phase in INDICATED_PHASES else None

    def snapshot(self, snapshot: BookSnapshot) -> None:
        """Go on from a snapshot of the book."""
        self.book = BookView(snapshot.bids, snapshot.asks)
        self.phase = snapshot.phase
        self.indication = Indication(*snapshot.indicated) if snapshot.phase in INDICATED_PHASES else None
        self.deltas = snapshot.delta
        self.time_ms = max(self.time_ms, snapshot.time_ms)

    # The listing

    def listed(self, snapshot: BookSnapshot) -> bool:
        """Take note of what a snapshot says is traded, and say whether trades start anew, counted in other ticks or lots.

        `shown` then has the trades that waited for it.
        """
        if snapshot.listing < self.listing:
            return False
        before, instrument = self.instrument, snapshot.instrument
        anew = snapshot.listing > self.listing > 0 and (
            before is None or (before.tick, before.lot) != (instrument.tick, instrument.lot)
        )
        if anew:
            self.day = self.previous_close = self.reference = None
        if anew or not self.listing:
            self.since = snapshot.listing
        self.listing, self.instrument, self.rules = snapshot.listing, instrument, snapshot.rules
        self.delisted = snapshot.delisted
        return anew

    # What it says

    def spread(self) -> int | None:
        """Return the best ask less the best bid, in ticks; None where a side is empty or they are crossed."""
        bid, ask = self.book.bids.best(), self.book.asks.best()
        return None if bid is None or ask is None or ask < bid else ask - bid

    def change(self) -> float | None:
        """Return the last price's change against the close of the day before, as a part of it; for display only."""
        if self.day is None or self.previous_close is None:
            return None
        return self.day.close / self.previous_close - 1
