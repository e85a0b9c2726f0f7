"""Who watches for what: all alerts that are set, found by what may set them off.

Theory of operation: most conditions compare one number, such as the last price, with a level. Such a condition becomes true when the number
gets from one side of the level to the other, so that it is enough to know the number before and the number now: whatever levels lie between
the two have been crossed. `Levels` keeps the alerts on one number in the order of their levels and finds those by bisection. So what a fact
costs depends on how many alerts it sets off, and hardly on how many there are; and an alert that is set needs nothing stored but itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any, TypeAlias

from exchange import analysis as a

Series: TypeAlias = tuple[Any, ...]
"""What sets an alert off: a kind, a symbol (None: any; of `filled` an account), and what else names it."""

_Row: TypeAlias = tuple[float, a.SetAlert]


def _level(row: _Row) -> float:
    return row[0]


def _order(row: _Row) -> tuple[float, str, str]:
    return row[0], row[1].account, row[1].alert


class Levels:
    """Alerts on one number, in the order of their levels."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: list[_Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[a.SetAlert]:
        return (row[1] for row in self._rows)

    def add(self, level: float, rule: a.SetAlert) -> None:
        """Put in an alert."""
        insort(self._rows, (level, rule), key=_order)

    def remove(self, level: float, rule: a.SetAlert) -> None:
        """Take out an alert that is in."""
        place = bisect_left(self._rows, _order((level, rule)), key=_order)
        assert self._rows[place][1] == rule, f"{rule.account} {rule.alert} is not where it belongs"
        del self._rows[place]

    def reached(self, before: float, now: float) -> list[a.SetAlert]:
        """Return those to whose level the number has come, or beyond, on its way from `before`, where it was short of it."""
        if before < now:
            return self._between(
                bisect_right(self._rows, before, key=_level), bisect_right(self._rows, now, key=_level)
            )
        return self._between(bisect_left(self._rows, now, key=_level), bisect_left(self._rows, before, key=_level))

    def passed(self, before: float, now: float) -> list[a.SetAlert]:
        """Return those beyond whose level the number has come on its way from `before`, where it was not beyond."""
        if before < now:
            return self._between(bisect_left(self._rows, before, key=_level), bisect_left(self._rows, now, key=_level))
        return self._between(bisect_right(self._rows, now, key=_level), bisect_right(self._rows, before, key=_level))

    def _between(self, first: int, end: int) -> list[a.SetAlert]:
        return [row[1] for row in self._rows[first:end]]


class Watchlist:
    """All alerts that are set, by what may set them off. `removals` counts those that were taken out."""

    __slots__ = ("_levels", "_rules", "removals")

    def __init__(self) -> None:
        self._rules: dict[tuple[str, str], tuple[a.SetAlert, int]] = {}
        self._levels: dict[Series, Levels] = {}
        self.removals = 0

    def __len__(self) -> int:
        return len(self._rules)

    def get(self, account: str, alert: str) -> a.SetAlert | None:
        """Return the alert of that name, if it is set."""
        rule, _ = self._rules.get((account, alert), (None, 0))
        return rule

    def since_ms(self, rule: a.SetAlert) -> int:
        """Return when an alert that is set was set, by the log's clock."""
        return self._rules[rule.account, rule.alert][1]

    def put(self, rule: a.SetAlert, since_ms: int = 0) -> None:
        """Watch for an alert, set at some time by the log's clock, instead of the account's one of the same name."""
        self.remove(rule.account, rule.alert)
        self._rules[rule.account, rule.alert] = rule, since_ms
        for series, level in _places(rule):
            self._levels.setdefault(series, Levels()).add(level, rule)

    def remove(self, account: str, alert: str) -> None:
        """No longer watch for an alert, if it is set."""
        rule, _ = self._rules.pop((account, alert), (None, 0))
        if rule is None:
            return
        self.removals += 1
        for series, level in _places(rule):
            levels = self._levels[series]
            levels.remove(level, rule)
            if not levels:
                del self._levels[series]

    def all(self, kind: str, *series: Any) -> Iterator[a.SetAlert]:
        """Return the alerts on a kind of event; `series` begins with the symbol or account."""
        for levels in self._of(kind, *series):
            yield from levels

    def reached(self, kind: str, *series: Any, before: float, now: float) -> Iterator[a.SetAlert]:
        """Return the alerts to whose level a number has come: of the symbol that `series` begins with, then of all symbols."""
        for levels in self._of(kind, *series):
            yield from levels.reached(before, now)

    def passed(self, kind: str, *series: Any, before: float, now: float) -> Iterator[a.SetAlert]:
        """Return the alerts beyond whose level a number has come: of the symbol that `series` begins with, then of all symbols."""
        for levels in self._of(kind, *series):
            yield from levels.passed(before, now)

    def _of(self, kind: str, symbol: str, *rest: Any) -> Iterator[Levels]:
        for series in ((kind, symbol, *rest), (kind, None, *rest)):
            levels = self._levels.get(series)
            if levels is not None:
                yield levels


def _places(rule: a.SetAlert) -> list[tuple[Series, float]]:
    """Return where an alert stands in the watchlist: under which series, at which level (of mere events: 0)."""
    symbol, condition = rule.symbol, rule.condition
    match condition:
        case a.PriceCrosses(price=price, direction=direction):
            ways = ("up", "down") if direction == "either" else (direction,)
            return [((f"price {way}", symbol), price) for way in ways]
        case a.ChangeReaches(percent=percent):
            return [(("change", symbol), percent)]
        case a.VolumeSpikes(times=times, span_ms=span_ms):
            return [(("volume", symbol, span_ms), times)]
        case a.IndicatorReaches(name=name, direction=direction, value=value, span_ms=span_ms, source=source):
            return [((direction, symbol, source, span_ms, name), value)]
        case a.SignalAppears(rule=name):
            return [(("signal", symbol, name), 0.0)]
        case a.OrderFills():
            return [(("filled", rule.account), 0.0)]
