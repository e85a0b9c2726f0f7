"""Puts what is kept of a market's analysis into the shapes that are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from exchange.analysis import (
    Indicators,
    LateData,
    MarketSummary,
    Ranked,
    RuleScore,
    Signal,
    SignalOutcome,
    SymbolSummary,
    Totals,
)
from exchange.instruments import Instrument
from exchange.money import from_units, minor_step
from gateway.analytics.shown import (
    AnalysisShown,
    FollowedUp,
    IndicatorsShown,
    LateItemShown,
    MarketAnalysisShown,
    RankShown,
    ScoreShown,
    SignalShown,
    TotalsShown,
)
from gateway.shown import Shown

S = TypeVar("S", bound=Shown)
_Name: TypeAlias = tuple[str, int, str, int]
"""What names a signal of a symbol: source, span, rule and start."""


def same(shape: type[S], fact: Any, **others: Any) -> S:
    """Show a fact in a shape whose fields are the fact's own, but for `others`."""
    own = {name: getattr(fact, name) for name in shape.__struct_fields__ if name not in others}
    return shape(**own, **others)


def indicators(told: Indicators) -> IndicatorsShown:
    """Show a bar and its indicators."""
    return same(IndicatorsShown, told, seq=told.version)


def signals(told: Iterable[Signal], outcomes: Iterable[SignalOutcome]) -> list[SignalShown]:
    """Show signals with what became of them."""
    followed: defaultdict[_Name, list[FollowedUp]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda one: one.horizon):
        followed[_name(outcome)].append(same(FollowedUp, outcome))
    return [same(SignalShown, one, outcomes=followed[_name(one)]) for one in told]


def _name(told: Signal | SignalOutcome) -> _Name:
    return told.source, told.span_ms, told.rule, told.start_ms


def score(told: RuleScore) -> ScoreShown:
    """Show a rule's score."""
    return same(ScoreShown, told, seq=told.bars)


def late(told: LateData) -> LateItemShown:
    """Show what came too late."""
    return same(LateItemShown, told, seq=told.late)


def summary(told: SymbolSummary, instrument: Instrument) -> AnalysisShown:
    """Show how a symbol does, by the listing that it counts in."""
    prices = {
        name: None if ticks is None else instrument.price_text(ticks)
        for name, ticks in (("previous_close", told.previous_close), ("bid", told.bid), ("ask", told.ask))
    }
    session, day = totals(told.session, instrument), totals(told.day, instrument)
    return same(AnalysisShown, told, seq=told.trades, session=session, day=day, **prices)


def totals(told: Totals, instrument: Instrument) -> TotalsShown:
    """Show the trades of some time."""
    price = instrument.price_text
    return TotalsShown(
        open=price(told.open),
        high=price(told.high),
        low=price(told.low),
        close=price(told.close),
        volume=instrument.quantity_text(told.volume),
        turnover=turnover_text(told.turnover, instrument),
        vwap=vwap(told.turnover, told.volume, instrument),
        trades=told.trades,
    )


def market(told: MarketSummary) -> MarketAnalysisShown:
    """Show all symbols together."""
    return same(
        MarketAnalysisShown,
        told,
        by_change=_ranks(told.by_change),
        by_turnover=_ranks(told.by_turnover),
        by_profit=_ranks(told.by_profit),
    )


def _ranks(ranking: list[Ranked]) -> list[RankShown]:
    return [same(RankShown, one) for one in ranking]


def turnover_text(turnover: int, instrument: Instrument) -> str:
    """Write a sum of price times quantity, in ticks and lots, as an exact decimal of the quote asset.

    >>> turnover_text(30_301, Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"))
    '303.01'
    """
    return from_units(turnover * instrument.notional_units, minor_step(instrument.quote_scale))


def vwap(turnover: int, volume: int, instrument: Instrument) -> float:
    """Return the volume-weighted average price in the quote asset: the number that is nearest to it.

    >>> vwap(30_301, 3, Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"))
    101.00333333333333
    """
    numerator, denominator = _ratio(instrument.tick)
    return turnover * numerator / (volume * denominator)


@lru_cache(maxsize=4_096)
def _ratio(step: str) -> tuple[int, int]:
    return Decimal(step).as_integer_ratio()
