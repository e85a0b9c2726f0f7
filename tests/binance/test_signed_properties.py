"""Whatever is ordered at random, the answers, the lists, the trades and the balances tell one and the same story."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest

from exchange.messages import CancelReason, Kind, SelfTrade
from gateway.binance.order_refusals import _AGAIN, _FILTERS, _TEXTS, refused
from gateway.binance.order_shapes import SELF_TRADES, order_type, queried, status
from gateway.binance.order_worth import lots_for
from gateway.refusals import REFUSALS
from gateway.shown import OrderShown
from tests.binance.trading_desk import SYMBOL, Desk, Users, desk

ORDERS = 100
SEED = 7
TYPES = ("LIMIT", "LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT")
MODES = ("NONE", "NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")


def any_order(dice: random.Random, number: int) -> dict[str, Any]:
    """Return an order whose parameters go together."""
    kind = dice.choice(TYPES)
    asked = {"symbol": SYMBOL, "side": dice.choice(("BUY", "SELL")), "type": kind, "newClientOrderId": f"n{number}"}
    price, quantity = f"{dice.randint(9_700, 10_300) / 100:.2f}", str(dice.randint(1, 30))
    if kind == "MARKET" and dice.random() < 0.4:
        asked["quoteOrderQty"] = str(dice.randint(200, 3_000))
    else:
        asked["quantity"] = quantity
    if kind in ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT"):
        asked["price"] = price
    if kind in ("LIMIT", "STOP_LOSS_LIMIT"):
        asked["timeInForce"] = dice.choice(("GTC", "GTC", "IOC", "FOK")) if kind == "LIMIT" else "GTC"
    if kind.startswith("STOP"):
        asked["stopPrice"] = f"{dice.randint(9_700, 10_300) / 100:.2f}"
    if kind == "LIMIT" and asked["timeInForce"] == "GTC" and dice.random() < 0.3:
        asked["icebergQty"] = str(dice.randint(1, int(quantity)))
    return {**asked, "selfTradePreventionMode": dice.choice(MODES), "newOrderRespType": "FULL"}


def test_random_orders_are_told_of_in_the_same_way_everywhere(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    with desk(redis_url, venue, Users(tmp_path_factory.mktemp("users"))) as at:
        before, accepted = at.balances(), {}
        for number in range(ORDERS):
            who = dice.choice(("demo", "demo", "bob"))
            asked = any_order(dice, number)
            told = at.send("POST", "/order", asked, who).json()
            if who == "demo" and "orderId" in told:
                accepted[told["orderId"]] = asked
                check_answer(asked, told)
            else:
                assert who == "bob" or told["code"] in (-2010, -1013, -1112), told
            if accepted and dice.random() < 0.2:
                at.send("DELETE", "/order", {"symbol": SYMBOL, "orderId": dice.choice(list(accepted))})
        assert len(accepted) > ORDERS // 3
        check_story(at, before, accepted)


def check_answer(asked: dict[str, Any], told: dict[str, Any]) -> None:
    """Hold the answer FULL to what was asked for, and to its own fills."""
    echoed = ("symbol", "side", "type", "selfTradePreventionMode")
    assert [told[name] for name in echoed] == [asked[name] for name in echoed]
    assert told["clientOrderId"] == asked["newClientOrderId"]
    quantity, executed = Decimal(told["origQty"]), Decimal(told["executedQty"])
    assert asked["selfTradePreventionMode"] == "DECREMENT" or quantity == Decimal(asked.get("quantity", quantity))
    assert sum(Decimal(fill["qty"]) for fill in told["fills"]) == executed <= quantity
    worth = sum(Decimal(fill["qty"]) * Decimal(fill["price"]) for fill in told["fills"])
    assert worth == Decimal(told["cummulativeQuoteQty"])
    assert "quoteOrderQty" not in asked or worth <= Decimal(asked["quoteOrderQty"])
    assert (told["status"] == "FILLED") == (executed == quantity)


def check_story(at: Desk, before: dict[str, tuple[Decimal, Decimal]], accepted: dict[int, dict[str, Any]]) -> None:
    """Hold the lists, the trades and the balances to each other."""
    orders = {order["orderId"]: order for order in at.get("/allOrders", symbol=SYMBOL, limit=1_000)}
    assert set(orders) == set(accepted)
    trades = at.get("/myTrades", symbol=SYMBOL, limit=1_000)
    cash = shares = Decimal(0)
    by_order = dict.fromkeys(orders, Decimal(0))
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        by_order[trade["orderId"]] += Decimal(trade["qty"])
        assert Decimal(trade["quoteQty"]) == Decimal(trade["qty"]) * Decimal(trade["price"])
        shares += sign * Decimal(trade["qty"])
        cash -= sign * Decimal(trade["quoteQty"]) + Decimal(trade["commission"])
    assert by_order == {order_id: Decimal(order["executedQty"]) for order_id, order in orders.items()}
    assert trades
    opened = at.get("/openOrders", symbol=SYMBOL)
    assert opened == [order for order in orders.values() if order["status"] in ("NEW", "PARTIALLY_FILLED")]
    after = at.balances()
    assert sum(after["USD"]) - sum(before["USD"]) == cash
    assert sum(after["AAPL"]) - sum(before["AAPL"]) == shares
    selling = [order for order in opened if order["side"] == "SELL"]
    assert after["AAPL"][1] == sum(Decimal(order["origQty"]) - Decimal(order["executedQty"]) for order in selling)


def test_an_amount_never_buys_more_than_it_is_enough_for() -> None:
    dice = random.Random(SEED)
    for _ in range(2_000):
        prices = sorted(dice.sample(range(1, 200), dice.randint(0, 6)))
        levels = [(price, dice.randint(1, 20)) for price in prices]
        units, notional = dice.randint(0, 5_000), dice.choice((1, 7))
        lots, last = lots_for(levels, units, notional)
        single = [price for price, count in levels for _ in range(count)]
        assert sum(single[:lots]) * notional <= units
        assert lots == len(single) or sum(single[: lots + 1]) * notional > units
        assert last == (single[lots - 1] if lots else 0)


def test_every_refusal_of_the_market_has_a_code_that_clients_know() -> None:
    assert not set(_TEXTS) & set(_FILTERS)
    for reason in REFUSALS:
        error = refused(reason)
        assert error.code in (-1001, -1013, -1015, -1121, -2010)
        assert (error.code == -1001) == (reason in _AGAIN)
        assert error.text


def test_every_kind_mode_and_reason_of_the_market_has_a_word() -> None:
    order = OrderShown(
        order_id=1,
        request_id="r",
        symbol=SYMBOL,
        side="buy",
        kind="limit",
        time_in_force="GTC",
        expires_ms=0,
        price="1.00",
        quantity="2",
        filled="0",
        leaves="2",
        average=None,
        state="OPEN",
        reason=None,
        placed_ms=5,
        time_ms=9,
        seq=1,
    )
    change = msgspec.structs.replace
    types = {kind: order_type(change(order, kind=kind)) for kind in get_args(Kind)}
    assert set(types.values()) == {"LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"}
    for mode in get_args(SelfTrade):
        assert SELF_TRADES[queried(change(order, self_trade=mode))["selfTradePreventionMode"]] == mode
    ended = {reason: status(change(order, state="CANCELLED", reason=reason)) for reason in get_args(CancelReason)}
    assert set(ended.values()) == {"CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"}
    assert {reason for reason, word in ended.items() if word == "CANCELED"} == {"REQUESTED", "REPLACED", "DEAD_MAN"}
    for filled, state, word in (
        ("0", "OPEN", "NEW"),
        ("1", "OPEN", "PARTIALLY_FILLED"),
        ("2", "FILLED", "FILLED"),
        ("1", "EXPIRED", "EXPIRED"),
    ):
        assert status(change(order, filled=filled, state=state)) == word
    waits, triggered = (
        change(order, kind="stop", trigger=trigger, stop="2.00") for trigger in ("WAITING", "TRIGGERED")
    )
    assert [
        (shown["isWorking"], shown["workingTime"], shown["price"]) for shown in map(queried, (order, waits, triggered))
    ] == [
        (True, 5, "1.00"),
        (False, -1, "0.00"),
        (True, 9, "0.00"),
    ]
