"""How far prices spread."""

from __future__ import annotations

from math import log, sqrt

import msgspec

from udfs.indicators.averages import Sma
from udfs.indicators.checks import Number, check_period, check_width
from udfs.indicators.rounds import ends_means, ends_squares
from udfs.study import Study


class Bollinger(Study, tag="bollinger"):
    """Bollinger bands: an average, and `width` standard deviations above and below it.

    Formula: middle = SMA(close, period); upper, lower = middle +- width * sqrt(sum((close - middle)^2) / period) over the same bars, that is
    the population's deviation. On equal closes all three are exactly the close.
    Source: Bollinger, "Bollinger on Bollinger Bands" (2001); of parts that are put together, Chan, Golub and LeVeque, "Updating Formulae and
    a Pairwise Algorithm for Computing Sample Variances" (1979).
    Seeding: none; it is the same wherever the series began.
    Warm-up: `period` bars (2 to 10,000); width 0.001 to 100.
    Unit: that of the price, all three.

    >>> bollinger = Bollinger(2, 1.5)
    >>> [bollinger.step(close) for close in (1, 5, 5)]
    [None, (6.0, 3.0, 0.0), (5.0, 5.0, 5.0)]
    """

    outputs = ("upper", "middle", "lower")

    period: int
    width: Number
    recent: list[Number] = msgspec.field(default_factory=list)
    mean: float = 0.0
    squares: float = 0.0  # the sum of the squared deviations of `recent` from `mean`
    ends: list[float] = msgspec.field(default_factory=list)
    ends_squares: list[float] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        check_period("period", self.period, 2)
        check_width("width", self.width)

    @property
    def warm_up(self) -> int:
        return self.period

    def step(self, close: float) -> tuple[float, float, float] | None:
        """Take in the next close and return upper, middle and lower band, or None while there are too few bars."""
        recent = self.recent
        recent.append(close)
        count = len(recent)
        change = close - self.mean
        mean = self.mean + change / count
        squares = self.squares + change * (close - mean)
        period = self.period
        if count < period:
            self.mean = mean
            self.squares = squares
            if not self.ends:
                return None
            before = period - count
            apart = self.ends.pop() - mean
            mean += apart * before / period
            squares += self.ends_squares.pop() + apart * apart * before * count / period
        else:
            self.ends, self.ends_squares = ends_means(recent), ends_squares(recent)
            self.recent = []
            self.mean = self.squares = 0.0
        apart = self.width * sqrt(squares / period)
        return mean + apart, mean, mean - apart


class Atr(Study, tag="atr"):
    """Average true range.

    Formula: true range = the greatest of high - low, |high - last close|, |low - last close|; average += (true range - average) / period.
    Source: Wilder, "New Concepts in Technical Trading Systems" (1978).
    Seeding: the simple average of the first `period` true ranges; the first bar, which has no last close, has none.
    Warm-up: `period` + 1 bars; period 1 to 10,000.
    Unit: that of the price, never below 0.

    >>> atr = Atr(2)
    >>> [atr.step(high, low, close) for high, low, close in ((5, 4, 4), (7, 5, 6), (6, 5, 5), (5, 5, 5))]
    [None, None, 2.0, 1.0]
    """

    inputs = ("high", "low", "close")

    period: int
    ranges: int = 0  # counted up to `period`
    last: Number | None = None
    average: float = 0.0

    def __post_init__(self) -> None:
        check_period("period", self.period)

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def step(self, high: float, low: float, close: float) -> float | None:
        """Take in the next bar and return the average, or None while there are too few bars."""
        last = self.last
        self.last = close
        if last is None:
            return None
        true_range = max(high, last) - min(low, last)
        count = self.ranges
        if count < self.period:
            count = self.ranges = count + 1
        # A simple average whose count stops at `period` is Wilder's smoothing.
        self.average += (true_range - self.average) / count
        return self.average if count == self.period else None


class Volatility(Study, tag="volatility"):
    """Realised volatility of one bar.

    Formula: sqrt(sum(r^2) / period) over the last `period` bars, r = ln(close / last close). The mean return is taken to be 0, and
    nothing is annualised: of a span of m bars it is this times sqrt(m).
    Source: Andersen, Bollerslev, Diebold and Labys, "Modeling and Forecasting Realized Volatility", Econometrica 71 (2003), whose realised
    variance is the sum of squared returns over a span; here divided by the number of its bars.
    Seeding: none; it is the same wherever the series began.
    Warm-up: `period` + 1 bars; period 1 to 10,000. Closes must be above 0.
    Unit: none (log return of one bar; 0.01 is about one per cent), never below 0.

    >>> volatility = Volatility(1)
    >>> [volatility.step(close) for close in (1, 1, 1)]
    [None, 0.0, 0.0]
    """

    period: int
    last: Number = 0.0
    squares: Sma | None = None

    def __post_init__(self) -> None:
        check_period("period", self.period)

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def step(self, close: float) -> float | None:
        """Take in the next close and return the volatility, or None while there are too few bars."""
        last = self.last
        self.last = close
        if self.squares is None:
            self.squares = Sma(self.period)
            return None
        change = log(close / last)
        mean = self.squares.step(change * change)
        return None if mean is None else sqrt(mean)
