"""How fast prices move, and which way."""

from __future__ import annotations

from udfs.indicators.averages import Sma
from udfs.indicators.checks import InvalidIndicator, Number, check_period
from udfs.indicators.rounds import Extremes
from udfs.study import Study


class Rsi(Study, tag="rsi"):
    """Relative strength index.

    Formula: 100 * gain / (gain + loss), the averages of the rises and of the falls of the close, by Wilder's smoothing:
    average += (next - average) / period. 0 where there was neither a rise nor a fall since the series began.
    Source: Wilder, "New Concepts in Technical Trading Systems" (1978).
    Seeding: the simple averages of the first `period` changes.
    Warm-up: `period` + 1 bars; period 2 to 10,000.
    Unit: none, 0 to 100.

    >>> rsi = Rsi(2)
    >>> [rsi.step(close) for close in (5, 8, 7, 7)]
    [None, None, 75.0, 75.0]
    """

    period: int
    changes: int = 0  # counted up to `period`
    last: Number | None = None
    gain: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        check_period("period", self.period, 2)

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def step(self, close: float) -> float | None:
        """Take in the next close and return the index, or None while there are too few bars."""
        last = self.last
        self.last = close
        if last is None:
            return None
        count = self.changes
        if count < self.period:
            count = self.changes = count + 1
        change = close - last
        # A simple average whose count stops at `period` is Wilder's smoothing.
        if change > 0:
            self.gain += (change - self.gain) / count
            self.loss -= self.loss / count
        else:
            self.gain -= self.gain / count
            self.loss -= (change + self.loss) / count
        if count < self.period:
            return None
        both = self.gain + self.loss
        return 100 * (self.gain / both) if both else 0.0


class Macd(Study, tag="macd"):
    """Moving average convergence/divergence: itself, its signal line, and their difference, the histogram.

    Formula: macd = EMA(close, fast) - EMA(close, slow); signal = EMA(macd, signal); histogram = macd - signal.
    Source: Appel, "Technical Analysis: Power Tools for Active Investors" (2005).
    Seeding: each EMA by the simple average of its first closes; the fast one begins slow - fast bars later, so that both have their
    first value at the same bar (as TA-Lib does); the signal line by the simple average of the first `signal` differences.
    Warm-up: slow + signal - 1 bars; fast and slow 2 to 10,000, fast below slow, signal 1 to 10,000.
    Unit: that of the price, all three.

    >>> macd = Macd(2, 3, 1)
    >>> [macd.step(close) for close in (5, 6, 10, 8)]
    [None, None, (1.0, 1.0, 0.0), (0.5, 0.5, 0.0)]
    """

    outputs = ("", "signal", "histogram")

    fast: int
    slow: int
    signal: int
    bars: int = 0  # counted up to the warm-up
    fast_average: float = 0.0
    slow_average: float = 0.0
    signal_average: float = 0.0

    def __post_init__(self) -> None:
        check_period("fast", self.fast, 2)
        check_period("slow", self.slow, 2)
        check_period("signal", self.signal)
        if self.fast >= self.slow:
            raise InvalidIndicator(f"fast is {self.fast}, and must be below slow, which is {self.slow}")

    @property
    def warm_up(self) -> int:
        return self.slow + self.signal - 1

    def step(self, close: float) -> tuple[float, float, float] | None:
        """Take in the next close and return all three, or None while there are too few bars."""
        slow, signal = self.slow, self.signal
        if self.bars < slow + signal - 1:
            self.bars += 1
            return self._seed(close, self.bars)
        fast_average = self.fast_average = self.fast_average + (close - self.fast_average) * 2 / (self.fast + 1)
        slow_average = self.slow_average = self.slow_average + (close - self.slow_average) * 2 / (slow + 1)
        macd = fast_average - slow_average
        signal_average = self.signal_average = self.signal_average + (macd - self.signal_average) * 2 / (signal + 1)
        return macd, signal_average, macd - signal_average

    def _seed(self, close: float, bars: int) -> tuple[float, float, float] | None:
        """Take in one of the first bars, of which this is number `bars`."""
        if bars <= self.slow:
            self.slow_average += (close - self.slow_average) / bars
            skipped = self.slow - self.fast
            if bars > skipped:
                self.fast_average += (close - self.fast_average) / (bars - skipped)
        else:
            self.fast_average += (close - self.fast_average) * 2 / (self.fast + 1)
            self.slow_average += (close - self.slow_average) * 2 / (self.slow + 1)
        if bars < self.slow:
            return None
        macd = self.fast_average - self.slow_average
        self.signal_average += (macd - self.signal_average) / (bars - self.slow + 1)
        return (macd, self.signal_average, macd - self.signal_average) if bars == self.warm_up else None


class Stochastic(Study, tag="stochastic"):
    """Slow stochastic oscillator: %K and its signal line %D.

    Formula: fast %K = 100 * (close - lowest low) / (highest high - lowest low) over the last `period` bars, 0 where these two are equal;
    k = SMA(fast %K, smoothing); d = SMA(k, signal).
    Source: Lane, "Lane's Stochastics", Technical Analysis of Stocks and Commodities 2:3 (1984).
    Seeding: none; it is the same wherever the series began.
    Warm-up: period + smoothing + signal - 2 bars, for both (as TA-Lib does); each 1 to 10,000.
    Unit: none, 0 to 100 where no close is outside of its bar's low and high.

    >>> stochastic = Stochastic(2, 1, 2)
    >>> [stochastic.step(high, low, close) for high, low, close in ((8, 4, 6), (8, 4, 8), (9, 5, 5))]
    [None, None, (20.0, 60.0)]
    """

    inputs = ("high", "low", "close")
    outputs = ("k", "d")

    period: int
    smoothing: int
    signal: int
    extremes: Extremes | None = None
    slow: Sma | None = None
    line: Sma | None = None

    def __post_init__(self) -> None:
        check_period("period", self.period)
        check_period("smoothing", self.smoothing)
        check_period("signal", self.signal)

    @property
    def warm_up(self) -> int:
        return self.period + self.smoothing + self.signal - 2

    def step(self, high: float, low: float, close: float) -> tuple[float, float] | None:
        """Take in the next bar and return both, or None while there are too few bars."""
        if self.extremes is None or self.slow is None or self.line is None:
            self.extremes, self.slow, self.line = Extremes(self.period), Sma(self.smoothing), Sma(self.signal)
        extremes = self.extremes.step(high, low)
        if extremes is None:
            return None
        highest, lowest = extremes
        fast = 100 * ((close - lowest) / (highest - lowest)) if highest != lowest else 0.0
        k = self.slow.step(fast)
        d = None if k is None else self.line.step(k)
        return None if k is None or d is None else (k, d)
