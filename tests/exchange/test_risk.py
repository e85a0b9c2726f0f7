"""Limits of an account, one scenario a test."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import messages as m
from tests.exchange.desk import SHARD, Desk
from tests.exchange.pit import SYMBOL


def limited(**limits: Any) -> Desk:
    desk = Desk()
    desk.tell(m.SetLimits(key=SHARD, account="alice", limits=m.Limits(**limits)))
    return desk


def amend(desk: Desk, **more: Any) -> str:
    return desk.ask(m.AmendOrder, "alice", order_id=1, **more)[-1]


def replace(desk: Desk, order_id: int, side: m.Side, quantity: int, price: int) -> str:
    return desk.ask(m.ReplaceOrder, "alice", order_id=order_id, side=side, quantity=quantity, price=price)[-1]


def oco(desk: Desk, side: m.Side, quantity: int, first: int, second: int) -> str:
    legs = [m.Leg(request_id=f"l{desk.requests}{name}", price=price) for name, price in (("a", first), ("b", second))]
    fields = {"symbol": SYMBOL, "side": side, "quantity": quantity, "first": legs[0], "second": legs[1]}
    return desk.ask(m.PlaceOco, "alice", **fields)[0]


def test_an_account_without_limits_has_none() -> None:
    desk = limited()
    assert desk.place("buy", 100, 100)[-1] == "enter 1 buy 100 @ 100"


def test_an_order_is_no_larger_than_its_limit() -> None:
    desk = limited(order_lots=5)
    assert desk.place("sell", 6, 1) == ["! alice 0 ORDER_SIZE_LIMIT"]
    assert desk.place("sell", 5, 1)[-1] == "enter 1 sell 5 @ 1"
    assert amend(desk, quantity=6) == "! alice 1 ORDER_SIZE_LIMIT"
    assert replace(desk, 1, "sell", 6, 1) == "! alice 1 ORDER_SIZE_LIMIT"
    assert oco(desk, "sell", 6, 100, 90) == "! alice 0 ORDER_SIZE_LIMIT"


def test_an_order_is_worth_no_more_than_its_limit() -> None:
    desk = limited(order_notional=500)
    assert desk.place("sell", 5, 101) == ["! alice 0 NOTIONAL_LIMIT"]
    assert desk.place("sell", 5, 100)[-1] == "enter 1 sell 5 @ 100"
    assert amend(desk, price=101) == "! alice 1 NOTIONAL_LIMIT"
    assert amend(desk, quantity=6) == "! alice 1 NOTIONAL_LIMIT"
    assert oco(desk, "sell", 5, 100, 101) == "! alice 0 NOTIONAL_LIMIT"


def test_only_so_many_orders_are_open_at_once() -> None:
    desk = limited(open_orders=2)
    desk.place("buy", 1, 1)
    assert oco(desk, "sell", 5, 100, 90) == "! alice 0 OPEN_ORDERS_LIMIT"
    desk.place("buy", 1, 1)
    assert desk.place("buy", 1, 1) == ["! alice 0 OPEN_ORDERS_LIMIT"]
    assert replace(desk, 1, "buy", 1, 2) == "swap 1, 1 left, for 3 buy 1 @ 2"
    desk.cancelled(1, "REPLACED")
    desk.fill(2, 1, 1)
    assert desk.place("buy", 1, 1)[-1] == "enter 4 buy 1 @ 1"


def test_only_so_many_orders_are_placed_in_a_second() -> None:
    desk = limited(orders_per_s=2)
    desk.place("buy", 1, 1)
    assert oco(desk, "sell", 5, 100, 90) == "! alice 0 RATE_LIMIT"
    assert desk.place("buy", 1, 100_000) == ["! alice 0 INSUFFICIENT_FUNDS"]
    desk.place("buy", 1, 1)
    assert desk.place("buy", 1, 1) == ["! alice 0 RATE_LIMIT"]
    assert replace(desk, 1, "buy", 1, 2) == "! alice 1 RATE_LIMIT"
    desk.now_ms += 999
    assert desk.place("buy", 1, 1) == ["! alice 0 RATE_LIMIT"]
    desk.now_ms += 1
    assert oco(desk, "sell", 5, 100, 90) == "alice AAPL 45 + 5"
    assert desk.place("buy", 1, 1) == ["! alice 0 RATE_LIMIT"]


def test_the_seconds_of_a_replayed_market_are_its_own() -> None:
    desk = Desk("replay")
    desk.tell(m.SetLimits(key=SHARD, account="alice", limits=m.Limits(orders_per_s=1)))
    desk.place("buy", 1, 1)
    desk.now_ms += 5_000
    assert desk.place("buy", 1, 1) == ["! alice 0 RATE_LIMIT"]
    desk.tell(m.AdvanceClock(key=SHARD, time_ms=1_000))
    assert desk.place("buy", 1, 1)[-1] == "enter 2 buy 1 @ 1"


def test_what_is_held_and_what_open_buys_may_bring_is_bounded() -> None:
    desk = limited(position_lots=60)
    assert desk.place("buy", 11, 1) == ["! alice 0 POSITION_LIMIT"]
    desk.place("buy", 6, 1)
    assert desk.place("buy", 5, 1) == ["! alice 0 POSITION_LIMIT"]
    assert desk.place("sell", 50, 100)[-1] == "enter 2 sell 50 @ 100"
    assert desk.place("buy", 5, 1) == ["! alice 0 POSITION_LIMIT"], "shares for sale are still held"
    desk.accept(1)
    assert amend(desk, quantity=11) == "! alice 1 POSITION_LIMIT"
    assert amend(desk, quantity=8) == "revise 1 to 8 @ 0"
    assert desk.place("buy", 3, 1) == ["! alice 0 POSITION_LIMIT"], "what an amendment may bring counts"
    assert desk.place("buy", 2, 1)[-1] == "enter 3 buy 2 @ 1"


def test_of_two_orders_that_cancel_each_other_one_counts() -> None:
    desk = limited(position_lots=60)
    assert oco(desk, "buy", 11, 1, 2) == "! alice 0 POSITION_LIMIT"
    assert oco(desk, "buy", 6, 1, 2) == "alice USD 9988 + 12"
    assert desk.place("buy", 5, 1) == ["! alice 0 POSITION_LIMIT"]
    assert desk.place("buy", 4, 1)[-1] == "enter 3 buy 4 @ 1"


def test_a_leg_that_is_amended_counts_once_with_the_other_one() -> None:
    desk = limited(position_lots=60)
    oco(desk, "buy", 6, 1, 2)
    assert amend(desk, quantity=11) == "! alice 1 POSITION_LIMIT"
    assert amend(desk, quantity=10) == "revise 1 to 10 @ 0"
    assert desk.place("buy", 1, 1) == ["! alice 0 POSITION_LIMIT"]


def test_an_order_that_is_replaced_does_not_count() -> None:
    desk = limited(position_lots=60)
    desk.place("buy", 10, 1)
    assert replace(desk, 1, "buy", 11, 1) == "! alice 1 POSITION_LIMIT"
    assert replace(desk, 1, "buy", 10, 2) == "swap 1, 10 left, for 2 buy 10 @ 2"
    assert desk.place("buy", 1, 1) == ["! alice 0 POSITION_LIMIT"]
    desk.cancelled(1, "REPLACED")
    assert replace(desk, 2, "sell", 50, 2) == "swap 2, 10 left, for 3 sell 50 @ 2"


def test_limits_of_another_symbol_do_not_count() -> None:
    desk = limited(position_lots=60)
    other = m.Instrument(symbol="GOOGUSD", base="GOOG", quote="USD")
    desk.tell(m.ListInstrument(key=SHARD, instrument=other))
    desk.place("buy", 10, 1)
    assert desk.place("buy", 60, 1, symbol="GOOGUSD")[-1] == "enter 2 buy 60 @ 1"


def test_limits_can_be_lifted() -> None:
    desk = limited(order_lots=5)
    desk.tell(m.SetLimits(key=SHARD, account="alice", limits=m.Limits()))
    assert desk.place("sell", 6, 1)[-1] == "enter 1 sell 6 @ 1"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (
            {"order_lots": 1, "order_notional": 1, "open_orders": 1, "orders_per_s": 1, "position_lots": 1},
            "ORDER_SIZE_LIMIT",
        ),
        ({"order_notional": 1, "open_orders": 1, "orders_per_s": 1, "position_lots": 1}, "NOTIONAL_LIMIT"),
        ({"open_orders": 1, "orders_per_s": 1, "position_lots": 1}, "OPEN_ORDERS_LIMIT"),
        ({"orders_per_s": 1, "position_lots": 1}, "RATE_LIMIT"),
        ({"position_lots": 1}, "POSITION_LIMIT"),
    ],
)
def test_the_first_limit_that_is_exceeded_is_named(limits: dict[str, int], reason: str) -> None:
    desk = limited(orders_per_s=1)
    desk.place("sell", 1, 1)
    desk.tell(m.SetLimits(key=SHARD, account="alice", limits=m.Limits(**limits)))
    assert desk.place("buy", 200, 100) == [f"! alice 0 {reason}"]
    assert desk.place("buy", 200, 100, time_in_force="GTD") == ["! alice 0 INVALID_TIME_IN_FORCE"]
    desk.tell(m.SetKillSwitch(key=SHARD, account="alice", on=True))
    assert desk.place("buy", 200, 100) == ["! alice 0 ACCOUNT_OFF"]
