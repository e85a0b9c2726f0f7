"""Moving averages of one column."""

from __future__ import annotations

import msgspec

from udfs.indicators.checks import Number, check_period
from udfs.indicators.rounds import ends_means, ends_weighted_means
from udfs.study import Study


class Sma(Study, tag="sma"):
    """Simple moving average.

    Formula: (p[0] + p[1] + ... + p[period-1]) / period, p[i] the close i bars ago.
    Source: Murphy, "Technical Analysis of the Financial Markets" (1999), chapter 9.
    Seeding: none; it is the same wherever the series began.
    Warm-up: `period` bars (1 to 10,000).
    Unit: that of the price.

    >>> sma = Sma(2)
    >>> [sma.step(close) for close in (1, 2, 4)]
    [None, 1.5, 3.0]
    """

    period: int
    recent: list[Number] = msgspec.field(default_factory=list)
    mean: float = 0.0
    ends: list[float] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        check_period("period", self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def step(self, close: float) -> float | None:
        """Take in the next close and return the average, or None while there are too few bars."""
        recent = self.recent
        recent.append(close)
        count = len(recent)
        mean = self.mean + (close - self.mean) / count
        period = self.period
        if count < period:
            self.mean = mean
            if not self.ends:
                return None
            return mean + (self.ends.pop() - mean) * (period - count) / period
        self.ends = ends_means(recent)
        self.recent = []
        self.mean = 0.0
        return mean


class Ema(Study, tag="ema"):
    """Exponential moving average.

    Formula: average += (close - average) * 2 / (period + 1).
    Source: Murphy, "Technical Analysis of the Financial Markets" (1999), chapter 9.
    Seeding: the simple average of the first `period` closes.
    Warm-up: `period` bars (1 to 10,000).
    Unit: that of the price.

    >>> ema = Ema(3)
    >>> [ema.step(close) for close in (1, 2, 6, 5)]
    [None, None, 3.0, 4.0]
    """

    period: int
    bars: int = 0  # counted up to `period`
    average: float = 0.0  # the simple average so far, until there are `period` bars

    def __post_init__(self) -> None:
        check_period("period", self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def step(self, close: float) -> float | None:
        """Take in the next close and return the average, or None while there are too few bars."""
        period = self.period
        if self.bars == period:
            average = self.average = self.average + (close - self.average) * 2 / (period + 1)
            return average
        self.bars += 1
        self.average += (close - self.average) / self.bars
        return self.average if self.bars == period else None


class Wma(Study, tag="wma"):
    """Linearly weighted moving average.

    Formula: (period * p[0] + (period - 1) * p[1] + ... + 1 * p[period-1]) / (1 + 2 + ... + period), p[i] the close i bars ago.
    Source: Murphy, "Technical Analysis of the Financial Markets" (1999), chapter 9.
    Seeding: none; it is the same wherever the series began.
    Warm-up: `period` bars (1 to 10,000).
    Unit: that of the price.

    >>> wma = Wma(2)
    >>> [wma.step(close) for close in (3, 6, 0)]
    [None, 5.0, 2.0]
    """

    period: int
    recent: list[Number] = msgspec.field(default_factory=list)
    mean: float = 0.0  # of `recent`
    weighted: float = 0.0  # the same, the first with the weight 1
    ends: list[float] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        check_period("period", self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def step(self, close: float) -> float | None:
        """Take in the next close and return the average, or None while there are too few bars."""
        recent = self.recent
        recent.append(close)
        count = len(recent)
        weighted = self.weighted + (close - self.weighted) * 2 / (count + 1)
        period = self.period
        if count < period:
            self.weighted = weighted
            mean = self.mean = self.mean + (close - self.mean) / count
            if not self.ends:
                return None
            # The bars of the round before have the weights 1 to `before`; those of this round that much, and 1 to `count`.
            before = period - count
            apart = (self.ends.pop() - weighted) * (before * (before + 1)) + (mean - weighted) * (2 * before * count)
            return weighted + apart / (period * (period + 1))
        self.ends = ends_weighted_means(recent)
        self.recent = []
        self.mean = self.weighted = 0.0
        return weighted
