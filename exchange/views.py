"""What the public sees of a market, as a fold over trades and book deltas."""

from __future__ import annotations

from exchange.candles import DAY_MS, Candle
from exchange.messages import BookDelta, Trade


class BookView:
    """The quantity at each price of both sides of a book, in lots by ticks."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def add(self, delta: BookDelta) -> None:
        """Take in the next delta of the symbol."""
        side = self.bids if delta.side == "buy" else self.asks
        if delta.quantity:
            side[delta.price] = delta.quantity
        else:
            side.pop(delta.price, None)

    def best_bid(self) -> int | None:
        """Return the highest price that somebody bids, in ticks."""
        return max(self.bids, default=None)

    def best_ask(self) -> int | None:
        """Return the lowest price that somebody asks, in ticks."""
        return min(self.asks, default=None)


class MarketView:
    """One symbol: its book, its current day as a candle, the close of the day before, and the number of its trades."""

    __slots__ = ("book", "day", "previous_close", "symbol", "time_ms", "trades")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.book = BookView()
        self.day: Candle | None = None
        self.previous_close: int | None = None
        self.trades = 0
        self.time_ms = 0

    def trade(self, trade: Trade) -> None:
        """Take in the next trade of the symbol. A day begins at midnight in UTC."""
        start_ms = trade.time_ms - trade.time_ms % DAY_MS
        if self.day is None or self.day.start_ms != start_ms:
            self.previous_close = self.day.close if self.day else None
            self.day = Candle(self.symbol, start_ms, trade.price)
        self.day.add(trade.price, trade.quantity)
        self.trades += 1
        self.time_ms = trade.time_ms

    def delta(self, delta: BookDelta) -> None:
        """Take in the next book delta of the symbol."""
        self.book.add(delta)
        self.time_ms = max(self.time_ms, delta.time_ms)

    def change(self) -> float | None:
        """Return the last price's change against the close of the day before, as a part of it; for display only."""
        if self.day is None or self.previous_close is None:
            return None
        return self.day.close / self.previous_close - 1
