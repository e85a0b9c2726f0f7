"""The real data set, played through the pure machines, gives back its own bars."""

from collections import defaultdict
from datetime import date
from typing import Any

import pytest

from exchange import topics
from exchange.account import reservation
from exchange.candles import DAY_MS, Candles
from exchange.messages import Bar, BookDelta, PlaceOrder, Trade, shard_of
from exchange.packets import decode_book_deltas, decode_order_reports, decode_trades
from replay.bars import INSTRUMENTS, day_ms, load
from replay.history import History
from replay.orders import DEPOSIT, Touch, paper, steps, touches
from replay.plan import make_plan
from replay.proof import prove

SHARDS = 16
NOW_MS = 1_700_000_000_000


def bar(**changes: Any) -> Bar:
    fields: dict[str, Any] = {
        "source": "@test",
        "seq": 1,
        "symbol": "AAPLUSD",
        "start_ms": day_ms(date(2000, 3, 1)),
        "span_ms": DAY_MS,
        "open": 100,
        "high": 120,
        "low": 90,
        "close": 110,
        "volume": 10,
    }
    return Bar(**fields | changes)


@pytest.mark.parametrize(
    ("first", "count"), [(date(2012, 9, 1), 610), pytest.param(date(2000, 1, 1), 12_153, marks=pytest.mark.slow)]
)
def test_the_candles_of_the_trades_are_the_bars_of_the_data_set(replayed: Any, first: date, count: int) -> None:
    bars = load().bars
    plan = make_plan(bars, bars, first_ms=day_ms(first), last_ms=2**53, history=History(), accounts=paper(SHARDS))
    assert plan.bars == count
    venue = replayed(plan.days)
    candles = Candles()
    trades: list[Trade] = venue.read(topics.TRADES, decode_trades)
    for trade in trades:
        candles.add(trade)
    proof = prove([bar for day in plan.days for bar in day], candles)
    assert (proof.equal, proof.difference) == (count, None)
    assert len(trades) == 4 * count
    assert not venue.written[topics.DEAD_LETTERS]
    reports = venue.read(topics.ORDER_REPORTS, decode_order_reports)
    assert {type(report).__name__ for report in reports} == {"OrderAccepted", "OrderFilled", "OrderCancelled"}


def test_a_rising_bar_goes_by_its_low_and_a_falling_one_by_its_high() -> None:
    start = bar().start_ms
    quarter = DAY_MS // 4
    assert touches(bar()) == [
        Touch(start, 100, 3, "buy"),
        Touch(start + quarter, 90, 3, "sell"),
        Touch(start + 2 * quarter, 120, 2, "buy"),
        Touch(start + 3 * quarter, 110, 2, "sell"),
    ]
    assert [touch.price for touch in touches(bar(close=95))] == [100, 120, 90, 95]


@pytest.mark.parametrize("volume", range(10))
def test_the_volume_is_split_exactly_and_never_less_than_a_lot_a_touch(volume: int) -> None:
    walk = [touch.quantity for touch in touches(bar(volume=volume))]
    assert sum(walk) == max(volume, 4)
    assert min(walk) >= 1


def test_after_each_day_a_cent_either_side_of_the_close_is_quoted(replayed: Any) -> None:
    days = [[bar(start_ms=bar().start_ms + day * DAY_MS, close=100 + day, high=200)] for day in range(3)]
    venue = replayed(days)
    levels: dict[tuple[str, int], int] = {}
    for delta in venue.read(topics.BOOK_DELTAS, decode_book_deltas):
        if isinstance(delta, BookDelta):
            levels[delta.side, delta.price] = delta.quantity
    assert {level: quantity for level, quantity in levels.items() if quantity} == {("buy", 2): 1, ("sell", 202): 1}


def test_the_paper_accounts_could_have_every_order_of_the_data_set_open_at_once() -> None:
    bars = load().bars
    accounts = paper(SHARDS)
    reserved: dict[tuple[str, str], int] = defaultdict(int)
    for symbol, played in bars.items():
        for one in played:
            for step in steps([one], {}, accounts, NOW_MS):
                for order in (one for one in step.commands if isinstance(one, PlaceOrder)):
                    asset, amount = reservation(order.side, order.price, order.quantity, INSTRUMENTS[symbol])
                    reserved[order.account, asset] += amount
    assert max(reserved.values()) <= DEPOSIT


@pytest.mark.parametrize("shards", [1, 2, 16, 720])
def test_both_paper_accounts_share_a_shard(shards: int) -> None:
    accounts = paper(shards)
    assert {shard_of(name, shards) for name in accounts.accounts} == {accounts.shard}
    assert len(set(accounts.accounts)) == 2


def test_commands_sent_twice_trade_once(replayed: Any) -> None:
    day = [bar()]
    once = replayed([day]).read(topics.TRADES, decode_trades)
    twice = replayed([day, day])
    assert twice.read(topics.TRADES, decode_trades) == once
