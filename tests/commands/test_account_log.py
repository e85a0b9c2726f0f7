"""What the log says of an account: limits, reports without repeats, and its shard run again."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from exchange import messages as m
from exchange.channel import Inbound
from exchange.host import Record
from exchange.instruments import Instrument
from exchange.packets import encode
from openbell.account_log import Rerun, limits_in, reports_in
from openbell.commands.reports import line
from openbell.venue import Venue

VENUE = Venue("127.0.0.1:1", "v", "live", 1)
NOW_MS = 1_800_000_000_000
LISTED = Instrument(symbol="X", base="A", quote="USD")


def records(*packets: Any, key: str = "0") -> list[Record]:
    """Return records of the inbox or of a topic, each a millisecond after the one before."""
    offsets = count()
    return [
        Record("v.topic", 0, offset, NOW_MS + offset, key, packet if isinstance(packet, bytes) else encode(packet))
        for offset, packet in zip(offsets, packets, strict=False)
    ]


def limits(account: str, **held: int) -> m.SetLimits:
    return m.SetLimits(key="0", account=account, limits=m.Limits(**held))


def accepted(seq: int, account: str = "alice", **more: Any) -> m.OrderAccepted:
    terms: dict[str, Any] = {"symbol": "X", "side": "buy", "price": 100, "quantity": 5, "order_id": 1, **more}
    return m.OrderAccepted(source="0", seq=seq, time_ms=NOW_MS, account=account, **terms)


def test_the_last_limits_of_an_account_are_those_it_has():
    written = records(
        limits("alice", order_lots=5),
        b'"SetLimits" but no packet',
        [limits("bob", order_lots=7), limits("alice", tier=2)],
    )
    assert limits_in(written, "alice", "0") == m.Limits(tier=2)
    assert limits_in(written, "bob", "0") == m.Limits(order_lots=7)
    assert limits_in(written, "carol", "0") == limits_in(written, "alice", "1") == m.Limits()


def test_reports_come_once_each_and_only_those_of_the_account():
    written = records([accepted(1), accepted(2, "bob")], accepted(1), [accepted(2, "bob"), accepted(3)])
    assert list(reports_in(written, Inbound())) == [accepted(1), accepted(2, "bob"), accepted(3)]
    seen = Inbound()
    assert list(reports_in(written[:1], seen, "alice")) == [accepted(1)]
    assert list(reports_in(written, seen, "alice")) == [accepted(3)]


def test_what_shows_an_operator_how_far_a_shard_has_read_is_no_accounts_report():
    echo = m.RequestRejected(source="0", seq=1, time_ms=0, account="@operator-3", reason="UNKNOWN_ACCOUNT")
    assert list(reports_in(records([echo, accepted(2)]), Inbound())) == [accepted(2)]


def test_a_shard_that_is_run_again_says_the_same_of_the_account():
    common: dict[str, Any] = {"account": "alice", "created_ms": NOW_MS}
    placed = m.PlaceOrder(request_id="p", symbol="X", side="buy", price=100, quantity=5, **common)
    again = Rerun(VENUE, "alice")
    events: list[Any] = []
    for record in records(
        m.ListInstrument(key="0", instrument=LISTED),
        [m.OpenAccount(request_id="o", **common), m.OpenAccount(account="bob", request_id="o", created_ms=NOW_MS)],
        m.Deposit(request_id="d", asset="USD", amount=1_000, **common),
        b"no packet",
        [placed, placed],
        m.OrderAccepted(
            source="X", seq=1, time_ms=NOW_MS, account="alice", order_id=1, symbol="X", side="buy", price=100, quantity=5
        ),
        m.OrderFilled(
            source="X", seq=2, time_ms=NOW_MS, account="alice", order_id=1, symbol="X", trade=9, side="buy", price=99,
            quantity=5, leaves=0, liquidity="taker",
        ),
    ):  # fmt: skip
        events += again.take(record)
    assert again.listed == {("X", 1): LISTED}
    assert [type(event).__name__ for event in events] == [
        "AccountOpened", "BalanceChanged", "BalanceChanged", "RequestRepeated", "OrderAccepted", "BalanceChanged",
        "BalanceChanged", "OrderFilled",
    ]  # fmt: skip
    assert [(event.asset, event.available, event.reserved) for event in events[-3:-1]] == [("USD", 505, 0), ("A", 5, 0)]
    assert again.take(Record("v.topic", 0, 99, NOW_MS, "1", encode(placed))) == []


@pytest.mark.parametrize(
    ("report", "written"),
    [
        (
            accepted(1, conditions=m.Conditions(display=2, self_trade="both"), request_id="p"),
            (
                "2027-01-15T08:00:00.000Z alice X order 1 OrderAccepted side=buy price=100 quantity=5 "
                "conditions=display:2,self_trade:both request_id=p"
            ),
        ),
        (
            m.RequestRejected(source="0", seq=1, time_ms=2**53 - 1, account="bob", reason="STALE", request_id="q"),
            "9007199254740991 ms bob - - RequestRejected reason=STALE request_id=q",
        ),
    ],
)
def test_a_report_is_a_line(report: Any, written: str):
    assert line(report) == written
