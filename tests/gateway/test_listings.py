"""Versions of a listing: what counts in other ticks starts anew, whatever is read first; orders keep the ticks they were placed in."""

from __future__ import annotations

import random
from typing import Any

import pytest

from exchange import messages as m
from exchange import topics
from exchange.instruments import Rules
from exchange.packets import decode_book_snapshots
from gateway.projecting.projection import TOPICS, Projection
from gateway.projecting.store import new_generation
from tests.gateway.projected import AAPL, NOW_MS, Projected
from tests.gateway.reads import read
from tests.gateway.script import COARSE, SYMBOL, Script

DAY_MS = 86_400_000


def prices(projected: Projected) -> list[str]:
    return [trade.price for trade in read(projected, lambda views: views.trades(SYMBOL, 100))]


def history(script: Script) -> None:
    """Four versions: other rules, another tick, and the first tick again; with trades, levels and orders under each."""
    for version, (instrument, rules) in enumerate(
        ((AAPL, Rules()), (AAPL, Rules(collar_ppm=50_000)), (COARSE, Rules()), (AAPL, Rules())), 1
    ):
        for price in (101, 102) if version in (3, 4) else ():
            script.book(m.BookDelta, side="buy", price=price, quantity=0)
        script.list(version, instrument, rules=rules, bids=[(102, 5), (101, 4)] if version == 2 else [])
        for number in range(6):
            script.trade(100 * version + number, version, time_ms=NOW_MS + version * DAY_MS + number * 40_000)
        script.book(m.BookDelta, side="buy", price=101, quantity=4)
        script.book(m.BookDelta, side="buy", price=102, quantity=5)
        script.order(16 * version, listing=version)
    for order_id in (16, 48):
        script.report(m.OrderCancelled, order_id=order_id, symbol=SYMBOL, quantity=10, reason="LISTING_CHANGED")


def test_another_tick_clears_trades_candles_and_day_and_other_rules_do_not(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    script.trade(100)
    script.list(2, rules=Rules(collar_ppm=50_000, reference=100))
    script.trade(101, 2)
    projected.show()
    before = read(projected, lambda views: views.market(SYMBOL, "1d"))
    assert ([one.price for one in before.trades], len(before.candles)) == (["1.01", "1.00"], 1)
    assert (before.depth.buy_max, before.depth.sell_min) == ("1.05", "0.95")
    script.list(3, COARSE)
    projected.project()
    cleared = read(projected, lambda views: views.market(SYMBOL, "1d"))
    assert (cleared.trades, cleared.candles) == ([], [])
    summary = cleared.summary
    assert (summary.tick, summary.listing, summary.last, summary.volume, summary.trades) == ("0.1", 3, None, "0", 2)
    assert (cleared.depth.listing, cleared.depth.buy_max) == (3, None)
    script.trade(11, 3)
    projected.project()
    assert prices(projected) == ["1.1"]


def test_trades_of_a_version_that_is_read_before_its_snapshot_wait_for_it(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    script.trade(100)
    script.trade(12, 2)
    projected.show()
    assert prices(projected) == ["1.00"]
    projected.projection, projected.commit = projected.store.load(venue, projected.generation)
    script.list(2, COARSE)
    projected.project()
    assert prices(projected) == ["1.2"]
    assert not any(name.startswith("waiting") for name in projected.contents())


def test_trades_of_an_older_tick_that_are_read_after_the_new_snapshot_are_passed_over(
    redis_url: str, venue: str
) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    script.list(2, COARSE)
    projected.show()
    script.trade(100)
    script.trade(12, 2)
    projected.project()
    assert prices(projected) == ["1.2"]
    assert read(projected, lambda views: views.market(SYMBOL, "1d")).summary.trades == 2


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_read_first_cut_repeated_or_restarted_the_views_are_the_same(
    redis_url: str, venue: str, seed: int
) -> None:
    projected = Projected(redis_url, venue)
    history(Script(projected))
    projected.show()
    assert prices(projected) == ["4.05", "4.04", "4.03", "4.02", "4.01", "4.00"]

    dice = random.Random(seed)
    generation, store, commit = new_generation(), projected.store, 0
    cut = Projection(venue)
    pending = {topic: projected.records(topic) for topic in TOPICS}
    while any(pending.values()):
        topic = dice.choice([topic for topic, records in pending.items() if records])
        count = dice.randint(1, 4)
        for record in pending[topic][:count]:
            cut.add(record)
            if dice.random() < 0.2 and topic != topics.BOOK_SNAPSHOTS:
                cut.add(record)
        pending[topic] = pending[topic][count:]
        commit += 1
        store.apply(generation, commit, cut.changes(store.keys.of(generation)), publish=False)
        if dice.random() < 0.3:
            cut, commit = store.load(venue, generation)
    assert projected.contents(generation) == projected.contents(), f"seed {seed}"


def test_a_symbol_that_is_delisted_says_so_until_it_is_listed_again(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    told = []
    for version, delisted in ((1, False), (1, True), (2, False)):
        script.list(version, delisted=delisted)
        projected.show()
        told.append(read(projected, lambda views: views.summaries())[0].delisted)
    assert told == [False, True, False]


def test_a_rebuild_that_begins_at_the_last_snapshots_is_the_same(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    history(script)
    script.list(5, rules=Rules(collar_ppm=10_000), bids=[(102, 5), (101, 4)])
    script.trade(500, 5)
    projected.show()
    assert prices(projected) == ["5.00", "4.05", "4.04", "4.03", "4.02", "4.01", "4.00"]
    snapshots = projected.venue.read(topics.BOOK_SNAPSHOTS, decode_book_snapshots)
    late = Projection(venue)
    for snapshot in snapshots:  # the first of each version
        late.note_listing(snapshot)
    late.begin(snapshots[-1])
    for topic in (topics.TRADES, topics.ORDER_REPORTS, topics.ACCOUNT_UPDATES, topics.CANDLES):
        for record in projected.records(topic):
            late.add(record)
    generation = new_generation()
    projected.store.apply(generation, 1, late.changes(projected.store.keys.of(generation)), publish=False)
    assert projected.contents(generation) == projected.contents()


def test_an_order_is_shown_in_the_ticks_that_it_was_placed_in(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    history(script)
    script.order(160, listing=9)
    projected.show()
    account: Any = read(projected, lambda views: views.account("ann"))
    shown = {
        order.order_id: (order.price, order.listing, order.state)
        for order in (*account.open_orders, *account.ended_orders)
    }
    assert shown == {
        16: ("1.00", 1, "CANCELLED"),
        32: ("1.00", 2, "OPEN"),
        48: ("10.0", 3, "CANCELLED"),
        64: ("1.00", 4, "OPEN"),
    }  # fmt: skip
    script.list(9, COARSE)
    projected.project()
    assert read(projected, lambda views: views.order("ann", 160)).price == "10.0"
