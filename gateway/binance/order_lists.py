"""Places, cancels and tells of pairs of orders of which one cancels the other, as Binance's order lists.

Theory of operation: one leg is a LIMIT_MAKER, the other a stop; they are one command to the market, under the list's client id as request id. The list's number
is the order id of its first leg, the one above; the second one has the account's next order id, for an account's shard numbers both at once.
Legs that the client gives no ids are named after the list, with `.above` and `.below` behind; a list whose legs have other names is found by its number alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from exchange.instruments import Instrument
from gateway.binance.account import LIMIT, LIMIT_MAX, some, times, within
from gateway.binance.callers import Caller
from gateway.binance.errors import BinanceError
from gateway.binance.order_refusals import NOT_CANCELLED, REJECTED, RELATION, UNKNOWN, flawed, refused
from gateway.binance.order_shapes import acknowledged, cancelled, fills, result, status
from gateway.binance.order_terms import (
    RESPONSES,
    SIDES,
    amounts,
    client_id,
    display,
    listed,
    refuse_trailing,
    refuse_unsupported,
    self_trade,
    strategy,
    time_in_force,
)
from gateway.binance.orders import after_effect, fills_of, find, order_named, take_off
from gateway.binance.parameters import Parameters
from gateway.groups import read_oco
from gateway.keys import ENDED_MAX
from gateway.shown import OrderShown
from gateway.tickets import InvalidTicket, new_request_id

_SHARED: Final = ("symbol", "listClientOrderId", "side", "quantity", "newOrderRespType", "selfTradePreventionMode")
_LEGS: Final = ("above", "below")
_LEG: Final = (
    "Type",
    "ClientOrderId",
    "IcebergQty",
    "Price",
    "StopPrice",
    "TrailingDelta",
    "TimeInForce",
    "StrategyId",
    "StrategyType",
)
NEW: Final = (*_SHARED, *(f"{leg}{name}" for leg in _LEGS for name in _LEG))
_LIMIT_LEG: Final = {
    "Price": "price",
    "ClientOrderId": "limitClientOrderId",
    "IcebergQty": "limitIcebergQty",
    "StrategyId": "limitStrategyId",
    "StrategyType": "limitStrategyType",
}
_STOP_LEG: Final = {
    "Price": "stopLimitPrice",
    "StopPrice": "stopPrice",
    "TrailingDelta": "trailingDelta",
    "TimeInForce": "stopLimitTimeInForce",
    "ClientOrderId": "stopClientOrderId",
    "IcebergQty": "stopIcebergQty",
    "StrategyId": "stopStrategyId",
    "StrategyType": "stopStrategyType",
}
LEGACY: Final = (*_SHARED, *_LIMIT_LEG.values(), *_STOP_LEG.values())
STOPS: Final = {"STOP_LOSS": "stop", "STOP_LOSS_LIMIT": "stop-limit"}


class _Said(msgspec.Struct, frozen=True):
    """One leg as a client says it: by which parameters, and its order type where none says it."""

    names: Mapping[str, str]
    order_type: str = ""

    def __getitem__(self, term: str) -> str:
        """Return the name of the parameter that says a term of `_LEG`; empty: none does."""
        return self.names.get(term, "")


class _List(msgspec.Struct, frozen=True):
    """A list that is known: its name as far as it can be told, and its legs."""

    client_id: str
    legs: list[OrderShown]

    @property
    def number(self) -> int:
        return self.legs[0].order_id


async def place_oco(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Place a pair of orders, said as the leg above and the leg below."""
    params = Parameters(sent.items(), NEW)
    return await _place(caller, params, {leg: _Said({term: f"{leg}{term}" for term in _LEG}) for leg in _LEGS})


