"""Bars from outside: a series of indicators for each source and span, and what is wrong with a bar."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from math import isfinite
from operator import attrgetter
from typing import Any, Final

import msgspec

from exchange.analysis import BOOK_SOURCE, TRADES_SOURCE, Indicators, LateData, NewsSentiment, OutsideBar
from udfs.series import BarOf, Settling
from udfs.watch.trades import indicators

FUTURE_MAX_MS: Final = 60_000
"""How far a time may lie after the broker's time of the record."""
SERIES_MAX: Final = 16
PRICE_LEAST: Final = 1e-12
NUMBER_MAX: Final = 1e15
"""Numbers beyond these are no prices and volumes, and their squares would not fit either."""
UNSETTLED_MAX: Final = 100
"""Greatest number of bars of a series that can still be corrected; a series that has more settles the oldest."""

_OURS: Final = (TRADES_SOURCE, BOOK_SOURCE)
_start = attrgetter("start_ms")


class _Stored(msgspec.Struct, array_like=True):
    """What changes with every bar. A bar that begins before `settled_ms` is too late."""

    clock_ms: int = 0
    settled_ms: int = 0
    late: int = 0
    unsettled: list[BarOf] = []


class _Series:
    """The bars of one source and span."""

    def __init__(self, at: _Stored, settling: Settling) -> None:
        self.at = at
        self.settling = settling
        self.from_ms: int | None = None
        """The start of the first bar that is new since the last call of `publish`."""


class OutsideWatch:
    """All bars from outside that name one symbol."""

    def __init__(self, symbol: str, lateness_ms: int, entries: Mapping[str, str]) -> None:
        self.symbol = symbol
        self._lateness_ms = lateness_ms
        self._series: dict[tuple[str, int], _Series] = {}
        for name, text in entries.items():
            kind, _, key = name.partition(" ")
            if kind == "bars":
                source, _, span = key.rpartition(" ")
                settled = entries.get(f"settled {key}")
                settling = Settling.restored(settled) if settled else Settling()
                self._series[source, int(span)] = _Series(_decode(text), settling)
        self._touched: set[tuple[str, int]] = set()
        self._late: list[LateData] = []

    # In

    def add(self, source: str, span_ms: int, bar: BarOf) -> str | None:
        """Take in a good bar; return why not where it is refused."""
        if source in _OURS:
            return "RESERVED_SOURCE"
        key = source, span_ms
        series = self._series.get(key)
        if series is None:
            if len(self._series) == SERIES_MAX:
                return "TOO_MANY_SERIES"
            series = self._series[key] = _Series(_Stored(), Settling())
        at, bars = series.at, series.at.unsettled
        if bar.start_ms < at.settled_ms:
            at.late += 1
            self._touched.add(key)
            self._tell_late(source, bar, at.settled_ms, at.late)
            return None
        place = bisect_left(bars, bar.start_ms, key=_start)
        if place < len(bars) and bars[place].start_ms == bar.start_ms:
            return None if bars[place] == bar else "DUPLICATE_BAR"
        self._touched.add(key)
        bars.insert(place, bar)
        at.clock_ms = max(at.clock_ms, bar.start_ms)
        oldest_ms = bars[-UNSETTLED_MAX].start_ms if len(bars) > UNSETTLED_MAX else 0
        at.settled_ms = max(at.settled_ms, at.clock_ms - self._lateness_ms, oldest_ms)
        series.from_ms = bar.start_ms if series.from_ms is None else min(series.from_ms, bar.start_ms)
        return None

    def _tell_late(self, source: str, bar: BarOf, settled_ms: int, late: int) -> None:
        self._late.append(
            LateData(
                symbol=self.symbol,
                source=source,
                time_ms=bar.start_ms,
                clock_ms=settled_ms,
                price=bar.close,
                volume=bar.volume,
                late=late,
            )
        )

    # Out

    def publish(self) -> list[Any]:
        """Return what the bars since the last call have changed, and settle what can no longer change."""
        out: list[Indicators | LateData] = []
        for key in sorted(self._touched):
            series = self._series[key]
            if series.from_ms is not None:
                told = series.settling.after(series.at.unsettled, series.from_ms)
                out += [indicators(self.symbol, *key, one, closed=True) for one in told]
                self._settle(series)
        out += self._late
        self._late = []
        return out

    def _settle(self, series: _Series) -> None:
        bars = series.at.unsettled
        count = bisect_left(bars, series.at.settled_ms, key=_start)
        for bar in bars[:count]:
            series.settling.settle(bar)
        del bars[:count]
        series.from_ms = None

    # As entries

    def changes(self, into: dict[str, str | None]) -> None:
        """Add the state entries that have changed since the last call."""
        for source, span_ms in self._touched:
            series = self._series[source, span_ms]
            into[f"bars {source} {span_ms}"] = msgspec.json.encode(series.at).decode()
            if series.settling.changed:
                into[f"settled {source} {span_ms}"] = series.settling.text()
                series.settling.changed = False
        self._touched.clear()


_decode = msgspec.json.Decoder(_Stored).decode


def flaw_of_bar(bar: OutsideBar, arrival_ms: int) -> str | None:
    """Say what is wrong with a bar that the broker appended at `arrival_ms`, or None."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    least, most = min(prices), max(prices)
    flaws = {
        "NOT_FINITE": not all(map(isfinite, (*prices, bar.volume))),
        "NOT_POSITIVE": least <= 0,
        "NEGATIVE_VOLUME": bar.volume < 0,
        "OUT_OF_RANGE": least < PRICE_LEAST or max(most, bar.volume) > NUMBER_MAX,
        "HIGH_BELOW_LOW": bar.high < bar.low,
        "OUTSIDE_HIGH_LOW": least < bar.low or most > bar.high,
        "FUTURE": bar.time_ms > arrival_ms + FUTURE_MAX_MS,
    }
    return next((name for name, holds in flaws.items() if holds), None)


def flaw_of_news(news: NewsSentiment, arrival_ms: int) -> str | None:
    """Say what is wrong with a news item, or None."""
    if not (-1 <= news.score <= 1 and 0 <= news.magnitude <= 1):
        return "OUT_OF_RANGE"
    return "FUTURE" if news.time_ms > arrival_ms + FUTURE_MAX_MS else None
