"""The last 24 hours of a symbol by quarters of an hour, and the close of the day before its session."""

from __future__ import annotations

from typing import Final

import msgspec

from exchange.analysis import Totals
from exchange.candles import SPANS
from udfs.candles import Part

DAY_MS: Final = SPANS["1d"]


class Day(msgspec.Struct, array_like=True, gc=False):
    """`quarters` are the settled candles of 15 minutes of the last 24 hours, `previous_close` that of the last settled day."""

    quarters: list[Part] = []
    previous_close: int | None = None
    sum: Part | None = None
    """All of `quarters`, merged."""

    def settle_quarters(self, candles: list[Part], clock_ms: int) -> None:
        """Take in quarters that have been settled, and let go of those that are too old."""
        self.quarters += candles
        self.forget(clock_ms)
        self.sum = merged(self.quarters)

    def forget(self, clock_ms: int) -> None:
        """Let go of the quarters that began 24 hours ago or earlier."""
        if self.quarters and self.quarters[0].start_ms <= clock_ms - DAY_MS:
            self.quarters = [one for one in self.quarters if one.start_ms > clock_ms - DAY_MS]
            self.sum = merged(self.quarters)

    def settle_days(self, candles: list[Part]) -> None:
        """Take note of days that have been settled."""
        if candles:
            self.previous_close = candles[-1].close

    def last(self, clock_ms: int, unsettled: list[Part]) -> Totals:
        """Return the 24 hours up to `clock_ms`; `unsettled` are the quarters that are not settled, of which there is one at least."""
        self.forget(clock_ms)
        parts = [one for one in unsettled if one.start_ms > clock_ms - DAY_MS]
        found = merged([self.sum, *parts] if self.sum else parts)
        assert found is not None, "the newest trade is in the last 24 hours"
        return totals(found)


def merged(parts: list[Part]) -> Part | None:
    """Return all the trades of some candles together."""
    if not parts:
        return None
    found = parts[0].within(parts[0].start_ms)
    for part in parts[1:]:
        found.merge(part)
    return found


def totals(part: Part) -> Totals:
    """Return what is told of some trades."""
    return Totals(
        open=part.open,
        high=part.high,
        low=part.low,
        close=part.close,
        volume=part.volume,
        turnover=part.turnover,
        trades=part.trades,
    )
