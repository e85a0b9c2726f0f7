"""State that a released version has stored must load for ever. `python -m tests.exchange.test_stored_state` stores today's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchange import messages as m
from exchange.accounts import Accounts
from exchange.book import Book
from exchange.instruments import Instrument, Rules
from openbell import __version__
from tests.exchange.desk import SHARD, Desk
from tests.exchange.pit import INSTRUMENT, SYMBOL, Pit
from tests.exchange.pit import SHARDS as PIT_SHARDS

STATES = Path(__file__).parent / "states"
FIRST = ("0.1.0", "0.2.0")
"""Versions that knew limit and market orders only; their states were made by `plain_book` and `plain_accounts`."""
SHARDS = 4
LISTED = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD", tick="0.05", lot="0.1", base_scale=1, quote_scale=3)
NOW = 1_700_000_000_000


def plain_book() -> Book:
    """Return a book with resting orders, a trade, and channels in both directions."""
    book = Book("AAPLUSD", "live", SHARDS)
    book.apply(m.ListInstrument(key="AAPLUSD", instrument=LISTED), NOW)
    for number in range(1, 21):
        order = m.EnterOrder(
            source="1", seq=number, time_ms=NOW, account="alice" if number % 2 else "bob", order_id=number * SHARDS,
            symbol="AAPLUSD", side="buy" if number % 3 else "sell", price=100 + number % 5, quantity=number,
            time_in_force="GTD" if number % 4 == 0 else "GTC", expires_ms=NOW + 1_000 if number % 4 == 0 else 0,
        )  # fmt: skip
        book.apply(order, NOW)
    return book


def plain_accounts() -> Accounts:
    """Return a shard with balances, an open order that is partly filled, refused and repeated requests."""
    shard = m.shard_of("alice", SHARDS)
    accounts = Accounts(shard, "live", SHARDS)
    common = {"account": "alice", "created_ms": NOW}
    place = m.PlaceOrder(request_id="p", symbol="AAPLUSD", side="buy", price=100, quantity=5, **common)
    for message in (
        m.ListInstrument(key=shard, instrument=LISTED),
        m.OpenAccount(request_id="o", **common),
        m.Deposit(request_id="d", asset="USD", amount=9_000, **common),
        place,
        place,
        m.PlaceOrder(request_id="q", symbol="AAPLUSD", side="sell", price=100, quantity=5, **common),
        m.OrderFilled(
            source="AAPLUSD", seq=1, time_ms=NOW, account="alice", order_id=SHARDS + int(shard), symbol="AAPLUSD", trade=1,
            side="buy", price=99, quantity=2, leaves=3, liquidity="taker",
        ),
    ):  # fmt: skip
        accounts.apply(message, NOW)
    return accounts


def whole_book() -> Book:
    """Return a book with an order of every sort, fees, a phase planned ahead, a busted trade and an auction under way."""
    pit = Pit()
    rules = Rules(collar_ppm=500_000, band_ppm=400_000, order_by_order=True)
    pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=2, rules=rules))
    listed: dict[str, Any] = {"listing": 2}
    pit.place("alice", 1, "sell", 9, 110, **listed, maker_fee=-100, taker_fee=300)
    pit.place("bob", 2, "buy", 4, 110, **listed, maker_fee=-100, taker_fee=300)
    pit.place("alice", 3, "buy", 20, 100, **listed, conditions=m.Conditions(display=3))
    pit.place("bob", 4, "sell", 5, 100, **listed)
    conditions: tuple[tuple[int, m.Side, m.Kind, m.TimeInForce, m.Conditions], ...] = (
        (5, "sell", "stop", "GTC", m.Conditions(stop=90)),
        (6, "sell", "stop-limit", "DAY", m.Conditions(stop=91, display=2)),
        (7, "buy", "trailing-stop", "GTC", m.Conditions(trail=15)),
        (8, "buy", "pegged", "GTC", m.Conditions(peg="bid", offset=-2)),
        (9, "buy", "limit", "GTC", m.Conditions(all_or_none=True)),
        (10, "sell", "limit", "GTC", m.Conditions(post_only="slide", self_trade="decrement")),
        (11, "sell", "limit", "CLS", m.Conditions()),
        (12, "buy", "market", "OPG", m.Conditions()),
    )
    for order_id, side, kind, force, asked in conditions:
        price = 99 if side == "buy" else 101
        more: dict[str, Any] = {"kind": kind, "time_in_force": force, "conditions": asked}
        pit.place("carol", order_id, side, 6, price, **listed, **more)
    pit.place("dave", 13, "buy", 2, 98, **listed, time_in_force="GTD", expires_ms=10**12)
    leg = dict(account="dave", symbol=SYMBOL, side="sell", quantity=3, **listed, **pit.numbered("dave"), time_ms=0)
    first = m.EnterOrder(order_id=14, price=120, **leg)
    second = m.EnterOrder(order_id=15, price=80, kind="stop-limit", conditions=m.Conditions(stop=85), **leg)
    numbers = {"source": leg["source"], "seq": leg["seq"], "time_ms": 0}
    pit.tell(m.EnterOco(account="dave", symbol=SYMBOL, first=first, second=second, **numbers))
    pit.tell(m.SetPhase(key=SYMBOL, phase="closed", at_ms=10**11))
    pit.tell(
        m.BustTrade(key=SYMBOL, trade=1, price=110, quantity=4, buyer="bob", seller="alice", buy_order=2, sell_order=1)
    )
    pit.tell(m.SetPhase(key=SYMBOL, phase="opening-auction"))
    pit.place("bob", 16, "buy", 7, 103, **listed)
    return pit.book


def whole_desk() -> Desk:
    """Return a desk whose shard has groups, a bracket, an amendment and a swap under way, limits, fees, a timer, debts and a killed account."""
    desk = Desk()
    desk.tell(m.SetFees(key=SHARD, symbol=SYMBOL, tiers=[m.FeeTier(maker=-100, taker=300), m.FeeTier(taker=100)]))
    desk.tell(m.SetLimits(key=SHARD, account="alice", limits=m.Limits(orders_per_s=90, open_orders=50, tier=1)))
    desk.place("buy", 5, 100)
    desk.report(m.OrderAccepted, 1, side="buy", price=100, quantity=5)
    desk.report(m.OrderFilled, 1, side="buy", price=100, quantity=2, leaves=3)
    desk.ask(m.AmendOrder, "alice", order_id=1, quantity=9)
    desk.place("sell", 4, 110)
    desk.ask(m.ReplaceOrder, "alice", order_id=2, side="sell", price=109, quantity=6)
    stop = m.Leg(request_id="stop", price=80, kind="stop", conditions=m.Conditions(stop=90))
    legs = {"first": m.Leg(request_id="leg", price=130), "second": stop}
    desk.ask(m.PlaceOco, "alice", symbol=SYMBOL, side="sell", quantity=3, **legs)
    exits = {
        "take_profit": m.Leg(request_id="profit", price=130),
        "stop_loss": m.Leg(request_id="loss", price=80, kind="stop", conditions=m.Conditions(stop=90)),
    }
    entry = m.Leg(request_id="entry", price=90)
    desk.ask(m.PlaceBracket, "alice", symbol=SYMBOL, side="buy", quantity=2, entry=entry, **exits)
    desk.ask(m.SetDeadMan, "alice", timeout_ms=60_000)
    desk.ask(m.OpenAccount, "bob")
    bust = {"order_id": 99, "account": "bob", "trade": 1, "side": "sell", "price": 100, "quantity": 5}
    desk.tell(desk.of_book(m.FillBusted, 99, **bust))
    desk.tell(m.SetKillSwitch(key=SHARD, account="bob", on=True))
    return desk


def order_rows(book: Book) -> list[tuple[Any, ...]]:
    """Return what the first versions knew of each order, by arrival."""
    orders = sorted(book.orders.values(), key=lambda order: order.number)
    return [
        (order.order_id, order.account, order.side, order.price, order.leaves, order.expires_ms) for order in orders
    ]


@pytest.mark.parametrize("version", FIRST)
def test_the_state_of_the_first_versions_loads_and_goes_on(version: str) -> None:
    states = json.loads((STATES / f"{version}.json").read_text())
    shard = m.shard_of("alice", SHARDS)
    book, accounts = (
        Book("AAPLUSD", "live", SHARDS, states["book"]),
        Accounts(shard, "live", SHARDS, states["accounts"]),
    )
    made_book, made_accounts = plain_book(), plain_accounts()
    assert order_rows(book) == order_rows(made_book)
    assert accounts.accounts["alice"].row() == made_accounts.accounts["alice"].row()
    assert set(accounts.orders) == set(made_accounts.orders)
    taker = m.EnterOrder(
        source="1", seq=21, time_ms=NOW, account="carol", order_id=400, symbol="AAPLUSD", side="sell", price=100, quantity=30
    )  # fmt: skip
    said, made = book.apply(taker, NOW + 2_000), made_book.apply(taker, NOW + 2_000)
    assert [event for event in said if isinstance(event, m.Trade)] == [
        event for event in made if isinstance(event, m.Trade)
    ]
    fill = m.OrderFilled(
        source="AAPLUSD", seq=2, time_ms=NOW, account="alice", order_id=SHARDS + int(shard), symbol="AAPLUSD", trade=2,
        side="buy", price=98, quantity=3, leaves=0, liquidity="maker",
    )  # fmt: skip
    assert accounts.apply(fill, NOW + 2_000) == made_accounts.apply(fill, NOW + 2_000)


@pytest.mark.parametrize("version", sorted(path.stem for path in STATES.glob("*.json") if path.stem not in FIRST))
def test_the_state_of_every_later_version_loads_and_goes_on(version: str) -> None:
    states = json.loads((STATES / f"{version}.json").read_text())
    book, accounts = Book(SYMBOL, "live", PIT_SHARDS, states["book"]), Accounts(SHARD, "live", 1, states["accounts"])
    made_book, made_accounts = whole_book(), whole_desk().accounts
    for loaded, made, key in ((book, made_book, SYMBOL), (accounts, made_accounts, SHARD)):
        made.changes()
        for arrival_ms in (NOW + 1_000, NOW + 10**9):
            assert loaded.apply(m.Tick(key=key), arrival_ms) == made.apply(m.Tick(key=key), arrival_ms)
            assert loaded.changes() == made.changes()
    assert order_rows(book) == order_rows(made_book)
    assert {name: account.row() for name, account in accounts.accounts.items()} == {
        name: account.row() for name, account in made_accounts.accounts.items()
    }


def test_there_is_a_stored_state_to_load() -> None:
    assert (STATES / f"{__version__}.json").exists()


if __name__ == "__main__":
    STATES.mkdir(exist_ok=True)
    now = {"book": whole_book().changes(), "accounts": whole_desk().entries}
    (STATES / f"{__version__}.json").write_text(json.dumps(now, indent=1) + "\n")
