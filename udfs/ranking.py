"""All symbols of a venue together: market breadth, rankings, and who leads in profit.

Theory of operation: the machine of the one key `@market` keeps of each symbol what its last summary said, and of each window the best profit so far. Who
leads is told when it changes; breadth and rankings, which every trade changes, at most once in `PAUSE_MS` of the broker's time, and after a pause by the wall's
clock. No symbol waits for another.
"""

from __future__ import annotations

from heapq import nlargest, nsmallest
from typing import Any, Final, TypeAlias, get_args

import msgspec

from exchange import topics
from exchange.analysis import MARKET_KEY, MarketSummary, Method, ProfitLeader, Ranked, SymbolSummary, WindowProfit
from exchange.channel import Inbound
from exchange.machine import Address, Entries
from exchange.packets import PacketDecoder
from udfs.watch.host import ClosingHost

Input: TypeAlias = SymbolSummary | WindowProfit

PAUSE_MS: Final = 1_000
PLACES_MAX: Final = 20
WINDOWS_MAX: Final = 12
"""How many windows of each method are remembered; profits of older ones no longer count."""

_METHODS: Final[dict[str, Method]] = {method: method for method in get_args(Method)}


class _Symbol(msgspec.Struct, array_like=True, frozen=True):
    trades: int
    time_ms: int
    change: float
    turnover: float
    profit: float | None


class _Profit(msgspec.Struct, array_like=True, frozen=True):
    start_ms: int
    end_ms: int
    version: int
    profit: float


class Window:
    """The profits of one window, by symbol, and who leads."""

    __slots__ = ("leader", "profits")

    def __init__(self) -> None:
        self.profits: dict[str, _Profit] = {}
        self.leader = ""

    def add(self, symbol: str, profit: _Profit) -> bool:
        """Take in a symbol's profit, and say whether there is something new to tell of the leader."""
        self.profits[symbol] = profit
        before = self.leader
        if symbol == before:
            self.leader = min(self.profits.items(), key=_place)[0]
        elif not before or _place((symbol, profit)) < _place((before, self.profits[before])):
            self.leader = symbol
        return symbol in (before, self.leader)


