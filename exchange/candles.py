"""Candles: what trades did in each span of time, as a fold."""

from __future__ import annotations

from typing import Final

from exchange.messages import Trade

DAY_MS = 86_400_000
SPANS: Final = {"1s": 1_000, "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": DAY_MS}
"""The spans of candles, in milliseconds, by name."""
SPAN_NAMES: Final = {span_ms: span for span, span_ms in SPANS.items()}


class Candle:
    """The trades of one symbol in one span: prices in ticks, volume in lots, `trades` their number."""

    __slots__ = ("close", "high", "low", "open", "start_ms", "symbol", "trades", "volume")

    def __init__(self, symbol: str, start_ms: int, price: int) -> None:
        self.symbol = symbol
        self.start_ms = start_ms
        self.open = self.high = self.low = self.close = price
        self.volume = 0
        self.trades = 0

    def add(self, price: int, quantity: int) -> None:
        """Take in the span's next trade."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += quantity
        self.trades += 1


class Candles:
    """The candles of all symbols, of one span, by (symbol, start). Spans begin at multiples of `span_ms` since the epoch."""

    def __init__(self, span_ms: int = DAY_MS) -> None:
        self.span_ms = span_ms
        self.by_start: dict[tuple[str, int], Candle] = {}

    def add(self, trade: Trade) -> Candle:
        """Take in a trade, a symbol's trades in their order, and return the candle that it belongs to."""
        start_ms = trade.time_ms - trade.time_ms % self.span_ms
        candle = self.by_start.get((trade.symbol, start_ms))
        if candle is None:
            candle = self.by_start[trade.symbol, start_ms] = Candle(trade.symbol, start_ms, trade.price)
        candle.add(trade.price, trade.quantity)
        return candle
