"""Decimals as the Binance-shaped API writes them: strings with the digits of the listing, never with an exponent."""

from __future__ import annotations

from decimal import Decimal

from exchange.money import from_units, minor_step


def plain(value: Decimal) -> str:
    """Write a decimal with all of its digits.

    >>> plain(Decimal("0.0000000")), plain(Decimal("12.50"))
    ('0.0000000', '12.50')
    """
    return f"{value:f}"


def zero(step: str) -> str:
    """Write nothing with the decimals of a step.

    >>> zero("0.05"), zero("1")
    ('0.00', '0')
    """
    return from_units(0, step)


def rounded(value: Decimal, scale: int) -> str:
    """Write a decimal with so many decimals.

    >>> rounded(Decimal("2.005"), 2), rounded(Decimal("7"), 3)
    ('2.00', '7.000')
    """
    return plain(value.quantize(Decimal(minor_step(scale))))


def decimals(step: str) -> int:
    """Return how many decimals a step has.

    >>> decimals("0.05"), decimals("1")
    (2, 0)
    """
    return len(step.partition(".")[2])
