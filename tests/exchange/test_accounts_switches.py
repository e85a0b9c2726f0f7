"""Cancelling all, the dead-man timer, the kill switch and delisting at the account, one scenario a test."""

from __future__ import annotations

import pytest

from exchange import messages as m
from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from tests.exchange.desk import NOW, SHARD, Desk
from tests.exchange.pit import INSTRUMENT, SYMBOL

OTHER = Instrument(symbol="GOOGUSD", base="GOOG", quote="USD")


def trading() -> Desk:
    """Return a desk where alice has two orders on one symbol and one on another."""
    desk = Desk()
    desk.tell(m.ListInstrument(key=SHARD, instrument=OTHER))
    desk.place("buy", 5, 100)
    desk.place("buy", 5, 100, symbol="GOOGUSD")
    desk.place("sell", 5, 110)
    return desk


def kill(desk: Desk, *, on: bool) -> list[str]:
    return desk.tell(m.SetKillSwitch(key=SHARD, account="alice", on=on))


def dead_man(desk: Desk, timeout_ms: int) -> list[str]:
    return desk.ask(m.SetDeadMan, "alice", timeout_ms=timeout_ms, request_id=f"d{desk.requests}")


# Cancel all


def test_all_open_orders_are_asked_to_go() -> None:
    desk = trading()
    assert desk.ask(m.CancelAll, "alice", request_id="all") == ["pull 1", "pull 2", "pull 3", "done all 3"]
    assert desk.cancelled(1, cancel_request_id="all")[-1] == "- alice 1 5 REQUESTED"


def test_all_open_orders_of_a_symbol_are_asked_to_go() -> None:
    desk = trading()
    assert desk.ask(m.CancelAll, "alice", symbol=SYMBOL, request_id="all") == ["pull 1", "pull 3", "done all 2"]
    assert desk.ask(m.CancelAll, "alice", symbol="NONE", request_id="none") == ["done none 0"]


def test_only_ones_own_orders_go() -> None:
    desk = trading()
    desk.ask(m.OpenAccount, "bob")
    assert desk.ask(m.CancelAll, "bob", request_id="all") == ["done all 0"]


def test_that_an_order_was_gone_before_all_were_cancelled_is_no_refusal() -> None:
    desk = trading()
    desk.ask(m.CancelAll, "alice", request_id="all")
    assert desk.report(m.RequestRejected, 1, reason="TOO_LATE", request_id="all") == []
    assert desk.report(m.RequestRejected, 1, reason="TOO_LATE") == []


# The dead-man timer


def test_all_orders_go_when_the_timer_is_not_set_anew_in_time() -> None:
    desk = trading()
    assert dead_man(desk, 1_000) == ["done d6 0"]
    assert desk.accounts.deadline_ms() == NOW + 1_000
    desk.now_ms += 999
    assert desk.tell(m.Tick(key=SHARD)) == []
    desk.now_ms += 1
    assert desk.tell(m.Tick(key=SHARD)) == ["pull 1 DEAD_MAN", "pull 2 DEAD_MAN", "pull 3 DEAD_MAN"]
    assert desk.accounts.deadline_ms() is None
    desk.now_ms += 5_000
    assert desk.tell(m.Tick(key=SHARD)) == []


def test_the_timer_is_seen_before_whatever_comes_next() -> None:
    desk = trading()
    dead_man(desk, 1_000)
    desk.now_ms += 1_000
    assert desk.place("buy", 1, 1) == [
        "pull 1 DEAD_MAN",
        "pull 2 DEAD_MAN",
        "pull 3 DEAD_MAN",
        "alice USD 8999 + 1001",
        "enter 4 buy 1 @ 1",
    ]


def test_the_timer_can_be_set_anew_and_called_off() -> None:
    desk = trading()
    dead_man(desk, 1_000)
    desk.now_ms += 500
    dead_man(desk, 1_000)
    desk.now_ms += 999
    assert desk.tell(m.Tick(key=SHARD)) == []
    dead_man(desk, 0)
    assert desk.accounts.deadline_ms() is None
    desk.now_ms += 10_000
    assert desk.tell(m.Tick(key=SHARD)) == []


def test_the_earliest_timer_of_the_shard_is_its_deadline() -> None:
    desk = trading()
    desk.ask(m.OpenAccount, "bob")
    desk.ask(m.SetDeadMan, "bob", timeout_ms=500)
    dead_man(desk, 1_000)
    assert desk.accounts.deadline_ms() == NOW + 500
    desk.now_ms += 500
    assert desk.tell(m.Tick(key=SHARD)) == []
    assert desk.accounts.deadline_ms() == NOW + 1_000


def test_a_replayed_market_has_the_timer_of_its_own_time() -> None:
    desk = Desk("replay")
    desk.place("buy", 5, 100)
    dead_man(desk, 1_000)
    desk.now_ms += 9_000
    assert desk.tell(m.Tick(key=SHARD)) == []
    assert desk.tell(m.AdvanceClock(key=SHARD, time_ms=1_000)) == ["pull 1 DEAD_MAN"]


