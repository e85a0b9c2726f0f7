"""Phases, auctions, busted trades and checksums, as the views show them."""

from __future__ import annotations

from zlib import crc32

import pytest

from exchange import messages as m
from exchange.messages import Phase
from gateway.keys import Beat
from gateway.projecting import batch
from gateway.shown import Indicative
from tests.gateway.adapters import running
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.reads import read
from tests.gateway.script import SYMBOL, Script


def played(url: str, name: str) -> tuple[Projected, Script]:
    projected = Projected(url, name)
    script = Script(projected)
    script.list(1)
    return projected, script


@pytest.mark.parametrize("phase", ["opening-auction", "halt", "closing-auction"])
def test_a_call_phase_shows_what_its_auction_would_do(redis_url: str, venue: str, phase: Phase) -> None:
    projected, script = played(redis_url, venue)
    script.book(m.PhaseChanged, phase=phase)
    projected.show()
    first = read(projected, lambda views: views.summaries())[0]
    assert (first.phase, first.indicative) == (phase, Indicative(price=None, volume="0", imbalance="0"))
    script.book(m.BookDelta, side="buy", price=102, quantity=9)
    script.book(m.BookDelta, side="sell", price=100, quantity=4)
    script.book(m.AuctionIndicated, price=101, volume=4, imbalance=5)
    projected.project()
    market = read(projected, lambda views: views.market(SYMBOL, "1d"))
    summary = market.summary
    assert summary.indicative == Indicative(price="1.01", volume="4", imbalance="5")
    assert (summary.bid, summary.ask, summary.spread) == ("1.02", "1.00", None)
    assert market.depth.phase == phase
    script.book(m.AuctionIndicated, price=101, volume=4, imbalance=-5)
    projected.projection, projected.commit = projected.store.load(venue, projected.generation)
    projected.project()
    assert read(projected, lambda views: views.summaries())[0].indicative.imbalance == "-5"
    script.book(m.PhaseChanged, phase="continuous")
    projected.project()
    assert [(one.phase, one.indicative) for one in read(projected, lambda views: views.summaries())] == [
        ("continuous", None)
    ]


def test_auction_trades_and_busted_ones_are_marked_though_the_bust_is_read_first(redis_url: str, venue: str) -> None:
    projected, script = played(redis_url, venue)
    script.book(m.TradeBusted, trade=2)
    projected.show()
    script.trade(100)
    script.trade(101)
    script.trade(102, auction=True)
    projected.project()
    market = read(projected, lambda views: views.market(SYMBOL, "1d"))
    marks = [(one.seq, one.auction, one.busted) for one in market.trades]
    assert marks == [(3, True, False), (2, False, True), (1, False, False)]
    assert (market.summary.volume, market.candles[0].trades) == ("15", 3)
    assert [one.busted for one in read(projected, lambda views: views.trades(SYMBOL, 5, 3))] == [True, False]


def test_a_bust_that_only_an_account_has_heard_of_marks_the_trade_and_the_order(redis_url: str, venue: str) -> None:
    projected, script = played(redis_url, venue)
    script.trade(100)
    for order_id in (16, 32):
        script.order(order_id, quantity=5)
    script.report(
        m.OrderFilled, order_id=16, symbol=SYMBOL, trade=1, side="buy", price=100, quantity=5, leaves=0, liquidity="taker"
    )  # fmt: skip
    projected.show()
    before = read(projected, lambda views: views.order("ann", 16))
    bust = {"order_id": 16, "symbol": SYMBOL, "trade": 1, "side": "buy", "price": 100, "quantity": 5}
    script.report(m.FillBusted, **bust)
    projected.project()
    after = read(projected, lambda views: views.account("ann"))
    assert [(one.order_id, one.busted) for one in (*after.open_orders, *after.ended_orders)] == [
        (32, False),
        (16, True),
    ]
    assert after.ended_orders[0].filled == before.filled == "5"
    assert [one.busted for one in read(projected, lambda views: views.trades(SYMBOL, 5))] == [True]
    once = projected.contents()
    projected.rebuild()
    assert projected.contents() == once


