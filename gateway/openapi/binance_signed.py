"""What the signed Binance-shaped routes take and answer. `docs/BINANCE.md` says what differs from Binance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gateway.binance.account import LIMIT, LIMIT_MAX
from gateway.binance.cancel_replace import MODES
from gateway.binance.errors import PREFIX
from gateway.binance.order_lists import STOPS
from gateway.binance.order_shapes import SELF_TRADES
from gateway.binance.order_terms import FORCES, RESPONSES, SIDES, STRATEGY_LEAST, TYPES
from gateway.binance.orders import RESTRICTIONS
from gateway.binance.parameters import CLIENT_ID, legal_pattern
from gateway.binance.signing import WINDOW_MAX_US, WINDOW_US
from gateway.openapi.binance_market import ERRORS, PARAMETERS, PLAIN, RATE_LIMIT, WHOLE_PARAMETER
from gateway.openapi.schemas import (
    DECIMAL,
    FLAG,
    TEXT,
    TIME_MS,
    WHOLE,
    Operation,
    Schema,
    bounded,
    component,
    count,
    either,
    fields,
    record,
    rows,
    said,
    words,
)

SIGNING: Final[dict[str, Schema]] = {
    "timestamp": said(bounded(0), "When the request was signed, in milliseconds or microseconds since the epoch."),
    "recvWindow": said(
        {"type": "number", "minimum": 0, "maximum": WINDOW_MAX_US // 1_000, "default": WINDOW_US // 1_000},
        "For how many milliseconds the request holds.",
    ),
    "signature": said(
        {"type": "string", "pattern": "^[A-Fa-f0-9]{64}$"}, "HMAC-SHA256, in hex, of query and body without it."
    ),
}
"""What every signed request has beside its own parameters."""
_CLIENT_ID: Final[Schema] = {"type": "string", "pattern": legal_pattern(CLIENT_ID)}
_ORIGINAL: Final = said({"type": "string", "pattern": "^[!-~]{1,64}$"}, "The client's id of what is meant.")
_STRATEGY: Final = bounded(STRATEGY_LEAST)
_FORCE: Final = words(FORCES)
_LEG: Final[dict[str, Schema]] = {
    "Type": words(("LIMIT_MAKER", *STOPS)),
    "ClientOrderId": _CLIENT_ID,
    "IcebergQty": PLAIN,
    "Price": PLAIN,
    "StopPrice": PLAIN,
    "TrailingDelta": said(WHOLE_PARAMETER, "Not supported."),
    "TimeInForce": _FORCE,
    "StrategyId": WHOLE_PARAMETER,
    "StrategyType": _STRATEGY,
}
_PLACING: Final[dict[str, Schema]] = {
    "symbol": PARAMETERS["symbol"],
    "side": words(SIDES),
    "quantity": PLAIN,
    "newOrderRespType": words(RESPONSES),
    "selfTradePreventionMode": words(SELF_TRADES, "NONE"),
}
_ORDER: Final = {
    **_PLACING,
    "type": words(TYPES),
    "timeInForce": _FORCE,
    "quoteOrderQty": said(PLAIN, "Of a market order: what it is to be worth, instead of `quantity`."),
    "price": PLAIN,
    "newClientOrderId": said(_CLIENT_ID, "Your own id for the order: sent again under it, it is placed once."),
    "strategyId": WHOLE_PARAMETER,
    "strategyType": _STRATEGY,
    "stopPrice": PLAIN,
    "trailingDelta": said(WHOLE_PARAMETER, "Not supported."),
    "icebergQty": PLAIN,
}
_LIST: Final = {**_PLACING, "listClientOrderId": _CLIENT_ID}
_OCO: Final = _LIST | {f"{leg}{name}": schema for leg in ("above", "below") for name, schema in _LEG.items()}
_LEGACY: Final = _LIST | {
    **fields("limitClientOrderId stopClientOrderId", _CLIENT_ID),
    **fields("price limitIcebergQty stopPrice stopLimitPrice stopIcebergQty", PLAIN),
    **fields("limitStrategyId stopStrategyId", WHOLE_PARAMETER),
    **fields("limitStrategyType stopStrategyType", _STRATEGY),
    "trailingDelta": said(WHOLE_PARAMETER, "Not supported."),
    "stopLimitTimeInForce": _FORCE,
}
_NAMED: Final = {
    "symbol": PARAMETERS["symbol"],
    "orderId": WHOLE_PARAMETER,
    "origClientOrderId": _ORIGINAL,
}
_CANCEL: Final = {**_NAMED, "newClientOrderId": _CLIENT_ID, "cancelRestrictions": words(RESTRICTIONS)}
_REPLACE: Final = _ORDER | {
    "cancelReplaceMode": words(MODES),
    "cancelNewClientOrderId": _CLIENT_ID,
    "cancelOrigClientOrderId": _ORIGINAL,
    "cancelOrderId": WHOLE_PARAMETER,
    "cancelRestrictions": words(RESTRICTIONS),
    "orderRateLimitExceededMode": words(("DO_NOTHING",)),
}
_PAST: Final = {
    "symbol": PARAMETERS["symbol"],
    "orderId": WHOLE_PARAMETER,
    "startTime": PARAMETERS["startTime"],
    "endTime": PARAMETERS["endTime"],
    "limit": count((LIMIT, LIMIT_MAX)),
}

_ACK: Final[dict[str, Schema]] = {
    "symbol": TEXT,
    **fields("orderId orderListId", WHOLE),
    "clientOrderId": TEXT,
    "transactTime": TIME_MS,
}
_STATE: Final[dict[str, Schema]] = {
    **fields("price origQty executedQty cummulativeQuoteQty", DECIMAL),
    "status": words(("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH")),
    **fields("timeInForce type", TEXT),
    "side": words(SIDES),
    "selfTradePreventionMode": words(SELF_TRADES),
}
_SOME: Final = fields("stopPrice icebergQty", DECIMAL)
_FILLS: Final = rows(record({**fields("price qty commission", DECIMAL), "commissionAsset": TEXT, "tradeId": WHOLE}))
_RESULT: Final = {**_ACK, **_STATE, "origQuoteOrderQty": DECIMAL, "workingTime": WHOLE, **_SOME}
_PLACED: Final = either(record(_ACK), record({**_RESULT, "fills": _FILLS}, (*_SOME, "fills")))
_CANCELLED: Final = record({**_ACK, "origClientOrderId": TEXT, **_STATE, "origQuoteOrderQty": DECIMAL, **_SOME}, _SOME)
_QUERIED: Final = record(
    {
        **fields("orderId orderListId workingTime", WHOLE),
        **fields("symbol clientOrderId", TEXT),
        **_STATE,
        **fields("stopPrice icebergQty origQuoteOrderQty", DECIMAL),
        **fields("time updateTime", TIME_MS),
        "isWorking": FLAG,
    }
)
_MY_TRADE: Final = record(
    {
        **fields("symbol commissionAsset", TEXT),
        **fields("id orderId orderListId", WHOLE),
        **fields("price qty quoteQty commission", DECIMAL),
        "time": TIME_MS,
        **fields("isBuyer isMaker isBestMatch", FLAG),
    }
)
_RATES: Final = record(fields("maker taker buyer seller", DECIMAL))
_DISCOUNT: Final = record(
    {**fields("enabledForAccount enabledForSymbol", FLAG), "discountAsset": TEXT, "discount": DECIMAL}
)
_COMMISSION: Final = record(
    {
        "symbol": TEXT,
        **fields("standardCommission specialCommission taxCommission", _RATES),
        "discount": _DISCOUNT,
    }
)
_PAYS: Final = record(fields("maker taker", DECIMAL))
_TESTED: Final = record(
    {
        **fields("standardCommissionForOrder specialCommissionForOrder taxCommissionForOrder", _PAYS),
        "discount": _DISCOUNT,
    }
)
_ACCOUNT: Final = record(
    {
        **fields("makerCommission takerCommission buyerCommission sellerCommission uid", WHOLE),
        "commissionRates": _RATES,
        **fields("canTrade canWithdraw canDeposit brokered requireSelfTradePrevention preventSor", FLAG),
        "updateTime": TIME_MS,
        "accountType": TEXT,
        "balances": rows(record({"asset": TEXT, **fields("free locked", DECIMAL)})),
        "permissions": rows(TEXT),
    }
)
_LISTED: Final[dict[str, Schema]] = {
    "orderListId": WHOLE,
    **fields("contingencyType listStatusType listOrderStatus listClientOrderId symbol", TEXT),
    "transactionTime": TIME_MS,
    "orders": rows(record({**fields("symbol clientOrderId", TEXT), "orderId": WHOLE})),
}
_SHOWN_LIST: Final = record(_LISTED)
_PLACED_LIST: Final = record({**_LISTED, "orderReports": rows(_PLACED)})
_CANCELLED_LIST: Final = record({**_LISTED, "orderReports": rows(_CANCELLED)})
_NOTHING: Final[Schema] = {"type": "null"}
_OUTCOME: Final = words(("SUCCESS", "FAILURE", "NOT_ATTEMPTED"))
_REPLACED: Final = record(
    {
        **fields("cancelResult newOrderResult", _OUTCOME),
        "cancelResponse": either(_CANCELLED, component("BinanceError"), _NOTHING),
        "newOrderResponse": either(_PLACED, component("BinanceError"), _NOTHING),
    }
)
_NOT_REPLACED: Final = record({"code": WHOLE, "msg": TEXT, "data": _REPLACED})


def _looks(answer: Any, query: dict[str, Schema] | None = None, needed: Iterable[str] = (), **of: Any) -> Operation:
    return Operation(
        tag="Binance: account and orders",
        security="signed",
        query={**(query or {}), **SIGNING},
        needed=(*needed, "timestamp", "signature"),
        answer=answer,
        **{"errors": ERRORS, **of},
    )


def _trades(answer: Any, query: dict[str, Schema], needed: Iterable[str], **of: Any) -> Operation:
    errors = {**ERRORS, 413: component("BinanceError"), 504: component("BinanceError")}
    return _looks(answer, query, needed, **{"errors": errors, **of})


_NEW: Final = ("symbol", "side", "type")
_REPLACE_ERRORS: Final = {
    **ERRORS,
    400: either(ERRORS[400], _NOT_REPLACED),
    409: _NOT_REPLACED,
    413: component("BinanceError"),
    504: component("BinanceError"),
}
_SYMBOL: Final = {"symbol": PARAMETERS["symbol"]}
_PAST_LISTS: Final = {name: _PAST[name] for name in ("startTime", "endTime", "limit")} | {"fromId": WHOLE_PARAMETER}
_OPERATIONS: Final = {
    "POST /order": _trades(_PLACED, _ORDER, _NEW),
    "GET /order": _looks(_QUERIED, _NAMED, ("symbol",)),
    "DELETE /order": _trades(_CANCELLED, _CANCEL, ("symbol",)),
    "POST /order/test": _trades(
        either(record({}), _TESTED), {**_ORDER, "computeCommissionRates": {"type": "boolean", "default": False}}, _NEW
    ),
    "POST /order/cancelReplace": _trades(_REPLACED, _REPLACE, (*_NEW, "cancelReplaceMode"), errors=_REPLACE_ERRORS),
    "GET /openOrders": _looks(rows(_QUERIED), _SYMBOL),
    "DELETE /openOrders": _trades(rows(_CANCELLED), _SYMBOL, ("symbol",)),
    "GET /allOrders": _looks(rows(_QUERIED), _PAST, ("symbol",)),
    "GET /myTrades": _looks(rows(_MY_TRADE), {**_PAST, "fromId": WHOLE_PARAMETER}, ("symbol",)),
    "GET /account": _looks(_ACCOUNT, {"omitZeroBalances": {"type": "boolean", "default": False}}),
    "GET /account/commission": _looks(_COMMISSION, _SYMBOL, ("symbol",)),
    "POST /orderList/oco": _trades(_PLACED_LIST, _OCO, ("symbol", "side", "quantity", "aboveType", "belowType")),
    "POST /order/oco": _trades(_PLACED_LIST, _LEGACY, ("symbol", "side", "quantity", "price", "stopPrice")),
    "GET /orderList": _looks(_SHOWN_LIST, {"orderListId": WHOLE_PARAMETER, "origClientOrderId": _ORIGINAL}),
    "GET /openOrderList": _looks(rows(_SHOWN_LIST)),
    "GET /allOrderList": _looks(rows(_SHOWN_LIST), _PAST_LISTS),
    "GET /rateLimit/order": _looks(rows(record({**RATE_LIMIT, "count": WHOLE}))),
    "DELETE /orderList": _trades(
        _CANCELLED_LIST,
        {
            **_SYMBOL,
            "orderListId": WHOLE_PARAMETER,
            "listClientOrderId": _ORIGINAL,
            "newClientOrderId": _CLIENT_ID,
        },
        ("symbol",),
    ),
}
OPERATIONS: Final = {key.replace(" ", f" {PREFIX}", 1): operation for key, operation in _OPERATIONS.items()}
