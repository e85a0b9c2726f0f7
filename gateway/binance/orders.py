"""Places, cancels and tells of orders as Binance's API does, for REST and websockets alike.

Each function takes who asks and the parameters that were sent (without those that only sign), and returns what is answered, or raises: a BinanceError,
or what `errors.binance_error` makes one of. A client order id is the id of the request: an order that is sent again under its id gives the first
one's state, and another one is refused, so that nothing trades twice. Whether an order stands under its id is told by what the client wrote, since
a protection price, and the quantity that an amount was enough for, are the server's own and may have moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, Final

from exchange.messages import STOP_KINDS, CancelOrder, PlaceOrder
from gateway.binance.callers import Caller
from gateway.binance.errors import BinanceError
from gateway.binance.order_refusals import (
    NO_LIQUIDITY,
    NOT_CANCELLED,
    REJECTED,
    RESTRICTED,
    TRIGGERS,
    UNKNOWN,
    filter_failure,
    flawed,
    refused,
)
from gateway.binance.order_shapes import acknowledged, cancelled, fills, queried, result, status
from gateway.binance.order_terms import PLACE, Terms, client_id, listed, neither, read_terms
from gateway.binance.order_worth import worth
from gateway.binance.parameters import CLIENT_ID, Parameters
from gateway.keys import FILLS_MAX, TOP_LEVELS
from gateway.ports import UnknownOutcome, ViewsUnavailable
from gateway.reading import REQUEST_ID
from gateway.shown import Answer, FillShown, OrderShown
from gateway.tickets import InvalidTicket, new_request_id, read_ticket

CANCEL: Final = ("symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions")
RESTRICTIONS: Final = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


async def place(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Place an order, and return what the market made of it."""
    terms, order = await prepare(caller, sent)
    return await put(caller, terms, order)


async def prepare(caller: Caller, sent: Mapping[str, str]) -> tuple[Terms, PlaceOrder]:
    """Return the order that is asked for, checked as far as it can be without the market."""
    params = Parameters(sent.items(), PLACE)
    terms = read_terms(params, listed(params, await caller.views.instruments()))
    ticket = {**terms.ticket, **await _worth(caller, terms)} if terms.quote_quantity else terms.ticket
    try:
        order = await read_ticket(ticket, caller.views, caller.account, caller.trading.now_ms())
    except InvalidTicket as error:
        raise flawed(error) from error
    return terms, order


async def put(caller: Caller, terms: Terms, order: PlaceOrder) -> dict[str, Any]:
    """Place an order that is prepared."""
    if order.kind in STOP_KINDS:
        await _check_trigger(caller, terms, order)
    answer = await caller.trading.place(order, new_id=not terms.client_id)
    refusal = answer.refusal
    if refusal == "DUPLICATE" and answer.order is not None and _is_of(answer.order, terms):
        refusal = None
    if refusal is not None:
        raise refused(refusal)
    return await _told(caller, terms, answer)


