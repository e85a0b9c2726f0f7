"""The routes of Openbell's own REST API that place, change and cancel orders. `docs/REST.md` describes each of them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from litestar import Request, Response, delete, get, patch, post, put

from exchange.messages import PlaceBracket, PlaceOco
from exchange.money import UNITS_MAX
from gateway.bodies import read_object
from gateway.groups import BRACKET_FIELDS, OCO_FIELDS, read_bracket, read_oco
from gateway.ports import GatewayError, UnknownOutcome
from gateway.problems import Problem, problem_json, problem_of
from gateway.reading import Reading
from gateway.refusals import REFUSALS
from gateway.services import Services
from gateway.shown import Answer, OrderShown, Shown
from gateway.tickets import (
    AMENDMENT_FIELDS,
    FIELDS,
    TERMS,
    InvalidTicket,
    price_text,
    read_amendment,
    read_ticket,
)
from gateway.trading import TradingService

TIMEOUT_MAX_MS: Final = 86_400_000
"""Longest time that a dead-man timer may run."""

_Request = Request[Any, Any, Any]


class OrdersShown(Shown, frozen=True):
    """The open orders, newest first, and the last ended ones, newest first."""

    open_orders: list[OrderShown]
    ended_orders: list[OrderShown]


@get("/orders", opt={"needs": "see-account"})
async def orders(services: Services, trading: TradingService) -> OrdersShown:
    """Return the account's open orders and the last ended ones."""
    account = await services.views.account(trading.account)
    return OrdersShown(open_orders=account.open_orders, ended_orders=account.ended_orders)


@post("/orders", opt={"needs": "trade", "orders": 1})
async def place_order(request: _Request, services: Services, trading: TradingService) -> Response[Any]:
    """Place an order, and return what became of it."""
    fields = await read_object(request, FIELDS)
    try:
        order = await read_ticket(fields, services.views, trading.account, trading.now_ms())
        answer = await trading.place(order, new_id=not fields.get("request_id"))
    except GatewayError as error:
        if not isinstance(error, UnknownOutcome):
            raise
        price = await price_text(order, services.views)
        told = {"price": f"To send it again under the same request id, send this price: {price}"}
        return _unknown(error, {**_ask_by(order.request_id), **told})
    return Response(_granted(answer), status_code=201)


@post("/orders/oco", opt={"needs": "trade", "orders": 2})
async def place_oco(request: _Request, services: Services, trading: TradingService) -> Response[Any]:
    """Place two orders of which one cancels the other, and return what became of them."""
    fields = await read_object(request, OCO_FIELDS, dict.fromkeys(("first", "second"), TERMS))
    return await _place_group(trading, fields, read_oco(fields, services.views, trading.account, trading.now_ms()))


@post("/orders/bracket", opt={"needs": "trade", "orders": 3})
async def place_bracket(request: _Request, services: Services, trading: TradingService) -> Response[Any]:
    """Place an order with the two exits that follow it, and return what became of it."""
    fields = await read_object(request, BRACKET_FIELDS, dict.fromkeys(("entry", "take_profit", "stop_loss"), TERMS))
    return await _place_group(trading, fields, read_bracket(fields, services.views, trading.account, trading.now_ms()))


async def _place_group(
    trading: TradingService, fields: dict[str, Any], reading: Awaitable[PlaceOco | PlaceBracket]
) -> Response[Any]:
    """Place the group that is being read."""
    try:
        group = await reading
        answer = await trading.place_group(group, new_id=not fields.get("request_id"))
    except GatewayError as error:
        if not isinstance(error, UnknownOutcome):
            raise
        return _unknown(error, _ask_by(group.request_id))
    refusals = [each.refusal for each in answer.orders if each.refusal]
    refusal = answer.outcome.repeat or answer.outcome.reason or (refusals[0] if refusals else None)
    if refusal:
        raise Problem(409, refusal, REFUSALS[refusal].sentence)
    return Response(answer, status_code=201)


@get("/orders/{order_id:int}", opt={"needs": "see-account"})
async def order(services: Services, trading: TradingService, order_id: int) -> OrderShown:
    """Return an order of the account."""
    return await _order(services, trading, order_id)


