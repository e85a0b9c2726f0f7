"""Cancels an order and places another one in its stead, as `order/cancelReplace` does: two steps, each with a result of its own.

An outcome that is not known is told as -1007 for the whole request; what was asked for settles it by id. The new order is checked before the old one is
touched, so that what could never be placed cancels nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.binance.callers import Caller
from gateway.binance.errors import BinanceError, binance_error
from gateway.binance.order_terms import PLACE, client_id
from gateway.binance.orders import order_named, prepare, put, restriction, take_off
from gateway.binance.parameters import Parameters
from gateway.ports import NotTaken, ViewsUnavailable

REPLACE: Final = (
    "cancelReplaceMode",
    "cancelNewClientOrderId",
    "cancelOrigClientOrderId",
    "cancelOrderId",
    "cancelRestrictions",
    "orderRateLimitExceededMode",
)
MODES: Final = {"STOP_ON_FAILURE": "STOP_ON_FAILURE", "ALLOW_FAILURE": "ALLOW_FAILURE"}
_EXCEEDED: Final = {"DO_NOTHING": "DO_NOTHING"}
_OK: Final = "SUCCESS"
_FAILED: Final = "FAILURE"


async def cancel_replace(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Cancel an order and place another one; return both results, or raise -2021 or -2022 with them."""
    params = Parameters(sent.items(), (*PLACE, *REPLACE))
    mode = params.choice("cancelReplaceMode", MODES, BinanceError(-1130, "cancelReplaceMode"))
    params.choice("orderRateLimitExceededMode", _EXCEEDED, BinanceError(-1130, "orderRateLimitExceededMode"), "")
    named = order_named(params, "cancelOrderId", "cancelOrigClientOrderId")
    cancel_id, only = client_id(params, "cancelNewClientOrderId"), restriction(params)
    terms, order = await prepare(caller, {name: value for name, value in sent.items() if name in PLACE})
    results: dict[str, Any] = {"cancelResult": _OK, "newOrderResult": "NOT_ATTEMPTED"}
    responses: dict[str, Any] = {"cancelResponse": None, "newOrderResponse": None}
    try:
        responses["cancelResponse"] = await take_off(caller, terms.instrument.symbol, *named, cancel_id, only)
    except (BinanceError, NotTaken) as error:
        results["cancelResult"], responses["cancelResponse"] = _FAILED, binance_error(error).body
        if mode == "STOP_ON_FAILURE":
            raise BinanceError(-2022, data={**results, **responses}) from error
    try:
        responses["newOrderResponse"] = await put(caller, terms, order)
        results["newOrderResult"] = _OK
    except (BinanceError, NotTaken, ViewsUnavailable) as error:
        results["newOrderResult"], responses["newOrderResponse"] = _FAILED, binance_error(error).body
    failed = list(results.values()).count(_FAILED)
    if failed:
        raise BinanceError(-2021 if failed == 1 else -2022, data={**results, **responses})
    return {**results, **responses}
