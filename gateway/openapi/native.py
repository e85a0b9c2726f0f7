"""What Openbell's own REST API takes and answers. `docs/REST.md` says what it means."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from exchange.analysis import Channel, Condition
from exchange.candles import SPANS
from exchange.messages import Kind, Peg, PostOnly, SelfTrade, Side, TimeInForce
from exchange.money import UNITS_MAX
from gateway.alerts.reading import COOL_DOWN_MAX_MS
from gateway.analytics import native as analytics
from gateway.analytics.views import METHODS
from gateway.native import routes as native
from gateway.native.orders import TIMEOUT_MAX_MS
from gateway.openapi.schemas import (
    DECIMAL,
    FLAG,
    PROBLEM,
    SYMBOL,
    TEXT,
    Operation,
    Schema,
    bounded,
    count,
    either,
    record,
    said,
    words,
)
from gateway.parameters import SPAN_MAX
from gateway.shown import Answer, GroupAnswer, Span

PREFIX: Final = "/api/native"
_SEEN: Final = (400, 401, 403, 404, 422, 429, 503)
_ASKED: Final = (*_SEEN, 409, 413, 504)
"""The statuses of what only looks, and of what asks something of the market."""
_REQUEST_ID: Final[Schema] = {"type": "string", "pattern": "^[!-~]{1,64}$"}
_BEFORE: Final = bounded(1, UNITS_MAX)

TERMS: Final[dict[str, Schema]] = {
    "kind": words(get_args(Kind), "limit"),
    "price": said(
        DECIMAL, "A multiple of the tick. Of other kinds than limit and stop-limit: beyond it the order never trades."
    ),
    "time_in_force": words(get_args(TimeInForce)),
    "expires_ms": said(bounded(1), "With GTD: when the order expires, in milliseconds since the epoch."),
    "stop": said(DECIMAL, "A trade at this price or beyond sets the order off."),
    "trail": said(DECIMAL, "How far the stop stays behind the last price."),
    "peg": words(get_args(Peg)),
    "offset": said(DECIMAL, "How far from the price that the order follows."),
    "display": said(DECIMAL, "How much is seen at a time, of an iceberg."),
    "post_only": words(get_args(PostOnly)),
    "min_quantity": said(DECIMAL, "What must trade at once, or nothing does."),
    "all_or_none": FLAG,
    "self_trade": words(get_args(SelfTrade), "none"),
    "request_id": said(_REQUEST_ID, "Your own id for the request: sent again under it, it has its effect once."),
}
_PLACED: Final[dict[str, Schema]] = {
    "symbol": SYMBOL,
    "side": words(get_args(Side)),
    "quantity": said(DECIMAL, "A multiple of the lot."),
}
_LEG: Final = record(TERMS, TERMS)


def _group(*legs: str) -> Schema:
    shared = {**_PLACED, **dict.fromkeys(legs, _LEG), "request_id": TERMS["request_id"]}
    return record(shared, ("request_id",))


_ALERT: Final = record(
    {
        "symbol": TEXT,
        "condition": msgspec.json.schema_components([Condition], ref_template="#/components/schemas/{name}")[0][0],
        "channels": {"type": "array", "items": words(get_args(Channel)), "minItems": 1, "uniqueItems": True},
        "email": TEXT,
        "webhook": TEXT,
        "cool_down_ms": bounded(0, COOL_DOWN_MAX_MS),
    },
    ("symbol", "email", "webhook", "cool_down_ms"),
)
_AMENDMENT: Final = {name: TERMS[name] for name in ("price", "stop", "request_id")} | {
    "quantity": said(DECIMAL, "What is filled counts.")
}
_METHOD: Final = words(METHODS)
_SPAN: Final = said(
    either(words(SPANS), bounded(0, SPAN_MAX)), "A span of bars by its name, or in milliseconds; 0: bars as they come."
)


def _sees(errors: tuple[int, ...] = _SEEN, **of: Any) -> Operation:
    return Operation(tag="Openbell", security="key", errors=dict.fromkeys(errors, PROBLEM), **of)


def _asks(body: Schema | None = None, **of: Any) -> Operation:
    errors = _ASKED if body is None else (*_ASKED, 415)
    return _sees(errors, body=body, **{"answer": Answer, **of})


def _limit(bounds: tuple[int, int], **others: Schema) -> Operation:
    return _sees(query={"limit": count(bounds), **others})


_OPERATIONS: Final[dict[str, Operation]] = {
    "GET /instruments": _sees(),
    "GET /markets": _sees(),
    "GET /markets/{symbol}": _sees(),
    "GET /depth/{symbol}": _sees(query={"levels": count(native.LEVELS)}),
    "GET /trades/{symbol}": _limit(native.TRADES, before=said(_BEFORE, "Only trades with a smaller `seq`.")),
    "GET /candles/{symbol}": _limit(
        native.CANDLES, span=words(get_args(Span)), end_ms=said(_BEFORE, "Only candles that begin before.")
    ),
    "GET /balances": _sees(),
    "GET /status": _sees(),
    "GET /market": _sees(),
    "GET /leaders": _limit(analytics.LEADERS, method=_METHOD),
    "GET /markets/{symbol}/summary": _sees(),
    "GET /markets/{symbol}/series": _sees(),
    "GET /markets/{symbol}/indicators": _limit(
        analytics.INDICATORS,
        source={"type": "string", "minLength": 1, "maxLength": analytics.SOURCE_MAX, "default": "@trades"},
        span=_SPAN,
        end_ms=said(_BEFORE, "Only bars that begin before."),
    ),
    "GET /markets/{symbol}/averages": _limit(analytics.WINDOWS, method=_METHOD),
    "GET /markets/{symbol}/profits": _limit(analytics.WINDOWS, method=_METHOD),
    "GET /markets/{symbol}/signals": _limit(analytics.SIGNALS),
    "GET /markets/{symbol}/scores": _sees(),
    "GET /markets/{symbol}/late": _limit(analytics.LATE),
    "GET /inbox": _limit(analytics.ALERTS),
    "GET /alerts": _sees(),
    "PUT /alerts/{name}": _sees((*_ASKED, 415), body=_ALERT),
    "DELETE /alerts/{name}": _sees(_ASKED),
    "GET /orders": _sees(),
    "POST /orders": _asks(record({**_PLACED, **TERMS}, TERMS), status=201),
    "POST /orders/oco": _asks(_group("first", "second"), status=201, answer=GroupAnswer),
    "POST /orders/bracket": _asks(_group("entry", "take_profit", "stop_loss"), status=201, answer=GroupAnswer),
    "DELETE /orders": _asks(query={"symbol": said(SYMBOL, "Only orders of it.")}),
    "GET /orders/{order_id}": _sees(),
    "PATCH /orders/{order_id}": _asks(record(_AMENDMENT, _AMENDMENT)),
    "DELETE /orders/{order_id}": _asks(),
    "PUT /dead-man": _asks(record({"timeout_ms": bounded(0, TIMEOUT_MAX_MS)})),
    "GET /requests/{request_id}": _sees(),
}
OPERATIONS: Final = {key.replace(" ", f" {PREFIX}", 1): operation for key, operation in _OPERATIONS.items()}
PATH: Final[dict[str, Schema]] = {
    "symbol": SYMBOL,
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    "order_id": bounded(1),
    "request_id": _REQUEST_ID,
}
"""The parameters that stand in paths."""
