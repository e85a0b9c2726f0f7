"""One-cancels-other and bracket orders at the account, one scenario a test."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import messages as m
from tests.exchange.desk import NOW, SHARD, Desk
from tests.exchange.pit import INSTRUMENT, SYMBOL

STOP = m.Conditions(stop=120)


def leg(name: str, price: int, **more: Any) -> m.Leg:
    return m.Leg(request_id=name, price=price, **more)


def oco(desk: Desk, side: m.Side, quantity: int, first: m.Leg, second: m.Leg, **more: Any) -> list[str]:
    fields = {"symbol": SYMBOL, "side": side, "quantity": quantity, "first": first, "second": second}
    return desk.ask(m.PlaceOco, "alice", **(fields | more))


def bracket(desk: Desk, side: m.Side, quantity: int, entry: m.Leg, *exits: m.Leg, **more: Any) -> list[str]:
    fields = {"symbol": SYMBOL, "side": side, "quantity": quantity, "entry": entry}
    return desk.ask(m.PlaceBracket, "alice", **(fields | {"take_profit": exits[0], "stop_loss": exits[1]} | more))


def held(desk: Desk) -> dict[int, int]:
    return {order.order_id: order.held for order in desk.accounts.orders.values()}


# One cancels other


def test_two_legs_hold_what_the_dearer_one_needs() -> None:
    desk = Desk()
    assert oco(desk, "buy", 5, leg("a", 100), leg("b", 130, kind="stop", conditions=STOP), request_id="g") == [
        "alice USD 9350 + 650",
        "enter 1 buy 5 @ 100 or 2 buy 5 @ 130",
        "done g 2",
    ]
    assert held(desk) == {1: 500, 2: 150}


def test_two_sells_hold_the_shares_once() -> None:
    desk = Desk()
    stop = leg("b", 80, kind="stop", conditions=m.Conditions(stop=90))
    assert oco(desk, "sell", 50, leg("a", 110), stop, request_id="g") == [
        "alice AAPL 0 + 50",
        "enter 1 sell 50 @ 110 or 2 sell 50 @ 80",
        "done g 2",
    ]
    assert held(desk) == {1: 50, 2: 0}


@pytest.mark.parametrize(("gone", "stays"), [(1, 2), (2, 1)])
@pytest.mark.parametrize("prices", [(100, 130), (130, 100)])
def test_the_leg_that_stays_takes_over_what_it_lacks_from_the_one_that_goes(
    gone: int, stays: int, prices: tuple[int, int]
) -> None:
    desk = Desk()
    oco(desk, "buy", 5, leg("a", prices[0]), leg("b", prices[1]))
    desk.accept(1, 2)
    need = 5 * prices[stays - 1]
    assert desk.cancelled(gone, "OTHER_LEG") == [f"alice USD {10_000 - need} + {need}", f"- alice {gone} 5 OTHER_LEG"]
    assert held(desk) == {stays: need}
    price = prices[stays - 1]
    assert desk.fill(stays, 5, price) == [
        f"alice USD {10_000 - need} + 0",
        "alice AAPL 55 + 0",
        f"= alice {stays} taker 5 @ {price}, 0 left",
    ]


def test_a_leg_that_is_filled_before_the_other_is_gone_breaks_an_invariant() -> None:
    desk = Desk()
    oco(desk, "buy", 5, leg("a", 100), leg("b", 130))
    with pytest.raises(AssertionError, match="before its other leg is gone"):
        desk.fill(1, 2, 100)


def test_a_book_that_refuses_both_legs_is_told_under_their_own_ids() -> None:
    desk = Desk()
    oco(desk, "buy", 5, leg("a", 100), leg("b", 130), request_id="g")
    assert desk.report(m.OrderRejected, 1, reason="PRICE_COLLAR") == [
        "alice USD 9350 + 650",
        "! alice 1 PRICE_COLLAR",
    ]
    rejected = desk.apply(desk.of_book(m.OrderRejected, 2, reason="PRICE_COLLAR"))
    assert (rejected[-1].request_id, desk.alice["USD"], desk.accounts.orders) == ("b", (10_000, 0), {})


def test_legs_are_cancelled_by_their_own_ids_and_the_group_is_not_placed_twice() -> None:
    desk = Desk()
    fields = {"symbol": SYMBOL, "side": "sell", "quantity": 5, "first": leg("a", 100), "second": leg("b", 130)}
    group = desk.command(m.PlaceOco, "alice", request_id="g", **fields)
    desk.tell(group)
    assert desk.ask(m.CancelOrder, "alice", order_request_id="b") == ["pull 2"]
    assert desk.ask(m.CancelOrder, "alice", order_request_id="a") == ["pull 1"]
    assert desk.tell(group) == ["again g 1 None"]
    assert desk.place("buy", 1, 1, request_id="b") == ["! alice 0 DUPLICATE"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "NONE"}, "UNKNOWN_SYMBOL"),
        ({"second": leg("a", 90)}, "INVALID_CONDITIONS"),
        ({"first": leg("g", 90)}, "INVALID_CONDITIONS"),
        ({"second": leg("used", 90)}, "DUPLICATE"),
        ({"second": leg("b", 90, time_in_force="IOC")}, "INVALID_CONDITIONS"),
        ({"second": leg("b", 90, time_in_force="GTD")}, "INVALID_TIME_IN_FORCE"),
        ({"first": leg("a", 90, conditions=m.Conditions(all_or_none=True))}, "INVALID_CONDITIONS"),
        ({"quantity": 200}, "INSUFFICIENT_FUNDS"),
        ({"quantity": 100, "second": leg("b", 101)}, "INSUFFICIENT_FUNDS"),
    ],
)
def test_a_pair_that_cannot_be_is_refused_as_a_whole(change: dict[str, Any], reason: str) -> None:
    desk = Desk()
    desk.ask(m.CancelAll, "alice", request_id="used")
    fields: dict[str, Any] = {"quantity": 5, "first": leg("a", 100), "second": leg("b", 90), "request_id": "g"} | change
    before = desk.alice
    events = desk.apply(desk.command(m.PlaceOco, "alice", **({"symbol": SYMBOL, "side": "buy"} | fields)))
    assert [(type(event), event.request_id, event.reason) for event in events] == [(m.RequestRejected, "g", reason)]
    assert (desk.alice, desk.accounts.orders) == (before, {})
    assert desk.place("buy", 1, 1, request_id="b")[-1] == "enter 1 buy 1 @ 1", "the ids of its legs are still free"


def test_the_legs_of_a_pair_need_room_for_their_ids() -> None:
    desk = Desk()
    desk.accounts.requests.requests_max = len(desk.accounts.requests.by_id) + 2
    assert oco(desk, "buy", 5, leg("a", 100), leg("b", 90)) == ["! alice 0 REQUESTS_FULL"]
    assert desk.place("buy", 1, 1)[-1] == "enter 1 buy 1 @ 1"


@pytest.mark.parametrize("amended", [1, 2])
def test_a_leg_can_be_amended_and_both_still_hold_what_the_dearer_one_needs(amended: int) -> None:
    desk = Desk()
    oco(desk, "buy", 5, leg("a", 100), leg("b", 130))
    desk.accept(1, 2)
    assert desk.ask(m.AmendOrder, "alice", order_id=amended, price=150, request_id="c") == [
        "alice USD 9250 + 750",
        f"revise {amended} to 0 @ 150",
    ]
    assert desk.report(m.OrderAmended, amended, price=150, quantity=5, leaves=5, amend_request_id="c") == [
        f"* alice {amended} 5 of 5 @ 150"
    ]
    assert sum(held(desk).values()) == 750
    assert desk.cancelled(amended, "OTHER_LEG")[0] == (
        "alice USD 9350 + 650" if amended == 1 else "alice USD 9500 + 500"
    )


def test_a_leg_that_is_made_cheaper_frees_what_neither_needs() -> None:
    desk = Desk()
    oco(desk, "buy", 5, leg("a", 150), leg("b", 130))
    desk.accept(1, 2)
    assert desk.ask(m.AmendOrder, "alice", order_id=1, price=50, request_id="c") == ["revise 1 to 0 @ 50"]
    amended = {"price": 50, "quantity": 5, "leaves": 5, "amend_request_id": "c"}
    assert desk.report(m.OrderAmended, 1, **amended) == ["alice USD 9350 + 650", "* alice 1 5 of 5 @ 50"]
    assert held(desk) == {1: 250, 2: 400}


def test_a_leg_cannot_be_replaced() -> None:
    desk = Desk()
    oco(desk, "buy", 5, leg("a", 100), leg("b", 130))
    swap = {"side": "buy", "price": 90, "quantity": 5, "order_request_id": "b"}
    assert desk.ask(m.ReplaceOrder, "alice", **swap) == ["! alice 2 INVALID_AMENDMENT"]


# Brackets


def bought(desk: Desk, quantity: int = 5) -> Desk:
    """Place a bracket that buys at 100, to be sold at 120 or at the market from 90."""
    stop = leg("stop", 80, kind="stop", conditions=m.Conditions(stop=90))
    assert bracket(desk, "buy", quantity, leg("in", 100), leg("profit", 120), stop, request_id="g") == [
        f"alice USD {10_000 - 100 * quantity} + {100 * quantity}",
        f"enter 1 buy {quantity} @ 100",
        "done g 1",
    ]
    desk.accept(1)
    return desk


def test_a_brackets_exits_are_placed_when_its_entry_is_filled() -> None:
    desk = bought(Desk())
    assert desk.fill(1, 5, 100) == [
        "alice USD 9500 + 0",
        "alice AAPL 55 + 0",
        "= alice 1 taker 5 @ 100, 0 left",
        "alice AAPL 50 + 5",
        "enter 2 sell 5 @ 120 or 3 sell 5 @ 80",
    ]
    assert desk.ask(m.CancelOrder, "alice", order_request_id="stop") == ["pull 3"]


def test_a_brackets_exits_are_for_what_was_filled_when_the_rest_goes() -> None:
    desk = bought(Desk())
    desk.fill(1, 2, 90)
    assert desk.cancelled(1) == [
        "alice USD 9820 + 0",
        "- alice 1 3 REQUESTED",
        "alice AAPL 50 + 2",
        "enter 2 sell 2 @ 120 or 3 sell 2 @ 80",
    ]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (m.OrderCancelled, {"quantity": 5, "reason": "REQUESTED"}),
        (m.OrderExpired, {"quantity": 5}),
        (m.OrderRejected, {"reason": "PRICE_COLLAR"}),
    ],
)
def test_a_bracket_without_a_fill_says_that_its_exits_come_too_late(kind: Any, more: dict[str, Any]) -> None:
    desk = bought(Desk())
    events = desk.apply(desk.of_book(kind, 1, **more))
    assert [(event.request_id, event.reason) for event in events[2:]] == [("profit", "TOO_LATE"), ("stop", "TOO_LATE")]
    assert {type(event) for event in events[2:]} == {m.RequestRejected}
    assert desk.alice["USD"] == (10_000, 0)
    assert desk.place("sell", 1, 1, request_id="profit") == ["! alice 0 DUPLICATE"]


def _killed(desk: Desk) -> None:
    desk.tell(m.SetKillSwitch(key=SHARD, account="alice", on=True))


def _delisted(desk: Desk) -> None:
    desk.tell(m.Delist(key=SHARD, symbol=SYMBOL))


def _other_tick(desk: Desk) -> None:
    other = m.msgspec.structs.replace(INSTRUMENT, tick="0.05")
    desk.tell(m.ListInstrument(key=SHARD, instrument=other, version=2))


def _shares_sold(desk: Desk) -> None:
    desk.ask(m.Withdraw, "alice", asset="AAPL", amount=50)
    bust = {"side": "buy", "price": 100, "quantity": 5}
    desk.report(m.FillBusted, 99, **bust)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (_killed, "ACCOUNT_OFF"),
        (_delisted, "DELISTED"),
        (_other_tick, "STALE_LISTING"),
        (_shares_sold, "INSUFFICIENT_FUNDS"),
    ],
)
def test_exits_that_cannot_be_placed_are_refused_under_their_ids(what: Any, reason: str) -> None:
    desk = bought(Desk())
    what(desk)
    events = desk.apply(desk.of_book(m.OrderFilled, 1, side="buy", price=100, quantity=5, leaves=0))
    refused = [(type(event), event.request_id, event.reason, event.order_id) for event in events[3:]]
    assert refused == [(m.OrderRejected, name, reason, 0) for name in ("profit", "stop")]
    repeat = desk.accounts.requests.find("alice", "stop")
    assert repeat is not None
    assert (repeat.order_id, repeat.reason) == (0, reason)


def test_limits_do_not_keep_exits_from_being_placed() -> None:
    desk = bought(Desk())
    limits = m.Limits(order_lots=1, order_notional=1, open_orders=1, orders_per_s=1, position_lots=1)
    desk.tell(m.SetLimits(key=SHARD, account="alice", limits=limits))
    assert desk.fill(1, 5, 100)[-1] == "enter 2 sell 5 @ 120 or 3 sell 5 @ 80"


def test_a_short_sale_is_no_bracket_but_a_sale_of_what_there_is_buys_back() -> None:
    desk = Desk()
    stop = leg("stop", 130, kind="stop", conditions=STOP)
    bracket(desk, "sell", 5, leg("in", 100), leg("profit", 80), stop)
    desk.accept(1)
    assert desk.fill(1, 5, 100)[3:] == ["alice USD 9850 + 650", "enter 2 buy 5 @ 80 or 3 buy 5 @ 130"]


def test_an_iceberg_exit_shows_no_more_than_there_is() -> None:
    desk = Desk()
    profit = leg("profit", 120, conditions=m.Conditions(display=4))
    bracket(desk, "buy", 5, leg("in", 100), profit, leg("stop", 80))
    desk.accept(1)
    desk.fill(1, 3, 100)
    entered = desk.apply(desk.of_book(m.OrderCancelled, 1, quantity=2, reason="REQUESTED"))[-1]
    assert (entered.first.quantity, entered.first.conditions) == (3, m.Conditions(display=3))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"entry": leg("in", 100, time_in_force="GTD")}, "INVALID_TIME_IN_FORCE"),
        ({"take_profit": leg("profit", 120, kind="market", time_in_force="IOC")}, "INVALID_CONDITIONS"),
        ({"stop_loss": leg("in", 80)}, "INVALID_CONDITIONS"),
        ({"stop_loss": leg("used", 80)}, "DUPLICATE"),
        ({"quantity": 101}, "INSUFFICIENT_FUNDS"),
        ({"symbol": "NONE"}, "UNKNOWN_SYMBOL"),
    ],
)
def test_a_bracket_that_cannot_be_is_refused_as_a_whole(change: dict[str, Any], reason: str) -> None:
    desk = Desk()
    desk.ask(m.CancelAll, "alice", request_id="used")
    fields: dict[str, Any] = {"quantity": 5, "entry": leg("in", 100), "take_profit": leg("profit", 120)}
    fields |= {"stop_loss": leg("stop", 80), "request_id": "g", "symbol": SYMBOL, "side": "buy"}
    events = desk.apply(desk.command(m.PlaceBracket, "alice", **(fields | change)))
    assert [(type(event), event.request_id, event.reason) for event in events] == [(m.RequestRejected, "g", reason)]
    assert desk.place("sell", 1, 1, request_id="profit")[-1] == "enter 1 sell 1 @ 1"


def test_a_brackets_entry_can_be_amended_but_not_replaced() -> None:
    desk = bought(Desk())
    swap = {"side": "buy", "price": 90, "quantity": 5, "order_id": 1}
    assert desk.ask(m.ReplaceOrder, "alice", **swap) == ["! alice 1 INVALID_AMENDMENT"]
    assert desk.ask(m.AmendOrder, "alice", order_id=1, quantity=3, request_id="c") == ["revise 1 to 3 @ 0"]
    amended = {"price": 100, "quantity": 3, "leaves": 3, "amend_request_id": "c"}
    assert desk.report(m.OrderAmended, 1, **amended) == ["alice USD 9700 + 300", "* alice 1 3 of 3 @ 100"]
    assert desk.fill(1, 3, 100)[-1] == "enter 2 sell 3 @ 120 or 3 sell 3 @ 80"


def test_a_bracket_is_remembered_with_the_id_of_its_entry() -> None:
    desk = Desk()
    fields = {"symbol": SYMBOL, "side": "buy", "quantity": 5, "entry": leg("in", 100), "take_profit": leg("p", 120)}
    group = desk.command(m.PlaceBracket, "alice", request_id="g", stop_loss=leg("s", 80), **fields)
    desk.tell(group)
    desk.now_ms = NOW + 5
    assert desk.tell(group) == ["again g 1 None"]
