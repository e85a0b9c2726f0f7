"""What the public sees of a market, as a fold over trades, book deltas and book snapshots."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import islice

from exchange.candles import DAY_MS, Candle
from exchange.messages import BookDelta, BookSnapshot, Side, Trade


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
    """Both sides of a book."""

    __slots__ = ("asks", "bids")

    def __init__(self, bids: Iterable[tuple[int, int]] = (), asks: Iterable[tuple[int, int]] = ()) -> None:
        self.bids, self.asks = SideView(1, bids), SideView(-1, asks)

    def side(self, side: Side) -> SideView:
        """Return the bids for `buy`, the asks for `sell`."""
        return self.bids if side == "buy" else self.asks

    def add(self, delta: BookDelta) -> None:
        """Take in the next delta of the symbol."""
        self.side(delta.side).set(delta.price, delta.quantity)


class MarketView:
    """One symbol: its book, its current day as a candle, the close of the day before, and the number of its trades.

    `deltas` and `trades` count the messages of each kind that are in it.
    """

    __slots__ = ("book", "day", "deltas", "previous_close", "symbol", "time_ms", "trades")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.book = BookView()
        self.day: Candle | None = None
        self.previous_close: int | None = None
        self.trades = 0
        self.deltas = 0
        self.time_ms = 0

    def trade(self, trade: Trade) -> None:
        """Take in the next trade of the symbol. A day begins at midnight in UTC."""
        start_ms = trade.time_ms - trade.time_ms % DAY_MS
        if self.day is None or self.day.start_ms != start_ms:
            self.previous_close = self.day.close if self.day else None
            self.day = Candle(self.symbol, start_ms, trade.price)
        self.day.add(trade.price, trade.quantity)
        self.trades = trade.seq
        self.time_ms = max(self.time_ms, trade.time_ms)

    def delta(self, delta: BookDelta) -> None:
        """Take in the next book delta of the symbol."""
        self.book.add(delta)
        self.deltas = delta.seq
        self.time_ms = max(self.time_ms, delta.time_ms)

    def snapshot(self, snapshot: BookSnapshot) -> None:
        """Go on from a snapshot of the book."""
        self.book = BookView(snapshot.bids, snapshot.asks)
        self.deltas = snapshot.delta
        self.time_ms = max(self.time_ms, snapshot.time_ms)

    def change(self) -> float | None:
        """Return the last price's change against the close of the day before, as a part of it; for display only."""
        if self.day is None or self.previous_close is None:
            return None
        return self.day.close / self.previous_close - 1
