"""Candles of one symbol in all spans, from trades that may come a little out of order.

Theory of operation: most trades come in order and within the second that is open. These are gathered in a run, one comparison or two
each, and the run is merged into the open candle of every span when the second ends, a packet ends, or a trade comes that does not
fit. A trade that is late by no more than the lateness is a run of its own, and is merged where it belongs: merging knows the times
of a candle's first and last trade, so the order of arrival makes no difference. A candle is settled, and leaves, when nothing that may still
come can belong to it.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import Final

import msgspec

from exchange.candles import SPANS

_SECOND: Final = SPANS["1s"]
_start = attrgetter("start_ms")


class Part(msgspec.Struct, array_like=True, gc=False):
    """Some trades of one span: prices in ticks, volume in lots, and the times of the first and the last of them."""

    start_ms: int
    first_ms: int
    last_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    trades: int

    def merge(self, other: Part) -> None:
        """Take in trades of the same span that came later (in the order of their numbers)."""
        if other.first_ms < self.first_ms:
            self.open, self.first_ms = other.open, other.first_ms
        if other.last_ms >= self.last_ms:
            self.close, self.last_ms = other.close, other.last_ms
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.volume += other.volume
        self.turnover += other.turnover
        self.trades += other.trades

    def within(self, start_ms: int) -> Part:
        """Return the same trades as part of a longer span."""
        return Part(
            start_ms, self.first_ms, self.last_ms, self.open, self.high, self.low, self.close,
            self.volume, self.turnover, self.trades,
        )  # fmt: skip


class SpanCandles(msgspec.Struct, gc=False):
    """The candles of one span that are not settled, by start. `changed_ms` is the start of the first that has changed since it
    was last set to None.
    """

    span_ms: int
    candles: list[Part] = []
    changed_ms: int | None = None

    def merge(self, part: Part) -> None:
        """Put trades of at most one span where they belong."""
        start_ms = part.first_ms - part.first_ms % self.span_ms
        candles = self.candles
        if candles and candles[-1].start_ms == start_ms:
            candles[-1].merge(part)
        elif not candles or candles[-1].start_ms < start_ms:
            candles.append(part.within(start_ms))
        else:
            place = bisect_left(candles, start_ms, key=_start)
            if candles[place].start_ms == start_ms:
                candles[place].merge(part)
            else:
                candles.insert(place, part.within(start_ms))
        if self.changed_ms is None or start_ms < self.changed_ms:
            self.changed_ms = start_ms

    def since(self, told_ms: int) -> list[Part]:
        """Return the candles from the first on that has changed or was not closed when the clock stood at `told_ms`."""
        first_ms = told_ms - self.span_ms + 1
        if self.changed_ms is not None and self.changed_ms < first_ms:
            first_ms = self.changed_ms
        return self.candles[bisect_left(self.candles, first_ms, key=_start) :]

    def settle(self, settled_ms: int) -> list[Part]:
        """Let go of the candles that end by a time, and return them."""
        count = 0
        while count < len(self.candles) and self.candles[count].start_ms + self.span_ms <= settled_ms:
            count += 1
        gone = self.candles[:count]
        if gone:
            del self.candles[:count]
        return gone


class Tape(msgspec.Struct, gc=False):
    """The trades of one symbol. `clock_ms` is the greatest time of a trade; what is `lateness_ms` older than that is too late."""

    lateness_ms: int
    spans: list[SpanCandles]
    clock_ms: int = 0
    run: Part | None = None
    run_end_ms: int = 0

    @classmethod
    def begin(cls, lateness_ms: int) -> Tape:
        """Return the tape of a symbol without trades."""
        return cls(lateness_ms, [SpanCandles(span_ms) for span_ms in SPANS.values()])

    @property
    def settled_ms(self) -> int:
        """The time before which no trade is taken any more."""
        return max(0, self.clock_ms - self.lateness_ms)

    def add(self, time_ms: int, price: int, quantity: int) -> bool:
        """Take in the next trade of the symbol, and say whether it was in time."""
        run = self.run
        if run is None or not self.clock_ms <= time_ms < self.run_end_ms:
            return self._elsewhere(time_ms, price, quantity)
        self.clock_ms = run.last_ms = time_ms
        run.close = price
        if price > run.high:
            run.high = price
        elif price < run.low:
            run.low = price
        run.volume += quantity
        run.turnover += price * quantity
        run.trades += 1
        return True

    def _elsewhere(self, time_ms: int, price: int, quantity: int) -> bool:
        """Begin a new run, or put a late trade where it belongs."""
        if time_ms < self.settled_ms:
            return False
        self.flush()
        start_ms = time_ms - time_ms % _SECOND
        part = Part(start_ms, time_ms, time_ms, price, price, price, price, quantity, price * quantity, 1)
        if time_ms < self.clock_ms:
            self._merge(part)
        else:
            self.run, self.clock_ms, self.run_end_ms = part, time_ms, start_ms + _SECOND
        return True

    def flush(self) -> None:
        """Merge what was gathered into the candles."""
        if self.run is not None:
            self._merge(self.run)
            self.run = None

    def _merge(self, part: Part) -> None:
        for span in self.spans:
            span.merge(part)
