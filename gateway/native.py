"""Openbell's own REST API, `/api/native/`: `docs/REST.md` describes every route, and a test holds it to them.

All that concerns an account is of the demo account. Decimals are strings, times milliseconds since the epoch in UTC, and what comes from
a view says with `seq` how far the view was.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast, get_args

from litestar import Request, Router, get

from exchange.instruments import Instrument
from exchange.money import UNITS_MAX
from gateway import native_orders
from gateway.keys import TOP_LEVELS
from gateway.problems import Problem
from gateway.services import Services
from gateway.shown import BalanceShown, CandleShown, Depth, Freshness, Span, Summary, TradeShown

LEVELS: Final = (100, TOP_LEVELS)
TRADES: Final = (100, 1_000)
CANDLES: Final = (500, 1_000)
"""How many are returned unless asked for another number, and at most."""

T = TypeVar("T")
_Request = Request[Any, Any, Any]


@get("/instruments")
async def instruments(services: Services) -> list[Instrument]:
    """Return the listed instruments, by symbol."""
    return [instrument for _, instrument in sorted((await services.views.instruments()).items())]


@get("/markets")
async def markets(services: Services) -> list[Summary]:
    """Return all symbols' summaries, by symbol."""
    return await services.views.summaries()


@get("/markets/{symbol:str}")
async def market(services: Services, symbol: str) -> Summary:
    """Return a symbol's summary."""
    shown = await services.views.market(symbol, services.settings.span, levels=1, trades=1, candles=1)
    return _known(shown).summary


@get("/depth/{symbol:str}")
async def depth(request: _Request, services: Services, symbol: str) -> Depth:
    """Return the best prices of a symbol's book."""
    return _known(await services.views.depth(symbol, _number(request, "levels", *LEVELS)))


@get("/trades/{symbol:str}")
async def trades(request: _Request, services: Services, symbol: str) -> list[TradeShown]:
    """Return a symbol's trades, newest first."""
    limit = _number(request, "limit", *TRADES)
    return _known(await services.views.trades(symbol, limit, _number(request, "before", None, UNITS_MAX)))


@get("/candles/{symbol:str}")
async def candles(request: _Request, services: Services, symbol: str) -> list[CandleShown]:
    """Return a symbol's candles, oldest first."""
    span = request.query_params.get("span", services.settings.span)
    if span not in get_args(Span):
        raise _invalid("span", f"Write one of {', '.join(get_args(Span))}.")
    limit, end_ms = _number(request, "limit", *CANDLES), _number(request, "end_ms", None, UNITS_MAX)
    return _known(await services.views.candles(symbol, cast(Span, span), limit, end_ms))


@get("/balances")
async def balances(services: Services) -> list[BalanceShown]:
    """Return the account's balances, by asset."""
    return (await services.views.account(native_orders.trading_of(services).account)).balances


@get("/status")
async def status(services: Services) -> Freshness:
    """Say whether the views are those of now."""
    return await services.views.freshness()


def router() -> Router:
    """Return all routes."""
    handlers = [instruments, markets, market, depth, trades, candles, balances, status, *native_orders.HANDLERS]
    return Router("/api/native", route_handlers=handlers, response_headers={"Cache-Control": "no-store"})


def _known(value: T | None) -> T:
    if value is None:
        raise Problem(
            404, "UNKNOWN_SYMBOL", "There is no such symbol.", {"symbol": "Write one of GET /api/native/instruments."}
        )
    return value


def _number(request: _Request, name: str, default: int | None, greatest: int) -> Any:
    """Return a whole number from 1 to `greatest` of the query, or the default."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and 1 <= int(text) <= greatest):
        raise _invalid(name, f"Write a whole number from 1 to {greatest}.")
    return int(text)


def _invalid(field: str, what: str) -> Problem:
    return Problem(422, "INVALID_FIELDS", "Change the parameters that are named.", {field: what})