def test_a_halted_shard_waits_with_the_timer() -> None:
    desk = trading()
    dead_man(desk, 1_000)
    desk.accounts.halted = True
    desk.now_ms += 2_000
    assert desk.accounts.deadline_ms() is None
    assert desk.tell(m.Tick(key=SHARD)) == []
    assert desk.tell(m.Resume(key=SHARD)) == []
    assert desk.tell(m.Tick(key=SHARD))[0] == "pull 1 DEAD_MAN"


# The kill switch


def test_a_killed_account_loses_its_orders_and_places_no_more() -> None:
    desk = trading()
    desk.accept(1)
    assert kill(desk, on=True) == ["pull 1 KILL_SWITCH", "pull 2 KILL_SWITCH", "pull 3 KILL_SWITCH"]
    assert desk.place("buy", 1, 1) == ["! alice 0 ACCOUNT_OFF"]
    assert desk.ask(m.AmendOrder, "alice", order_id=1, quantity=1) == ["! alice 1 ACCOUNT_OFF"]
    swap = {"order_id": 1, "side": "buy", "price": 1, "quantity": 1}
    assert desk.ask(m.ReplaceOrder, "alice", **swap) == ["! alice 1 ACCOUNT_OFF"]
    leg = m.Leg(request_id="a", price=1)
    other = m.Leg(request_id="b", price=2)
    pair = {"symbol": SYMBOL, "side": "buy", "quantity": 1, "first": leg, "second": other}
    assert desk.ask(m.PlaceOco, "alice", **pair) == ["! alice 0 ACCOUNT_OFF"]
    assert desk.ask(m.CancelOrder, "alice", order_id=1) == ["pull 1"]
    assert desk.ask(m.Withdraw, "alice", asset="USD", amount=1, request_id="w")[0].startswith("alice USD")


def test_an_account_that_is_let_trade_again_trades_again() -> None:
    desk = Desk()
    kill(desk, on=True)
    assert kill(desk, on=False) == []
    assert desk.place("buy", 1, 1)[-1] == "enter 1 buy 1 @ 1"


def test_fills_of_a_killed_accounts_orders_are_settled() -> None:
    desk = trading()
    kill(desk, on=True)
    assert desk.fill(1, 5, 100)[1] == "alice AAPL 50 + 5"


def test_a_switch_or_limits_of_an_unknown_account_are_no_packet() -> None:
    for message in (
        m.SetKillSwitch(key=SHARD, account="bob", on=True),
        m.SetLimits(key=SHARD, account="bob", limits=m.Limits()),
        m.SetLimits(key=SHARD, account=m.FEES, limits=m.Limits()),
    ):
        with pytest.raises(InvalidPacket, match="no account"):
            Desk().tell(message)


# Listings


def test_a_delisted_symbol_takes_no_orders_until_it_is_listed_anew() -> None:
    desk = Desk()
    assert desk.tell(m.Delist(key=SHARD, symbol=SYMBOL)) == []
    assert desk.place("buy", 1, 1) == ["! alice 0 DELISTED"]
    desk.tell(m.ListInstrument(key=SHARD, instrument=INSTRUMENT, version=1))
    assert desk.place("buy", 1, 1) == ["! alice 0 DELISTED"]
    desk.tell(m.ListInstrument(key=SHARD, instrument=INSTRUMENT, version=2))
    assert desk.place("buy", 1, 1)[-1] == "enter 1 buy 1 @ 1"


@pytest.mark.parametrize("message", [m.Delist(key=SHARD, symbol="NONE"), m.SetFees(key=SHARD, symbol="NONE", tiers=[])])
def test_an_operation_on_what_is_not_listed_is_no_packet(message: m.Message) -> None:
    with pytest.raises(InvalidPacket, match="not listed"):
        Desk().tell(message)


def test_an_order_keeps_the_listing_that_it_was_admitted_under() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    desk.tell(m.ListInstrument(key=SHARD, instrument=m.msgspec.structs.replace(INSTRUMENT, tick="0.05"), version=2))
    entered = desk.apply(desk.command(m.PlaceOrder, "alice", symbol=SYMBOL, side="buy", price=20, quantity=5))
    assert (entered[1].listing, desk.alice["USD"]) == (2, (9_000, 1_000))
    assert desk.cancelled(1, "LISTING_CHANGED")[0] == "alice USD 9500 + 500"
    assert desk.fill(2, 5, 20)[0] == "alice USD 9500 + 0"


def test_a_listing_version_is_one_instrument_for_ever() -> None:
    desk = Desk()
    for version, change in ((1, {"tick": "0.05"}), (2, {"base_scale": 2}), (2, {"quote": "EUR"})):
        other = m.msgspec.structs.replace(INSTRUMENT, **change)
        with pytest.raises(InvalidPacket, match="another instrument"):
            desk.accounts.apply(m.ListInstrument(key=SHARD, instrument=other, version=version), NOW)
