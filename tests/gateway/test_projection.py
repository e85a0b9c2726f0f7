"""The views are what the machines know, however the records are cut into batches and whatever comes twice."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from exchange import messages as m
from exchange import topics
from exchange.accounts import Accounts
from exchange.book import Book
from exchange.candles import SPANS, Candles
from exchange.packets import decode_book_snapshots, decode_trades, encode
from exchange.topics import topic_name
from gateway import keys
from gateway.analytics import projected as analytics
from gateway.projecting import batch
from gateway.projecting.projection import TOPICS, Projection
from gateway.projecting.store import Displaced, new_generation
from gateway.shown import AccountShown, Depth, Indicative
from gateway.views import RedisViews
from tests.gateway.projected import AAPL, NOW_MS, TOKEN, Projected, market


def read(projected: Projected, ask: Any) -> Any:
    """Ask the views something."""

    async def asked() -> Any:
        views = RedisViews(projected.url, projected.name, lambda: NOW_MS)
        try:
            return await ask(views)
        finally:
            await views.close()

    return asyncio.run(asked())


def book(projected: Projected, symbol: str) -> Book:
    found = projected.venue.hosts[topics.BOOK_INBOX].machines[symbol]
    assert isinstance(found, Book)
    return found


def depth_of(projected: Projected, symbol: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    depth: Depth = read(projected, lambda views: views.depth(symbol, keys.TOP_LEVELS))
    return [(one.price, one.quantity) for one in depth.bids], [(one.price, one.quantity) for one in depth.asks]


def test_the_views_are_what_the_machines_know(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue, seed=7, orders=900)
    projected.show()
    for symbol in ("AAPLUSD", "COINUSD"):
        machine = book(projected, symbol)
        listed = machine.state.instrument
        assert listed is not None
        bids, asks = depth_of(projected, symbol)
        assert len(bids) > 2
        assert bids == [(listed.price_text(p), listed.quantity_text(q)) for p, q in machine.bids.totals()]
        assert asks == [(listed.price_text(p), listed.quantity_text(q)) for p, q in machine.asks.totals()]
        trades = [t for t in projected.venue.read(topics.TRADES, decode_trades) if t.symbol == symbol]
        tape = read(projected, lambda views, symbol=symbol: views.trades(symbol, 1_000))
        assert [one.seq for one in tape] == list(range(len(trades), 0, -1))
        assert [one.price for one in tape] == [listed.price_text(t.price) for t in reversed(trades)]
        for span, span_ms in SPANS.items():
            folded = Candles(span_ms)
            for trade in trades:
                folded.add(trade)
            shown = read(projected, lambda views, s=symbol, span=span: views.candles(s, span, 5_000))
            assert [
                (c.start_ms, listed.price_ticks(c.open), listed.price_ticks(c.high), listed.price_ticks(c.low),
                 listed.price_ticks(c.close), listed.quantity_lots(c.volume), c.trades) for c in shown
            ] == [
                (c.start_ms, c.open, c.high, c.low, c.close, c.volume, c.trades)
                for _, c in sorted(folded.by_start.items())
            ]  # fmt: skip
    for name in ("ann", "bob", "cy"):
        shown_account: AccountShown = read(projected, lambda views, name=name: views.account(name, ended=1_000))
        shard = projected.venue.hosts[topics.ACCOUNT_INBOX].machines[m.shard_of(name, 16)]
        assert isinstance(shard, Accounts)
        balances = shard.accounts[name].balances
        assert {one.asset: (one.available, one.reserved) for one in shown_account.balances} == {
            asset: (_text(asset, balance.available), _text(asset, balance.reserved))
            for asset, balance in balances.items()
        }
        expected = {order.order_id: order.leaves for order in shard.orders.values() if order.account == name}
        assert len(expected) > 3
        lots = {one.order_id: _lots(projected, one.symbol, one.leaves) for one in shown_account.open_orders}
        assert lots == expected
        assert {one.state for one in shown_account.ended_orders} == {"FILLED", "CANCELLED"}


def _text(asset: str, units: int) -> str:
    decimals = {"USD": 5, "COIN": 3, "AAPL": 0}[asset]
    return f"{units / 10**decimals:.{decimals}f}" if decimals else str(units)


def _lots(projected: Projected, symbol: str, text: str) -> int:
    listed = book(projected, symbol).state.instrument
    assert listed is not None
    return listed.quantity_lots(text)


@pytest.mark.parametrize("seed", range(6))
def test_the_views_are_what_the_machines_know_whatever_orders_and_phases_there_are(
    redis_url: str, venue: str, seed: int
) -> None:
    projected = market(redis_url, venue)
    projected.trade_in_every_way(seed, 400)
    projected.show()
    assert (projected.projection.mismatches, projected.projection.refused) == (0, 0)
    for symbol in ("AAPLUSD", "COINUSD"):
        machine = book(projected, symbol)
        listed = machine.state.instrument
        assert listed is not None
        bids, asks = depth_of(projected, symbol)
        assert bids == [(listed.price_text(p), listed.quantity_text(q)) for p, q in machine.bids.totals()]
        assert asks == [(listed.price_text(p), listed.quantity_text(q)) for p, q in machine.asks.totals()]
        summary = read(projected, lambda views, symbol=symbol: views.market(symbol, "1d")).summary
        assert summary.phase == machine.state.phase
        if summary.indicative is not None:
            price, volume, imbalance = machine.state.indicated
            assert summary.indicative == Indicative(
                price=listed.price_text(price) if price else None,
                volume=listed.quantity_text(volume),
                imbalance=listed.quantity_text(imbalance),
            )
        tape = read(projected, lambda views, symbol=symbol: views.trades(symbol, 1_000))
        busted = {number for of, number in projected.busted if of == symbol}
        assert {one.seq for one in tape if one.busted} == busted
    for name in ("ann", "bob", "cy"):
        shard = projected.venue.hosts[topics.ACCOUNT_INBOX].machines[m.shard_of(name, 16)]
        assert isinstance(shard, Accounts)
        shown: AccountShown = read(projected, lambda views, name=name: views.account(name, ended=1_000))
        open_orders = shard.accounts[name].orders.values()
        assert {one.order_id: _lots(projected, one.symbol, one.leaves) for one in shown.open_orders} == {
            order.order_id: order.leaves for order in open_orders
        }
        assert {one.asset: one.owed for one in shown.balances} == {
            asset: _text(asset, balance.owed) for asset, balance in shard.accounts[name].balances.items()
        }


@pytest.mark.parametrize("every", [False, True], ids=["plain", "every-way"])
@pytest.mark.parametrize("seed", range(12))
def test_batches_repeats_and_restarts_change_nothing(redis_url: str, venue: str, seed: int, *, every: bool) -> None:
    projected = market(redis_url, venue, seed, orders=200)
    if every:
        projected.trade_in_every_way(seed, 200)
    projected.project()
    once = projected.contents()

    dice = random.Random(seed)
    generation, store = new_generation(), projected.store
    cut = Projection(venue)
    commit = 0
    pending = {topic: projected.records(topic) for topic in TOPICS}
    while any(pending.values()):
        topic = dice.choice([topic for topic, records in pending.items() if records])
        count = dice.randint(1, 20)
        for record in pending[topic][:count]:
            cut.add(record)
            if dice.random() < 0.2 and topic != topics.BOOK_SNAPSHOTS:
                cut.add(record)
        pending[topic] = pending[topic][count:]
        commit += 1
        store.apply(generation, commit, cut.changes(store.keys.of(generation)), publish=False)
        if dice.random() < 0.2:
            cut, commit = store.load(venue, generation)
    assert projected.contents(generation) == once


def test_a_book_that_begins_at_its_snapshot_is_the_same(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.book.reports.SNAPSHOT_EVERY", 40)
    projected = market(redis_url, venue, seed=3, orders=600)
    projected.show()
    snapshots = projected.venue.read(topics.BOOK_SNAPSHOTS, decode_book_snapshots)
    last = {snapshot.symbol: snapshot for snapshot in snapshots}
    assert min(snapshot.delta for snapshot in last.values()) > 100
    late = Projection(venue)
    for snapshot in last.values():
        late.begin(snapshot)
    for topic in TOPICS:
        records = projected.records(topic)
        for record in records[-300:] if topic == topics.BOOK_DELTAS else records:
            late.add(record)
    generation = new_generation()
    projected.store.apply(generation, 1, late.changes(projected.store.keys.of(generation)), publish=False)
    assert projected.contents(generation) == projected.contents()


def test_a_snapshot_stands_for_events_that_are_missing_and_for_no_others(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    projected.order("ann", "buy", 100, 5)
    projected.show()
    ahead = m.BookSnapshot(
        symbol="AAPLUSD", seq=9, time_ms=NOW_MS, delta=2, trade=0, listing=1, instrument=AAPL,
        bids=[(101, 7)], asks=[(110, 2)],
    )  # fmt: skip
    projected.venue.written[topics.BOOK_SNAPSHOTS].append(encode(ahead))
    projected.project()
    assert depth_of(projected, "AAPLUSD") == ([("1.00", "5")], [])
    projected.order("ann", "buy", 102, 5)
    projected.order("ann", "buy", 103, 5)
    deltas = projected.venue.written[topics.BOOK_DELTAS]
    lost = deltas.pop(1)
    projected.project()
    assert depth_of(projected, "AAPLUSD") == ([("1.00", "5")], [])
    projected.venue.written[topics.BOOK_SNAPSHOTS].append(encode(ahead))
    projected.project()
    assert depth_of(projected, "AAPLUSD") == ([("1.01", "7")], [("1.10", "2")])
    projected.venue.written[topics.BOOK_DELTAS] += [lost, deltas[1]]  # the sender goes back and sends them again
    projected.project()
    assert depth_of(projected, "AAPLUSD") == ([("1.03", "5"), ("1.01", "7")], [("1.10", "2")])


def test_a_record_that_is_no_packet_is_counted_and_passed_over(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    good = projected.records(topics.ACCOUNT_UPDATES)
    bad = replace(good[0], offset=len(good), value=b'{"type":"Trade"}')
    for record in (*good, bad):
        projected.projection.add(record)
    assert projected.projection.refused == 1
    assert projected.projection.offsets[topic_name(venue, topics.ACCOUNT_UPDATES), 0] == len(good) + 1


def test_a_displaced_projector_changes_nothing_and_is_told(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    projected.show()
    other, commit = projected.store.load(venue, projected.generation)
    projected.order("ann", "buy", 100, 5)
    projected.project()
    before = projected.contents()
    changes = other.changes(projected.store.keys.of(projected.generation))
    with pytest.raises(Displaced):
        projected.store.apply(projected.generation, commit + 1, changes, publish=False)
    assert projected.contents() == before
    projected.store._redis.delete(projected.store.keys.of(projected.generation).position)
    with pytest.raises(Displaced):
        projected.project()


def test_a_projector_that_restarts_before_a_listing_is_read_keeps_what_it_has(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue, seed=5, orders=100)
    projected.project()
    generation, store, early = new_generation(), projected.store, Projection(venue)
    keys_of = store.keys.of(generation)
    half = {topic: len(projected.records(topic)) // 2 for topic in (topics.BOOK_DELTAS, topics.TRADES)}
    for topic, count in half.items():
        for record in projected.records(topic)[:count]:
            early.add(record)
    store.apply(generation, 1, early.changes(keys_of), publish=False)
    late, commit = store.load(venue, generation)
    for topic in TOPICS:
        for record in projected.records(topic)[half.get(topic, 0) :]:
            late.add(record)
    store.apply(generation, commit + 1, late.changes(keys_of), publish=False)
    assert projected.contents(generation) == projected.contents()


def test_readers_go_over_only_to_what_stands_where_its_projector_left_it(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    projected.project()
    store = projected.store
    paused, commit = projected.generation, projected.commit
    projected.rebuild()
    projected.show()
    with pytest.raises(Displaced):
        store.switch(paused, commit + 1, TOKEN)
    with pytest.raises(Displaced):
        store.switch(paused, commit, "another's")
    store._redis.delete(store.keys.of(paused).position)
    with pytest.raises(Displaced):
        store.switch(paused, commit, TOKEN)
    assert store.generation() == projected.generation
    assert store._redis.ttl(store.keys.of(projected.generation).position) == -1


def test_a_refused_duplicate_says_nothing_of_a_request_that_is_no_longer_known(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "REQUESTS_MAX", 3)
    projected = market(redis_url, venue)
    projected.order("ann", "buy", 100, 1, request_id="old")
    for number in range(5):
        projected.order("ann", "buy", 100, 1, request_id=f"new-{number}")
        projected.project()
    assert b"old" not in projected.contents()["outcomes:ann"]
    projected.order("ann", "buy", 100, 2, request_id="old")
    projected.show()
    told = read(projected, lambda views: views.answers("ann", ["old"]))["old"]
    assert (told.outcome.state, told.outcome.repeat) == ("REJECTED", "DUPLICATE")
    projected.order("ann", "buy", 100, 1, request_id="old")
    projected.project()
    told = read(projected, lambda views: views.answers("ann", ["old"]))["old"]
    assert (told.outcome.state, told.outcome.repeat) == ("ACCEPTED", None)
    assert told.order is not None


def test_messages_that_stay_missing_are_named(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    for price in range(100, 104):
        projected.order("ann", "buy", price, 1)
    records = projected.records(topics.BOOK_DELTAS)
    view = Projection(venue)
    for record in (*records[:1], *records[2:]):
        view.add(record)
    assert view.missing(NOW_MS) == []
    assert view.missing(NOW_MS + 1) == ["AAPLUSD"]
    for record in records[1:]:
        view.add(record)
    assert view.missing(NOW_MS + 1) == []


def test_what_is_kept_is_bounded(redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("TRADES_MAX", 10), ("ENDED_MAX", 6), ("REQUESTS_MAX", 8)):
        monkeypatch.setattr(batch, name, most)
    for name, most in (("CANDLES_MAX", 4), ("SECONDS_MAX", 3)):
        monkeypatch.setattr(analytics, name, most)
    projected = market(redis_url, venue)
    for step in range(25):
        projected.advance(NOW_MS + step * 86_400_000)
        projected.order("ann", "buy", 100, 1)
        projected.order("bob", "sell", 100, 1)
        projected.project()
    projected.show()
    contents = projected.contents()
    assert len(contents["trades:AAPLUSD"]) == 10
    assert [len(contents[f"candles:AAPLUSD:{span}"]) for span in SPANS] == [3, 4, 4, 4, 4, 4]
    for account in ("ann", "bob"):
        assert len(contents[f"ended:{account}"]) == len(contents[f"ended-ids:{account}"]) == 6
        assert len(contents[f"outcomes:{account}"]) == len(contents[f"request-ids:{account}"]) == 8
    newest = read(projected, lambda views: views.trades("AAPLUSD", 3))
    assert [one.id for one in newest] == ["AAPLUSD-25", "AAPLUSD-24", "AAPLUSD-23"]


def test_every_end_of_a_request_can_be_asked_for(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    placed = projected.order("ann", "buy", 100, 5)
    poor = projected.order("ann", "buy", 10**11, 10**9)
    cancelled = projected.send(m.CancelOrder, "ann", order_request_id=placed)
    late = projected.send(m.CancelOrder, "ann", order_request_id=placed)
    projected.order("ann", "buy", 100, 5, request_id=placed)
    projected.order("ann", "buy", 101, 5, request_id=poor)
    projected.show()

    def outcome(request_id: str) -> tuple[str, str | None, str | None]:
        found = read(projected, lambda views: views.answers("ann", [request_id]))[request_id].outcome
        return found.state, found.reason, found.repeat

    assert outcome(placed) == ("ACCEPTED", None, None)
    assert outcome(poor) == ("REJECTED", "INSUFFICIENT_FUNDS", "DUPLICATE")
    assert outcome(cancelled) == ("ACCEPTED", None, None)
    assert outcome(late) == ("REJECTED", "UNKNOWN_ORDER", None)
    assert outcome("r1") == ("ACCEPTED", None, None)
    answers = read(projected, lambda views: views.answers("ann", ["never", placed]))
    assert list(answers) == [placed]
    order = read(projected, lambda views: views.order("ann", answers[placed].outcome.order_id))
    assert order == answers[placed].order
    assert (order.state, order.reason, order.filled, order.leaves) == ("CANCELLED", "REQUESTED", "0", "5")