@patch("/orders/{order_id:int}", opt={"needs": "trade"})
async def amend_order(request: _Request, services: Services, trading: TradingService, order_id: int) -> Response[Any]:
    """Change an open order, and return what became of the request."""
    fields = await read_object(request, AMENDMENT_FIELDS)
    shown = await _order(services, trading, order_id)
    command = await read_amendment(fields, shown, services.views, trading.account, trading.now_ms())
    try:
        answer = await trading.amend(command, new_id=not fields.get("request_id"))
    except UnknownOutcome as error:
        return _unknown(error, _ask_by(command.request_id))
    return Response(_granted(answer))


@delete("/orders/{order_id:int}", status_code=200, opt={"needs": "trade"})
async def cancel_order(services: Services, trading: TradingService, order_id: int) -> Response[Any]:
    """Cancel an open order, and return what became of the request."""
    try:
        answer = await trading.cancel(_known_number(order_id))
    except UnknownOutcome as error:
        return _unknown(error, {"order_id": f"GET /api/native/orders/{order_id} tells whether it is still open."})
    if answer.refusal == "UNKNOWN_ORDER":
        await _order(services, trading, order_id)
    return Response(_granted(answer))


@delete("/orders", status_code=200, opt={"needs": "trade"})
async def cancel_all(request: _Request, services: Services, trading: TradingService) -> Response[Any]:
    """Ask for all open orders to be cancelled, or those of one symbol."""
    symbol = request.query_params.get("symbol")
    if symbol is not None and symbol not in await services.views.instruments():
        what = {"symbol": "Write one of GET /api/native/instruments, or leave it away for all."}
        raise Problem(404, "UNKNOWN_SYMBOL", "There is no such symbol.", what)
    try:
        answer = await trading.cancel_all(symbol)
    except UnknownOutcome as error:
        return _unknown(error, {"symbol": "GET /api/native/orders tells which orders are still open."})
    return Response(_granted(answer))


@put("/dead-man", opt={"needs": "trade"})
async def set_dead_man(request: _Request, trading: TradingService) -> Response[Any]:
    """Set the time after which all open orders are cancelled unless it is set anew before."""
    reading = Reading(await read_object(request, ("timeout_ms",)))
    timeout_ms = reading.milliseconds("timeout_ms", TIMEOUT_MAX_MS)
    if reading.errors:
        raise InvalidTicket(reading.errors)
    try:
        answer = await trading.set_dead_man(timeout_ms)
    except UnknownOutcome as error:
        return _unknown(error, {"timeout_ms": "Set it again: the last one that reaches the exchange counts."})
    return Response(_granted(answer))


@get("/requests/{request_id:path}", opt={"needs": "see-account"})
async def request_outcome(request: _Request, trading: TradingService) -> Answer:
    """Return what became of a request, by its id."""
    raw = request.scope["raw_path"].partition(b"/requests/")[2]
    answer = await trading.answer(unquote_to_bytes(raw).decode("latin-1"))
    if answer is None:
        what = "Nothing is known of such a request: if it was sent, ask again in a moment."
        raise Problem(404, "UNKNOWN_REQUEST", what)
    return answer


HANDLERS: Final = (
    orders,
    place_order,
    place_oco,
    place_bracket,
    order,
    amend_order,
    cancel_order,
    cancel_all,
    set_dead_man,
    request_outcome,
)


async def _order(services: Services, trading: TradingService, order_id: int) -> OrderShown:
    """Return an order of the account, or raise Problem if it has none such."""
    shown = await services.views.order(trading.account, _known_number(order_id))
    if shown is None:
        raise Problem(404, "UNKNOWN_ORDER", "This account has no such order.", {"order_id": "There is no such order."})
    return shown


def _known_number(number: int) -> int:
    if abs(number) > UNITS_MAX:
        raise Problem(404, "UNKNOWN_ORDER", "There is no such order.", {"order_id": "There is no such order."})
    return number


def _granted(answer: Answer) -> Answer:
    """Return an answer that is no refusal, or raise the refusal."""
    if answer.refusal is None:
        return answer
    refusal = REFUSALS[answer.refusal]
    fields = {refusal.field: refusal.sentence} if refusal.field else {}
    raise Problem(409, answer.refusal, refusal.sentence, fields)


def _ask_by(request_id: str) -> dict[str, str]:
    """Say where a program learns what became of a request."""
    path = f"/api/native/requests/{quote(request_id, safe='')}"
    return {"request_id": f"GET {path} tells what became of this request."}


def _unknown(error: UnknownOutcome, fields: dict[str, str]) -> Response[Any]:
    """Say how to learn the outcome of a request."""
    problem = problem_of(error)
    problem.fields.update(fields)
    return problem_json(problem)
