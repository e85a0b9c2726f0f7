"""Reads what the pages show of market analysis: for each partial, the context that it is rendered with."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, get_args

from exchange.analysis import BOOK_SOURCE, TRADES_SOURCE, Method
from exchange.candles import SPANS
from gateway.analytics.shown import AnalysisShown, AverageShown, LeaderShown, ProfitShown
from gateway.keys import SIGNALS_MAX
from gateway.ports import Analytics, Views
from gateway.shown import Shown, Span, TradeShown

Contexts: TypeAlias = dict[str, dict[str, Any]]
"""What each partial shows, by its name."""

METHODS: Final[tuple[Method, ...]] = get_args(Method)
BARS: Final = 300
"""How many bars a chart is given: as many as candles."""
WINDOWS: Final = 12
SIGNALS: Final = 20
"""How many windows and signals are shown."""
INBOX: Final = 50
BEHIND_MS: Final = 10_000
"""What is computed is called behind when the market is so much further."""


class WindowShown(Shown, frozen=True):
    """What is known of the windows that end at one time, by method; a method may be missing."""

    end_ms: int
    averages: dict[Method, float]
    profits: dict[Method, float]


async def read_symbol(views: Views, symbol: str, span: Span) -> Contexts:
    """Return what a symbol's page shows beside its market. Empty where there is no such symbol. Raises ViewsUnavailable."""
    analytics, span_ms = views.analytics, SPANS[span]
    series = await analytics.series(symbol)
    bars = await analytics.indicators(symbol, span_ms, TRADES_SOURCE, BARS)
    signals = await analytics.signals(symbol, SIGNALS_MAX)
    scores = await analytics.scores(symbol)
    windows = await _windows(analytics, symbol)
    summary = await analytics.summary(symbol)
    trades = await views.trades(symbol, 1)
    if series is None or bars is None or signals is None or scores is None:
        return {}
    told = [one for one in signals if one.span_ms == span_ms]
    return {
        "studies": {"bars": bars},
        "indicators": {
            "newest": bars[-1] if bars else None,
            "book": next((one.newest for one in series if one.source == BOOK_SOURCE), None),
            "outside": [one for one in series if not one.source.startswith("@")],
            "span": span,
        },
        "figures": {"analysis": summary, "behind_ms": behind_ms(summary, trades or [])},
        "signals": {"signals": told[:SIGNALS], "marks": told, "span": span},
        "scores": {"scores": [one for one in scores if one.span_ms == span_ms], "span": span},
        "windows": {"windows": windows},
    }


async def read_breadth(analytics: Analytics) -> dict[str, Any]:
    """Return how all symbols do together, and who led the newest window of each method. Raises ViewsUnavailable."""
    leaders: list[LeaderShown] = []
    for method in METHODS:
        leaders += await analytics.leaders(1, method)
    return {"breadth": await analytics.market(), "leaders": leaders}


async def read_inbox(analytics: Analytics, account: str, read: int, *, here: bool) -> Contexts:
    """Return an account's inbox of which `read` alerts have been read, and its link; `here`: on the page of the inbox. Raises ViewsUnavailable."""
    inbox = await analytics.inbox(account, INBOX if here else 1)
    unread = max(0, inbox.told - read)
    contexts: Contexts = {"unread": {"unread": unread, "here": here}}
    return contexts | {"inbox": {"inbox": inbox, "unread": unread}} if here else contexts


def behind_ms(summary: AnalysisShown | None, trades: list[TradeShown]) -> int | None:
    """Return the time of the last trade, if what is computed is well behind it."""
    if summary is None or not trades or trades[0].time_ms - summary.time_ms <= BEHIND_MS:
        return None
    return trades[0].time_ms


async def _windows(analytics: Analytics, symbol: str) -> list[WindowShown]:
    """Return the newest windows, the last to end first."""
    averages = await analytics.averages(symbol, WINDOWS * len(METHODS)) or []
    profits = await analytics.profits(symbol, WINDOWS * len(METHODS)) or []
    ends = {one.end_ms for one in averages} | {one.end_ms for one in profits}
    return [_window(end_ms, averages, profits) for end_ms in sorted(ends, reverse=True)[:WINDOWS]]


def _window(end_ms: int, averages: list[AverageShown], profits: list[ProfitShown]) -> WindowShown:
    return WindowShown(
        end_ms=end_ms,
        averages={one.method: one.average for one in averages if one.end_ms == end_ms},
        profits={one.method: one.profit for one in profits if one.end_ms == end_ms},
    )