async def place_legacy_oco(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Place a pair of orders, said as the limit and the stop."""
    params = Parameters(sent.items(), LEGACY)
    side = params.choice("side", SIDES, BinanceError(-1117))
    stop_type = "STOP_LOSS_LIMIT" if params.has("stopLimitPrice") else "STOP_LOSS"
    pair = _Said(_LIMIT_LEG, "LIMIT_MAKER"), _Said(_STOP_LEG, stop_type)
    return await _place(caller, params, dict(zip(_LEGS, pair if side == "sell" else pair[::-1], strict=True)))


async def _place(caller: Caller, params: Parameters, said: Mapping[str, _Said]) -> dict[str, Any]:
    """Place a pair of orders. `said` has how the legs above and below are said, so that what is wrong is told by the names that were sent."""
    instrument = listed(params, await caller.views.instruments())
    side = params.choice("side", SIDES, BinanceError(-1117))
    quantity = amounts(params, instrument, {"quantity": "quantity"})["quantity"] or params.text("quantity")
    list_id = client_id(params, "listClientOrderId")
    response = params.choice("newOrderRespType", RESPONSES, BinanceError(-1130, "newOrderRespType"), "RESULT")
    own_id = list_id or new_request_id()
    legs = {name: _leg(params, said[name], instrument, quantity, f"{own_id}.{name}") for name in _LEGS}
    _check_pair(legs, side)
    await _check_prices(caller, legs, side, instrument, list_id)
    fields: dict[str, Any] = {"symbol": instrument.symbol, "side": side, "quantity": quantity, "request_id": own_id}
    fields |= {"first": legs["above"], "second": legs["below"]}
    try:
        group = await read_oco(fields, caller.views, caller.account, caller.trading.now_ms())
    except InvalidTicket as error:
        raise flawed(error) from error
    answer = await caller.trading.place_group(group, new_id=not list_id)
    outcome = answer.outcome
    refusal = outcome.repeat or outcome.reason or next((leg.refusal for leg in answer.orders if leg.refusal), None)
    if refusal is not None:
        raise refused(refusal)
    orders = [leg.order for leg in answer.orders if leg.order is not None]
    if len(orders) < len(legs):  # ended too long ago for the views to have them
        raise BinanceError(REJECTED, text="Duplicate order sent.")
    with after_effect():
        reports = [await _report(caller, each, orders, response) for each in orders]
    return {**_shown(_List(own_id, orders)), "orderReports": reports}


async def query_list(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return a pair of orders."""
    params = Parameters(sent.items(), ("orderListId", "origClientOrderId"))
    found = await _find(caller, *order_named(params, "orderListId", "origClientOrderId"))
    if found is None:
        raise BinanceError(-2013, text="Order list does not exist.")
    return _shown(found)


async def open_lists(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the pairs of orders that are open, oldest first, as far as their legs are named after them."""
    Parameters(sent.items(), ())
    return [_shown(each) for each in await _named_lists(caller) if any(leg.state == "OPEN" for leg in each.legs)]


async def all_lists(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the pairs of orders, oldest first, as far as their legs are named after them."""
    params = Parameters(sent.items(), ("fromId", "startTime", "endTime", "limit"))
    first, span = params.whole("fromId"), times(params)
    if first is not None and span != (None, None):
        raise BinanceError(-1128)
    found = [
        each
        for each in await _named_lists(caller)
        if (first is None or each.number >= first) and within(each.legs[0].placed_ms, *span)
    ]
    limit, from_first = params.limit(LIMIT, LIMIT_MAX), first is not None or span[0] is not None
    return [_shown(each) for each in some(found, limit, from_first=from_first)]


async def cancel_list(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Cancel a pair of orders: both go with either that is open."""
    params = Parameters(sent.items(), ("symbol", "orderListId", "listClientOrderId", "newClientOrderId"))
    symbol = listed(params, await caller.views.instruments()).symbol
    found = await _find(caller, *order_named(params, "orderListId", "listClientOrderId"))
    if found is None or found.legs[0].symbol != symbol:
        raise BinanceError(NOT_CANCELLED, text=UNKNOWN)
    cancel_id = client_id(params, "newClientOrderId") or new_request_id()
    await take_off(caller, symbol, _to_cancel(found.legs).order_id, "", cancel_id, "")
    with after_effect():
        legs = [await find(caller, leg.order_id, "") or leg for leg in found.legs]
    reports = [cancelled(leg, cancel_id, list_id=found.number) for leg in legs]
    return {**_shown(_List(found.client_id, legs)), "orderReports": reports}


def _to_cancel(legs: list[OrderShown]) -> OrderShown:
    """Return the leg by which a list is cancelled: one that is open; once that was done the same one, so that it may be asked for again."""
    return min(legs, key=lambda leg: (leg.state != "OPEN", status(leg) != "CANCELED"))


def _leg(params: Parameters, said: _Said, instrument: Instrument, quantity: str, default_id: str) -> dict[str, str]:
    """Return one order of a pair as the ticket that the venue's own API would be given; `default_id` is its id if it is given none."""
    order_type = said.order_type or params.text(said["Type"])
    refuse_unsupported(order_type)
    if order_type != "LIMIT_MAKER" and order_type not in STOPS:
        raise BinanceError(-1158)
    needed = {"LIMIT_MAKER": ("Price",), "STOP_LOSS": ("StopPrice",)}.get(
        order_type, ("Price", "StopPrice", "TimeInForce")
    )
    refuse_trailing(params, said["TrailingDelta"])
    for term in needed:
        params.text(said[term])
    optional = () if order_type == "STOP_LOSS" else ("IcebergQty",)
    for term in ("Price", "StopPrice", "TimeInForce", "IcebergQty"):
        if params.has(said[term]) and term not in (*needed, *optional):
            raise BinanceError(-1106, said[term])
    strategy(params, said["StrategyId"], said["StrategyType"])
    force = time_in_force(params, said["TimeInForce"], order_type)
    return {
        "kind": STOPS.get(order_type, "limit"),
        "request_id": client_id(params, said["ClientOrderId"]) or default_id,
        "time_in_force": force,
        "post_only": "reject" if order_type == "LIMIT_MAKER" else "",
        "display": display(params, said["IcebergQty"], instrument, quantity, force),
        "self_trade": self_trade(params),
        **amounts(params, instrument, {"price": said["Price"], "stop": said["StopPrice"]}),
    }


def _check_pair(legs: Mapping[str, Mapping[str, str]], side: str) -> None:
    """Refuse a pair that is not a limit and a stop, each where its side has it."""
    above, below = (legs[name]["kind"] == "limit" for name in ("above", "below"))
    if above and below:
        raise BinanceError(-1168)
    if side == "sell" and not above:
        raise BinanceError(-1166 if below else -1197)
    if side == "buy" and above:
        raise BinanceError(-1165)
    if side == "buy" and not below:
        raise BinanceError(-1196)


async def _check_prices(
    caller: Caller, legs: Mapping[str, Mapping[str, str]], side: str, instrument: Instrument, list_id: str
) -> None:
    """Refuse a pair whose limit and stop do not stand on both sides of the last price, which the market would not mind.

    Not one that is sent again under its id: the price may have moved meanwhile.
    """
    names = ("stop", "price") if side == "sell" else ("price", "stop")
    low, high = (instrument.price_ticks(legs[leg][name]) for leg, name in zip(_LEGS[::-1], names, strict=True))
    last = await caller.views.trades(instrument.symbol, 1)
    between = [instrument.price_ticks(trade.price) for trade in last or ()]
    if low < high and all(low < price < high for price in between):
        return
    known = await caller.trading.answer(list_id) if list_id else None
    if known is None or known.outcome.state != "ACCEPTED":
        raise BinanceError(REJECTED, text=RELATION)


async def _find(caller: Caller, number: int, name: str) -> _List | None:
    """Return the list of a number, or of a client's id, as far as the views have both of its legs."""
    if not number:
        above = await find(caller, 0, f"{name}.above")
        if above is None:
            return None
        number = above.order_id
    shown = await caller.views.account(caller.account, ENDED_MAX)
    orders = sorted((*shown.open_orders, *shown.ended_orders), key=lambda order: order.order_id)
    legs = [order for order in orders if order.order_id >= number][:2]
    if len(legs) < 2 or legs[0].order_id != number or not _are_pair(*legs):
        return None
    own_name = legs[0].request_id.removesuffix(".above")
    return _List(own_name, legs) if name in ("", own_name) else None


async def _named_lists(caller: Caller) -> list[_List]:
    """Return the lists whose legs are named after them, oldest first."""
    shown = await caller.views.account(caller.account, ENDED_MAX)
    named = {order.request_id: order for order in (*shown.open_orders, *shown.ended_orders)}
    names = [name.removesuffix(".above") for name in named if name.endswith(".above")]
    lists = [
        _List(name, [named[f"{name}.above"], named[f"{name}.below"]]) for name in names if f"{name}.below" in named
    ]
    return sorted((each for each in lists if _are_pair(*each.legs)), key=lambda each: each.number)


def _are_pair(first: OrderShown, second: OrderShown) -> bool:
    """Say whether two orders that follow each other can be the legs of one list: they reached the book at once, a limit and a stop."""
    same = all(getattr(first, name) == getattr(second, name) for name in ("symbol", "side", "placed_ms"))
    return same and (first.kind in STOPS.values()) != (second.kind in STOPS.values())


def _shown(found: _List) -> dict[str, Any]:
    done = all(leg.state != "OPEN" for leg in found.legs)
    return {
        "orderListId": found.number,
        "contingencyType": "OCO",
        "listStatusType": "ALL_DONE" if done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": found.client_id,
        "transactionTime": max(leg.time_ms for leg in found.legs),
        "symbol": found.legs[0].symbol,
        "orders": [
            {"symbol": leg.symbol, "orderId": leg.order_id, "clientOrderId": leg.request_id} for leg in found.legs
        ],
    }


async def _report(caller: Caller, order: OrderShown, legs: list[OrderShown], response: str) -> dict[str, Any]:
    number = legs[0].order_id
    if response == "ACK":
        return acknowledged(order.symbol, order.order_id, order.request_id, order.time_ms, list_id=number)
    told = result(order, list_id=number)
    if response == "FULL":
        told["fills"] = fills(await fills_of(caller, order))
    return told
