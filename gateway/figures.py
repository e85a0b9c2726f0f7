"""How statistics are written on the pages: numbers that are no exact decimals, parts as percentages, spans, and rows for the chart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from exchange.analysis import TRADES_SOURCE
from exchange.candles import SPAN_NAMES
from gateway.analytics.shown import IndicatorsShown, SignalShown
from gateway.analytics.studies import OUTPUTS
from gateway.filters import MINUS, NOTHING

DIGITS: Final = 6
"""How many digits of a statistic are worth reading."""
DECIMALS_MIN: Final = 2
DECIMALS_MAX: Final = 10
MANY: Final = 30
"""So many signals it takes, as a rule of thumb, before a rate says something of a rule, and not of chance."""

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


def figure(value: float | None) -> str:
    """Write a statistic to six digits, and at least two decimals; a dash for None.

    >>> figure(1234567.891), figure(101.0033333), figure(0.000123456789), figure(0.0)
    ('1,234,567.89', '101.003', '0.000123457', '0.00')
    >>> figure(-2.5) == MINUS + "2.50"
    True
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    size = math.floor(math.log10(abs(value))) if value else 0
    decimals = min(max(DIGITS - 1 - size, DECIMALS_MIN), DECIMALS_MAX)
    whole, _, fraction = f"{abs(value):,.{decimals}f}".partition(".")
    kept = fraction[:DECIMALS_MIN] + fraction[DECIMALS_MIN:].rstrip("0")
    return f"{_minus(value, whole + fraction)}{whole}.{kept}"


def percent(part: float | None) -> str:
    """Write a part as a percentage to two decimals.

    >>> percent(0.012345).split(), percent(-0.5).split() == [f"{MINUS}50.00", "%"], percent(None) == NOTHING
    (['1.23', '%'], True, True)
    """
    if part is None or not math.isfinite(part):
        return NOTHING
    digits = f"{abs(part) * 100:,.2f}"
    return f"{_minus(part, digits)}{digits}\N{NO-BREAK SPACE}%"


def gained(part: float | None) -> str:
    """Write a gain or a change as a percentage, with a plus in front of a rise.

    >>> gained(0.02).split(), gained(0.0).split()
    (['+2.00', '%'], ['0.00', '%'])
    """
    return ("+" if way(part) == "up" else "") + percent(part)


def way(part: float | None) -> str:
    """Say where a change goes, as far as two decimals of its percentage tell: `up`, `down` or `flat`.

    >>> way(0.01), way(-0.01), way(0.00001), way(None)
    ('up', 'down', 'flat', 'flat')
    """
    if part is None or not math.isfinite(part) or not f"{abs(part) * 100:.2f}".strip("0."):
        return "flat"
    return "up" if part > 0 else "down"


def span_name(span_ms: int) -> str:
    """Name a span of bars.

    >>> span_name(60_000), span_name(0), span_name(1_800_000), span_name(1_500)
    ('1m', 'as they come', '30m', '1500 ms')
    """
    if span_ms in SPAN_NAMES or not span_ms:
        return SPAN_NAMES.get(span_ms, "as they come")
    return next((f"{span_ms // unit_ms}{unit}" for unit_ms, unit in _UNITS if not span_ms % unit_ms), f"{span_ms} ms")


def study_rows(bars: list[IndicatorsShown]) -> str:
    """Write what the chart draws as JSON: of each bar its beginning, then the values of `analytics.studies.OUTPUTS`, null where there is none."""
    return msgspec.json.encode([[bar.start_ms, *map(bar.values.get, OUTPUTS)] for bar in bars]).decode()


def mark_rows(signals: list[SignalShown]) -> str:
    """Write the signals that the chart can mark as JSON, the oldest first: beginning of the bar, action, rule and reason."""
    told = [one for one in signals if one.source == TRADES_SOURCE and one.action != "HOLD"]
    return msgspec.json.encode(
        [(one.start_ms, one.action, one.rule, one.reason) for one in sorted(told, key=lambda one: one.start_ms)]
    ).decode()


def few(signals: int) -> bool:
    """Say whether so few signals tell little of a rule."""
    return signals < MANY


def _minus(value: float, digits: str) -> str:
    return MINUS if value < 0 and digits.strip("0.,") else ""


TESTS: Final[dict[str, Callable[..., bool]]] = {"few": few}
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "figure": figure,
    "percent": percent,
    "gained": gained,
    "way": way,
    "span_name": span_name,
    "study_rows": study_rows,
    "mark_rows": mark_rows,
}
"""Every test and filter by the name that templates call it."""