def test_marks_are_kept_no_longer_than_what_they_mark(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TRADES_MAX", 2)
    monkeypatch.setattr(batch, "ENDED_MAX", 1)
    projected, script = played(redis_url, venue)
    for number in range(1, 5):
        order_id = 16 * number
        script.trade(100 + number)
        script.order(order_id, quantity=5)
        fill = {"order_id": order_id, "symbol": SYMBOL, "trade": number, "side": "buy", "price": 100, "quantity": 5}
        script.report(m.OrderFilled, **fill, leaves=0, liquidity="taker")
        script.report(m.FillBusted, **fill)
        projected.project()
    script.report(m.FillBusted, order_id=16, symbol=SYMBOL, trade=1, side="buy", price=100, quantity=5)
    projected.show()
    contents = projected.contents()
    assert contents["busted-trades:AAPLUSD"] == [(b"3", 3.0), (b"4", 4.0)]
    assert contents["busted-orders:ann"] == {b"64": b"1"}
    projected.rebuild()
    assert projected.contents() == contents


def test_checksums_that_do_not_agree_are_counted_and_nothing_else(redis_url: str, venue: str) -> None:
    projected, script = played(redis_url, venue)
    script.book(m.BookDelta, side="buy", price=102, quantity=9)
    script.book(m.BookChecksum, crc32=crc32(b"102:9"))
    script.book(m.BookChecksum, crc32=1)
    script.book(m.BookDelta, side="buy", price=103, quantity=1)
    projected.show()
    assert projected.projection.mismatches == 1
    assert [one.price for one in read(projected, lambda views: views.depth(SYMBOL, 5)).bids] == ["1.03", "1.02"]
    projected.store.beat(Beat(at_ms=NOW_MS, complete=True, complete_ms=NOW_MS, mismatches=1))
    assert read(projected, lambda views: views.freshness()).mismatches == 1


def test_mismatches_are_among_the_figures(redis_url: str, venue: str) -> None:
    with running(redis_url, venue) as bench:
        bench.floor.projected.store.beat(Beat(at_ms=NOW_MS, complete=True, complete_ms=NOW_MS, mismatches=3))
        assert "openbell_checksum_mismatches 3.0" in bench.client.get("/metrics").text


def test_what_an_account_owes_is_shown(redis_url: str, venue: str) -> None:
    projected, script = played(redis_url, venue)
    script.update(m.BalanceChanged, asset="USD", available=0, reserved=5, owed=150_000)
    script.update(m.BalanceChanged, account=m.FEES, asset="USD", available=7, reserved=0)
    script.report(m.FeeCollected, account=m.FEES, symbol=SYMBOL, trade=1, asset="USD", amount=7)
    projected.show()
    [balance] = read(projected, lambda views: views.account("ann")).balances
    assert (balance.available, balance.total, balance.owed) == ("0.00000", "0.00005", "1.50000")


def test_requests_about_no_order_and_amendments_are_answered(redis_url: str, venue: str) -> None:
    projected, script = played(redis_url, venue)
    script.report(m.RequestDone, request_id="all", orders=2)
    script.order(16, kind="stop-limit", conditions=m.Conditions(stop=120, display=4))
    projected.show()
    waiting = read(projected, lambda views: views.order("ann", 16))
    assert (waiting.trigger, waiting.stop, waiting.display, waiting.amended) == ("WAITING", "1.20", "4", False)
    amended = {"price": 105, "quantity": 12, "leaves": 12, "stop": 130}
    script.report(m.OrderAmended, order_id=16, symbol=SYMBOL, **amended, request_id="o16", amend_request_id="change")
    projected.project()
    order = read(projected, lambda views: views.order("ann", 16))
    assert (order.price, order.quantity, order.leaves, order.stop) == ("1.05", "12", "12", "1.30")
    assert (order.trigger, order.amended) == ("WAITING", True)
    script.report(m.OrderTriggered, order_id=16, symbol=SYMBOL, price=131, request_id="o16")
    projected.project()
    assert read(projected, lambda views: views.order("ann", 16)).trigger == "TRIGGERED"
    answers = read(projected, lambda views: views.answers("ann", ["all", "o16", "change"]))
    assert {name: (one.outcome.state, one.outcome.order_id) for name, one in answers.items()} == {
        "all": ("ACCEPTED", 0),
        "o16": ("ACCEPTED", 16),
        "change": ("ACCEPTED", 16),
    }
