"""Binance's intervals of klines: where they begin in a time zone, and of which of our candles they are made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from exchange.candles import DAY_MS, SPANS
from gateway.shown import Span

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
MONTH: Final = "1M"
_LENGTHS: Final = {
    "1s": _SECOND,
    **{f"{count}m": count * _MINUTE for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * _HOUR for count in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
INTERVALS: Final = (*_LENGTHS, MONTH)
_MONDAY_MS: Final = 4 * DAY_MS
"""The epoch's first Monday, at which weeks begin."""
_SPANS: Final[dict[Span, int]] = {
    "1d": DAY_MS,
    "1h": _HOUR,
    "15m": 15 * _MINUTE,
    "5m": 5 * _MINUTE,
    "1m": _MINUTE,
    "1s": _SECOND,
}
_ZONE = re.compile(r"([+-]?)(\d{1,2})(?::([0-5]\d))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offset_ms(zone: str) -> int | None:
    """Return how far a time zone is ahead of UTC, in milliseconds; None if it is none from -12:00 to +14:00.

    >>> offset_ms("-1:00"), offset_ms("05:45"), offset_ms("8"), offset_ms("15"), offset_ms("UTC")
    (-3600000, 20700000, 28800000, None, None)
    """
    found = _ZONE.fullmatch(zone)
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    offset = int(hours) * _HOUR + int(minutes or 0) * _MINUTE
    offset = -offset if sign == "-" else offset
    return offset if -12 * _HOUR <= offset <= 14 * _HOUR else None


class Interval:
    """An interval in a time zone: its klines begin where it does in that zone's time; weeks on Mondays, months on the first."""

    def __init__(self, name: str, offset: int = 0) -> None:
        self.name = name
        self.offset = offset
        self._length = _LENGTHS.get(name, 0)  # of months: they have none
        self._anchor = _MONDAY_MS if name == "1w" else 0

    @property
    def span(self) -> Span:
        """The longest span of candles of which these klines can be put together."""
        length = self._length or DAY_MS
        return next(span for span, span_ms in _SPANS.items() if length % span_ms == 0 and self.offset % span_ms == 0)

    @property
    def span_ms(self) -> int:
        """The length of that span."""
        return SPANS[self.span]

    def opening(self, time_ms: int) -> int:
        """Return when the interval that holds a time begins."""
        local = time_ms + self.offset
        if self._length:
            return time_ms - (local - self._anchor) % self._length
        day = _EPOCH + timedelta(milliseconds=local)
        return self._month(day.year, day.month)

    def later(self, opening_ms: int, count: int = 1) -> int:
        """Return when the interval begins that is so many after the one that begins at a time; `count` may be below 0."""
        if self._length:
            return opening_ms + count * self._length
        day = _EPOCH + timedelta(milliseconds=opening_ms + self.offset)
        years, month = divmod(day.month - 1 + count, 12)
        return self._month(max(day.year + years, 1), month + 1)

    def _month(self, year: int, month: int) -> int:
        since = datetime(year, month, 1, tzinfo=UTC) - _EPOCH
        return since.days * DAY_MS - self.offset
