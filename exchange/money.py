"""Exact conversion between decimal strings, which people see, and integers, which the machines count in.

Theory of operation: a price is a whole number of ticks, a quantity of lots, cash of minor units. One unit is worth a
decimal `step` (`"0.01"`); a decimal that is not a multiple of it is refused, never rounded. No float takes part.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from exchange.errors import InvalidAmount

UNITS_MAX = 2**53 - 1
"""Greatest amount, in units, that crosses an edge: the greatest integer every JSON reader keeps exact."""

_DECIMAL = re.compile(r"[0-9]{1,30}(\.[0-9]{1,18})?", re.ASCII)


def parse_decimal(text: str) -> Decimal:
    """Read a plain non-negative decimal string: digits, at most one point; no sign, exponent, NaN or spaces.

    >>> parse_decimal("12.50")
    Decimal('12.50')

    Raises:
        InvalidAmount: for anything else.
    """
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise InvalidAmount(f"{text!r} is not a plain decimal such as '12.50'")
    return Decimal(text)


def to_units(text: str, step: str) -> int:
    """Count the units of size `step` in a decimal string, exactly.

    >>> to_units("101.25", "0.01")
    10125

    Raises:
        InvalidAmount: if `text` is no multiple of `step`, or more than `UNITS_MAX` units.
    """
    value, size = parse_decimal(text), parse_decimal(step)
    numerator, denominator = value.as_integer_ratio()
    size_numerator, size_denominator = size.as_integer_ratio()
    if size_numerator == 0:
        raise InvalidAmount("the step must be more than 0")
    units, rest = divmod(numerator * size_denominator, denominator * size_numerator)
    if rest:
        raise InvalidAmount(f"{text} is not a multiple of {step}")
    if units > UNITS_MAX:
        raise InvalidAmount(f"{text} is more than {UNITS_MAX} units of {step}")
    return units


def from_units(units: int, step: str) -> str:
    """Write an integer count of units as a decimal string with the decimals of `step`.

    >>> from_units(10125, "0.01")
    '101.25'
    """
    coefficient, decimals = _size(step)
    digits = f"{abs(units) * coefficient:0{decimals + 1}d}"
    whole, fraction = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    return f"{'-' if units < 0 else ''}{whole}{'.' + fraction if fraction else ''}"


@lru_cache(maxsize=4_096)
def _size(step: str) -> tuple[int, int]:
    """Return a step as a whole number and how many decimals it has: there are few steps, and they are written with every price."""
    size = Decimal(step)
    exponent = size.as_tuple().exponent
    decimals = max(0, -exponent) if isinstance(exponent, int) else 0
    return int(size.scaleb(decimals)), decimals


def minor_step(scale: int) -> str:
    """Return the size of one minor unit of an asset with `scale` decimals: 2 gives `'0.01'`."""
    return "1" if scale == 0 else f"0.{'0' * (scale - 1)}1"
