"""How numbers and times are written on the pages: filters for the templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

NOTHING = "\N{EN DASH}"
"""Stands where there is no such number yet."""
MINUS = "\N{MINUS SIGN}"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decimal(text: str | None) -> str:
    """Write a decimal for reading: thousands apart, zeros after the second decimal left out, a dash for None.

    >>> decimal("1234567.8900"), decimal("0.00012000"), decimal("5")
    ('1,234,567.89', '0.00012', '5')
    """
    if text is None:
        return NOTHING
    sign = MINUS if text.startswith("-") else ""
    whole, point, fraction = text.removeprefix("-").partition(".")
    kept = fraction[:2] + fraction[2:].rstrip("0")
    return f"{sign}{int(whole):,}{point}{kept}"


def signed(text: str | None) -> str:
    """Write a change as `decimal` does, with a plus in front of a rise.

    >>> signed("1.2500"), signed("0.00")
    ('+1.25', '0.00')
    """
    return ("+" if direction(text) == "up" else "") + decimal(text)


def direction(text: str | None) -> str:
    """Say where a change goes: `up`, `down`, or `flat` (also for None).

    >>> direction("0.01"), direction("-0.01"), direction("0.00"), direction(None)
    ('up', 'down', 'flat', 'flat')
    """
    if text is None or not text.strip("-0."):
        return "flat"
    return "down" if text.startswith("-") else "up"


def clock(time_ms: int) -> str:
    """Write a time (milliseconds since the epoch) to the second, in UTC.

    >>> clock(1_204_351_200_999)
    '2008-03-01 06:00:00'
    """
    return f"{EPOCH + timedelta(milliseconds=time_ms):%Y-%m-%d %H:%M:%S}"


def age(age_ms: int) -> str:
    """Write how long ago something was, in the greatest whole unit up to days.

    >>> age(900), age(1_000), age(150_000), age(7_200_000), age(200_000_000)
    ('less than a second', '1 second', '2 minutes', '2 hours', '2 days')
    """
    for unit, length_ms in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)):
        count = age_ms // length_ms
        if count:
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "less than a second"


FILTERS: dict[str, Callable[..., str]] = {
    "age": age,
    "clock": clock,
    "decimal": decimal,
    "direction": direction,
    "signed": signed,
}
"""Every filter by the name that templates call it."""
