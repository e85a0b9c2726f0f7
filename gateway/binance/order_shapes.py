"""Puts orders and fills into the words of Binance's API: pure, and the same for REST answers, websocket answers and execution reports.

Prices and quantities are the decimal strings that the views have, order ids whole numbers. An order's client order id is the id of the request that placed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from exchange.messages import CancelReason, Kind, SelfTrade
from gateway.shown import FillShown, OrderShown
from gateway.tickets import PROTECTED

NO_LIST: Final = -1
"""The `orderListId` of an order that is in no list."""

SELF_TRADES: Final[dict[str, SelfTrade]] = {
    "NONE": "none",
    "EXPIRE_TAKER": "newest",
    "EXPIRE_MAKER": "oldest",
    "EXPIRE_BOTH": "both",
    "DECREMENT": "decrement",
}
"""What each `selfTradePreventionMode` is to the market."""
_MODES: Final = {ours: theirs for theirs, ours in SELF_TRADES.items()}
_TYPES: Final[dict[Kind, str]] = {
    "limit": "LIMIT",
    "market": "MARKET",
    "market-to-limit": "MARKET",
    "stop": "STOP_LOSS",
    "stop-limit": "STOP_LOSS_LIMIT",
    "trailing-stop": "STOP_LOSS",
    "pegged": "LIMIT",
}
_GONE: Final[dict[CancelReason, str]] = {
    "REQUESTED": "CANCELED",
    "REPLACED": "CANCELED",
    "DEAD_MAN": "CANCELED",
    "IOC_REMAINDER": "EXPIRED",
    "FOK_UNFILLED": "EXPIRED",
    "MARKET_REMAINDER": "EXPIRED",
    "MINIMUM_UNFILLED": "EXPIRED",
    "OTHER_LEG": "EXPIRED",
    "KILL_SWITCH": "EXPIRED",
    "OPERATOR": "EXPIRED",
    "LISTING_CHANGED": "EXPIRED",
    "DELISTED": "EXPIRED",
    "SELF_TRADE": "EXPIRED_IN_MATCH",
}
"""The status of an order that went: cancelled by whom it belongs to, or else expired."""


def status(order: OrderShown) -> str:
    """Return what has become of an order."""
    if order.state == "OPEN":
        return "PARTIALLY_FILLED" if is_some(order.filled) else "NEW"
    if order.state == "CANCELLED":
        return _GONE[order.reason] if order.reason is not None else "CANCELED"
    return order.state


def order_type(order: OrderShown) -> str:
    """Return the type that an order of this kind is placed with; kinds that Binance does not have are told as the nearest."""
    return "LIMIT_MAKER" if order.kind == "limit" and order.post_only == "reject" else _TYPES[order.kind]


def time_in_force(order: OrderShown) -> str:
    """Return how long an order lasts; market orders are told as GTC, as Binance does."""
    return "GTC" if order.kind == "market" else order.time_in_force


def limit_price(order: OrderShown) -> str:
    """Return an order's limit; zero of one that has none."""
    return zero(order.price) if order.kind in PROTECTED else order.price


def working_ms(order: OrderShown) -> int:
    """Return since when an order is on the book; -1: it waits to be triggered."""
    if order.trigger == "WAITING":
        return -1
    return order.time_ms if order.trigger == "TRIGGERED" else order.placed_ms


def zero(like: str) -> str:
    """Return zero with the decimals of another number.

    >>> zero("101.25"), zero("7")
    ('0.00', '0')
    """
    return "".join("0" if digit.isdigit() else digit for digit in like[like.find(".") - 1 :]) if "." in like else "0"


def is_some(quantity: str) -> bool:
    """Say whether a decimal is not zero.

    >>> is_some("0.00"), is_some("0.01")
    (False, True)
    """
    return any(digit in "123456789" for digit in quantity)


def optional(order: OrderShown) -> dict[str, str]:
    """Return the fields that only some orders have."""
    fields = {"stopPrice": order.stop, "icebergQty": order.display}
    return {name: value for name, value in fields.items() if value is not None}


def result(order: OrderShown, *, list_id: int = NO_LIST, quote_quantity: str = "") -> dict[str, Any]:
    """Return the answer RESULT to a placed order; `quote_quantity` is what it was to be worth, where that was said."""
    return {
        **acknowledged(order.symbol, order.order_id, order.request_id, order.time_ms, list_id=list_id),
        **_state(order),
        "origQuoteOrderQty": quote_quantity or zero(order.amount),
        "workingTime": working_ms(order),
        **optional(order),
    }


def acknowledged(symbol: str, order_id: int, client_id: str, time_ms: int, *, list_id: int = NO_LIST) -> dict[str, Any]:
    """Return the answer ACK to a placed order."""
    return {
        "symbol": symbol,
        "orderId": order_id,
        "orderListId": list_id,
        "clientOrderId": client_id,
        "transactTime": time_ms,
    }


def fills(of: Iterable[FillShown]) -> list[dict[str, Any]]:
    """Return the fills of the answer FULL."""
    return [
        {
            "price": fill.price,
            "qty": fill.quantity,
            "commission": fill.fee,
            "commissionAsset": fill.quote,
            "tradeId": fill.trade,
        }
        for fill in of
    ]


def cancelled(order: OrderShown, cancel_id: str, *, list_id: int = NO_LIST) -> dict[str, Any]:
    """Return the answer to the cancellation `cancel_id` of an order."""
    return {
        **acknowledged(order.symbol, order.order_id, cancel_id, order.time_ms, list_id=list_id),
        "origClientOrderId": order.request_id,
        **_state(order),
        "origQuoteOrderQty": zero(order.amount),
        **optional(order),
    }


def queried(order: OrderShown) -> dict[str, Any]:
    """Return an order as it is told to who asks for it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": order.request_id,
        **_state(order),
        "stopPrice": order.stop or zero(order.price),
        "icebergQty": order.display or zero(order.quantity),
        "time": order.placed_ms,
        "updateTime": order.time_ms,
        "isWorking": order.trigger != "WAITING",
        "workingTime": working_ms(order),
        "origQuoteOrderQty": zero(order.amount),
    }


def my_trade(fill: FillShown) -> dict[str, Any]:
    """Return a fill as one of the account's trades."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade,
        "orderId": fill.order_id,
        "orderListId": NO_LIST,
        "price": fill.price,
        "qty": fill.quantity,
        "quoteQty": fill.amount,
        "commission": fill.fee,
        "commissionAsset": fill.quote,
        "time": fill.time_ms,
        "isBuyer": fill.side == "buy",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def _state(order: OrderShown) -> dict[str, Any]:
    return {
        "price": limit_price(order),
        "origQty": order.quantity,
        "executedQty": order.filled,
        "cummulativeQuoteQty": order.amount,
        "status": status(order),
        "timeInForce": time_in_force(order),
        "type": order_type(order),
        "side": order.side.upper(),
        "selfTradePreventionMode": _MODES[order.self_trade],
    }