class Ranking:
    """The whole market. It reads facts that replace each other, so there is nothing to number."""

    def __init__(self, entries: Entries | None = None) -> None:
        self.inbound = Inbound()
        self.halted = False
        self._symbols: dict[str, _Symbol] = {}
        self._windows: dict[Method, dict[int, Window]] = {}
        self._dirty: set[tuple[str, ...]] = set()
        self._leaders: list[ProfitLeader] = []
        self._told_ms = 0
        self._now_ms = 0
        self._due = False
        for name, text in (entries or {}).items():
            kind, _, key = name.partition(" ")
            if kind == "symbol":
                self._symbols[key] = _decode_symbol(text)
            elif kind == "profits":
                method, _, symbol = key.partition(" ")
                for profit in _decode_profits(text):
                    self._window(_METHODS[method], profit.end_ms).add(symbol, profit)
        self._due = bool(self._symbols)  # what was last told is not stored

    # In

    def accepts(self, message: Input) -> bool:
        """Say yes: all symbols are this machine's."""
        return message is not None

    def apply(self, message: Input, arrival_ms: int) -> list[Any]:
        """Take one message in; what it changes is told by `finish`."""
        self._now_ms = max(self._now_ms, arrival_ms)
        if isinstance(message, SymbolSummary):
            self._summary(message)
        else:
            self._profit(message)
        return []

    def _summary(self, told: SymbolSummary) -> None:
        known = self._symbols.get(told.symbol)
        if known is not None and (told.trades, told.time_ms) < (known.trades, known.time_ms):
            return
        self._symbols[told.symbol] = _Symbol(told.trades, told.time_ms, told.change, told.turnover, told.profit)
        self._dirty.add(("symbol", told.symbol))
        self._due = True

    def _window(self, method: Method, end_ms: int) -> Window:
        windows = self._windows.setdefault(method, {})
        window = windows.get(end_ms)
        if window is None:
            window = windows[end_ms] = Window()
            for old_ms in sorted(windows)[:-WINDOWS_MAX]:
                del windows[old_ms]
        return window

    def _profit(self, told: WindowProfit) -> None:
        windows = self._windows.get(told.method, {})
        if len(windows) == WINDOWS_MAX and told.end_ms < min(windows):
            return
        window = self._window(told.method, told.end_ms)
        known = window.profits.get(told.symbol)
        if known is not None and told.version < known.version:
            return
        self._dirty.add(("profits", told.method, told.symbol))
        if window.add(told.symbol, _Profit(told.start_ms, told.end_ms, told.version, told.profit)):
            profit = window.profits[window.leader]
            self._leaders.append(
                ProfitLeader(
                    method=told.method,
                    start_ms=profit.start_ms,
                    end_ms=told.end_ms,
                    symbol=window.leader,
                    profit=profit.profit,
                    symbols=len(window.profits),
                )
            )

    # Out

    def finish(self) -> list[Any]:
        """Return what the messages since the last call have changed."""
        out: list[Any] = self._leaders
        self._leaders = []
        if self._due and self._now_ms - self._told_ms >= PAUSE_MS:
            out.append(self._told(self._now_ms))
        return out

    def closing(self, now_ms: int, *, is_quiet: bool) -> list[Any]:
        """Return breadth and rankings, if they have changed since they were told; this only spaces out what is told."""
        del is_quiet
        return [self._told(now_ms)] if self._due else []

    def deadline_ms(self) -> int | None:
        """Return when breadth and rankings should be told."""
        return self._told_ms + PAUSE_MS if self._due else None

    def _told(self, now_ms: int) -> MarketSummary:
        self._told_ms, self._due = now_ms, False
        symbols = self._symbols
        changes = [one.change for one in symbols.values()]
        profits = {name: one.profit for name, one in symbols.items() if one.profit is not None}
        return MarketSummary(
            time_ms=max(one.time_ms for one in symbols.values()),
            symbols=len(symbols),
            advancers=sum(change > 0 for change in changes),
            decliners=sum(change < 0 for change in changes),
            unchanged=sum(change == 0 for change in changes),
            by_change=_both_ends({name: one.change for name, one in symbols.items()}),
            by_turnover=_ranked({name: one.turnover for name, one in symbols.items()}),
            by_profit=_ranked(profits),
        )

    def address(self, message: Any) -> Address:
        """Say where a message goes."""
        return (topics.LEADERS if isinstance(message, ProfitLeader) else topics.RANKINGS), MARKET_KEY

    # As entries

    def changes(self) -> dict[str, str | None]:
        """Return the state entries that have changed since the last call."""
        found: dict[str, str | None] = {}
        for kind, *key in self._dirty:
            value = self._symbols[key[0]] if kind == "symbol" else self._profits(*key)
            found[" ".join((kind, *key))] = msgspec.json.encode(value).decode()
        self._dirty.clear()
        return found

    def _profits(self, method: str, symbol: str) -> list[_Profit]:
        windows = sorted(self._windows[_METHODS[method]].items())
        return [window.profits[symbol] for _, window in windows if symbol in window.profits]

    def discard(self) -> None:
        """Let go of the working form; there is nothing that points to itself."""


def ranking_host() -> ClosingHost:
    """Return a host for the whole market."""
    return ClosingHost(lambda _, entries: Ranking(entries), _decode_input)


_decode_symbol = msgspec.json.Decoder(_Symbol).decode
_decode_profits = msgspec.json.Decoder(list[_Profit]).decode
_decode_input: PacketDecoder[Any] = PacketDecoder(Input)


def _place(place: tuple[str, _Profit]) -> tuple[float, str]:
    """Sort by profit, the greatest first, then by name."""
    return -place[1].profit, place[0]


def _first(place: tuple[str, float]) -> tuple[float, str]:
    """Sort by value, the greatest first, then by name."""
    return -place[1], place[0]


def _ranked(values: dict[str, float]) -> list[Ranked]:
    return [Ranked(*place) for place in nsmallest(PLACES_MAX, values.items(), key=_first)]


def _both_ends(values: dict[str, float]) -> list[Ranked]:
    """Return the first and the last places: all, where they fit."""
    best = nsmallest(PLACES_MAX, values.items(), key=_first)
    worst = nlargest(min(PLACES_MAX, len(values) - len(best)), values.items(), key=_first)
    return [Ranked(*place) for place in [*best, *reversed(worst)]]
