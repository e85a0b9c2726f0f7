"""What an account shard does with commands and reports, one scenario a test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange import messages as m
from exchange import topics
from exchange.accounts import Accounts
from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from exchange.money import UNITS_MAX
from exchange.requests import DAY_MS, KEPT_MS
from tests.exchange.desk import NOW, SHARD, Desk
from tests.exchange.pit import INSTRUMENT, SYMBOL


def test_an_account_is_opened_and_funded() -> None:
    desk = Desk()
    assert desk.ask(m.OpenAccount, "bob") == ["opened bob"]
    assert desk.ask(m.Deposit, "bob", asset="USD", amount=5) == ["bob USD 5 + 0"]


def test_an_account_is_opened_once() -> None:
    assert Desk().ask(m.OpenAccount, "alice") == ["! alice 0 ACCOUNT_EXISTS"]


def test_a_deposit_keeps_a_balance_exact_in_json() -> None:
    desk = Desk()
    assert desk.ask(m.Deposit, "alice", asset="USD", amount=UNITS_MAX) == ["! alice 0 BALANCE_LIMIT"]
    assert desk.ask(m.Deposit, "alice", asset="USD", amount=UNITS_MAX - 10_000) == [f"alice USD {UNITS_MAX} + 0"]


def test_an_order_that_is_paid_for_goes_to_its_book() -> None:
    desk = Desk()
    assert desk.place("buy", 5, 100) == ["alice USD 9500 + 500", "enter 1 buy 5 @ 100"]
    assert desk.place("sell", 5, 110) == ["alice AAPL 45 + 5", "enter 2 sell 5 @ 110"]


def test_order_ids_are_of_their_shard() -> None:
    shard = Accounts("3", "live", 16)
    assert shard.placed * shard.shards + int(shard.shard) == 3
    desk = Desk()
    ids = [event.order_id for _ in range(3) for event in desk.apply(_order(desk)) if type(event) is m.EnterOrder]
    assert ids == [1, 2, 3]


def _order(desk: Desk) -> m.PlaceOrder:
    order: m.PlaceOrder = desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=1, quantity=1)
    return order


def test_more_than_there_is_is_not_reserved() -> None:
    desk = Desk()
    assert desk.place("buy", 100, 100)[-1] == "enter 1 buy 100 @ 100"
    assert desk.place("buy", 1, 1) == ["! alice 0 INSUFFICIENT_FUNDS"]
    assert desk.place("sell", 51, 1) == ["! alice 0 INSUFFICIENT_FUNDS"]


def test_unknown_accounts_and_symbols_are_refused() -> None:
    desk = Desk()
    assert desk.place("buy", 1, 1, account="nobody") == ["! nobody 0 UNKNOWN_ACCOUNT"]
    assert desk.place("buy", 1, 1, symbol="NONE") == ["! alice 0 UNKNOWN_SYMBOL"]
    assert desk.ask(m.Deposit, "@market", asset="USD", amount=5) == ["! @market 0 UNKNOWN_ACCOUNT"]


@pytest.mark.parametrize(
    "terms",
    [
        {"kind": "market"},
        {"kind": "market", "time_in_force": "GTD", "expires_ms": NOW + 1},
        {"time_in_force": "GTD"},
        {"expires_ms": NOW + 1},
        {"time_in_force": "IOC", "expires_ms": NOW + 1},
    ],
)
def test_a_time_in_force_that_makes_no_sense_is_refused(terms: dict[str, object]) -> None:
    assert Desk().place("buy", 1, 1, **terms) == ["! alice 0 INVALID_TIME_IN_FORCE"]


def test_a_fill_moves_cash_and_shares_before_it_is_published() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    assert desk.report(m.OrderFilled, 1, side="buy", price=90, quantity=2, leaves=3) == [
        "alice USD 9520 + 300",
        "alice AAPL 52 + 0",
        "= alice 1 taker 2 @ 90, 3 left",
    ]
    assert desk.report(m.OrderFilled, 1, side="buy", price=100, quantity=3, leaves=0)[:2] == [
        "alice USD 9520 + 0",
        "alice AAPL 55 + 0",
    ]
    assert desk.accounts.orders == {}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (m.OrderCancelled, {"quantity": 5, "reason": "REQUESTED"}),
        (m.OrderExpired, {"quantity": 5}),
        (m.OrderRejected, {"reason": "HALTED"}),
    ],
)
def test_what_an_order_no_longer_needs_is_released(kind: type, more: dict[str, object]) -> None:
    desk = Desk()
    before = desk.alice
    desk.place("buy", 5, 100)
    assert desk.alice != before
    assert desk.report(kind, 1, **more)[0] == "alice USD 10000 + 0"
    assert desk.alice == before
    assert desk.accounts.orders == {}


def test_reports_are_published_under_the_request_that_placed_the_order() -> None:
    desk = Desk()
    desk.place("buy", 5, 100, request_id="mine")
    accepted = desk.of_book(m.OrderAccepted, 1, side="buy", price=100, quantity=5)
    published = desk.apply(accepted)[0]
    assert (published.request_id, published.source, published.seq) == ("mine", SHARD, 1)
    assert desk.accounts.address(published) == (topics.ORDER_REPORTS, SHARD)


def test_a_cancellation_names_the_request_that_placed_the_order_and_the_one_that_cancelled_it() -> None:
    desk = Desk()
    desk.place("buy", 5, 100, request_id="mine")
    cancelled = desk.of_book(m.OrderCancelled, 1, quantity=5, reason="REQUESTED", cancel_request_id="stop")
    published = desk.apply(cancelled)[-1]
    assert (published.request_id, published.cancel_request_id) == ("mine", "stop")


def test_a_cancel_goes_to_the_book_by_order_or_by_request() -> None:
    desk = Desk()
    desk.place("buy", 5, 100, request_id="mine")
    assert desk.ask(m.CancelOrder, "alice", order_id=1) == ["pull 1"]
    assert desk.ask(m.CancelOrder, "alice", order_request_id="mine") == ["pull 1"]
    assert desk.alice["USD"] == (9_500, 500)


def test_a_cancel_of_what_is_not_open_or_not_ones_own_is_refused() -> None:
    desk = Desk()
    desk.ask(m.OpenAccount, "bob")
    desk.place("buy", 5, 100, request_id="mine")
    assert desk.ask(m.CancelOrder, "bob", order_id=1) == ["! bob 0 UNKNOWN_ORDER"]
    assert desk.ask(m.CancelOrder, "bob", order_request_id="mine") == ["! bob 0 UNKNOWN_ORDER"]
    assert desk.ask(m.CancelOrder, "alice") == ["! alice 0 UNKNOWN_ORDER"]


def test_a_book_that_refuses_a_cancel_is_passed_on() -> None:
    desk = Desk()
    assert desk.report(m.RequestRejected, 1, reason="TOO_LATE", request_id="c") == ["! alice 1 TOO_LATE"]


# Request ids


def test_a_retry_has_the_first_outcome_and_no_second_effect() -> None:
    desk = Desk()
    order = desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=100, quantity=5, request_id="x")
    poor = desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=10**6, quantity=5, request_id="y")
    desk.tell(order)
    desk.tell(poor)
    before = desk.alice
    desk.now_ms += 1_000
    assert desk.tell(order) == ["again x 1 None"]
    assert desk.tell(poor) == ["again y 0 INSUFFICIENT_FUNDS"]
    assert desk.alice == before


def test_an_id_with_other_content_is_a_duplicate() -> None:
    desk = Desk()
    desk.place("buy", 5, 100, request_id="x")
    assert desk.place("buy", 6, 100, request_id="x") == ["! alice 0 DUPLICATE"]
    assert desk.ask(m.CancelOrder, "alice", order_id=1, request_id="x") == ["! alice 0 DUPLICATE"]


def test_an_old_command_is_stale_and_one_from_the_future_is_ahead() -> None:
    desk = Desk()
    assert desk.place("buy", 1, 1, created_ms=NOW - DAY_MS - 1) == ["! alice 0 STALE"]
    assert desk.place("buy", 1, 1, created_ms=NOW + 60_001) == ["! alice 0 CLOCK_AHEAD"]


def test_a_retry_after_the_id_is_forgotten_is_stale_and_never_a_second_order() -> None:
    desk = Desk()
    order = desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=100, quantity=5)
    desk.tell(order)
    desk.now_ms += KEPT_MS + 1
    assert desk.tell(order) == ["! alice 0 STALE"]
    assert len(desk.accounts.requests.by_id) == 0


def test_at_the_bound_of_ids_new_commands_are_refused_and_retries_still_answered() -> None:
    desk = Desk()
    order = desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=100, quantity=5, request_id="x")
    desk.tell(order)
    desk.accounts.requests.requests_max = len(desk.accounts.requests.by_id)
    assert desk.place("buy", 1, 1) == ["! alice 0 REQUESTS_FULL"]
    assert desk.tell(order) == ["again x 1 None"]


# Channels, clocks, listings


def test_a_report_that_comes_twice_is_settled_once() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    fill = desk.of_book(m.OrderFilled, 1, side="buy", price=100, quantity=2, leaves=3)
    assert len(desk.tell(fill)) == 3
    assert desk.tell(fill) == []
    assert desk.alice["AAPL"] == (52, 0)


def test_a_report_after_a_hole_waits_for_the_one_before_it() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    first = desk.of_book(m.OrderFilled, 1, side="buy", price=100, quantity=2, leaves=3)
    second = desk.of_book(m.OrderFilled, 1, side="buy", price=100, quantity=3, leaves=0)
    assert desk.tell(second) == []
    assert len(desk.tell(first)) == 3
    assert len(desk.tell(second)) == 3


def test_replayed_time_travels_with_the_order() -> None:
    desk = Desk("replay")
    assert desk.tell(m.AdvanceClock(key=SHARD, time_ms=1_230_768_000_000)) == []
    assert desk.apply(_order(desk))[1].time_ms == 1_230_768_000_000


def test_live_time_is_the_brokers() -> None:
    desk = Desk("live")
    desk.tell(m.AdvanceClock(key=SHARD, time_ms=NOW + 10**9))
    desk.now_ms += 7
    assert desk.apply(_order(desk))[1].time_ms == NOW + 7


def test_an_order_carries_the_version_of_its_listing() -> None:
    desk = Desk()
    desk.tell(m.ListInstrument(key=SHARD, instrument=INSTRUMENT, version=4))
    desk.tell(m.ListInstrument(key=SHARD, instrument=INSTRUMENT, version=3))
    assert desk.apply(_order(desk))[1].listing == 4


def test_a_listing_does_not_become_another_instrument() -> None:
    other = Instrument(symbol=SYMBOL, base="AAPL", quote="EUR")
    with pytest.raises(InvalidPacket, match="another instrument"):
        Desk().tell(m.ListInstrument(key=SHARD, instrument=other, version=9))


# Halts


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"order_id": 7}, "not open"),
        ({"account": "bob"}, "another account"),
        ({"source": "GOOGUSD", "seq": 1}, "another account or symbol"),
        ({"leaves": 2}, "what is left"),
        ({"quantity": 6, "leaves": 0}, "what is left"),
        ({"side": "sell"}, "what is left"),
        ({"price": 101}, "beyond its limit"),
    ],
)
def test_a_report_that_cannot_be_breaks_an_invariant(change: dict[str, object], reason: str) -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    report = desk.of_book(m.OrderFilled, 1, **({"side": "buy", "price": 100, "quantity": 2, "leaves": 3} | change))
    with pytest.raises(AssertionError, match=reason):
        desk.tell(report)


def test_a_halted_shard_refuses_commands_and_parks_reports_and_settles_them_when_it_is_resumed() -> None:
    desk = Desk()
    order = desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=100, quantity=5, request_id="x")
    desk.tell(order)
    desk.accounts.halted = True
    assert desk.place("buy", 1, 1) == ["! alice 0 HALTED"]
    assert desk.tell(order) == ["again x 1 None"]
    assert desk.report(m.OrderAccepted, 1, side="buy", price=100, quantity=5) == []
    assert desk.report(m.OrderFilled, 7, side="buy", price=100, quantity=5, leaves=0) == []
    assert desk.report(m.OrderFilled, 1, side="buy", price=100, quantity=5, leaves=0) == []
    assert desk.alice["USD"] == (9_500, 500)
    assert desk.tell(m.Resume(key=SHARD)) == [
        "+ alice 1",
        "alice USD 9500 + 0",
        "alice AAPL 55 + 0",
        "= alice 1 taker 5 @ 100, 0 left",
    ]
    assert desk.accounts.parked == []
    assert desk.place("buy", 1, 1)[-1] == "enter 2 buy 1 @ 1"


def test_a_command_refused_by_a_halt_may_come_again() -> None:
    desk = Desk()
    desk.accounts.halted = True
    order = _order(desk)
    assert desk.tell(order) == ["! alice 0 HALTED"]
    desk.tell(m.Resume(key=SHARD))
    assert desk.tell(order)[-1] == "enter 1 buy 1 @ 1"


def test_a_shard_takes_only_its_own_messages() -> None:
    shards = [Accounts(str(shard), "live", 16) for shard in range(16)]
    command = m.OpenAccount(account="alice", request_id="1", created_ms=0)
    assert [shard.shard for shard in shards if shard.accepts(command)] == [m.shard_of("alice", 16)]
    assert [shard.shard for shard in shards if shard.accepts(m.Resume(key="3"))] == ["3"]


# Stored state


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_orders_that_an_earlier_version_stored_are_settled_as_ever(version: str) -> None:
    stored = json.loads((Path(__file__).parent / "states" / f"{version}.json").read_text())["accounts"]
    shard = m.shard_of("alice", 4)
    accounts = Accounts(shard, "live", 4, stored)
    common = {"source": SYMBOL, "time_ms": NOW, "account": "alice", "order_id": 7, "symbol": SYMBOL}
    assert accounts.accounts["alice"].row() == {"USD": (6_510, 1_500), "AAPL": (2, 0)}
    fill = {"trade": 2, "side": "buy", "price": 90, "quantity": 2, "leaves": 1, "liquidity": "maker"}
    accounts.apply(m.OrderFilled(seq=2, **fill, **common), NOW)
    assert accounts.accounts["alice"].row() == {"USD": (6_610, 500), "AAPL": (4, 0)}
    accounts = Accounts(shard, "live", 4, stored | {k: v for k, v in accounts.changes().items() if v is not None})
    accounts.apply(m.OrderCancelled(seq=3, quantity=1, reason="REQUESTED", **common), NOW)
    assert accounts.accounts["alice"].row() == {"USD": (7_110, 0), "AAPL": (4, 0)}
    again = m.PlaceOrder(
        account="alice", request_id="p", created_ms=NOW, symbol=SYMBOL, side="buy", price=100, quantity=5
    )
    assert [type(event) for event in accounts.apply(again, NOW)] == [m.RequestRepeated]
