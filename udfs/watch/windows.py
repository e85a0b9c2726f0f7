"""The moving averages and profits of the seeds, over windows of candles (docs/ANALYTICS.md, section 4).

Theory of operation: a candle that changes makes the windows that it lies in due. A window is told once the symbol's clock has reached its end, and is due
again when one of its candles is corrected. Candles that are settled but still lie in a window to come are kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import Final, NamedTuple

import msgspec

from exchange.candles import SPANS
from udfs.candles import Part

LENGTH_MS: Final = 10 * SPANS["1m"]
HOP_MS: Final = 5 * SPANS["1m"]


class Window(NamedTuple):
    """A window's average close and profit, in ticks."""

    start_ms: int
    end_ms: int
    average: float
    profit: float


class HoppingWindows(msgspec.Struct, array_like=True, gc=False):
    """Windows of ten minutes, one every five, over one-minute candles. `due` are ends of windows to tell, `recent` settled candles."""

    due: list[int] = []
    recent: list[tuple[int, int, int]] = []

    def touch(self, candles: Iterable[Part]) -> None:
        """Note that one-minute candles have changed."""
        ends = set(self.due)
        for candle in candles:
            first_ms = candle.start_ms - candle.start_ms % HOP_MS + HOP_MS
            ends |= {first_ms, first_ms + HOP_MS}
        self.due = sorted(ends)

    def take(self, clock_ms: int, candles: list[Part]) -> list[Window]:
        """Return the due windows that have ended by now, given the candles that are not settled; they are no longer due."""
        found = list(self.ended(clock_ms, candles))
        self.due = [end_ms for end_ms in self.due if end_ms > clock_ms]
        return found

    def ended(self, clock_ms: int, candles: list[Part]) -> Iterator[Window]:
        """Yield the due windows that have ended by a time."""
        for end_ms in self.due:
            if end_ms > clock_ms:
                break
            start_ms = end_ms - LENGTH_MS
            inside = [(opened, close) for at_ms, opened, close in self.recent if start_ms <= at_ms < end_ms]
            inside += [(one.open, one.close) for one in candles if start_ms <= one.start_ms < end_ms]
            average = fmean(close for _, close in inside)
            yield Window(start_ms, end_ms, average, average - fmean(opened for opened, _ in inside))

    def settle(self, candles: Iterable[Part], settled_ms: int) -> None:
        """Keep candles that have been settled as long as a window may need them."""
        self.recent += [(one.start_ms, one.open, one.close) for one in candles]
        oldest_ms = settled_ms - LENGTH_MS - HOP_MS
        self.recent = [one for one in self.recent if one[0] >= oldest_ms]


class VwapBuckets(msgspec.Struct, array_like=True, gc=False):
    """Buckets of five minutes, which are candles. `last` is the last settled one: start, open, volume, turnover."""

    last: tuple[int, int, int, int] | None = None

    def ended(self, clock_ms: int, candles: list[Part], from_ms: int) -> Iterator[Window]:
        """Yield the windows of the buckets that begin at `from_ms` or later and have ended by a time."""
        before = self.last
        for candle in candles:
            now = (candle.start_ms, candle.open, candle.volume, candle.turnover)
            end_ms = candle.start_ms + HOP_MS
            if candle.start_ms >= from_ms and end_ms <= clock_ms:
                price = candle.turnover / candle.volume
                average = price if before is None else (price + before[3] / before[2]) / 2
                earlier = now if before is None else before
                yield Window(earlier[0], end_ms, average, average - earlier[1])
            before = now

    def settle(self, candles: list[Part]) -> None:
        """Keep the last candle that has been settled."""
        if candles:
            last = candles[-1]
            self.last = (last.start_ms, last.open, last.volume, last.turnover)
