"""Rules of two lines that cross: moving averages of the close, MACD and its signal line.

They say nothing until the first cross is seen; then they keep to the side of the last one until the other comes. Their strength is how far the
lines are apart, in average true ranges of 14 bars: a cross that has only just been made is weak, a gap of a whole range or more is 1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from udfs.observation import Observation
from udfs.rules.rule import Rule, Verdict, called, share, text

RANGE: Final = "atr(14)"

Period = Annotated[int, Meta(ge=1, le=10_000)]


class SmaCross(Rule):
    """BUY when the faster of two moving averages crosses above the slower, SELL when below. `side` is that of the last cross."""

    fast: Period
    slow: Period
    side: int = 0

    average: ClassVar[str] = "sma"

    def __post_init__(self) -> None:
        _check_order(self.fast, self.slow)

    @property
    def name(self) -> str:
        """As the contract has it."""
        return called(f"{self.average}-cross", self.fast, self.slow)

    @property
    def needs(self) -> tuple[str, ...]:
        """The two averages, and the range that they are measured in."""
        return called(self.average, self.fast), called(self.average, self.slow), RANGE

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Keep to the side of the last cross."""
        self.side = _crossed(self.side, self.needs, before, now)
        return _verdict(self.side, self.needs, now)


class EmaCross(SmaCross):
    """The same of exponential averages."""

    average: ClassVar[str] = "ema"


class MacdCross(Rule):
    """BUY when MACD crosses above its signal line, SELL when below."""

    fast: Period
    slow: Period
    signal: Period
    side: int = 0

    def __post_init__(self) -> None:
        _check_order(self.fast, self.slow)

    @property
    def name(self) -> str:
        """As the contract has it."""
        return called("macd-cross", self.fast, self.slow, self.signal)

    @property
    def needs(self) -> tuple[str, ...]:
        """MACD, its signal line, and the range that they are measured in."""
        macd = called("macd", self.fast, self.slow, self.signal)
        return macd, f"{macd}.signal", RANGE

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Keep to the side of the last cross."""
        self.side = _crossed(self.side, self.needs, before, now)
        return _verdict(self.side, self.needs, now)


def _check_order(fast: int, slow: int) -> None:
    if fast >= slow:
        raise ValueError(f"the fast period {fast} is not below the slow {slow}")


def _crossed(side: int, names: tuple[str, ...], before: Observation | None, now: Observation) -> int:
    """Return 1 when the first line has come above the second, -1 when below, else the side as it was."""
    if before is None:
        return side
    first, second = names[:2]
    gap_before, gap = before.values[first] - before.values[second], now.values[first] - now.values[second]
    if gap > 0 >= gap_before:
        return 1
    return -1 if gap < 0 <= gap_before else side


def _verdict(side: int, names: tuple[str, ...], now: Observation) -> Verdict | None:
    if not side:
        return None
    numbers = {name: now.values[name] for name in names}
    first, second, height = numbers.values()
    sign = ">" if first > second else "<" if first < second else "="
    reason = f"{names[0]} {text(first)} {sign} {names[1]} {text(second)}"
    return Verdict.of(side, share(abs(first - second), height), reason, numbers)