async def cancel(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Cancel an order, and return it as it then is."""
    params = Parameters(sent.items(), CANCEL)
    symbol = listed(params, await caller.views.instruments()).symbol
    named = order_named(params, "orderId", "origClientOrderId")
    return await take_off(caller, symbol, *named, client_id(params, "newClientOrderId"), restriction(params))


async def take_off(
    caller: Caller, symbol: str, order_id: int, order_client_id: str, cancel_id: str, only: str
) -> dict[str, Any]:
    """Cancel an order, named by its id, by its client's, or by both, under the request id `cancel_id` (empty: one is made).

    `only` is the status that it must have (empty: any). The market is asked whatever the views know of the order, for they may be behind.
    """
    shown = None
    with suppress(ViewsUnavailable):
        shown = await find(caller, order_id, order_client_id)
    if shown is not None and (shown.symbol != symbol or (order_client_id and shown.request_id != order_client_id)):
        raise BinanceError(NOT_CANCELLED, text=UNKNOWN)
    if only and (shown is None or (shown.state == "OPEN" and status(shown) != only)):
        raise BinanceError(NOT_CANCELLED, text=UNKNOWN if shown is None else RESTRICTED)
    command = CancelOrder(
        account=caller.account,
        request_id=cancel_id or new_request_id(),
        created_ms=caller.trading.now_ms(),
        order_id=order_id,
        order_request_id=order_client_id or None,
    )
    answer, _ = await caller.services.exchange.ask(command, new_id=not cancel_id)
    if answer.refusal is not None:
        raise refused(answer.refusal, NOT_CANCELLED)
    if answer.order is None:
        raise UnknownOutcome("the order was cancelled, but the views do not have it")
    return cancelled(answer.order, command.request_id)


async def query(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return an order of the account."""
    params = Parameters(sent.items(), ("symbol", "orderId", "origClientOrderId"))
    symbol = listed(params, await caller.views.instruments()).symbol
    order_id, order_client_id = order_named(params, "orderId", "origClientOrderId")
    order = await find(caller, order_id, order_client_id)
    if order is None or order.symbol != symbol or (order_client_id and order.request_id != order_client_id):
        raise BinanceError(-2013)
    return queried(order)


async def find(caller: Caller, order_id: int, order_client_id: str) -> OrderShown | None:
    """Return the order of an id, or without one that of a client's id, as far as the views know."""
    if order_id:
        return await caller.views.order(caller.account, order_id)
    answer = await caller.trading.answer(order_client_id) if order_client_id else None
    order = None if answer is None else answer.order
    return order if order is not None and order.request_id == order_client_id else None


def order_named(params: Parameters, id_name: str, client_name: str) -> tuple[int, str]:
    """Return the id and the client's id by which an order is named: at least one of them."""
    order_id = params.whole(id_name, 0)
    order_client_id = params.text(client_name, default="")
    if not order_id and not order_client_id:
        raise BinanceError(-1102, text=neither(client_name, id_name))
    if order_client_id and not REQUEST_ID.fullmatch(order_client_id):
        raise BinanceError(-1100, client_name, CLIENT_ID)
    return order_id, order_client_id


def restriction(params: Parameters) -> str:
    """Return the status that an order must have to be cancelled; empty: any."""
    return params.choice("cancelRestrictions", RESTRICTIONS, BinanceError(-1145), "")


async def fills_of(caller: Caller, order: OrderShown) -> list[FillShown]:
    """Return the fills that an order had when it was as it is shown, oldest first."""
    if order.average is None:
        return []
    found = await caller.views.fills(caller.account, FILLS_MAX, order.symbol)
    return [fill for fill in reversed(found) if fill.order_id == order.order_id and fill.seq <= order.seq]


@contextmanager
def after_effect() -> Iterator[None]:
    """Have it told as an unknown outcome if what was done cannot be read: that nothing was done would be untrue."""
    try:
        yield
    except ViewsUnavailable as error:
        raise UnknownOutcome("the request was carried out, but what became of it cannot be read now") from error


async def _told(caller: Caller, terms: Terms, answer: Answer) -> dict[str, Any]:
    outcome, order = answer.outcome, answer.order
    if order is None or terms.response == "ACK":
        return acknowledged(terms.instrument.symbol, outcome.order_id, outcome.request_id, outcome.time_ms)
    told = result(order, quote_quantity=terms.quote_quantity)
    if terms.response == "FULL":
        with after_effect():
            told["fills"] = fills(await fills_of(caller, order))
    return told


async def _worth(caller: Caller, terms: Terms) -> dict[str, str]:
    """Return the quantity and the price of an order for an amount: those of the order that stands under its id, or else those of the book."""
    known = await find(caller, 0, terms.client_id)
    if known is not None and _is_of(known, terms):
        return {"quantity": known.quantity, "price": known.price}
    depth = await caller.views.depth(terms.instrument.symbol, TOP_LEVELS)
    levels = [] if depth is None else depth.asks if terms.ticket["side"] == "buy" else depth.bids
    if not levels:
        raise BinanceError(REJECTED, text=NO_LIQUIDITY)
    available = await _available(caller, terms.instrument.quote) if terms.ticket["side"] == "buy" else None
    quantity, price = worth(levels, terms.quote_quantity, terms.instrument, available)
    if not quantity:
        raise filter_failure("MARKET_LOT_SIZE")
    return {"quantity": quantity, "price": price}


async def _available(caller: Caller, asset: str) -> Decimal:
    """Return what the account has of an asset to reserve."""
    balances = (await caller.views.account(caller.account, 1)).balances
    return next((Decimal(balance.available) for balance in balances if balance.asset == asset), Decimal(0))


async def _check_trigger(caller: Caller, terms: Terms, order: PlaceOrder) -> None:
    """Refuse a stop that the last trade has reached already, which the market would set off at once; not one that is sent again."""
    stop = 0 if order.conditions is None else order.conditions.stop
    with suppress(ViewsUnavailable):
        if await has_traded_through(caller, terms, order.side, stop) and not await find(caller, 0, terms.client_id):
            raise BinanceError(REJECTED, text=TRIGGERS)


async def has_traded_through(caller: Caller, terms: Terms, side: str, stop: int) -> bool:
    """Say whether the last trade was at a stop, in ticks, or beyond it."""
    last = await caller.views.trades(terms.instrument.symbol, 1)
    if not last:
        return False
    ticks = terms.instrument.price_ticks(last[0].price)
    return ticks >= stop if side == "buy" else ticks <= stop


def _is_of(order: OrderShown, terms: Terms) -> bool:
    """Say whether an order is what a client asked for, as far as nothing has changed it since and the client said so itself."""
    ticket = terms.ticket
    asked: dict[str, str | None] = {name: ticket[name] for name in ("symbol", "side", "kind", "self_trade")}
    asked |= {name: ticket[name] or None for name in ("display", "post_only")}
    if ticket["time_in_force"]:
        asked["time_in_force"] = ticket["time_in_force"]
    if not order.amended:
        asked |= {name: ticket[name] for name in ("price", "quantity", "stop") if ticket[name]}
    return all(getattr(order, name) == value for name, value in asked.items())
