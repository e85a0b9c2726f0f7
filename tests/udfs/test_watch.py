"""The machine of the `indicators` job against docs/ANALYTICS.md: trades, listings, closing. The book: test_quotes; bars: test_outside."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import msgspec
import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from tests.udfs.naive_market import NaiveMarket, differences
from tests.udfs.watched import (
    DAY_MS,
    JUMPS_MS,
    LATENESS_MS,
    START_MS,
    STEPS_MS,
    Run,
    flow,
    listed,
    random_sizes,
    settled,
    trade,
)

HOUR_MS = 3_600_000


def run(trades: list[m.Trade], sizes: Iterable[int] = (), **given: Any) -> Run:
    """Return a run over the trades of one symbol after its listing."""
    found = Run(**given)
    found.tell(topics.BOOK_SNAPSHOTS, listed(trades[0].symbol))
    found.trades(trades, sizes)
    return found


def assert_as_naive(found: Run, trades: list[m.Trade], **given: Any):
    """Compare all final facts with those computed from all trades at once."""
    assert differences(settled(found.told), NaiveMarket(trades, **given).facts()) == []
    assert found.letters == []


# Trades


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps_ms", [STEPS_MS, JUMPS_MS], ids=["hours", "weeks"])
def test_trades_in_order_give_what_the_document_says(seed: int, steps_ms: list[int]):
    trades = flow(seed, 400, steps_ms)
    assert_as_naive(run(trades, random_sizes(seed)), trades)


@pytest.mark.parametrize("seed", range(3))
def test_trades_out_of_order_by_up_to_the_lateness_give_the_same_as_in_order(seed: int):
    steps_ms = [step + 1 for step in STEPS_MS]  # of different times, for numbers decide among equal ones
    mixed = flow(seed, 400, steps_ms, delay_ms=LATENESS_MS)
    times = [one.time_ms for one in mixed]
    assert len(set(times)) > len(times) * 0.9
    assert times != sorted(times)
    distinct = list({one.time_ms: one for one in mixed}.values())
    mixed = [msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(distinct, 1)]
    ordered = [
        msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(sorted(mixed, key=lambda one: one.time_ms), 1)
    ]
    found = run(mixed, random_sizes(seed))
    assert_as_naive(found, mixed)
    assert differences(settled(found.told), settled(run(ordered, repeat(500)).told)) == []


@pytest.mark.parametrize("lateness_ms", [0, 1_000, 20 * 60_000], ids=["none", "a second", "20 minutes"])
def test_trades_that_are_too_late_are_told_and_counted_and_change_nothing_else(lateness_ms: int):
    trades = flow(7, 500, STEPS_MS, delay_ms=40 * 60_000)
    found = run(trades, random_sizes(7), lateness_ms=lateness_ms)
    assert_as_naive(found, trades, lateness_ms=lateness_ms)
    late = [fact for fact in found.told if isinstance(fact, a.LateData)]
    assert len(late) > 20
    assert [one.late for one in late] == list(range(1, len(late) + 1)), "each is told once"


def test_a_trade_exactly_as_late_as_allowed_counts_and_one_a_millisecond_later_does_not():
    first = trade(1, START_MS + LATENESS_MS)
    assert run([first, trade(2, START_MS)]).told[-1].late == 0
    assert run([first, trade(2, START_MS - 1)]).told[-1].late == 1


@pytest.mark.parametrize("size", [1, 7, 100, 500])
def test_it_makes_no_difference_how_the_log_is_cut_into_packets(size: int):
    trades = flow(11, 500, JUMPS_MS, delay_ms=2 * LATENESS_MS)
    found = run(trades, repeat(size))
    assert_as_naive(found, trades)
    assert differences(settled(found.told), settled(run(trades, random_sizes(3)).told)) == []


def test_repeated_trades_and_packets_count_once():
    trades = flow(12, 300, STEPS_MS, delay_ms=LATENESS_MS)
    chance = random.Random(12)
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    place = 0
    while place < len(trades):
        size = chance.randrange(1, 20)
        again = chance.randrange(30)
        packet = trades[max(0, place - again) : place + size]
        found.tell(topics.TRADES, packet)
        found.tell(topics.TRADES, packet)
        place += size
    assert_as_naive(found, trades)


def test_restored_after_every_record_every_fact_and_every_entry_is_the_same():
    trades = flow(13, 350, JUMPS_MS, delay_ms=LATENESS_MS)
    whole, broken = Run(), Run(restoring=True)
    for at in (whole, broken):
        at.tell(topics.BOOK_SNAPSHOTS, listed())
    rest = trades
    for size in random_sizes(13):
        packet, rest = rest[:size], rest[size:]
        assert whole.tell(topics.TRADES, packet) == broken.tell(topics.TRADES, packet)
        assert whole.stored == broken.stored
        if not rest:
            break
    assert len(whole.told) > 1_000


def test_two_symbols_do_not_touch_each_other_and_an_idle_one_holds_up_nobody():
    trades = {symbol: flow(seed, 150, symbol=symbol) for seed, symbol in enumerate(("AAPLUSD", "IBMUSD"))}
    found = Run()
    for symbol in (*trades, "IDLEUSD"):
        found.tell(topics.BOOK_SNAPSHOTS, listed(symbol))
    found.tell(topics.TRADES, trade(1, START_MS - DAY_MS, symbol="IDLEUSD"))
    for pair in zip(*trades.values(), strict=True):
        for one in pair:
            found.tell(topics.TRADES, one)
    expected = NaiveMarket([trade(1, START_MS - DAY_MS, symbol="IDLEUSD")]).facts()
    for each in trades.values():
        expected |= NaiveMarket(each).facts()
    assert differences(settled(found.told), expected) == []


def test_indicators_of_the_open_candle_of_a_long_span_are_told_once_a_minute():
    trades = [trade(seq, START_MS + seq * 7_000, 10_000 + seq) for seq in range(60)][1:]
    found = run(trades)
    told = [fact for fact in found.told if isinstance(fact, a.Indicators) and fact.span_ms == HOUR_MS]
    assert [fact.start_ms for fact in told] == [START_MS] * 7, "at the first trade of each of seven minutes"
    for fact in told:
        expected = NaiveMarket(trades[: fact.version]).indicators(HOUR_MS, open_too=True)
        assert list(expected.values()) == [fact]


# Summaries


def test_a_summary_measures_change_against_the_session_s_first_price_and_then_against_the_close_before():
    trades = [trade(1, START_MS, 100, 3), trade(2, START_MS + 10, 110, 2)]
    found = run(trades)
    first = found.told[-1]
    assert (first.change, first.previous_close, first.turnover) == (pytest.approx(0.1), None, 5.2)
    later = [trade(3, START_MS + DAY_MS - 1_000, 99), trade(4, START_MS + DAY_MS, 99)]
    for one, change_24h in zip(later, (-0.01, 0.0), strict=True):
        found.tell(topics.TRADES, one)
        assert (found.told[-1].change, found.told[-1].previous_close) == (pytest.approx(-0.1), 110)
        assert found.told[-1].change_24h == pytest.approx(change_24h), "the first quarter of an hour is in it, and out"
    assert_as_naive(found, [*trades, *later])


@pytest.mark.parametrize(("lateness_ms", "steps_ms"), [(LATENESS_MS, JUMPS_MS), (20 * 60_000, STEPS_MS)])
def test_after_every_packet_all_facts_are_those_of_the_trades_so_far(lateness_ms: int, steps_ms: list[int]):
    trades = flow(21, 200, steps_ms, delay_ms=lateness_ms)
    found = run(trades[:1], lateness_ms=lateness_ms)
    place = 1
    for size in random_sizes(21):
        found.tell(topics.TRADES, trades[place : place + size])
        place = min(len(trades), place + size)
        assert_as_naive(found, trades[:place], lateness_ms=lateness_ms)
        if place == len(trades):
            break


def test_a_corrected_window_does_not_make_an_older_profit_the_newest():
    lateness_ms = 20 * 60_000
    minute = 60_000
    first = [trade(1, START_MS, 100), trade(2, START_MS + minute, 110), trade(3, START_MS + 11 * minute, 150)]
    found = run(first, lateness_ms=lateness_ms)
    assert found.told[-1].profit == 0.0
    found.tell(topics.TRADES, [trade(4, START_MS + 12 * minute, 190), trade(5, START_MS + 15 * minute, 190)])
    newest = found.told[-1].profit
    late = trade(6, START_MS + 1, 130)
    found.tell(topics.TRADES, late)
    corrected = {fact.end_ms for fact in found.told if isinstance(fact, a.WindowProfit) and fact.version == 6}
    assert START_MS + 10 * minute in corrected
    assert found.told[-1].profit == newest
