"""Each route that is described answers a good request with the status and exactly the shape that are described."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.openapi.document import OPERATIONS
from tests.binance.trading_desk import Desk
from tests.gateway.projected import NOW_MS

ONE = {"symbol": "AAPLUSD"}
BOUGHT = {"symbol": "AAPLUSD", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "60.00"}
FEED = {"symbol": "AAPLUSD", "resolution": "1", "from": "0", "to": "9999999999"}
PAIR = {"symbol": "AAPLUSD", "side": "SELL", "quantity": "2", "aboveType": "LIMIT_MAKER", "abovePrice": "190.00"}
PAIR |= {"belowType": "STOP_LOSS", "belowStopPrice": "5.00"}
LEGACY = {"symbol": "AAPLUSD", "side": "SELL", "quantity": "2", "price": "190.00", "stopPrice": "5.00"}
BUY = {"symbol": "AAPLUSD", "side": "buy", "quantity": "1"}
ALERT = {"channels": ["inbox"], "condition": {"type": "PriceCrosses", "price": 101.5, "direction": "up"}}
GOOD: dict[str, list[dict[str, Any]]] = {
    "GET /api/v3/exchangeInfo": [{}, ONE, {"symbols": '["AAPLUSD","COINUSD"]'}, {"symbolStatus": "TRADING"}],
    **{
        f"GET /api/v3/{name}": [ONE, {**ONE, "limit": "2"}]
        for name in ("depth", "trades", "historicalTrades", "aggTrades")
    },
    **{f"GET /api/v3/{name}": [{**ONE, "interval": "1h"}] for name in ("klines", "uiKlines")},
    "GET /api/v3/avgPrice": [ONE],
    "GET /api/v3/ticker/24hr": [{}, ONE, {**ONE, "type": "MINI"}, {"symbols": '["COINUSD"]', "type": "MINI"}],
    "GET /api/v3/ticker": [ONE, {**ONE, "type": "MINI", "windowSize": "7d"}, {"symbols": '["COINUSD"]'}],
    "GET /api/v3/ticker/price": [{}, ONE],
    "GET /api/v3/ticker/bookTicker": [{}, ONE],
    "POST /api/v3/order": [
        *({**BOUGHT, "newOrderRespType": response} for response in ("ACK", "RESULT", "FULL")),
        {**BOUGHT, "type": "STOP_LOSS_LIMIT", "stopPrice": "900", "price": "901", "newOrderRespType": "RESULT"},
        {**ONE, "side": "SELL", "type": "MARKET", "quoteOrderQty": "150"},
    ],
    "GET /api/v3/order": [{**ONE, "origClientOrderId": "known"}],
    "DELETE /api/v3/order": [{**ONE, "origClientOrderId": "known"}],
    "POST /api/v3/order/test": [BOUGHT, {**BOUGHT, "computeCommissionRates": "true"}],
    "POST /api/v3/order/cancelReplace": [
        {**BOUGHT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "known"}
    ],
    "GET /api/v3/openOrders": [{}, ONE],
    "DELETE /api/v3/openOrders": [ONE],
    "GET /api/v3/allOrders": [ONE],
    "GET /api/v3/myTrades": [ONE],
    "GET /api/v3/account": [{}, {"omitZeroBalances": "true"}],
    "GET /api/v3/account/commission": [ONE],
    "POST /api/v3/orderList/oco": [PAIR, {**PAIR, "newOrderRespType": "FULL"}, {**PAIR, "newOrderRespType": "ACK"}],
    "POST /api/v3/order/oco": [LEGACY],
    "GET /api/v3/orderList": [{"origClientOrderId": "pair"}],
    "GET /api/v3/openOrderList": [{}],
    "GET /api/v3/allOrderList": [{}],
    "DELETE /api/v3/orderList": [{**ONE, "listClientOrderId": "pair"}],
    "GET /api/native/candles/{symbol}": [{"span": "1h", "limit": "3"}],
    "PUT /api/native/alerts/{name}": [
        ALERT,
        {**ALERT, "condition": {"type": "SignalAppears", "rule": "sma-cross(20,50)"}},
        {**ALERT, "condition": {"type": "OrderFills"}, "symbol": "AAPLUSD", "cool_down_ms": 5},
    ],
    "POST /api/native/orders": [
        {**BUY, "price": "60.00"},
        {**BUY, "kind": "market", "price": "200.00"},
        {**BUY, "kind": "trailing-stop", "trail": "2.00", "price": "400.00"},
    ],
    "POST /api/native/orders/oco": [
        {**BUY, "side": "sell", "first": {"price": "190.00"}, "second": {"kind": "stop", "stop": "5.00"}}
    ],
    "POST /api/native/orders/bracket": [
        {
            **BUY,
            "entry": {"price": "60.00"},
            "take_profit": {"price": "190.00"},
            "stop_loss": {"kind": "stop", "stop": "5.00"},
        }
    ],
    "PATCH /api/native/orders/{order_id}": [{"price": "61.00"}],
    "PUT /api/native/dead-man": [{"timeout_ms": 60_000}],
    "GET /udf/symbols": [ONE, {"symbol": "NONE"}],
    "GET /udf/search": [{"query": "aa"}, {"limit": "x"}],
    "GET /udf/history": [FEED, {**FEED, "to": "1"}, {**FEED, "countback": "3"}, {}],
    "GET /udf/marks": [FEED],
    "GET /udf/timescale_marks": [FEED],
}
UNCOMPUTED = {"GET /api/native/market", "GET /api/native/markets/{symbol}/summary"}
"""What is computed by jobs that do not run here."""

_numbers = count()


@pytest.mark.parametrize("key", sorted(OPERATIONS))
def test_a_good_request_is_answered_as_it_is_described(desk: Desk, document: dict[str, Any], key: str) -> None:
    for good in GOOD.get(key, [{}]):
        known = desk.place(newClientOrderId=f"known{next(_numbers)}", price="55.00")
        values = {"symbol": "AAPLUSD", "name": "mine", "order_id": known["orderId"], "request_id": "r1"}
        values["request_id"] = known["clientOrderId"]
        if "pair" in good.values():
            desk.post("/orderList/oco", **PAIR, listClientOrderId="pair")
        sent = {name: known["clientOrderId"] if value == "known" else value for name, value in good.items()}
        method, path = re.sub(r"\{(\w+)\}", lambda found, of=values: str(of[found[1]]), key).split()
        operation = OPERATIONS[key]
        if operation.security == "signed":
            answer = desk.send(method, path.removeprefix("/api/v3"), sent)
        elif operation.body is not None:
            check(sent, operation.body, document)
            answer = desk.client.request(method, path, json=sent)
        else:
            answer = desk.client.request(method, path, params=sent)
        wanted = 404 if key in UNCOMPUTED else operation.status
        assert answer.status_code == wanted, answer.text
        told = document["paths"][key.split()[1]][method.lower()]["responses"][str(wanted)]["content"]
        media = answer.headers["content-type"].partition(";")[0]
        assert media in told
        check(answer.json() if media == "application/json" else answer.text, told[media]["schema"], document)


def check(value: Any, schema: Any, document: dict[str, Any]) -> None:
    """Hold a value to a schema of the document."""
    whole = {**schema, "components": document["components"]}
    found = sorted(Draft202012Validator(whole).iter_errors(value), key=str)
    assert not found, found[0]


def test_the_document_is_made_of_schemas(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("key", "query", "status"),
    [
        ("GET /api/v3/depth", {"symbol": "NONE"}, 400),
        ("GET /api/native/trades/{symbol}", {"limit": "0"}, 422),
        ("GET /api/v3/account", {"timestamp": NOW_MS - 10**7}, 400),
        (
            "POST /api/v3/order/cancelReplace",
            {**BOUGHT, "cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": 10**6},
            409,
        ),
        (
            "POST /api/v3/order/cancelReplace",
            {**BOUGHT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 10**6},
            400,
        ),
    ],
)
def test_what_is_refused_has_the_shape_that_is_described(
    desk: Desk, document: dict[str, Any], key: str, query: dict[str, Any], status: int
) -> None:
    method, path = key.replace("{symbol}", "AAPLUSD").split()
    signed = OPERATIONS[key].security == "signed"
    if signed:
        answer = desk.send(method, path.removeprefix("/api/v3"), query)
    else:
        answer = desk.client.request(method, path, params=query)
    assert answer.status_code == status, answer.text
    told = document["paths"][key.split()[1]][method.lower()]["responses"][str(status)]["content"]
    check(answer.json(), told["application/json"]["schema"], document)
