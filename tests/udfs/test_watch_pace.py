"""How often the machine of the `indicators` job tells what is open: no oftener than its pace, and never too little in the end."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from tests.udfs.watched import START_MS, Run, flow, ident, listed, settled, trade
from udfs.watch import PACE_MS

QUICK_MS = (0, 0, 1, 5, 20, 40, 60, 300, 1_200)


def delta(seq: int, time_ms: int, chance: random.Random) -> m.BookDelta:
    side: m.Side = chance.choice(("buy", "sell"))
    price = chance.randrange(9_990, 9_995) if side == "buy" else chance.randrange(9_996, 10_001)
    return m.BookDelta(symbol="AAPLUSD", seq=seq, time_ms=time_ms, side=side, price=price, quantity=chance.randrange(9))


def records(seed: int, delay_ms: int) -> list[tuple[str, Any, int]]:
    """Return trades and events of the book, each a record, and when the broker appended it."""
    chance = random.Random(seed)
    made: list[tuple[str, Any, int]] = []
    clock_ms = 0
    for seq, one in enumerate(flow(seed, 300, QUICK_MS, delay_ms), 1):
        clock_ms = max(clock_ms, one.time_ms)
        made += [
            (topics.TRADES, one, clock_ms + 7),
            (topics.BOOK_DELTAS, delta(seq, clock_ms, chance), clock_ms + 8),
        ]
    return made


def run(made: list[tuple[str, Any, int]], **given: Any) -> Run:
    found = Run(**given)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    for topic, one, at_ms in made:
        found.tell(topic, one, at_ms=at_ms)
    return found


@pytest.mark.parametrize("restoring", [False, True])
@pytest.mark.parametrize("pace_ms", [30, PACE_MS, 5_000])
@pytest.mark.parametrize("delay_ms", [0, 6_000])
def test_whatever_the_pace_the_same_holds_in_the_end(pace_ms: int, delay_ms: int, restoring: bool):
    made = records(51, delay_ms)
    often, seldom = run(made), run(made, pace_ms=pace_ms, restoring=restoring)
    end_ms = made[-1][2] + pace_ms
    seldom.closing("AAPLUSD", end_ms, is_quiet=False)
    found, expected = (
        {name: _without_best(fact) for name, fact in settled(one.told).items()} for one in (seldom, often)
    )
    assert found == expected
    assert len(seldom.told) < len(often.told)


def _without_best(fact: Any) -> Any:
    """Leave out a summary's best prices, which are those at its telling."""
    return msgspec.structs.replace(fact, bid=None, ask=None) if isinstance(fact, a.SymbolSummary) else fact


def test_what_is_open_is_told_once_a_pace_and_what_is_left_when_it_is_due():
    found = Run(pace_ms=PACE_MS)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    told = [
        found.tell(topics.TRADES, trade(seq, START_MS + at_ms), at_ms=START_MS + at_ms)
        for seq, at_ms in enumerate((0, 10, 49, 50, 60), 1)
    ]
    assert [bool(one) for one in told] == [True, False, False, True, False]
    assert found.deadline_ms("AAPLUSD") == START_MS + 50 + PACE_MS
    left, deadline_ms = found.closing("AAPLUSD", START_MS + 100, is_quiet=False)
    assert {one.trades for one in left if isinstance(one, a.Candle)} == {5}
    assert {one.trades for one in left if isinstance(one, a.SymbolSummary)} == {5}
    assert [(one.version, one.closed) for one in left if isinstance(one, a.Indicators)] == [(5, False)]
    assert deadline_ms == START_MS + 2_000, "then it waits for the second's end"
    assert found.closing("AAPLUSD", START_MS + 100, is_quiet=False) == (left, deadline_ms), "once more does no harm"


@pytest.mark.parametrize(
    ("time_ms", "told"),
    [
        (START_MS + 1_001, {("candle", "AAPLUSD", 1_000, START_MS), ("candle", "AAPLUSD", 1_000, START_MS + 1_000)}),
        (START_MS - 1_500, {("candle", "AAPLUSD", 1_000, START_MS - 2_000)}),
        (START_MS - 9_000, {("late", "AAPLUSD", "@trades", 1)}),
    ],
    ids=["a second ends", "an earlier candle is corrected", "too late"],
)
def test_what_changes_more_than_what_is_open_is_told_at_once(time_ms: int, told: set[tuple[Any, ...]]):
    found = Run(pace_ms=PACE_MS)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.tell(topics.TRADES, trade(1, START_MS + 500), at_ms=START_MS + 500)
    assert {ident(one) for one in found.tell(topics.TRADES, trade(2, time_ms), at_ms=START_MS + 501)} >= told


def test_a_second_of_the_book_that_ends_is_told_at_once():
    found = Run(pace_ms=PACE_MS)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    told: list[Any] = []
    for seq, (at_ms, side, price) in enumerate([(980, "buy", 99), (990, "sell", 101), (1_000, "buy", 100)], 1):
        one = m.BookDelta(symbol="AAPLUSD", seq=seq, time_ms=START_MS + at_ms, side=side, price=price, quantity=1)
        told = found.tell(topics.BOOK_DELTAS, one, at_ms=START_MS + at_ms)
    assert [(one.version, one.closed) for one in told] == [(2, True), (3, False)]


def test_a_clock_of_the_broker_that_goes_back_holds_nothing_back():
    found = Run(pace_ms=PACE_MS)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.tell(topics.TRADES, trade(1, START_MS), at_ms=START_MS)
    assert found.tell(topics.TRADES, trade(2, START_MS), at_ms=START_MS - 3_600_000)
