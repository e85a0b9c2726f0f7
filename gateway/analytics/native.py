"""The routes of Openbell's own REST API that tell what is computed of the markets. `docs/REST.md` describes each of them."""

from __future__ import annotations

from typing import Final

from litestar import get

from exchange.analysis import TRADES_SOURCE, Method
from exchange.money import UNITS_MAX
from gateway.analytics.shown import (
    AnalysisShown,
    AverageShown,
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
from gateway.analytics.views import METHODS
from gateway.identity.principal import Principal
from gateway.keys import ALERTS_MAX, INDICATORS_MAX, LATE_MAX, LEADERS_MAX, SIGNALS_MAX, WINDOWS_MAX
from gateway.own import account_of
from gateway.parameters import Asked, choice, invalid, known, number, span_ms
from gateway.problems import Problem
from gateway.services import Services

INDICATORS: Final = (100, INDICATORS_MAX)
WINDOWS: Final = (100, WINDOWS_MAX)
LEADERS: Final = (20, LEADERS_MAX)
SIGNALS: Final = (50, SIGNALS_MAX)
LATE: Final = (20, LATE_MAX)
ALERTS: Final = (50, ALERTS_MAX)
"""How many are returned unless asked for another number, and at most."""
SOURCE_MAX: Final = 64
"""Greatest length of a source's name."""
_METHODS: Final[dict[str, Method | None]] = {method: method for method in METHODS}


@get("/market", opt={"needs": "see-market"})
async def market(services: Services) -> MarketAnalysisShown:
    """Return how all symbols do together."""
    shown = await services.views.analytics.market()
    if shown is None:
        raise Problem(404, "NOT_FOUND", "Nothing has been computed of the market yet.")
    return shown


@get("/leaders", opt={"needs": "see-market"})
async def leaders(request: Asked, services: Services) -> list[LeaderShown]:
    """Return the symbols with the greatest profits, oldest window first."""
    limit = number(request, "limit", *LEADERS)
    return await services.views.analytics.leaders(limit, choice(request, "method", _METHODS, None))


@get("/markets/{symbol:str}/summary", opt={"needs": "see-market"})
async def summary(services: Services, symbol: str) -> AnalysisShown:
    """Return how a symbol does."""
    shown = await services.views.analytics.summary(symbol)
    if shown is None:
        known((await services.views.instruments()).get(symbol))
        raise Problem(404, "NOT_FOUND", "Nothing has been computed of this symbol yet.")
    return shown


@get("/markets/{symbol:str}/series", opt={"needs": "see-market"})
async def series(services: Services, symbol: str) -> list[SeriesShown]:
    """Return a symbol's series, each with its newest indicators."""
    return known(await services.views.analytics.series(symbol))


@get("/markets/{symbol:str}/indicators", opt={"needs": "see-market"})
async def indicators(request: Asked, services: Services, symbol: str) -> list[IndicatorsShown]:
    """Return a series' bars with their indicators, oldest first."""
    source = request.query_params.get("source", TRADES_SOURCE)
    if not 1 <= len(source) <= SOURCE_MAX:
        raise invalid(
            "source", f"Write a source of GET /api/native/markets/{{symbol}}/series, such as {TRADES_SOURCE}."
        )
    limit, end_ms = number(request, "limit", *INDICATORS), number(request, "end_ms", None, UNITS_MAX)
    bars = await services.views.analytics.indicators(symbol, span_ms(request, "1m"), source, limit, end_ms)
    return known(bars)


@get("/markets/{symbol:str}/averages", opt={"needs": "see-market"})
async def averages(request: Asked, services: Services, symbol: str) -> list[AverageShown]:
    """Return moving averages of windows, oldest first."""
    limit, method = number(request, "limit", *WINDOWS), choice(request, "method", _METHODS, None)
    return known(await services.views.analytics.averages(symbol, limit, method))


@get("/markets/{symbol:str}/profits", opt={"needs": "see-market"})
async def profits(request: Asked, services: Services, symbol: str) -> list[ProfitShown]:
    """Return profits of windows, oldest first."""
    limit, method = number(request, "limit", *WINDOWS), choice(request, "method", _METHODS, None)
    return known(await services.views.analytics.profits(symbol, limit, method))


@get("/markets/{symbol:str}/signals", opt={"needs": "see-market"})
async def signals(request: Asked, services: Services, symbol: str) -> list[SignalShown]:
    """Return signals, the last said first."""
    return known(await services.views.analytics.signals(symbol, number(request, "limit", *SIGNALS)))


@get("/markets/{symbol:str}/scores", opt={"needs": "see-market"})
async def scores(services: Services, symbol: str) -> list[ScoreShown]:
    """Return how well rules have done."""
    return known(await services.views.analytics.scores(symbol))


@get("/markets/{symbol:str}/late", opt={"needs": "see-market"})
async def late(request: Asked, services: Services, symbol: str) -> LateShown:
    """Return what came too late."""
    return known(await services.views.analytics.late(symbol, number(request, "limit", *LATE)))


@get("/inbox", opt={"needs": "see-account"})
async def inbox(request: Asked, services: Services, principal: Principal) -> InboxShown:
    """Return the account's alerts, the last told first."""
    limit = number(request, "limit", *ALERTS)
    return await services.views.analytics.inbox(account_of(principal), limit)


HANDLERS: Final = [
    market,
    leaders,
    summary,
    series,
    indicators,
    averages,
    profits,
    signals,
    scores,
    late,
    inbox,
]
