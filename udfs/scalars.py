"""Functions of one row's numbers, for SQL and for anybody. Prices are in the quote asset, quantities in the base asset."""

from __future__ import annotations

from math import log


def typical_price(high: float, low: float, close: float) -> float:
    """Return the mean of a bar's high, low and close.

    >>> typical_price(12.0, 9.0, 10.5)
    10.5
    """
    return (high + low + close) / 3


def middle_price(bid: float, ask: float) -> float:
    """Return the mean of the best bid and the best ask.

    >>> middle_price(99.0, 101.0)
    100.0
    """
    return (bid + ask) / 2


def relative_spread(bid: float, ask: float) -> float | None:
    """Return the spread over the middle price, or None where that is 0.

    >>> relative_spread(99.0, 101.0)
    0.02
    """
    middle = (bid + ask) / 2
    return (ask - bid) / middle if middle else None


def simple_return(before: float, now: float) -> float | None:
    """Return the change from one price to another, over the first; None if that is 0.

    >>> simple_return(100.0, 103.0)
    0.03
    """
    return (now - before) / before if before else None


def log_return(before: float, now: float) -> float | None:
    """Return the natural logarithm of the quotient of two prices, None unless both are above 0.

    >>> log_return(100.0, 100.0), log_return(0.0, 1.0)
    (0.0, None)
    """
    return log(now / before) if before > 0 and now > 0 else None


def true_range(high: float, low: float, close_before: float) -> float:
    """Return the greatest of a bar's range and its high's and low's distances from the close before (Wilder 1978).

    >>> true_range(12.0, 11.0, 9.0)
    3.0
    """
    return max(high, close_before) - min(low, close_before)
