"""What the job that watches the market would say of a venue's trades: their candles, made from the log as it stands."""

from __future__ import annotations

from typing import Any

from exchange.analysis import Candle
from exchange.candles import SPANS
from exchange.instruments import Instrument
from exchange.messages import Trade
from exchange.packets import decode_book_snapshots, decode_trades, encode
from exchange.topics import BOOK_SNAPSHOTS, CANDLES, TRADES


class Watch:
    """Writes the candles of a log's trades behind them, in a packet for each symbol of which any has changed."""

    def __init__(self, written: dict[str, list[bytes]], keys: dict[str, list[str]]) -> None:
        self.written = written
        self.keys = keys
        self.candles: dict[tuple[str, int, int], dict[str, Any]] = {}
        """The candles of each symbol's present ticks and lots, by symbol, span and start."""
        self._read = 0
        self._units: dict[str, tuple[str, str]] = {}
        self._clock_ms: dict[str, int] = {}

    def write(self) -> None:
        """Say what the trades since the last time have changed; trades whose listing is not known yet wait."""
        listed = {
            (snapshot.symbol, snapshot.listing): snapshot.instrument
            for value in self.written[BOOK_SNAPSHOTS]
            for snapshot in decode_book_snapshots(value)
        }
        changed: dict[tuple[str, int, int], None] = {}
        for value in self.written[TRADES][self._read :]:
            trades = decode_trades(value)
            if any((trade.symbol, trade.listing) not in listed for trade in trades):
                break
            self._read += 1
            for trade in trades:
                changed |= dict.fromkeys(self._add(trade, listed[trade.symbol, trade.listing]))
        told = [self._told(*key) for key in changed if key in self.candles]
        for symbol in dict.fromkeys(one.symbol for one in told):
            self.written[CANDLES].append(encode([one for one in told if one.symbol == symbol]))
            self.keys[CANDLES].append(symbol)

    def _add(self, trade: Trade, instrument: Instrument) -> list[tuple[str, int, int]]:
        """Count a trade in its candles, and return their names."""
        symbol, price = trade.symbol, trade.price
        units = (instrument.tick, instrument.lot)
        if self._units.setdefault(symbol, units) != units:
            self.candles = {key: candle for key, candle in self.candles.items() if key[0] != symbol}
            self._units[symbol] = units
        self._clock_ms[symbol] = max(self._clock_ms.get(symbol, 0), trade.time_ms)
        keys = [(symbol, span_ms, trade.time_ms - trade.time_ms % span_ms) for span_ms in SPANS.values()]
        for key in keys:
            new = {"open": price, "high": price, "low": price, "volume": 0, "turnover": 0, "trades": 0}
            candle = self.candles.setdefault(key, new)
            candle["high"], candle["low"] = max(candle["high"], price), min(candle["low"], price)
            candle["volume"] += trade.quantity
            candle["turnover"] += price * trade.quantity
            candle["trades"] += 1
            candle |= {"close": price, "listing": trade.listing}
        return keys

    def _told(self, symbol: str, span_ms: int, start_ms: int) -> Candle:
        closed = start_ms + span_ms <= self._clock_ms[symbol]
        values = self.candles[symbol, span_ms, start_ms]
        return Candle(symbol=symbol, span_ms=span_ms, start_ms=start_ms, closed=closed, **values)
