"""What is made of volumes."""

from __future__ import annotations

from udfs.indicators.averages import Sma
from udfs.indicators.checks import Number, check_period
from udfs.study import Study


class Vwap(Study, tag="vwap"):
    """Volume-weighted average price of the last bars.

    Formula: sum(typical * volume) / sum(volume) over the last `period` bars, typical = (high + low + close) / 3. None while all of these
    bars have no volume: nothing was traded at any price.
    Source: Berkowitz, Logue and Noser, "The Total Cost of Transactions on the NYSE", Journal of Finance 43 (1988); of bars, the typical
    price stands for the prices of the trades.
    Seeding: none; it is the same wherever the series began.
    Warm-up: `period` bars (1 to 10,000), of which one has volume.
    Unit: that of the price.

    >>> vwap = Vwap(2)
    >>> [vwap.step(*bar) for bar in ((9, 9, 9, 0), (9, 6, 6, 0), (8, 4, 6, 10), (5, 3, 4, 30))]
    [None, None, 6.0, 4.5]
    """

    inputs = ("high", "low", "close", "volume")

    period: int
    turnover: Sma | None = None
    volume: Sma | None = None

    def __post_init__(self) -> None:
        check_period("period", self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def step(self, high: float, low: float, close: float, volume: float) -> float | None:
        """Take in the next bar and return the average price, or None while there are too few bars, or no volume."""
        if self.turnover is None or self.volume is None:
            self.turnover, self.volume = Sma(self.period), Sma(self.period)
        turnover = self.turnover.step((high + low + close) / 3 * volume)
        average = self.volume.step(volume)
        return turnover / average if turnover is not None and average else None


class Obv(Study, tag="obv"):
    """On-balance volume.

    Formula: the sum of the volumes of bars that close higher than the bar before, less those of bars that close lower.
    Source: Granville, "New Key to Stock Market Profits" (1963).
    Seeding: the first bar's volume counts as if it had closed higher (as TA-Lib does), so only differences mean something.
    Warm-up: 1 bar.
    Unit: that of the volume. What rounding takes from the sum is kept beside it (Neumaier 1974), so it does not drift.

    >>> obv = Obv()
    >>> [obv.step(close, volume) for close, volume in ((5, 100), (6, 10), (6, 7), (5, 20))]
    [100.0, 110.0, 110.0, 90.0]
    """

    inputs = ("close", "volume")

    last: Number | None = None
    total: float = 0.0
    lost: float = 0.0

    @property
    def warm_up(self) -> int:
        return 1

    def step(self, close: float, volume: float) -> float:
        """Take in the next bar and return the balance."""
        last = self.last
        self.last = close
        if last is None or close > last:
            change = volume
        elif close < last:
            change = -volume
        else:
            return self.total + self.lost
        before = self.total
        total = self.total = before + change
        if -volume <= before <= volume:
            self.lost += (change - total) + before
        else:
            self.lost += (before - total) + change
        return total + self.lost
