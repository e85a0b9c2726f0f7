"""State that a released version has stored must load for ever. `python -m tests.exchange.test_stored_state` stores today's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange import messages as m
from exchange.accounts import Accounts
from exchange.book import Book
from exchange.instruments import Instrument
from openbell import __version__

STATES = Path(__file__).parent / "states"
SHARDS = 4
LISTED = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD", tick="0.05", lot="0.1", base_scale=1, quote_scale=3)
NOW = 1_700_000_000_000


def make_book() -> Book:
    """Return a book with resting orders of all kinds, a trade, and channels in both directions."""
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


def make_accounts() -> Accounts:
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


@pytest.mark.parametrize("stored", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
def test_the_state_of_every_version_loads(stored: Path) -> None:
    states = json.loads(stored.read_text())
    book = Book("AAPLUSD", "live", SHARDS, states["book"])
    accounts = Accounts(m.shard_of("alice", SHARDS), "live", SHARDS, states["accounts"])
    made_book, made_accounts = make_book(), make_accounts()
    if stored.stem == "0.1.0":  # no snapshots then: the first message after it makes up for them
        assert [type(event) for event in book.apply(m.Tick(key=book.symbol), NOW)] == [m.BookSnapshot]
        made_book.snapshot_due = book.snapshot_due
    for loaded, made in ((book, made_book), (accounts, made_accounts)):
        made.changes()
        tick = m.Resume(key=made_book.symbol if made is made_book else made_accounts.shard)
        assert loaded.apply(tick, NOW + 2_000) == made.apply(tick, NOW + 2_000)
        assert loaded.changes() == made.changes()
    assert set(book.orders) == set(made_book.orders)
    assert accounts.accounts["alice"].row() == made_accounts.accounts["alice"].row()
    assert set(accounts.orders) == set(made_accounts.orders)


def test_there_is_a_stored_state_to_load() -> None:
    assert (STATES / f"{__version__}.json").exists()


if __name__ == "__main__":
    STATES.mkdir(exist_ok=True)
    now = {"book": make_book().changes(), "accounts": make_accounts().changes()}
    (STATES / f"{__version__}.json").write_text(json.dumps(now, indent=1) + "\n")
