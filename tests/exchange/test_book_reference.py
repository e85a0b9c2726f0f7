"""The fast book and the plain one, driven by the same random flow, say the same at each step."""

from __future__ import annotations

import random

import pytest

from exchange import messages as m
from exchange.book import Book
from tests.exchange.pit import SHARDS, SYMBOL, Pit
from tests.exchange.reference_book import ReferenceBook

COMMANDS = 3_500


@pytest.mark.parametrize("restored", [False, True], ids=["in-memory", "restored-often"])
@pytest.mark.parametrize("seed", range(4))
def test_the_fast_book_says_what_the_plain_book_says(seed: int, restored: bool) -> None:
    dice = random.Random(seed)
    pit, plain = Pit(), ReferenceBook()
    entries: dict[str, str] = {}
    snapshots = 0
    spread = dice.choice((2, 5, 40))
    for order_id in range(1, COMMANDS):
        pit.now_ms += dice.choice((0, 0, 1, 30))
        account = dice.choice(("alice", "bob", "carol", "dave"))
        command: m.Message
        if dice.random() < 0.3:
            pulled = (
                dice.choice(plain.orders).order.order_id
                if plain.orders and dice.random() < 0.8
                else dice.randint(1, order_id)
            )
            owners = [resting.order.account for resting in plain.orders if resting.order.order_id == pulled]
            owner = owners[0] if owners and dice.random() < 0.9 else account
            command = m.PullOrder(time_ms=0, account=owner, order_id=pulled, symbol=SYMBOL, **pit.numbered(owner))
        else:
            kind = "market" if dice.random() < 0.1 else "limit"
            force = dice.choice(("IOC", "FOK") if kind == "market" else ("GTC", "GTC", "GTC", "GTD", "IOC", "FOK"))
            command = pit.order(
                account,
                order_id,
                dice.choice(("buy", "sell")),
                dice.randint(1, 20),
                dice.randint(100 - spread, 100 + spread),
                kind=kind,
                time_in_force=force,
                expires_ms=pit.now_ms + dice.randint(0, 2_000) if force == "GTD" else 0,
            )
        pit.snapshots.clear()
        said = pit.tell(command)
        assert said == plain.apply(command, pit.now_ms), f"seed {seed}, command {order_id}: {command}"
        for snapshot in pit.snapshots:
            snapshots += 1
            assert {"buy": dict(snapshot.bids), "sell": dict(snapshot.asks)} == plain.totals()
        if restored and dice.random() < 0.05:
            for name, text in pit.book.changes().items():
                if text is None:
                    entries.pop(name, None)
                else:
                    entries[name] = text
            pit.book = Book(SYMBOL, "live", SHARDS, entries)
    assert plain.trades > COMMANDS / 5
    assert snapshots > 1
