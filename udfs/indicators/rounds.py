"""How statistics of the last n bars are kept without ever subtracting what leaves the window.

Theory of operation: bars are counted in rounds of n. At any bar the window is the end of the round before and the beginning of this
round. Of the beginning one figure is kept as it grows. Of the ends, all n - 1 figures were computed when their round was complete, from the
last bar backwards; each bar uses up one. So a bar costs O(1) on average (O(n) once in n bars), the state is n numbers for each input and
figure, and an error of rounding is gone after at most two rounds, whatever came before: no running sum drifts, and a spike leaves no
trace once it has left the window. Means are kept rather than sums, because the mean of equal numbers is then exactly that number: on a
flat market averages of different periods are equal, and nothing seems to cross.
"""

from __future__ import annotations

from itertools import accumulate

import msgspec

from udfs.indicators.checks import Number
from udfs.study import Study


def ends_means(values: list[Number]) -> list[float]:
    """Return the means of the last 1, 2, ... values, short of all of them. They are used up from the end of the list.

    >>> ends_means([8.0, 1.0, 3.0])
    [3.0, 2.0]
    """
    mean = 0.0
    means = []
    for count, value in enumerate(values[:0:-1], 1):
        mean += (value - mean) / count
        means.append(mean)
    return means


def ends_weighted_means(values: list[Number]) -> list[float]:
    """Return the same of means in which the first of m values has the weight 1, and the last the weight m.

    As every end adds the weight 1 to the values of the one before, this is the mean of the plain means, weighted by 1, 2, ...

    >>> ends_weighted_means([8.0, 0.0, 3.0])
    [3.0, 2.0]
    """
    weighted = 0.0
    found = []
    for count, mean in enumerate(ends_means(values), 1):
        weighted += (mean - weighted) * 2 / (count + 1)
        found.append(weighted)
    return found


def ends_squares(values: list[Number]) -> list[float]:
    """Return the same of the sums of squared deviations from the mean.

    >>> ends_squares([8.0, 1.0, 3.0])
    [0.0, 2.0]
    """
    mean = squares = 0.0
    found = []
    for count, value in enumerate(values[:0:-1], 1):
        change = value - mean
        mean += change / count
        squares += change * (value - mean)
        found.append(squares)
    return found


class Extremes(Study, tag="extremes"):
    """The highest and the lowest of the last `period` bars: a part of other studies, not an indicator by itself.

    >>> extremes = Extremes(2)
    >>> [extremes.step(high, low) for high, low in ((5, 4), (7, 6), (3, 1), (2, 1))]
    [None, (7, 4), (7, 1), (3, 1)]
    """

    inputs = ("high", "low")
    outputs = ("highest", "lowest")

    period: int
    highs: list[Number] = msgspec.field(default_factory=list)
    lows: list[Number] = msgspec.field(default_factory=list)
    highest: Number = 0
    lowest: Number = 0
    ends_highest: list[Number] = msgspec.field(default_factory=list)
    ends_lowest: list[Number] = msgspec.field(default_factory=list)

    @property
    def warm_up(self) -> int:
        return self.period

    def step(self, high: float, low: float) -> tuple[float, float] | None:
        """Take in the next bar and return both, or None while there are too few bars."""
        highs = self.highs
        first = not highs
        highs.append(high)
        self.lows.append(low)
        if first or high > self.highest:
            self.highest = high
        if first or low < self.lowest:
            self.lowest = low
        if len(highs) < self.period:
            if not self.ends_highest:
                return None
            return max(self.ends_highest.pop(), self.highest), min(self.ends_lowest.pop(), self.lowest)
        self.ends_highest = list(accumulate(highs[:0:-1], max))
        self.ends_lowest = list(accumulate(self.lows[:0:-1], min))
        self.highs, self.lows = [], []
        return self.highest, self.lowest
