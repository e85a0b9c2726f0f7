"""The proof of a replay: the candles of Openbell's own trades are the bars that came in, to the tick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from exchange.candles import Candle, Candles
from exchange.messages import Bar
from replay.orders import traded_volume


@dataclass(frozen=True)
class Proof:
    """How many bars were compared, how many of them agree, and what the first that does not says."""

    bars: int
    equal: int
    difference: str | None

    @property
    def holds(self) -> bool:
        """Whether every bar agrees."""
        return self.equal == self.bars


def prove(bars: Iterable[Bar], candles: Candles) -> Proof:
    """Compare open, high, low, close and volume of each bar with the candle of the same symbol and time."""
    compared = equal = 0
    first = None
    for bar in bars:
        compared += 1
        difference = _difference(bar, candles.by_start.get((bar.symbol, bar.start_ms)))
        if difference is None:
            equal += 1
        elif first is None:
            first = difference
    return Proof(compared, equal, first)


def missing(bars: Iterable[Bar], candles: Candles) -> list[Bar]:
    """Return the bars whose trades have not all arrived yet."""
    return [bar for bar in bars if _volume(candles.by_start.get((bar.symbol, bar.start_ms))) < traded_volume(bar)]


def _volume(candle: Candle | None) -> int:
    return candle.volume if candle else 0


def _difference(bar: Bar, candle: Candle | None) -> str | None:
    day = f"{bar.symbol} {datetime.fromtimestamp(bar.start_ms / 1000, UTC):%Y-%m-%d}"
    if candle is None:
        return f"{day}: no trade"
    if candle.volume < traded_volume(bar):
        return f"{day}: only {candle.volume} of {traded_volume(bar)} lots have traded"
    wanted = (bar.open, bar.high, bar.low, bar.close, traded_volume(bar))
    got = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    for name, expected, found in zip(("open", "high", "low", "close", "volume"), wanted, got, strict=True):
        if expected != found:
            return f"{day}: {name} is {found}, not {expected}"
    return None
