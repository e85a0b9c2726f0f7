"""Reads what is computed of a market from Redis, and shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar, get_args

import msgspec

from exchange.analysis import (
    TRADES_SOURCE,
    Alert,
    Fundamentals,
    Indicators,
    LateData,
    MarketSummary,
    Method,
    ProfitLeader,
    RuleScore,
    Signal,
    SignalOutcome,
    SymbolSummary,
    WindowAverage,
    WindowProfit,
)
from gateway.analytics import shapes
from gateway.analytics.shown import (
    AlertShown,
    AnalysisShown,
    AverageShown,
    FundamentalsShown,
    InboxShown,
    IndicatorsShown,
    LateShown,
    LeaderShown,
    MarketAnalysisShown,
    ProfitShown,
    ScoreShown,
    SeriesShown,
    SignalShown,
)
from gateway.keys import GenerationKeys, MarketRow, Rank

METHODS: Final[tuple[Method, ...]] = get_args(Method)
"""The methods of windows."""

Call = tuple[Any, ...]
Read = Callable[[Callable[[GenerationKeys], list[Call]]], Awaitable[list[Any]]]
"""Makes some calls of Redis under the present generation, at one moment (see `views`)."""
Decode = Callable[[bytes], Any]
F = TypeVar("F")


def _ranked(kind: type[F]) -> Callable[[bytes], F]:
    """Return a decoder of facts that are kept with their rank."""
    decode = msgspec.json.Decoder(tuple[Rank, kind]).decode  # type: ignore[valid-type]  # mypy knows no type that is a value
    return lambda row: decode(row)[1]


_indicators = _ranked(Indicators)
_average = _ranked(WindowAverage)
_profit = _ranked(WindowProfit)
_leader = _ranked(ProfitLeader)
_summary = _ranked(SymbolSummary)
_fundamentals = _ranked(Fundamentals)
_score = _ranked(RuleScore)
_late_count = _ranked(LateData)
_late = msgspec.json.Decoder(LateData).decode
_signal = msgspec.json.Decoder(Signal).decode
_outcome = msgspec.json.Decoder(SignalOutcome).decode
_alert = msgspec.json.Decoder(Alert).decode
_market_summary = msgspec.json.Decoder(MarketSummary).decode
_market = msgspec.json.Decoder(MarketRow).decode


class RedisAnalytics:
    """The analysis of one venue's markets. Implements `ports.Analytics`."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def series(self, symbol: str) -> list[SeriesShown] | None:
        """Return a symbol's series, each with its newest indicators, by source and span."""
        found = await self._of(symbol, lambda keys: [("hvals", keys.series(symbol))])
        if found is None:
            return None
        told = sorted(map(_indicators, found[0]), key=lambda one: (one.source, one.span_ms))
        return [SeriesShown(source=one.source, span_ms=one.span_ms, newest=shapes.indicators(one)) for one in told]

    async def indicators(
        self, symbol: str, span_ms: int, source: str = TRADES_SOURCE, limit: int = 500, end_ms: int | None = None
    ) -> list[IndicatorsShown] | None:
        """Return the newest bars of a series with their indicators, oldest first."""
        newest = "+inf" if end_ms is None else f"({end_ms}"
        found = await self._of(
            symbol,
            lambda keys: [
                ("zrevrangebyscore", keys.indicators(symbol, source, span_ms), newest, "-inf", 0, limit),
            ],
        )
        return None if found is None else [shapes.indicators(_indicators(row)) for row in reversed(found[0])]

    async def averages(self, symbol: str, limit: int, method: Method | None = None) -> list[AverageShown] | None:
        """Return the newest moving averages, oldest first."""
        windows = await self._windows(symbol, GenerationKeys.averages, _average, limit, method)
        return None if windows is None else [shapes.same(AverageShown, one, seq=one.version) for one in windows]

    async def profits(self, symbol: str, limit: int, method: Method | None = None) -> list[ProfitShown] | None:
        """Return the newest profits of windows, oldest first."""
        windows = await self._windows(symbol, GenerationKeys.profits, _profit, limit, method)
        return None if windows is None else [shapes.same(ProfitShown, one, seq=one.version) for one in windows]

    async def leaders(self, limit: int, method: Method | None = None) -> list[LeaderShown]:
        """Return the newest leaders by profit, oldest first."""
        found = await self._read(
            lambda keys: [("zrange", keys.leaders(one), -limit, -1) for one in _methods(method)],
        )
        return [shapes.same(LeaderShown, one) for one in _newest(found, _leader, limit)]

    async def summary(self, symbol: str) -> AnalysisShown | None:
        """Return how a symbol does, once it is known by its present ticks and lots."""
        row, stored = await self._read(
            lambda keys: [("get", keys.market(symbol)), ("hget", keys.summaries, symbol)],
        )
        if row is None or stored is None:
            return None
        market, told = _market(row), _summary(stored)
        if market.instrument is None or not market.since <= told.listing <= market.listing:
            return None
        return shapes.summary(told, market.instrument)

    async def fundamentals(self) -> dict[str, FundamentalsShown]:
        """Return what has been told of the worth of companies, by symbol."""
        (rows,) = await self._read(lambda keys: [("hvals", keys.fundamentals)])
        return {told.symbol: shapes.same(FundamentalsShown, told) for told in map(_fundamentals, rows)}

    async def market(self) -> MarketAnalysisShown | None:
        """Return how all symbols do, once it is known."""
        (stored,) = await self._read(lambda keys: [("get", keys.rankings)])
        return None if stored is None else shapes.market(_market_summary(stored))

    async def signals(self, symbol: str, limit: int) -> list[SignalShown] | None:
        """Return the last signals, the last said first."""
        found = await self._of(
            symbol,
            lambda keys: [
                ("hvals", keys.signal_outcomes(symbol)),
                ("lrange", keys.signal_ids(symbol), 0, limit - 1),
                ("hgetall", keys.signals(symbol)),
            ],
        )
        if found is None:
            return None
        outcomes, *rows = found
        return shapes.signals(_listed(_signal, *rows), map(_outcome, outcomes))

    async def scores(self, symbol: str) -> list[ScoreShown] | None:
        """Return how well rules have done, by source, span, rule and horizon."""
        found = await self._of(symbol, lambda keys: [("hvals", keys.scores(symbol))])
        if found is None:
            return None
        told = sorted(map(_score, found[0]), key=lambda one: (one.source, one.span_ms, one.rule, one.horizon))
        return [shapes.score(one) for one in told]

    async def late(self, symbol: str, limit: int) -> LateShown | None:
        """Return how much came too late, and the last of it, the last told first."""
        found = await self._of(
            symbol,
            lambda keys: [
                ("hvals", keys.late_counts(symbol)),
                ("lrange", keys.late_ids(symbol), 0, limit - 1),
                ("hgetall", keys.late(symbol)),
            ],
        )
        if found is None:
            return None
        counts, *rows = found
        told = sorted(map(_late_count, counts), key=lambda one: one.source)
        return LateShown(
            counts={one.source: one.late for one in told}, items=[shapes.late(one) for one in _listed(_late, *rows)]
        )

    async def inbox(self, account: str, limit: int) -> InboxShown:
        """Return an account's last alerts, the last told first."""
        count, *rows = await self._read(
            lambda keys: [
                ("get", keys.alert_count(account)),
                ("lrange", keys.alert_ids(account), 0, limit - 1),
                ("hgetall", keys.alerts(account)),
            ]
        )
        alerts = [shapes.same(AlertShown, one) for one in _listed(_alert, *rows)]
        return InboxShown(told=int(count or 0), alerts=alerts)

    # Reading

    async def _of(self, symbol: str, calls: Callable[[GenerationKeys], list[Call]]) -> list[Any] | None:
        """Make some calls; None where they find nothing and the symbol is not listed, either."""
        row, *found = await self._read(lambda keys: [("get", keys.market(symbol)), *calls(keys)])
        listed = row is not None and _market(row).instrument is not None
        return found if listed or any(found) else None

    async def _windows(
        self,
        symbol: str,
        name: Callable[[GenerationKeys, str, str], str],
        decode: Decode,
        limit: int,
        method: Method | None,
    ) -> list[Any] | None:
        found = await self._of(
            symbol, lambda keys: [("zrange", name(keys, symbol, one), -limit, -1) for one in _methods(method)]
        )
        return None if found is None else _newest(found, decode, limit)


def _methods(method: Method | None) -> Sequence[Method]:
    return METHODS if method is None else (method,)


def _newest(found: Iterable[Iterable[bytes]], decode: Decode, limit: int) -> list[Any]:
    """Return the last to end of some windows, by end and method."""
    windows = [decode(row) for rows in found for row in rows]
    return sorted(windows, key=lambda one: (one.end_ms, one.method))[-limit:]


def _listed(decode: Decode, ids: list[bytes], rows: dict[bytes, bytes]) -> list[Any]:
    """Return the listed rows, in the order of their list."""
    return [decode(rows[name]) for name in ids if name in rows]
