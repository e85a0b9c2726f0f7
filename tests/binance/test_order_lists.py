"""Order lists by the Binance-shaped API: cancelled by whichever leg is open, safe to send again, and refused by the names that were sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.binance.trading_desk import MARKET, SYMBOL, Desk, Users, desk

PAIR = {
    "symbol": SYMBOL,
    "side": "SELL",
    "quantity": "3",
    "listClientOrderId": "pair",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "150.00",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "60.00",
    "belowPrice": "59.00",
    "belowTimeInForce": "GTC",
}
OLD_PAIR = {"symbol": SYMBOL, "side": "SELL", "quantity": "3", "price": "150.00", "stopPrice": "60.00"}


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    return Users(tmp_path_factory.mktemp("users"))


@pytest.fixture
def at(redis_url: str, venue: str, users: Users) -> Iterator[Desk]:
    with desk(redis_url, venue, users, answer_s=1.0) as running:
        yield running


def trade_at(at: Desk, price: int, quantity: int) -> None:
    """Let the maker sell to bob, at a price in ticks that is below all that is bid for but his."""
    at.floor.order("buy", price, quantity, account="bob")
    at.floor.order("sell", price, 200 + quantity)


def statuses(at: Desk) -> list[str]:
    return [order["status"] for order in at.get("/allOrders", symbol=SYMBOL)]


def test_a_list_is_cancelled_by_the_leg_that_is_open_and_again_under_the_same_id(at: Desk) -> None:
    number = at.post("/orderList/oco", **PAIR)["orderListId"]
    trade_at(at, 6_000, 1)  # triggers the stop, whose limit then rests
    assert statuses(at) == ["EXPIRED", "NEW"]
    assert at.get("/orderList", orderListId=number)["listOrderStatus"] == "EXECUTING"
    named = {"symbol": SYMBOL, "orderListId": number, "newClientOrderId": "away"}
    gone = at.delete("/orderList", **named)
    assert (gone["listOrderStatus"], gone["orderListId"]) == ("ALL_DONE", number)
    assert [report["status"] for report in gone["orderReports"]] == ["EXPIRED", "CANCELED"]
    assert at.get("/openOrders") == []
    assert at.delete("/orderList", **named) == gone
    del named["newClientOrderId"]
    assert at.refused("DELETE", "/orderList", **named) == (-2011, "Unknown order sent.")


def test_a_list_that_both_legs_are_open_of_is_cancelled_again_under_the_same_id(at: Desk) -> None:
    at.post("/orderList/oco", **PAIR)
    named = {"symbol": SYMBOL, "listClientOrderId": "pair", "newClientOrderId": "away"}
    gone = at.delete("/orderList", **named)
    assert [report["status"] for report in gone["orderReports"]] == ["CANCELED", "EXPIRED"]
    assert at.delete("/orderList", **named) == gone


@pytest.mark.parametrize(("taken", "found"), [(0, "NEW"), (1, "PARTIALLY_FILLED"), (3, "FILLED")])
def test_a_list_that_stands_is_known_again_wherever_the_price_has_gone(at: Desk, taken: int, found: str) -> None:
    at.commands.shown = False
    response = at.send("POST", "/orderList/oco", PAIR)
    assert (response.status_code, response.json()["code"]) == (504, -1007)
    at.commands.shown = True
    trade_at(at, 6_000, 1)
    if taken:
        at.floor.order("buy", 5_900, taken, account="bob")
    assert statuses(at) == ["EXPIRED", found]
    again = at.post("/orderList/oco", **PAIR)
    assert [report["status"] for report in again["orderReports"]] == ["EXPIRED", found]
    assert len(statuses(at)) == 2
    assert at.refused("POST", "/orderList/oco", **{**PAIR, "quantity": "2"}) == (-2010, "Duplicate order sent.")


def test_a_list_that_does_not_stand_is_held_to_the_price_under_whatever_id(at: Desk) -> None:
    relation = (-2010, "The relationship of the prices for the orders is not correct.")
    poor = (-2010, "Account has insufficient balance for requested action.")
    assert at.refused("POST", "/orderList/oco", **{**PAIR, "quantity": "20000"}) == poor
    trade_at(at, 6_000, 1)
    for changed in ({}, {"quantity": "20000"}, {"listClientOrderId": "another"}):
        assert at.refused("POST", "/orderList/oco", **{**PAIR, **changed}) == relation
    upside_down = {"abovePrice": "50.00", "belowStopPrice": "61.00", "listClientOrderId": "third"}
    assert at.refused("POST", "/orderList/oco", **{**PAIR, **upside_down}) == relation
    assert at.get("/openOrders") == []


def missing(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def too_precise(name: str) -> tuple[int, str]:
    return -1111, f"Parameter '{name}' has too much precision."


FINE = "1.000000001"
WRONG: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"price": None}, missing("price")),
    ({"stopPrice": None}, missing("stopPrice")),
    ({"stopLimitPrice": "59.00"}, missing("stopLimitTimeInForce")),
    ({"stopLimitTimeInForce": "GTC"}, (-1106, "Parameter 'stopLimitTimeInForce' sent when not required.")),
    ({"stopIcebergQty": "1"}, (-1106, "Parameter 'stopIcebergQty' sent when not required.")),
    ({"price": FINE}, too_precise("price")),
    ({"stopPrice": FINE}, too_precise("stopPrice")),
    ({"stopLimitPrice": FINE, "stopLimitTimeInForce": "GTC"}, too_precise("stopLimitPrice")),
    ({"limitIcebergQty": FINE}, too_precise("limitIcebergQty")),
    ({"stopPrice": ""}, (-1105, "Parameter 'stopPrice' was empty.")),
    ({"limitClientOrderId": ""}, (-1105, "Parameter 'limitClientOrderId' was empty.")),
    ({"stopClientOrderId": ""}, (-1105, "Parameter 'stopClientOrderId' was empty.")),
    ({"limitStrategyId": "9" * 20}, (-1108, "Parameter 'limitStrategyId' overflowed.")),
    ({"stopStrategyType": "1"}, (-1134, "strategyType was less than 1000000.")),
    ({"trailingDelta": "1"}, (-1013, "Trailing stop orders are not supported for this symbol.")),
    ({"abovePrice": "150.00"}, (-1104, "Not all sent parameters were read; read '6' parameter(s) but was sent '7'.")),
]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_what_is_wrong_with_a_pair_said_in_the_old_way_is_told_by_the_names_that_were_sent(at: Desk, side: str) -> None:
    pair = {**OLD_PAIR, "side": side, "listClientOrderId": "pair"}
    for changed, refusal in WRONG:
        asked = {name: value for name, value in (pair | changed).items() if value is not None}
        assert at.refused("POST", "/order/oco", **asked) == refusal, changed
    assert at.commands.written == []


def test_a_pair_said_in_the_old_way_is_the_one_that_is_said_in_the_new_way(at: Desk) -> None:
    at.post("/order", **MARKET)
    terms = {
        "stopLimitPrice": "59.00",
        "stopLimitTimeInForce": "GTC",
        "limitIcebergQty": "1",
        "stopIcebergQty": "2",
        "limitStrategyId": "1",
        "stopStrategyType": "1000000",
        "listClientOrderId": "pair",
    }
    placed = at.post("/order/oco", **OLD_PAIR, **terms)
    above, below = placed["orderReports"]
    assert (above["type"], above["price"], above["icebergQty"]) == ("LIMIT_MAKER", "150.00", "1")
    assert (below["type"], below["stopPrice"], below["price"]) == ("STOP_LOSS_LIMIT", "60.00", "59.00")
    assert (below["icebergQty"], below["clientOrderId"]) == ("2", "pair.below")
    again = at.post("/orderList/oco", **PAIR, aboveIcebergQty="1", belowIcebergQty="2")
    assert again["orderListId"] == placed["orderListId"]
