"""What indicators are made of: numbers, and parameters in range."""

from __future__ import annotations

from typing import Final, TypeAlias

from exchange.errors import ExchangeError

Number: TypeAlias = int | float
"""A number kept as it came. Of a `float` alone, 5 would be restored as 5.0: equal, but another text."""

PERIOD_MAX: Final = 10_000
"""The longest period, in bars: about what a study's state may grow to."""
WIDTH_MIN: Final = 0.001
WIDTH_MAX: Final = 100


class InvalidIndicator(ExchangeError):
    """An indicator that there is not, or whose parameters are out of range."""


def check_period(what: str, period: int, least: int = 1) -> None:
    """Refuse a period that is no whole number from `least` to `PERIOD_MAX`.

    >>> check_period("period", 0)
    Traceback (most recent call last):
    udfs.indicators.checks.InvalidIndicator: period is 0, and must be a whole number from 1 to 10000
    """
    if type(period) is not int or not least <= period <= PERIOD_MAX:
        raise InvalidIndicator(f"{what} is {period}, and must be a whole number from {least} to {PERIOD_MAX}")


def check_width(what: str, width: Number) -> None:
    """Refuse a width that is not from `WIDTH_MIN` to `WIDTH_MAX`.

    >>> check_width("width", -2)
    Traceback (most recent call last):
    udfs.indicators.checks.InvalidIndicator: width is -2, and must be a number from 0.001 to 100
    """
    if not WIDTH_MIN <= width <= WIDTH_MAX:
        raise InvalidIndicator(f"{what} is {width}, and must be a number from {WIDTH_MIN} to {WIDTH_MAX}")
