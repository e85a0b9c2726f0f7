"""Orders by the Binance-shaped API: what is answered agrees with the market, whatever is asked, late or sent again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from exchange.messages import SetPhase
from gateway.binance.callers import caller_of
from gateway.binance.orders import place, prepare, put
from gateway.binance.signing import sign
from gateway.identity.principal import Principal
from gateway.ports import UnknownOutcome
from gateway.views import RedisViews
from tests.binance.trading_desk import LIMIT, MARKET, SYMBOL, Desk, Users, desk, told
from tests.gateway.projected import NOW_MS


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    return Users(tmp_path_factory.mktemp("users"))


@pytest.fixture
def at(redis_url: str, venue: str, users: Users) -> Iterator[Desk]:
    with desk(redis_url, venue, users, answer_s=3.0) as running:
        yield running


def test_a_limit_order_rests_is_told_of_and_is_cancelled(at: Desk) -> None:
    placed = at.place(newClientOrderId="mine-1")
    order_id = placed["orderId"]
    assert placed == {
        "symbol": SYMBOL,
        "orderId": order_id,
        "orderListId": -1,
        "clientOrderId": "mine-1",
        "transactTime": placed["transactTime"],
        "price": "50.00",
        "origQty": "3",
        "executedQty": "0",
        "origQuoteOrderQty": "0.00000",
        "cummulativeQuoteQty": "0.00000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "workingTime": placed["workingTime"],
        "selfTradePreventionMode": "NONE",
        "fills": [],
    }
    by_id = at.get("/order", symbol=SYMBOL, orderId=order_id)
    assert by_id == at.get("/order", symbol=SYMBOL, origClientOrderId="mine-1")
    assert (by_id["status"], by_id["isWorking"], by_id["stopPrice"], by_id["icebergQty"]) == ("NEW", True, "0.00", "0")
    assert at.get("/openOrders") == at.get("/openOrders", symbol=SYMBOL) == [by_id]
    gone = at.delete("/order", symbol=SYMBOL, origClientOrderId="mine-1", newClientOrderId="away")
    assert (gone["status"], gone["origClientOrderId"], gone["clientOrderId"]) == ("CANCELED", "mine-1", "away")
    assert gone == at.delete("/order", symbol=SYMBOL, origClientOrderId="mine-1", newClientOrderId="away")
    assert at.refused("DELETE", "/order", symbol=SYMBOL, orderId=order_id) == (-2011, "Unknown order sent.")
    assert at.get("/openOrders") == []
    assert [order["status"] for order in at.get("/allOrders", symbol=SYMBOL)] == ["CANCELED"]


def test_a_market_order_tells_its_fills_and_they_are_the_accounts_trades(at: Desk) -> None:
    placed = at.post("/order", **{**MARKET, "quantity": "150"})
    assert (placed["status"], placed["executedQty"], placed["price"], placed["type"]) == (
        "FILLED",
        "150",
        "0.00",
        "MARKET",
    )
    assert [(fill["price"], fill["qty"], fill["commissionAsset"]) for fill in placed["fills"]] == [
        ("101.00", "100", "USD"),
        ("102.00", "50", "USD"),
    ]
    assert Decimal(placed["cummulativeQuoteQty"]) == 100 * 101 + 50 * 102
    trades = at.get("/myTrades", symbol=SYMBOL)
    assert [(trade["id"], trade["price"], trade["qty"], trade["isBuyer"], trade["isMaker"]) for trade in trades] == [
        (fill["tradeId"], fill["price"], fill["qty"], True, False) for fill in placed["fills"]
    ]
    assert at.get("/myTrades", symbol=SYMBOL, orderId=placed["orderId"]) == trades
    assert at.get("/myTrades", symbol=SYMBOL, orderId=placed["orderId"] + 16) == []
    assert at.get("/myTrades", symbol=SYMBOL, fromId=trades[1]["id"]) == trades[1:]
    assert at.get("/myTrades", symbol=SYMBOL, limit=1) == trades[1:]
    assert at.get("/myTrades", symbol=SYMBOL, limit=1, startTime=0) == trades[:1]
    assert at.get("/myTrades", symbol=SYMBOL, startTime=trades[1]["time"] + 1) == []
    assert at.get("/myTrades", symbol="COINUSD") == []


def test_an_amount_buys_as_much_as_it_is_enough_for(at: Desk) -> None:
    cases = [
        ("BUY", "505", "5"),
        ("BUY", "605.99", "5"),
        ("BUY", "10211.99", "100"),
        ("BUY", "10212", "90"),
        ("SELL", "198.5", "2"),
    ]
    for number, (side, amount, quantity) in enumerate(cases):
        client_id = f"worth-{number}"
        asked = {
            "symbol": SYMBOL,
            "side": side,
            "type": "MARKET",
            "quoteOrderQty": amount,
            "newClientOrderId": client_id,
        }
        placed = at.post("/order", **asked)
        assert (placed["executedQty"], placed["origQuoteOrderQty"], placed["status"]) == (quantity, amount, "FILLED")
        assert Decimal(placed["cummulativeQuoteQty"]) <= Decimal(amount)
        again = at.post("/order", **asked)
        assert (again["orderId"], again["fills"]) == (placed["orderId"], placed["fills"])
    empty = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET"}
    assert at.refused("POST", "/order", **empty, quoteOrderQty="1") == (
        -2010,
        "Order book liquidity is less than symbol minimum quantity.",
    )
    assert at.refused("POST", "/order", **empty, quantity="1") == (-1112, "No orders on book for symbol.")
    assert at.refused("POST", "/order", **{**empty, "side": "SELL"}, quoteOrderQty="98") == (
        -1013,
        "Filter failure: MARKET_LOT_SIZE",
    )


def test_all_the_money_buys_though_the_last_lot_would_be_dearer(at: Desk) -> None:
    with at.floor.lock:
        at.floor.projected.fund("house", USD=1_020_200_000)  # 10202.00, and 101 lots at up to 102.00 reserve 10302.00
        at.floor.projected.project(publish=True)
    everything = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quoteOrderQty": "10202"}
    bought = told(at.send("POST", "/order", everything, "broker"))
    assert (bought["executedQty"], Decimal(bought["cummulativeQuoteQty"])) == ("100", Decimal(10_100))
    more = at.send("POST", "/order", everything, "broker").json()
    assert more == {"code": -2010, "msg": "Account has insufficient balance for requested action."}


def test_the_forms_of_answers_differ_and_each_type_has_its_own(at: Desk) -> None:
    ack = {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert set(at.place(newOrderRespType="ACK")) == ack
    assert "fills" not in at.place(newOrderRespType="RESULT")
    assert "fills" in at.place(newOrderRespType="FULL")
    assert set(at.place(type="LIMIT_MAKER", timeInForce=None)) == ack
    stop = at.place(type="STOP_LOSS", timeInForce=None, price=None, stopPrice="150.00", newOrderRespType="RESULT")
    assert (stop["type"], stop["stopPrice"], stop["price"], stop["workingTime"]) == ("STOP_LOSS", "150.00", "0.00", -1)
    limit = at.place(type="STOP_LOSS_LIMIT", stopPrice="150.00", price="151", newOrderRespType="RESULT")
    assert (limit["type"], limit["stopPrice"], limit["price"]) == ("STOP_LOSS_LIMIT", "150.00", "151.00")
    assert at.get("/order", symbol=SYMBOL, orderId=limit["orderId"])["isWorking"] is False
    iceberg = at.place(icebergQty="1", newOrderRespType="RESULT")
    assert iceberg["icebergQty"] == "1"


def test_what_may_not_rest_expires(at: Desk) -> None:
    for force, quantity, status, executed in (
        ("FOK", "150", "EXPIRED", "0"),
        ("FOK", "40", "FILLED", "40"),
        ("IOC", "150", "EXPIRED", "60"),
    ):
        placed = at.place(timeInForce=force, quantity=quantity, price="101")
        assert (placed["status"], placed["executedQty"], placed["timeInForce"]) == (status, executed, force)
        assert sum(Decimal(fill["qty"]) for fill in placed["fills"]) == Decimal(executed)


def test_an_account_does_not_trade_with_itself_if_it_says_so(at: Desk) -> None:
    for mode, taker, maker in (
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
    ):
        rests = at.place(side="SELL", price="100.00")
        comes = at.place(price="100.00", selfTradePreventionMode=mode)
        assert (comes["status"], comes["selfTradePreventionMode"]) == (taker, mode)
        assert at.get("/order", symbol=SYMBOL, orderId=rests["orderId"])["status"] == maker
        at.delete("/openOrders", symbol=SYMBOL) if mode == "EXPIRE_TAKER" else None
    assert at.get("/myTrades", symbol=SYMBOL) == []


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"symbol": "NONE"}, -1121, "Invalid symbol."),
    ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
    ({"side": "HOLD"}, -1117, "Invalid side."),
    ({"type": "PEGGED"}, -1116, "Invalid orderType."),
    ({"type": "TAKE_PROFIT", "stopPrice": "1"}, -1013, "Take profit orders are not supported for this symbol."),
    (
        {"type": "TAKE_PROFIT_LIMIT", "stopPrice": "1"},
        -1013,
        "Take profit limit orders are not supported for this symbol.",
    ),
    (
        {"type": "STOP_LOSS_LIMIT", "trailingDelta": "10"},
        -1013,
        "Trailing stop orders are not supported for this symbol.",
    ),
    ({"type": "STOP_LOSS_LIMIT", "stopPrice": "150", "timeInForce": "IOC"}, -1014, "Unsupported order combination."),
    ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
    ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed."),
    ({"type": "LIMIT_MAKER"}, -1106, "Parameter 'timeInForce' sent when not required."),
    ({"type": "MARKET", "timeInForce": None}, -1106, "Parameter 'price' sent when not required."),
    ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
    (
        {"type": "MARKET", "timeInForce": None, "price": None, "quantity": None},
        -1102,
        "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
    ),
    (
        {"price": "1e2"},
        -1100,
        r"Illegal characters found in parameter 'price'; legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'.",
    ),
    (
        {"price": "-1"},
        -1100,
        r"Illegal characters found in parameter 'price'; legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'.",
    ),
    ({"price": "50.005"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "0"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "50.000000001"}, -1111, "Parameter 'price' has too much precision."),
    ({"quantity": "1.5"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.000"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "1000000000000", "price": "10000000000"}, -1013, "Filter failure: NOTIONAL"),
    ({"quantity": "100000", "price": "5000"}, -2010, "Account has insufficient balance for requested action."),
    ({"side": "SELL", "quantity": "10001"}, -2010, "Account has insufficient balance for requested action."),
    ({"type": "LIMIT_MAKER", "timeInForce": None, "price": "101"}, -2010, "Order would immediately match and take."),
    ({"icebergQty": "4"}, -2010, "IcebergQty exceeds QTY."),
    ({"icebergQty": "1", "quantity": "2000"}, -1013, "Filter failure: ICEBERG_PARTS"),
    ({"icebergQty": "1", "timeInForce": "FOK"}, -1014, "Unsupported order combination."),
    ({"strategyType": "1"}, -1134, "strategyType was less than 1000000."),
    ({"newOrderRespType": "ALL"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
    ({"selfTradePreventionMode": "MAYBE"}, -1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
    (
        {"newClientOrderId": "a b"},
        -1100,
        r"Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\.A-Z\:/a-z0-9_-]{1,36}$'.",
    ),
    ({"newClientOrderId": ""}, -1105, "Parameter 'newClientOrderId' was empty."),
    ({"colour": "red"}, -1104, "Not all sent parameters were read; read '6' parameter(s) but was sent '7'."),
]


def test_whatever_is_wrong_with_an_order_is_said_in_binances_words_and_has_no_effect(at: Desk) -> None:
    before = at.balances()
    for changed, code, text in WRONG:
        asked = {name: value for name, value in (LIMIT | changed).items() if value is not None}
        assert at.refused("POST", "/order", **asked) == (code, text), changed
        if code != -2010 or "Iceberg" in text:  # what only the market knows, no test of an order can say
            assert at.refused("POST", "/order/test", **asked) == (code, text), changed
    assert (at.get("/openOrders"), at.balances()) == ([], before)


def test_a_stop_that_the_last_trade_has_reached_is_refused_but_not_one_that_is_sent_again(at: Desk) -> None:
    stop = {"type": "STOP_LOSS", "timeInForce": None, "price": None, "stopPrice": "101.00", "newClientOrderId": "s"}
    placed = at.place(**stop)
    at.post("/order", **MARKET)
    triggered = at.place(**stop, newOrderRespType="RESULT")
    assert (triggered["orderId"], triggered["status"]) == (placed["orderId"], "FILLED")
    stop["newClientOrderId"] = "t"
    asked = {name: value for name, value in (LIMIT | stop).items() if value is not None}
    assert at.refused("POST", "/order", **asked) == (-2010, "Order would trigger immediately.")


def test_an_order_sent_again_under_its_id_is_not_placed_twice_and_another_one_is_refused(at: Desk) -> None:
    first = at.place(newClientOrderId="r")
    assert at.place(newClientOrderId="r") == first
    at.floor.order("sell", 5_000, 203)  # all that is bid for above, too
    assert (at.place(newClientOrderId="r")["status"], len(at.get("/allOrders", symbol=SYMBOL))) == ("FILLED", 1)
    for change in (
        {"quantity": "4"},
        {"price": "49.00"},
        {"side": "SELL"},
        {"timeInForce": "IOC"},
        {"symbol": "COINUSD"},
    ):
        asked = {**LIMIT, **change, "newClientOrderId": "r"}
        assert at.refused("POST", "/order", **asked) == (-2010, "Duplicate order sent."), change
    assert len(at.get("/allOrders", symbol=SYMBOL)) == 1


def test_an_order_sent_many_times_at_once_is_placed_once(at: Desk) -> None:
    services = at.client.app.dependencies["services"].dependency()
    caller = caller_of(services, Principal(user="demo", role="trader", account="demo"))

    async def scenario() -> list[Any]:
        asked = [{**MARKET, "newClientOrderId": "m", "quantity": str(3 + (number % 4 == 3))} for number in range(16)]
        return await asyncio.gather(*(place(caller, each) for each in asked), return_exceptions=True)

    answers = at.client.blocking_portal.call(scenario)
    taken = [answer for answer in answers if not isinstance(answer, BaseException)]
    refusals = [str(answer) for answer in answers if isinstance(answer, BaseException)]
    first = taken[0]["origQty"]  # of either, whichever came first
    assert (len(taken), set(refusals)) == ({"3": 12, "4": 4}[first], {"-2010: Duplicate order sent."})
    assert len({answer["orderId"] for answer in taken}) == 1
    assert [trade["qty"] for trade in at.get("/myTrades", symbol=SYMBOL)] == [first]


def test_parameters_may_be_in_the_query_the_body_or_both(at: Desk) -> None:
    assert told(at.send("POST", "/order", LIMIT))["status"] == "NEW"
    placed = told(at.send("POST", "/order", LIMIT, in_body=True))
    named = {"symbol": SYMBOL, "orderId": placed["orderId"]}
    assert told(at.send("DELETE", "/order", named, in_body=True))["status"] == "CANCELED"
    key, secret = at.keys["demo"]
    query, body = "symbol=AAPLUSD&side=BUY&type=LIMIT", f"timeInForce=GTC&quantity=1&price=50&timestamp={NOW_MS}"
    signature = sign(secret.encode(), (query + body).encode())
    url, sent = f"/api/v3/order?{query}", f"{body}&signature={signature}"
    assert told(at.client.post(url, content=sent, headers={"X-MBX-APIKEY": key}))["origQty"] == "1"
    assert (
        at.client.post(url + "&" + body, content=f"signature={signature}", headers={"X-MBX-APIKEY": key}).json()["code"]
        == -1022
    )


def test_a_market_order_is_known_again_however_the_book_has_moved(at: Desk) -> None:
    first = at.post("/order", **MARKET, newClientOrderId="m")
    at.floor.order("sell", 9_000, 50)  # trades with the bids, so that another protection price would be found now
    again = at.post("/order", **MARKET, newClientOrderId="m")
    assert (again["orderId"], again["fills"]) == (first["orderId"], first["fills"])


def test_what_the_market_does_not_answer_in_time_is_unknown_and_asking_by_id_settles_it(at: Desk) -> None:
    at.commands.shown = False
    response = at.send("POST", "/order", {**LIMIT, "newClientOrderId": "late"})
    assert (response.status_code, response.json()["code"]) == (504, -1007)
    assert at.refused("GET", "/order", symbol=SYMBOL, origClientOrderId="late") == (-2013, "Order does not exist.")
    at.floor.projected.project(publish=True)
    assert at.get("/order", symbol=SYMBOL, origClientOrderId="late")["status"] == "NEW"
    at.commands.shown = True
    assert at.place(newClientOrderId="late")["status"] == "NEW"
    assert len(at.get("/openOrders")) == 1


def test_what_is_not_written_has_no_effect_and_may_be_sent_again(at: Desk) -> None:
    at.commands.up = False
    response = at.send("POST", "/order", LIMIT)
    assert (response.status_code, response.json()["code"], response.headers["Retry-After"]) == (503, -1008, "1")
    at.commands.up = True
    assert at.get("/openOrders") == []


def test_what_was_done_and_cannot_be_read_is_not_told_as_if_it_had_no_effect(at: Desk) -> None:
    services = at.client.app.dependencies["services"].dependency()
    trader = Principal(user="demo", role="trader", account="demo")
    blind = dataclasses.replace(services, views=RedisViews("redis://127.0.0.1:1", "none"))

    async def scenario() -> None:
        terms, order = await prepare(caller_of(services, trader), {**MARKET, "newClientOrderId": "blind"})
        with pytest.raises(UnknownOutcome):
            await put(caller_of(blind, trader), terms, order)

    at.client.blocking_portal.call(scenario)
    assert at.get("/order", symbol=SYMBOL, origClientOrderId="blind")["status"] == "FILLED"


def test_nothing_trades_while_the_market_is_closed(at: Desk) -> None:
    at.floor.projected.operate(SYMBOL, SetPhase, phase="closed")
    at.floor.projected.project(publish=True)
    assert at.refused("POST", "/order", **LIMIT) == (-2010, "Market is closed.")


def test_all_open_orders_of_a_symbol_go_at_once(at: Desk) -> None:
    ids = [at.place(price=str(price))["orderId"] for price in (50, 51, 52)]
    other = at.place(symbol="COINUSD", quantity="1", price="5")["orderId"]
    gone = at.delete("/openOrders", symbol=SYMBOL)
    assert [(order["orderId"], order["status"]) for order in gone] == [(each, "CANCELED") for each in ids]
    assert [order["orderId"] for order in at.get("/openOrders")] == [other]
    assert at.refused("DELETE", "/openOrders", symbol=SYMBOL) == (-2011, "Unknown order sent.")


def test_orders_are_listed_from_an_id_a_time_or_the_last_ones(at: Desk) -> None:
    ids = [at.place(price=str(price))["orderId"] for price in (50, 51, 52)]
    at.delete("/order", symbol=SYMBOL, orderId=ids[1])

    def listed(**params: Any) -> list[int]:
        return [order["orderId"] for order in at.get("/allOrders", symbol=SYMBOL, **params)]

    assert listed() == ids
    assert listed(limit=2) == ids[1:]
    assert listed(orderId=ids[1]) == ids[1:]
    assert listed(orderId=ids[0], limit=1) == ids[:1]
    placed = at.get("/order", symbol=SYMBOL, orderId=ids[0])["time"]
    assert (listed(startTime=placed, limit=1), listed(startTime=placed + 1)) == (ids[:1], [])
    assert at.refused("GET", "/allOrders", symbol=SYMBOL, startTime=0, endTime=86_400_001)[0] == -1127
    assert at.refused("GET", "/allOrders", symbol="NONE") == (-1121, "Invalid symbol.")


def test_an_order_that_is_not_there_does_not_exist(at: Desk) -> None:
    for named, code in (
        ({}, -1102),
        ({"orderId": "7"}, -2013),
        ({"origClientOrderId": "none"}, -2013),
        ({"orderId": "x"}, -1100),
    ):
        assert at.refused("GET", "/order", symbol=SYMBOL, **named)[0] == code
        assert at.refused("DELETE", "/order", symbol=SYMBOL, **named)[0] == (-2011 if code == -2013 else code)


def test_an_order_is_only_cancelled_by_its_own_symbol_and_ids_and_in_the_state_that_was_said(at: Desk) -> None:
    order_id = at.place(newClientOrderId="mine")["orderId"]
    unknown, restricted = (-2011, "Unknown order sent."), (-2011, "Order was not canceled due to cancel restrictions.")
    assert at.refused("DELETE", "/order", symbol="COINUSD", orderId=order_id) == unknown
    assert at.refused("GET", "/order", symbol="COINUSD", orderId=order_id)[0] == -2013
    assert at.refused("DELETE", "/order", symbol=SYMBOL, orderId=order_id, origClientOrderId="other") == unknown
    at.floor.order("sell", 5_000, 201)  # all that is bid for above, too
    partly = {"symbol": SYMBOL, "orderId": order_id}
    assert at.get("/order", **partly)["status"] == "PARTIALLY_FILLED"
    assert at.refused("DELETE", "/order", **partly, cancelRestrictions="ONLY_NEW") == restricted
    assert at.refused("DELETE", "/order", **partly, cancelRestrictions="NEVER")[0] == -1145
    assert at.delete("/order", **partly, cancelRestrictions="ONLY_PARTIALLY_FILLED")["executedQty"] == "1"
