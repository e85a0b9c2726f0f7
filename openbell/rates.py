"""Parts of a whole as an operator writes them, in percent, and as messages have them, in millionths."""

from __future__ import annotations

from exchange.errors import InvalidAmount
from exchange.messages import PPM_MAX, FeeTier
from exchange.money import from_units, to_units
from openbell.errors import SettingError

_PERCENT_PPM = "0.0001"
"""A millionth, in percent."""
WHOLE_PPM = 1_000_000


def ppm(option: str, percent: str, ppm_max: int = WHOLE_PPM) -> int:
    """Turn percent, as a decimal, into millionths.

    >>> ppm("--collar", "2.5")
    25000

    Raises:
        SettingError: if it is no decimal from 0 to `ppm_max`, or finer than a millionth; names the option.
    """
    try:
        parts = to_units(percent, _PERCENT_PPM)
    except InvalidAmount as error:
        raise SettingError(f"{option} is {percent!r}; write percent, such as 2.5 (at most four decimals)") from error
    if parts > ppm_max:
        raise SettingError(f"{option} is {percent}; it is at most {percent_text(ppm_max)} percent")
    return parts


def percent_text(parts: int) -> str:
    """Write millionths as percent.

    >>> percent_text(25000), percent_text(-50), percent_text(100000)
    ('2.5', '-0.005', '10')
    """
    return from_units(parts, _PERCENT_PPM).rstrip("0").rstrip(".")


def fee_tier(text: str) -> FeeTier:
    """Read `maker:taker`, both in percent; a maker's may be below zero, a rebate.

    Raises:
        SettingError: for anything else.
    """
    maker, colon, taker = text.partition(":")
    if not colon:
        raise SettingError(f"--tier is {text!r}; write maker:taker in percent, such as -0.002:0.01")
    size = ppm("--tier", maker.removeprefix("-"), PPM_MAX)
    return FeeTier(maker=-size if maker.startswith("-") else size, taker=ppm("--tier", taker, PPM_MAX))
