"""Who may ask for what by a signed request, and what is told of an account."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from exchange.messages import FeeTier, SetFees
from exchange.topics import ACCOUNT_INBOX
from gateway.binance.signed import ROUTES
from gateway.binance.signing import sign
from gateway.limiting.local import LocalLimits
from gateway.limiting.settings import LimitSettings
from tests.binance.trading_desk import LIMIT, MARKET, SYMBOL, Desk, Users, desk, told
from tests.gateway.projected import NOW_MS, SHARDS

FORBIDDEN = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    return Users(tmp_path_factory.mktemp("users"))


@pytest.fixture
def at(redis_url: str, venue: str, users: Users) -> Iterator[Desk]:
    with desk(redis_url, venue, users, answer_s=3.0) as running:
        yield running


def test_each_route_lets_in_only_whose_key_may_do_what_it_needs(at: Desk) -> None:
    for route in ROUTES:
        for who, trades in (("reader", False), ("viewer", False), ("demo", True)):
            response = at.send(route.method, route.path, {"colour": "red"}, who)
            got = (response.status_code, response.json()) == FORBIDDEN
            assert got == (route.needs == "trade" and not trades), (route, who)
            assert got or response.json()["code"] in (-1104, -1101), response.text
        response = at.send(route.method, route.path, {}, "boxed")
        assert (response.status_code, response.json()) == FORBIDDEN
    assert at.commands.written == []


def test_a_request_is_refused_that_is_not_signed_by_a_key_that_holds(at: Desk) -> None:
    payload = f"timestamp={NOW_MS}"
    key, secret = at.keys["demo"]
    right = sign(secret.encode(), payload.encode())

    def answered(query: str, **headers: str) -> tuple[int, int]:
        response = at.client.get(f"/api/v3/account?{query}", headers=headers)
        return response.status_code, response.json().get("code", 0)

    signed = {"X-MBX-APIKEY": key}
    assert answered(f"{payload}&signature={right}", **signed) == (200, 0)
    assert answered(f"{payload}&signature={right}") == (401, -2014)
    assert answered(f"{payload}&signature={right}", **{"X-MBX-APIKEY": "a key"}) == (401, -2014)
    assert answered(f"{payload}&signature={right}", **{"X-MBX-APIKEY": "x" * 64}) == (401, -2015)
    assert answered(f"{payload}&signature={right}", **{"X-MBX-APIKEY": at.keys["bob"][0]}) == (400, -1022)
    assert answered(f"{payload}&signature={'0' * 64}", **signed) == (400, -1022)
    assert answered(payload, **signed) == (400, -1102)
    old = f"timestamp={NOW_MS - 5_001}"
    assert answered(f"{old}&signature={sign(secret.encode(), old.encode())}", **signed) == (400, -1021)


def test_an_account_is_seen_and_traded_only_by_who_may_use_it(at: Desk) -> None:
    order_id = at.place(newClientOrderId="mine")["orderId"]
    named = {"symbol": SYMBOL, "orderId": order_id}
    for who in ("bob", "broker"):  # each for an account of their own
        assert at.send("GET", "/order", named, who).json()["code"] == -2013
        assert at.send("DELETE", "/order", named, who).json()["code"] == -2011
        assert at.send("DELETE", "/order", {"symbol": SYMBOL, "origClientOrderId": "mine"}, who).json()["code"] == -2011
        for path in ("/openOrders", "/allOrders", "/myTrades"):
            assert told(at.send("GET", path, {"symbol": SYMBOL}, who)) == []
    response = at.send("GET", "/order", named, "bob", account="demo")
    assert (response.status_code, response.json()) == FORBIDDEN
    assert at.send("GET", "/account", {}, "broker", account="bob").json()["code"] == -2015
    assert told(at.send("GET", "/order", named, "broker", account="demo"))["clientOrderId"] == "mine"
    assert told(at.send("DELETE", "/order", named, "broker", account="demo"))["status"] == "CANCELED"


def test_the_account_tells_balances_and_what_its_trades_paid(at: Desk) -> None:
    before = at.get("/account")
    assert before["commissionRates"]["taker"] == "0.000000"
    assert {"canTrade": True, "accountType": "SPOT", "permissions": ["SPOT"]}.items() <= before.items()
    assert told(at.send("GET", "/account", {}, "viewer"))["canTrade"] is False
    assert told(at.send("GET", "/account", {}, "bob"))["uid"] != before["uid"]
    for shard in map(str, range(SHARDS)):
        fees = SetFees(key=shard, symbol=SYMBOL, tiers=[FeeTier(maker=-250, taker=1_000)])
        at.floor.projected.venue.write(ACCOUNT_INBOX, shard, [fees])
    taken = at.post("/order", **MARKET)
    assert [(fill["commission"], fill["commissionAsset"]) for fill in taken["fills"]] == [("0.30300", "USD")]
    at.place(price="100.00")
    at.floor.order("sell", 10_000, 3, account="bob")
    after = at.get("/account", omitZeroBalances="true")
    assert after["commissionRates"] == {
        "maker": "-0.000250",
        "taker": "0.001000",
        "buyer": "0.000000",
        "seller": "0.000000",
    }
    assert (after["makerCommission"], after["takerCommission"]) == (-2, 10)
    standard = at.get("/account/commission", symbol=SYMBOL)["standardCommission"]
    assert (standard["maker"], standard["taker"]) == ("-0.000250", "0.001000")
    tested = at.post("/order/test", **LIMIT, computeCommissionRates="true")
    assert tested["standardCommissionForOrder"] == {"maker": "-0.000250", "taker": "0.001000"}
    assert at.post("/order/test", **LIMIT) == {}
    spent = Decimal(3) * 101 + Decimal("0.30300") + 300 - Decimal("0.07500")
    old, new = ({each["asset"]: Decimal(each["free"]) for each in shown["balances"]} for shown in (before, after))
    assert (old["USD"] - new["USD"], new["AAPL"] - old["AAPL"]) == (spent, 6)


def test_an_order_replaces_another_and_each_step_has_its_own_result(at: Desk) -> None:
    def replace(mode: str, **changed: object) -> tuple[int, dict[str, object]]:
        response = at.send(
            "POST", "/order/cancelReplace", {**LIMIT, "cancelReplaceMode": mode, **changed}, in_body=True
        )
        return response.status_code, response.json()

    first = at.place(newClientOrderId="first")
    status, both = replace("STOP_ON_FAILURE", cancelOrderId=first["orderId"], price="51", newClientOrderId="second")
    assert (status, both["cancelResult"], both["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
    assert (both["cancelResponse"]["status"], both["newOrderResponse"]["status"]) == ("CANCELED", "NEW")  # type: ignore[index]

    status, stopped = replace("STOP_ON_FAILURE", cancelOrigClientOrderId="first")
    assert (status, stopped["code"], stopped["msg"]) == (400, -2022, "Order cancel-replace failed.")
    assert stopped["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
        "newOrderResponse": None,
    }
    status, placed = replace("ALLOW_FAILURE", cancelOrigClientOrderId="first", price="52")
    data = placed["data"]
    assert (status, placed["code"], data["cancelResult"], data["newOrderResult"]) == (409, -2021, "FAILURE", "SUCCESS")  # type: ignore[index]

    dear = {"cancelOrigClientOrderId": "second", "quantity": "100000", "price": "5000"}
    status, poor = replace("STOP_ON_FAILURE", **dear)
    assert (status, poor["code"], poor["data"]["newOrderResponse"]["code"]) == (409, -2021, -2010)  # type: ignore[index]
    status, neither = replace("ALLOW_FAILURE", **dear)
    assert (status, neither["code"]) == (400, -2022)
    assert [order["price"] for order in at.get("/openOrders")] == ["52.00"]
    written = len(at.commands.written)
    assert replace("STOP_ON_FAILURE", cancelOrigClientOrderId="x", price="1.001")[1]["code"] == -1013
    assert replace("SOMETIMES", cancelOrigClientOrderId="x")[1]["code"] == -1130
    assert replace("STOP_ON_FAILURE")[1]["code"] == -1102
    assert len(at.commands.written) == written


def test_placed_orders_are_counted_of_those_that_the_account_may_place(
    redis_url: str, venue: str, users: Users
) -> None:
    limits = LocalLimits(now_s=lambda: NOW_MS / 1_000)
    with desk(redis_url, venue, users, counted_by=limits, limits=LimitSettings(orders_10s=3)) as at:
        at.place()
        at.post("/orderList/oco", **PAIR)
        at.post("/order/test", **LIMIT)
        told(at.send("POST", "/order", LIMIT, "bob"))
        counts = [(row["interval"], row["limit"], row["count"]) for row in at.get("/rateLimit/order")]
        assert counts == [("SECOND", 3, 3), ("DAY", LimitSettings().orders_1d, 3)]
        response = at.send("POST", "/order", LIMIT)
        assert (response.status_code, response.json()["code"]) == (429, -1015)
        assert int(response.headers["Retry-After"]) > 0
        assert len(at.get("/openOrders")) == 3


PAIR = {
    "symbol": SYMBOL,
    "side": "SELL",
    "quantity": "3",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "150.00",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "60.00",
    "belowPrice": "59.00",
    "belowTimeInForce": "GTC",
}
OLD_PAIR = {"symbol": SYMBOL, "side": "BUY", "quantity": "3", "price": "60.00", "stopPrice": "150.00"}


def test_of_a_pair_of_orders_one_cancels_the_other(at: Desk) -> None:
    at.post("/order", **MARKET)  # so that there is a last price
    placed = at.post("/orderList/oco", **PAIR, listClientOrderId="pair")
    above, below = placed["orderReports"]
    number = placed["orderListId"]
    assert (above["type"], above["price"], below["type"], below["stopPrice"]) == (
        "LIMIT_MAKER",
        "150.00",
        "STOP_LOSS_LIMIT",
        "60.00",
    )
    assert {above["orderListId"], below["orderListId"], above["orderId"]} == {number}
    assert (placed["contingencyType"], placed["listOrderStatus"], placed["listClientOrderId"]) == (
        "OCO",
        "EXECUTING",
        "pair",
    )
    assert at.post("/orderList/oco", **PAIR, listClientOrderId="pair")["orderListId"] == number
    shown = at.get("/orderList", orderListId=number)
    assert shown == at.get("/orderList", origClientOrderId="pair")
    assert [order["orderId"] for order in shown["orders"]] == [above["orderId"], below["orderId"]]
    assert at.get("/openOrderList") == at.get("/allOrderList", fromId=number) == [shown]
    assert at.get("/allOrderList", fromId=number + 1) == []
    at.floor.order("buy", 15_000, 203)  # all that is asked for below, too
    statuses = {order["orderId"]: order["status"] for order in at.get("/allOrders", symbol=SYMBOL)}
    assert (statuses[above["orderId"]], statuses[below["orderId"]]) == ("FILLED", "EXPIRED")
    assert at.get("/orderList", orderListId=number)["listOrderStatus"] == "ALL_DONE"
    assert at.get("/openOrderList") == []
    assert at.refused("DELETE", "/orderList", symbol=SYMBOL, orderListId=number) == (-2011, "Unknown order sent.")


def test_a_pair_said_in_the_old_way_is_cancelled_together(at: Desk) -> None:
    placed = at.post("/order/oco", **OLD_PAIR, limitClientOrderId="limit", stopClientOrderId="stop")
    types = {report["clientOrderId"]: report["type"] for report in placed["orderReports"]}
    assert types == {"limit": "LIMIT_MAKER", "stop": "STOP_LOSS"}
    gone = at.delete("/orderList", symbol=SYMBOL, orderListId=placed["orderListId"])
    assert (gone["listOrderStatus"], {report["status"] for report in gone["orderReports"]}) == (
        "ALL_DONE",
        {"CANCELED", "EXPIRED"},
    )
    assert at.get("/openOrders") == []


def test_what_is_wrong_with_a_pair_is_said_and_has_no_effect(at: Desk) -> None:
    at.post("/order", **MARKET)
    relation = "The relationship of the prices for the orders is not correct."
    for changed, code, text in (
        ({"abovePrice": "101.00"}, -2010, relation),
        ({"belowStopPrice": "101.00"}, -2010, relation),
        ({"side": "BUY"}, -1165, "A limit order in a buy OCO must be below."),
        (
            {"aboveType": "TAKE_PROFIT", "aboveStopPrice": "150"},
            -1013,
            "Take profit orders are not supported for this symbol.",
        ),
        ({"aboveType": "LIMIT"}, -1158, "Order type not supported in OCO."),
        ({"belowType": "STOP_LOSS"}, -1106, "Parameter 'belowPrice' sent when not required."),
        ({"belowTimeInForce": "FOK"}, -1014, "Unsupported order combination."),
        ({"belowTrailingDelta": "10"}, -1013, "Trailing stop orders are not supported for this symbol."),
        ({"quantity": "20000"}, -2010, "Account has insufficient balance for requested action."),
        ({"abovePrice": "150.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"quantity": "0"}, -1013, "Filter failure: LOT_SIZE"),
    ):
        assert at.refused("POST", "/orderList/oco", **{**PAIR, **changed}) == (code, text), changed
    two = {"belowType": "LIMIT_MAKER", "belowPrice": "50"}
    kept = {name: value for name, value in PAIR.items() if not name.startswith("below")}
    assert at.refused("POST", "/orderList/oco", **kept, **two)[0] == -1168
    assert at.refused("GET", "/orderList", orderListId="7")[0] == -2013
    assert at.get("/openOrders") == []
