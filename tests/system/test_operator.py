"""An operator's day on real servers: everything that `openbell market`, `sessions`, `reports` and `statement` do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from venue import Venue, now_ms

from exchange import messages as m
from exchange import topics
from gateway.endowment import endowment
from openbell.board import read_board

pytestmark = [pytest.mark.stack, pytest.mark.slow]

CASH, SHARES = 10_000_000, 1_000
"""What each account begins with, in cents and shares."""


def run(venue: Venue, *arguments: str, code: int = 0) -> str:
    """Run a command to its end; return what it printed on the stream that goes with its exit code."""
    done = venue.openbell(*arguments)
    out, err = done.communicate(timeout=120)
    assert done.returncode == code, (arguments, done.returncode, out, err)
    assert "Traceback" not in err
    return (out if code == 0 else err).strip()


def read(venue: Venue, *arguments: str) -> Any:
    return json.loads(run(venue, *arguments, "--json"))


def order(venue: Venue, account: str, name: str, side: m.Side, price: int, quantity: int, symbol: str = "AAPL") -> None:
    venue.order(account, name, side, price, quantity, symbol=symbol)


def reported(venue: Venue, kind: type[Any], count: int = 1, **fields: Any) -> list[Any]:
    """Wait until there are so many reports of a kind with these fields."""

    def wanted(found: list[Any]) -> list[Any]:
        return [
            one
            for one in found
            if isinstance(one, kind) and all(getattr(one, name) == value for name, value in fields.items())
        ]

    return venue.wait_for(topics.ORDER_REPORTS, lambda found: len(wanted(found)) >= count and wanted(found))


def balances(venue: Venue, account: str, wanted: dict[str, tuple[int, int]]) -> None:
    """Wait until an account has this, as (available, reserved)."""

    def had(found: list[Any]) -> bool:
        told = [one for one in found if isinstance(one, m.BalanceChanged) and one.account == account]
        return {one.asset: (one.available, one.reserved) for one in told} == wanted

    venue.wait_for(topics.ACCOUNT_UPDATES, had)


def test_listing_phases_fees_limits_switches_busts_and_delisting(shared_venue: Venue):
    venue = shared_venue

    # Listing
    listed = read(venue, "market", "list", "AAPL", "MSFT")
    assert (listed["listed"], listed["listed_before"]) == (["AAPL", "MSFT"], [])
    again = read(venue, "market", "list", "MSFT")
    assert (again["listed"], again["listed_before"]) == ([], ["MSFT"])
    assert "NOPE is not listed; listed are: AAPL, MSFT" in run(venue, "market", "halt", "NOPE", code=2)
    assert [row["symbol"] for row in read(venue, "market", "show")["markets"]] == ["AAPL", "MSFT"]
    venue.fund("alice", "bob", USD=CASH, AAPL=SHARES)

    # Play money, once a day
    markets = read_board(venue.servers, venue.name).markets.values()
    given = endowment(market.instrument for market in markets)
    assert read(venue, "market", "endow", "carol")["assets"] == sorted(given) == ["AAPL", "MSFT", "USD"]
    run(venue, "market", "endow", "carol")
    balances(venue, "carol", {asset: (amount, 0) for asset, amount in given.items()})

    # Fees and a trade
    run(venue, "market", "fees", "AAPL", "--tier", "-0.01:0.1")
    order(venue, "alice", "a1", "buy", 10_000, 10)
    reported(venue, m.OrderAccepted, request_id="a1")
    order(venue, "bob", "b1", "sell", 10_000, 4)
    fills = {fill.account: fill for fill in reported(venue, m.OrderFilled, 2)}
    assert (fills["alice"].fee, fills["bob"].fee) == (-4, 40)
    market = read(venue, "market", "show", "AAPL")
    assert (market["phase"], market["bid"], market["bid_quantity"], market["ask"]) == (
        "continuous",
        "100.00",
        "6",
        None,
    )

    # The bust
    shown = run(venue, "market", "bust", "AAPL", "1", code=2)
    assert "nothing was done" in shown
    busted = read(venue, "market", "bust", "AAPL", "1", "--yes")
    assert (busted["buy"], busted["sell"]) == (
        {"account": "alice", "order_id": fills["alice"].order_id, "fee": -4},
        {"account": "bob", "order_id": fills["bob"].order_id, "fee": 40},
    )
    reported(venue, m.FillBusted, 2)
    balances(venue, "bob", {"USD": (CASH, 0), "AAPL": (SHARES, 0)})
    assert "has been undone already" in run(venue, "market", "bust", "AAPL", "1", "--yes", code=1)
    assert "has no trade 99" in run(venue, "market", "bust", "AAPL", "99", code=1)

    # Halt, resume by an auction, whose price is the middle of 99 and 100 where no auction before it and no listing says otherwise
    halted = read(venue, "market", "halt", "AAPL")
    assert (halted["before"], halted["phase"]) == ("continuous", "halt")
    assert "is in halt already" in run(venue, "market", "halt", "AAPL")
    order(venue, "bob", "b2", "sell", 9_900, 6)
    reported(venue, m.OrderAccepted, request_id="b2")
    indicated = read(venue, "market", "show", "AAPL")
    assert (indicated["phase"], indicated["auction_quantity"], indicated["auction_imbalance"]) == ("halt", "6", "0")
    assert read(venue, "market", "resume", "AAPL")["phase"] == "continuous"
    assert "is in continuous already" in run(venue, "market", "resume", "AAPL")
    reported(venue, m.OrderFilled, 4)

    # Limits and the switch
    limits = read(venue, "market", "limits", "alice", "--order-lots", "5", "--tier", "1")["limits"]
    assert limits == read(venue, "market", "limits", "alice")["limits"]
    assert read(venue, "market", "limits", "alice", "--open-orders", "50")["limits"] == {**limits, "open_orders": 50}
    assert "there is no account nobody" in run(venue, "market", "kill", "nobody", code=1)
    order(venue, "alice", "a2", "buy", 9_000, 6)
    reported(venue, m.OrderRejected, request_id="a2", reason="ORDER_SIZE_LIMIT")
    order(venue, "alice", "a3", "buy", 9_000, 5)
    reported(venue, m.OrderAccepted, request_id="a3")
    run(venue, "market", "kill", "alice")
    reported(venue, m.OrderCancelled, request_id="a3", reason="KILL_SWITCH")
    order(venue, "alice", "a4", "buy", 9_000, 5)
    reported(venue, m.OrderRejected, request_id="a4", reason="ACCOUNT_OFF")
    run(venue, "market", "revive", "alice")
    order(venue, "alice", "a5", "buy", 9_000, 5)
    reported(venue, m.OrderAccepted, request_id="a5")

    # Cancelling, listing anew, delisting
    assert read(venue, "market", "cancel", "AAPL")["prices"] == 1
    reported(venue, m.OrderCancelled, request_id="a5", reason="OPERATOR")
    order(venue, "alice", "a6", "buy", 9_000, 5)
    reported(venue, m.OrderAccepted, request_id="a6")
    relisted = read(venue, "market", "relist", "AAPL", "--tick", "0.05", "--collar", "10")
    assert (relisted["before"], relisted["listing"]) == (1, 2)
    reported(venue, m.OrderCancelled, request_id="a6", reason="LISTING_CHANGED")
    market = read(venue, "market", "show", "AAPL")
    assert (market["instrument"]["tick"], market["rules"]["collar_ppm"]) == ("0.05", 100_000)
    order(venue, "alice", "a7", "buy", 1_900, 5)
    reported(venue, m.OrderAccepted, request_id="a7", listing=2)
    assert read(venue, "market", "delist", "AAPL")["prices"] == 1
    reported(venue, m.OrderCancelled, request_id="a7", reason="DELISTED")
    order(venue, "alice", "a8", "buy", 1_900, 5)
    reported(venue, m.OrderRejected, request_id="a8")
    assert read(venue, "market", "relist", "AAPL")["listing"] == 3

    # Phases to come
    assert "is over" in run(venue, "market", "phase", "AAPL", "closed", "--at", "2020-01-01 00:00", code=2)
    run(venue, "market", "phase", "AAPL", "closed", "--at", "2100-01-01 00:00")
    assert read(venue, "market", "phase", "AAPL", "pre-open")["phase"] == "pre-open"
    assert "AAPL is not in halt but pre-open" in run(venue, "market", "resume", "AAPL", code=2)
    assert read(venue, "sessions", "MSFT", "--calendar", "24/7", "--days", "3", "--write")["written"] == {"MSFT": 1}

    # What accounts were told
    told = [json.loads(line) for line in run(venue, "reports", "--account", "alice", "--json").splitlines()]
    assert [one["seq"] for one in told] == sorted({one["seq"] for one in told})
    assert {one["account"] for one in told} == {"alice"}
    lines = run(venue, "reports").splitlines()
    assert any(" bob AAPL order " in line and " FillBusted trade=1 " in line for line in lines)
    kinds = {one["type"] for one in told}
    assert {"OrderAccepted", "OrderFilled", "FillBusted", "OrderCancelled", "OrderRejected"} <= kinds
    assert now_ms() >= max(one["time_ms"] for one in told)

    # Where an account stands
    stands = read(venue, "statement", "bob")
    assert stands["balances"] == [
        {"asset": "AAPL", "available": "994", "reserved": "0", "owed": "0"},
        {"asset": "USD", "available": "100596.41", "reserved": "0.00", "owed": "0.00"},
    ]
    assert [(one["trade"], one["price"], one["quantity"], one["fee"], one["undone"]) for one in stands["trades"]] == [
        (1, "100.00", "4", "0.40", True),
        (2, "99.50", "6", "0.59", False),
    ]
    assert stands["orders"] == []
    assert [(one["symbol"], one["trades"], one["sold"], one["fees"]) for one in stands["markets"]] == [
        ("AAPL", 1, "6", "0.59")
    ]
    assert "account bob" in run(venue, "statement", "bob")
    assert "has no account nobody" in run(venue, "statement", "nobody", code=1)

    # The log with all of this in it is whole
    assert read(venue, "verify", "--quiesced")["ok"] is True


def test_a_venue_whose_jobs_do_not_run_shows_nothing_in_time(shared_venue: Venue):
    venue = shared_venue
    run(venue, "market", "list", "INFY")
    venue.jobs.cancel("matching")
    late = run(venue, "market", "halt", "INFY", "--timeout", "2", code=1)
    assert "the book of INFY has not shown it within 2 s, though it is in the log and may still be done" in late
