"""Openbell's own REST API, `/api/native/`: `docs/REST.md` describes every route, and a test holds it to them.

All that concerns an account is of the demo account. Decimals are strings, times milliseconds since the epoch in UTC, and what comes from
a view says with `seq` how far the view was.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast, get_args
from urllib.parse import quote, unquote_to_bytes

import msgspec
from litestar import Request, Response, Router, delete, get, post

from exchange.instruments import Instrument
from exchange.money import UNITS_MAX
from gateway.keys import TOP_LEVELS
from gateway.ports import GatewayError, UnknownOutcome
from gateway.problems import Problem, problem_json, problem_of
from gateway.services import Services
from gateway.shown import (
    Answer,
    BalanceShown,
    CandleShown,
    Depth,
    Freshness,
    OrderShown,
    Shown,
    Span,
    Summary,
    TradeShown,
)
from gateway.tickets import FIELDS, price_text, read_ticket
from gateway.trading import REFUSALS, TradingService

LEVELS: Final = (100, TOP_LEVELS)
TRADES: Final = (100, 1_000)
CANDLES: Final = (500, 1_000)
"""How many are returned unless asked for another number, and at most."""

T = TypeVar("T")
_Request = Request[Any, Any, Any]


class OrdersShown(Shown, frozen=True):
    """The open orders, newest first, and the last ended ones, newest first."""

    open_orders: list[OrderShown]
    ended_orders: list[OrderShown]


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
    return (await services.views.account(_trading(services).account)).balances


@get("/orders")
async def orders(services: Services) -> OrdersShown:
    """Return the account's open orders and the last ended ones."""
    account = await services.views.account(_trading(services).account)
    return OrdersShown(open_orders=account.open_orders, ended_orders=account.ended_orders)


@post("/orders")
async def place_order(request: _Request, services: Services) -> Response[Any]:
    """Place an order, and return what became of it."""
    trading, fields = _trading(services), await _object(request)
    try:
        order = await read_ticket(fields, services.views, trading.account, trading.now_ms())
        answer = await trading.place(order, new_id=not fields.get("request_id"))
    except GatewayError as error:
        services.metrics.orders.labels(problem_of(error).code).inc()
        if not isinstance(error, UnknownOutcome):
            raise
        fields = {
            "request_id": f"GET /api/native/requests/{quote(order.request_id, safe='')} tells what became of this request.",
            "price": f"To send it again under the same request id, send this price: {await price_text(order, services.views)}",
        }
        return _unknown(error, fields)
    services.metrics.orders.labels(answer.refusal or answer.outcome.state).inc()
    return Response(_granted(answer), status_code=201)


@get("/orders/{order_id:int}")
async def order(services: Services, order_id: int) -> OrderShown:
    """Return an order of the account."""
    shown = await services.views.order(_trading(services).account, _order_id(order_id))
    if shown is None:
        raise Problem(404, "UNKNOWN_ORDER", "This account has no such order.", {"order_id": "There is no such order."})
    return shown


@delete("/orders/{order_id:int}", status_code=200)
async def cancel_order(services: Services, order_id: int) -> Response[Any]:
    """Cancel an open order, and return what became of the request."""
    trading = _trading(services)
    try:
        answer = await trading.cancel(_order_id(order_id))
    except UnknownOutcome as error:
        return _unknown(error, {"order_id": f"GET /api/native/orders/{order_id} tells whether it is still open."})
    if answer.refusal == "UNKNOWN_ORDER" and await services.views.order(trading.account, order_id) is None:
        raise Problem(404, "UNKNOWN_ORDER", "This account has no such order.", {"order_id": "There is no such order."})
    return Response(_granted(answer))


@get("/requests/{request_id:path}")
async def request_outcome(request: _Request, services: Services) -> Answer:
    """Return what became of a request, by its id."""
    raw = request.scope["raw_path"].partition(b"/requests/")[2]
    answer = await _trading(services).answer(unquote_to_bytes(raw).decode("latin-1"))
    if answer is None:
        raise Problem(
            404, "UNKNOWN_REQUEST", "Nothing is known of such a request: if it was sent, ask again in a moment."
        )
    return answer


@get("/status")
async def status(services: Services) -> Freshness:
    """Say whether the views are those of now."""
    return await services.views.freshness()


def router() -> Router:
    """Return all routes."""
    handlers = [instruments, markets, market, depth, trades, candles, balances, orders, place_order, order]
    handlers += [cancel_order, request_outcome, status]
    return Router("/api/native", route_handlers=handlers, response_headers={"Cache-Control": "no-store"})


def _granted(answer: Answer) -> Answer:
    """Return an answer that is no refusal, or raise the refusal."""
    if answer.refusal is None:
        return answer
    refusal = REFUSALS[answer.refusal]
    fields = {refusal.field: refusal.sentence} if refusal.field else {}
    raise Problem(409, answer.refusal, refusal.sentence, fields)


def _unknown(error: UnknownOutcome, fields: dict[str, str]) -> Response[Any]:
    """Say how to learn the outcome of a request."""
    problem = problem_of(error)
    problem.fields.update(fields)
    return problem_json(problem)


def _trading(services: Services) -> TradingService:
    if services.trading is None:
        raise Problem(404, "NO_ACCOUNT", "This server has no demo account to trade with.")
    return services.trading


def _known(value: T | None) -> T:
    if value is None:
        raise Problem(
            404, "UNKNOWN_SYMBOL", "There is no such symbol.", {"symbol": "Write one of GET /api/native/instruments."}
        )
    return value


def _order_id(number: int) -> int:
    if abs(number) > UNITS_MAX:
        raise Problem(404, "UNKNOWN_ORDER", "There is no such order.", {"order_id": "There is no such order."})
    return number


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


async def _object(request: _Request) -> dict[str, Any]:
    """Return the body's JSON object, whose fields are those of a ticket."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send JSON with the header Content-Type: application/json.")
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "INVALID_JSON", "The body is no JSON.") from error
    if not isinstance(body, dict):
        raise Problem(400, "INVALID_JSON", "The body must be a JSON object.")
    unknown = sorted(set(body) - set(FIELDS))
    if unknown:
        what = f"There is no such field: leave it away. Fields are {', '.join(FIELDS)}."
        raise Problem(
            400, "UNKNOWN_FIELD", "The order has fields that do not exist.", dict.fromkeys(_cut(unknown), what)
        )
    return body


def _cut(names: list[str]) -> list[str]:
    return [name[:64] for name in names[:10]]
