"""Amending and replacing orders at the account, one scenario a test."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import messages as m
from tests.exchange.desk import SHARD, Desk


def amend(desk: Desk, order_id: int = 1, **more: Any) -> list[str]:
    return desk.ask(m.AmendOrder, "alice", **({"order_id": order_id, "request_id": "c"} | more))


def amended(desk: Desk, order_id: int = 1, by: str | None = "c", **more: Any) -> list[str]:
    return desk.report(m.OrderAmended, order_id, amend_request_id=by, **more)


def replace(desk: Desk, order_id: int = 1, **more: Any) -> list[str]:
    fields = {"order_id": order_id, "request_id": "s", "side": "buy", "price": 90, "quantity": 5}
    return desk.ask(m.ReplaceOrder, "alice", **(fields | more))


def open_buy(**more: Any) -> Desk:
    """Return a desk where alice has an order to buy 5 at 100 on the book."""
    desk = Desk()
    desk.place("buy", 5, 100, request_id="mine", **more)
    desk.accept(1)
    return desk


# Amending


def test_more_at_a_higher_price_is_reserved_before_the_book_is_asked() -> None:
    desk = open_buy()
    assert amend(desk, price=110, quantity=8) == ["alice USD 9120 + 880", "revise 1 to 8 @ 110"]
    assert amended(desk, price=110, quantity=8, leaves=8) == ["* alice 1 8 of 8 @ 110"]
    assert desk.alice["USD"] == (9_120, 880)


def test_less_is_released_only_when_the_book_has_agreed() -> None:
    desk = open_buy()
    assert amend(desk, price=90, quantity=2) == ["revise 1 to 2 @ 90"]
    assert amended(desk, price=90, quantity=2, leaves=2) == ["alice USD 9820 + 180", "* alice 1 2 of 2 @ 90"]


def test_the_published_amendment_names_the_order_and_the_request() -> None:
    desk = open_buy()
    amend(desk, quantity=2)
    said = desk.apply(desk.of_book(m.OrderAmended, 1, price=100, quantity=2, leaves=2, amend_request_id="c"))[-1]
    assert (said.request_id, said.amend_request_id) == ("mine", "c")


def test_a_refused_amendment_frees_what_was_kept_for_it() -> None:
    desk = open_buy()
    amend(desk, price=110, quantity=8)
    assert desk.report(m.RequestRejected, 1, reason="PRICE_COLLAR", request_id="c") == [
        "alice USD 9500 + 500",
        "! alice 1 PRICE_COLLAR",
    ]
    assert amend(desk, quantity=6, request_id="d") == ["alice USD 9400 + 600", "revise 1 to 6 @ 0"]


def test_an_order_that_is_filled_while_its_amendment_is_on_its_way_stays_paid_for() -> None:
    desk = open_buy()
    assert amend(desk, price=50, quantity=20) == ["alice USD 8750 + 1250", "revise 1 to 20 @ 50"]
    assert desk.fill(1, 4, 90) == ["alice USD 8790 + 850", "alice AAPL 54 + 0", "= alice 1 taker 4 @ 90, 1 left"]
    assert amended(desk, price=50, quantity=20, leaves=16) == ["alice USD 8840 + 800", "* alice 1 16 of 20 @ 50"]
    assert desk.fill(1, 16, 50)[0] == "alice USD 8840 + 0"


def test_an_order_that_is_gone_before_its_amendment_comes_frees_all() -> None:
    desk = open_buy()
    amend(desk, price=110, quantity=8)
    assert desk.fill(1, 5, 100)[0] == "alice USD 9500 + 0"
    assert desk.report(m.RequestRejected, 1, reason="TOO_LATE", request_id="c") == ["! alice 1 TOO_LATE"]


def test_a_stop_is_amended_without_money() -> None:
    desk = open_buy(kind="stop", conditions=m.Conditions(stop=95))
    assert amend(desk, stop=96) == ["revise 1 to 0 @ 0 stop 96"]
    assert amended(desk, price=100, quantity=5, leaves=5, stop=96) == ["* alice 1 5 of 5 @ 100 stop 96"]
    assert desk.report(m.OrderTriggered, 1, price=97) == ["^ alice 1 97"]


def test_shares_for_a_greater_sale_are_reserved() -> None:
    desk = Desk()
    desk.place("sell", 5, 100)
    desk.accept(1)
    assert amend(desk, quantity=8, price=1) == ["alice AAPL 42 + 8", "revise 1 to 8 @ 1"]
    assert amended(desk, price=1, quantity=8, leaves=8) == ["* alice 1 8 of 8 @ 1"]
    assert desk.fill(1, 8, 1)[1] == "alice AAPL 42 + 0"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"order_id": 9, "quantity": 1}, "! alice 0 UNKNOWN_ORDER"),
        ({}, "! alice 1 INVALID_AMENDMENT"),
        ({"quantity": 2}, "! alice 1 BELOW_FILLED"),
        ({"quantity": 101}, "! alice 1 INSUFFICIENT_FUNDS"),
        ({"price": 9_999}, "! alice 1 INSUFFICIENT_FUNDS"),
    ],
)
def test_an_amendment_that_cannot_be_is_refused_and_changes_nothing(more: dict[str, Any], reason: str) -> None:
    desk = open_buy()
    desk.fill(1, 2, 100)
    before = desk.alice
    assert amend(desk, **more) == [reason]
    assert desk.alice == before
    assert amend(desk, quantity=4, request_id="d") == ["revise 1 to 4 @ 0"]


def test_one_amendment_is_on_its_way_at_a_time() -> None:
    desk = open_buy()
    amend(desk, quantity=4)
    assert amend(desk, quantity=3, request_id="d") == ["! alice 1 AMENDMENT_PENDING"]
    assert replace(desk) == ["! alice 1 AMENDMENT_PENDING"]
    assert desk.ask(m.CancelOrder, "alice", order_id=1) == ["pull 1"]
    assert amended(desk, price=100, quantity=4, leaves=4)[0] == "alice USD 9600 + 400"
    assert amend(desk, quantity=3, request_id="e") == ["revise 1 to 3 @ 0"]


def test_a_book_that_makes_an_order_smaller_frees_what_it_no_longer_needs() -> None:
    desk = open_buy()
    assert amended(desk, by=None, price=100, quantity=3, leaves=3) == ["alice USD 9700 + 300", "* alice 1 3 of 3 @ 100"]


def test_a_market_to_limit_order_frees_what_its_limit_saves() -> None:
    desk = open_buy(kind="market-to-limit")
    desk.fill(1, 2, 70)
    assert desk.alice["USD"] == (9_560, 300)
    assert amended(desk, by=None, price=70, quantity=5, leaves=3) == ["alice USD 9650 + 210", "* alice 1 3 of 5 @ 70"]


def test_an_order_the_book_makes_smaller_while_its_amendment_is_on_its_way_stays_paid_for() -> None:
    desk = open_buy()
    amend(desk, quantity=8)
    assert amended(desk, by=None, price=100, quantity=3, leaves=3) == ["* alice 1 3 of 3 @ 100"]
    assert desk.alice["USD"] == (9_200, 800)
    assert amended(desk, price=100, quantity=8, leaves=8) == ["* alice 1 8 of 8 @ 100"]


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"by": "other", "price": 110, "quantity": 8, "leaves": 8}, "nobody has asked for"),
        ({"by": None, "price": 100, "quantity": 6, "leaves": 6}, "what is left"),
        ({"by": None, "price": 101, "quantity": 5, "leaves": 5}, "beyond its limit"),
        ({"by": "c", "price": 111, "quantity": 8, "leaves": 8}, "beyond its limit"),
        ({"by": "c", "price": 110, "quantity": 8, "leaves": 7}, "what is left"),
        ({"by": "c", "price": 110, "quantity": 9, "leaves": 8}, "what is left"),
    ],
)
def test_an_amendment_that_was_not_asked_for_breaks_an_invariant(report: dict[str, Any], reason: str) -> None:
    desk = open_buy()
    amend(desk, price=110, quantity=8)
    with pytest.raises(AssertionError, match=reason):
        amended(desk, **report)


# Replacing


def test_a_replacement_holds_only_what_it_needs_beyond_the_order_that_it_replaces() -> None:
    desk = open_buy()
    assert replace(desk, price=120) == ["alice USD 9400 + 600", "swap 1, 5 left, for 2 buy 5 @ 120"]
    assert desk.cancelled(1, "REPLACED", cancel_request_id="s") == ["alice USD 9400 + 600", "- alice 1 5 REPLACED"]
    desk.accept(2)
    assert desk.fill(2, 5, 120)[0] == "alice USD 9400 + 0"


def test_a_cheaper_replacement_frees_the_rest_when_the_old_order_is_gone() -> None:
    desk = open_buy()
    assert replace(desk, price=60) == ["alice USD 9500 + 500", "swap 1, 5 left, for 2 buy 5 @ 60"]
    assert desk.cancelled(1, "REPLACED")[0] == "alice USD 9700 + 300"
    assert desk.ask(m.CancelOrder, "alice", order_request_id="s") == ["pull 2"]


def test_a_replacement_of_the_other_side_reserves_the_other_asset() -> None:
    desk = open_buy()
    assert replace(desk, side="sell", quantity=7) == ["alice AAPL 43 + 7", "swap 1, 5 left, for 2 sell 7 @ 90"]
    assert desk.cancelled(1, "REPLACED")[0] == "alice USD 10000 + 0"
    assert desk.fill(2, 7, 90)[:2] == ["alice USD 10630 + 0", "alice AAPL 43 + 0"]


def test_a_swap_that_the_book_refuses_leaves_the_old_order_as_it_was() -> None:
    desk = open_buy()
    replace(desk, price=120)
    assert desk.report(m.RequestRejected, 1, reason="TOO_LATE", request_id="s") == ["! alice 1 TOO_LATE"]
    assert desk.report(m.OrderRejected, 2, reason="TOO_LATE") == ["alice USD 9500 + 500", "! alice 2 TOO_LATE"]
    assert amend(desk, quantity=6)[-1] == "revise 1 to 6 @ 0"


def test_an_old_order_that_is_filled_meanwhile_does_not_pay_for_the_new_one() -> None:
    desk = open_buy()
    replace(desk, price=120)
    assert desk.fill(1, 3, 100)[0] == "alice USD 9400 + 300"
    desk.fill(1, 2, 100)
    assert desk.report(m.OrderRejected, 2, reason="TOO_LATE")[0] == "alice USD 9500 + 0"
    assert desk.report(m.RequestRejected, 1, reason="TOO_LATE", request_id="s") == ["! alice 1 TOO_LATE"]
    assert desk.alice == {"USD": (9_500, 0), "AAPL": (55, 0)}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"order_id": 9}, "! alice 0 UNKNOWN_ORDER"),
        ({"time_in_force": "GTD"}, "! alice 1 INVALID_TIME_IN_FORCE"),
        ({"kind": "stop"}, "! alice 1 INVALID_CONDITIONS"),
        ({"price": 2_001}, "! alice 1 INSUFFICIENT_FUNDS"),
        ({"side": "sell", "quantity": 51}, "! alice 1 INSUFFICIENT_FUNDS"),
    ],
)
def test_a_replacement_that_cannot_be_is_refused_and_changes_nothing(more: dict[str, Any], reason: str) -> None:
    desk = open_buy()
    before = desk.alice
    assert replace(desk, **more) == [reason]
    assert (desk.alice, set(desk.accounts.orders)) == (before, {1})
    assert replace(desk, price=2_000, request_id="t")[-1] == "swap 1, 5 left, for 2 buy 5 @ 2000"


def test_neither_order_of_a_swap_on_its_way_can_be_changed() -> None:
    desk = open_buy()
    replace(desk)
    for order_id in (1, 2):
        assert amend(desk, order_id, quantity=3, request_id=f"a{order_id}") == [f"! alice {order_id} AMENDMENT_PENDING"]
        assert replace(desk, order_id, request_id=f"b{order_id}") == [f"! alice {order_id} AMENDMENT_PENDING"]
    desk.cancelled(1, "REPLACED")
    assert replace(desk, 2, request_id="t")[-1] == "swap 2, 5 left, for 3 buy 5 @ 90"


def test_a_delisted_symbols_orders_are_not_replaced() -> None:
    desk = open_buy()
    desk.tell(m.Delist(key=SHARD, symbol="AAPLUSD"))
    assert replace(desk) == ["! alice 1 DELISTED"]
    assert amend(desk, quantity=4) == ["revise 1 to 4 @ 0"]


@pytest.mark.parametrize("asked", [False, True])
def test_an_order_that_is_replaced_unasked_breaks_an_invariant(asked: bool) -> None:
    desk = open_buy()
    if asked:
        amend(desk, quantity=4)
    with pytest.raises(AssertionError, match="nobody has asked for"):
        desk.cancelled(1, "REPLACED")


def test_a_new_order_on_the_book_beside_the_old_one_breaks_an_invariant() -> None:
    desk = open_buy()
    replace(desk)
    with pytest.raises(AssertionError, match="before the one that it replaces is gone"):
        desk.accept(2)
