"""What docs/ANALYTICS.md says is computed of a symbol's trades, the slow way: all of it anew from all trades in their right order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from exchange import analysis as a
from exchange.messages import Trade
from udfs.indicators import DEFAULTS, parse, values

SPANS_MS = (1_000, 60_000, 300_000, 900_000, 3_600_000, 86_400_000)
MINUTE_MS, FIVE_MS, QUARTER_MS, DAY_MS = 60_000, 300_000, 900_000, 86_400_000
Found = dict[tuple[Any, ...], Any]


def in_time(trades: Iterable[Trade], lateness_ms: int) -> tuple[list[Trade], list[tuple[Trade, int]]]:
    """Part trades (in the order of their numbers) into those that count and those that are too late, with the time that was settled."""
    clock_ms = 0
    good: list[Trade] = []
    late: list[tuple[Trade, int]] = []
    for trade in trades:
        if trade.time_ms < clock_ms - lateness_ms:
            late.append((trade, clock_ms - lateness_ms))
        else:
            good.append(trade)
            clock_ms = max(clock_ms, trade.time_ms)
    return good, late


def totals(trades: Sequence[Trade]) -> a.Totals:
    """Return open, high, low, close and sums of trades (2.2)."""
    ordered = sorted(trades, key=lambda one: (one.time_ms, one.seq))
    prices = [one.price for one in ordered]
    return a.Totals(
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(one.quantity for one in ordered),
        turnover=sum(one.price * one.quantity for one in ordered),
        trades=len(ordered),
    )


def by_span(trades: Iterable[Trade], span_ms: int) -> dict[int, a.Totals]:
    groups: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        groups[trade.time_ms // span_ms * span_ms].append(trade)
    return {start_ms: totals(groups[start_ms]) for start_ms in sorted(groups)}


class NaiveMarket:
    """A symbol's facts, of all its trades at once; `tick` is what one is worth, a lot being worth 1."""

    def __init__(
        self,
        trades: Sequence[Trade],
        tick: str = "0.01",
        *,
        lateness_ms: int = 5_000,
        listing: int = 1,
        before: int = 0,
    ) -> None:
        self.symbol = trades[0].symbol
        self.number = trades[-1].seq
        self.tick = Fraction(tick)
        self.listing = listing
        self.before = before
        self.trades, self.late = in_time(trades, lateness_ms)
        self.clock_ms = max(one.time_ms for one in self.trades)
        self.candles = {span_ms: by_span(self.trades, span_ms) for span_ms in SPANS_MS}

    def price(self, ticks: Fraction | int) -> float:
        return float(ticks * self.tick)

    def facts(self) -> Found:
        """Return all, by what they are of; windows under version 1."""
        found: Found = {}
        for span_ms, candles in self.candles.items():
            for start_ms, one in candles.items():
                found["candle", self.symbol, span_ms, start_ms] = self._candle(span_ms, start_ms, one)
            if span_ms > 1_000:
                found |= self.indicators(span_ms)
        found |= self._hopping() | self._buckets()
        found["summary", self.symbol] = self.summary(found)
        for count, (trade, settled_ms) in enumerate(self.late, 1):
            found["late", self.symbol, "@trades", count] = a.LateData(
                symbol=self.symbol, source="@trades", time_ms=trade.time_ms, clock_ms=settled_ms,
                price=self.price(trade.price), volume=float(trade.quantity), late=count,
            )  # fmt: skip
        return found

    def _candle(self, span_ms: int, start_ms: int, one: a.Totals) -> a.Candle:
        return a.Candle(
            symbol=self.symbol, span_ms=span_ms, start_ms=start_ms, open=one.open, high=one.high, low=one.low,
            close=one.close, volume=one.volume, turnover=one.turnover, trades=one.trades, listing=self.listing,
            closed=start_ms + span_ms <= self.clock_ms,
        )  # fmt: skip

    def indicators(self, span_ms: int, *, open_too: bool = False) -> Found:
        """Return the indicators after each bar; after the open one of a long span only if told so (3.2)."""
        studies = {name: parse(name) for name in DEFAULTS}
        found: Found = {}
        version = self.before
        for bars, (start_ms, one) in enumerate(self.candles[span_ms].items(), 1):
            version += one.trades
            bar: dict[str, float] = {
                name: self.price(getattr(one, name)) for name in ("open", "high", "low", "close")
            } | {"volume": float(one.volume)}
            told: dict[str, float] = {}
            for name, study in studies.items():
                told |= values(name, study.step(*[bar[column] for column in study.inputs]))
            closed = start_ms + span_ms <= self.clock_ms
            if closed or span_ms == MINUTE_MS or open_too:
                found["indicators", self.symbol, "@trades", span_ms, start_ms] = a.Indicators(
                    symbol=self.symbol, source="@trades", span_ms=span_ms, start_ms=start_ms, version=version, bars=bars,
                    **bar, values=told, closed=closed,
                )  # fmt: skip
        return found

    def _windows(self, method: a.Method, start_ms: int, end_ms: int, average: Fraction, profit: Fraction) -> Found:
        common: dict[str, Any] = {"symbol": self.symbol, "method": method, "end_ms": end_ms}
        common |= {"start_ms": start_ms, "version": 1}
        return {
            ("WindowAverage", self.symbol, method, end_ms): a.WindowAverage(**common, average=self.price(average)),
            ("WindowProfit", self.symbol, method, end_ms): a.WindowProfit(**common, profit=self.price(profit)),
        }

    def _hopping(self) -> Found:
        """Return windows of 4.1."""
        minutes = self.candles[MINUTE_MS]
        ends = {start_ms // FIVE_MS * FIVE_MS + hops * FIVE_MS for start_ms in minutes for hops in (1, 2)}
        found: Found = {}
        for end_ms in sorted(ends):
            if end_ms <= self.clock_ms:
                inside = [one for start_ms, one in minutes.items() if end_ms - 2 * FIVE_MS <= start_ms < end_ms]
                average = Fraction(sum(one.close for one in inside), len(inside))
                opened = Fraction(sum(one.open for one in inside), len(inside))
                found |= self._windows("hopping-10m-5m", end_ms - 2 * FIVE_MS, end_ms, average, average - opened)
        return found

    def _buckets(self) -> Found:
        """Return windows of 4.2."""
        found: Found = {}
        rows = list(self.candles[FIVE_MS].items())
        for place, (start_ms, _) in enumerate(rows):
            if start_ms + FIVE_MS <= self.clock_ms:
                pair = rows[max(0, place - 1) : place + 1]
                average = sum(Fraction(each.turnover, each.volume) for _, each in pair) * Fraction(1, len(pair))
                earlier_ms, earlier = pair[0]
                found |= self._windows("vwap-5m", earlier_ms, start_ms + FIVE_MS, average, average - earlier.open)
        return found

    def summary(self, found: Found) -> a.SymbolSummary:
        """Return 5.1, given the other facts."""
        *earlier, session = self.candles[DAY_MS].values()
        previous_close = earlier[-1].close if earlier else None
        quarters = [one for one in self.trades if one.time_ms // QUARTER_MS * QUARTER_MS > self.clock_ms - DAY_MS]
        day = totals(quarters)
        minute_ms = self.clock_ms // MINUTE_MS * MINUTE_MS
        newest = max(
            (name[3] for name in found if name[0] == "WindowProfit" and name[2] == "hopping-10m-5m"), default=0
        )
        return a.SymbolSummary(
            symbol=self.symbol,
            time_ms=self.clock_ms,
            trades=self.number,
            listing=self.listing,
            session=session,
            day=day,
            turnover=self.price(session.turnover),
            change=session.close / (previous_close or session.open) - 1,
            change_24h=day.close / day.open - 1,
            previous_close=previous_close,
            volatility=found["indicators", self.symbol, "@trades", MINUTE_MS, minute_ms].values.get("volatility(20)"),
            profit=found["WindowProfit", self.symbol, "hopping-10m-5m", newest].profit if newest else None,
            late=len(self.late),
        )


def differences(told: Found, expected: Found) -> list[str]:
    """Return where facts differ; means in floating point may by a part in 1e12 of the price."""
    wrong = [f"missing: {name}" for name in expected.keys() - told.keys()]
    wrong += [f"too much: {told[name]}" for name in told.keys() - expected.keys()]
    for name in told.keys() & expected.keys():
        if not _alike(told[name], expected[name]):
            wrong.append(f"{told[name]}\n  instead of {expected[name]}")
    return sorted(wrong)[:5]


def _alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    for name in one.__struct_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        close = isinstance(mine, float) and isinstance(theirs, float) and name != "volume"
        if mine != theirs and not (close and abs(mine - theirs) <= 1e-9):
            return False
    return True
