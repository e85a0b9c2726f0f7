"""Openbell's own REST API, `/api/native/`: `docs/REST.md` describes every route, and a test holds it to them.

What concerns an account is of the account of who asks. Decimals are strings, times milliseconds since the epoch in UTC, and what comes from
a view says with `seq` how far the view was.
"""

from __future__ import annotations

from typing import Final, get_args

from litestar import Router, get

from exchange.instruments import Instrument
from exchange.money import UNITS_MAX
from gateway.alerts import native as native_alerts
from gateway.analytics import native as analytics_native
from gateway.keys import TOP_LEVELS
from gateway.native import orders as native_orders
from gateway.parameters import Asked, choice, known, number
from gateway.services import Services
from gateway.shown import BalanceShown, CandleShown, Depth, Freshness, Span, Summary, TradeShown
from gateway.trading import TradingService

LEVELS: Final = (100, TOP_LEVELS)
TRADES: Final = (100, 1_000)
CANDLES: Final = (500, 1_000)
"""How many are returned unless asked for another number, and at most."""
_SPANS: Final[dict[str, Span]] = {span: span for span in get_args(Span)}


@get("/instruments", opt={"needs": "see-market"})
async def instruments(services: Services) -> list[Instrument]:
    """Return the listed instruments, by symbol."""
    return [instrument for _, instrument in sorted((await services.views.instruments()).items())]


@get("/markets", opt={"needs": "see-market"})
async def markets(services: Services) -> list[Summary]:
    """Return all symbols' summaries, by symbol."""
    return await services.views.summaries()


@get("/markets/{symbol:str}", opt={"needs": "see-market"})
async def market(services: Services, symbol: str) -> Summary:
    """Return a symbol's summary."""
    shown = await services.views.market(symbol, services.settings.span, levels=1, trades=1, candles=1)
    return known(shown).summary


@get("/depth/{symbol:str}", opt={"needs": "see-market"})
async def depth(request: Asked, services: Services, symbol: str) -> Depth:
    """Return the best prices of a symbol's book."""
    return known(await services.views.depth(symbol, number(request, "levels", *LEVELS)))


@get("/trades/{symbol:str}", opt={"needs": "see-market"})
async def trades(request: Asked, services: Services, symbol: str) -> list[TradeShown]:
    """Return a symbol's trades, newest first."""
    limit = number(request, "limit", *TRADES)
    return known(await services.views.trades(symbol, limit, number(request, "before", None, UNITS_MAX)))


@get("/candles/{symbol:str}", opt={"needs": "see-market"})
async def candles(request: Asked, services: Services, symbol: str) -> list[CandleShown]:
    """Return a symbol's candles, oldest first."""
    span = choice(request, "span", _SPANS, services.settings.span)
    limit, end_ms = number(request, "limit", *CANDLES), number(request, "end_ms", None, UNITS_MAX)
    return known(await services.views.candles(symbol, span, limit, end_ms))


@get("/balances", opt={"needs": "see-account"})
async def balances(services: Services, trading: TradingService) -> list[BalanceShown]:
    """Return the account's balances, by asset."""
    return (await services.views.account(trading.account)).balances


@get("/status", opt={"needs": "enter"})
async def status(services: Services) -> Freshness:
    """Say whether the views are those of now."""
    return await services.views.freshness()


def router() -> Router:
    """Return all routes."""
    handlers = [instruments, markets, market, depth, trades, candles, balances, status]
    handlers += [*analytics_native.HANDLERS, *native_alerts.HANDLERS, *native_orders.HANDLERS]
    return Router("/api/native", route_handlers=handlers, response_headers={"Cache-Control": "no-store"})
