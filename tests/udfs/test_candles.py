"""Candles from trades, in order and a little out of it."""

from __future__ import annotations

from collections import defaultdict

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.candles import SPANS
from udfs.candles import Part, SpanCandles, Tape

LATENESS_MS = 5_000
SETTINGS = settings(derandomize=True, database=None, deadline=None)
Row = tuple[int, int, int]
"""Time, price and quantity of a trade."""

rows_in_order = st.lists(
    st.tuples(
        st.sampled_from((1, 40, 700, 1_000, 4_999, 60_000, 3_600_000, 90_000_000)),
        st.integers(1, 50),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=40,
)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Return trades of different times, in order and as they may come: each up to the lateness after its turn."""
    time_ms, ordered = 0, []
    for step_ms, price, quantity in draw(rows_in_order):
        time_ms += step_ms
        ordered.append((time_ms, price, quantity))
    delays = draw(st.lists(st.integers(0, LATENESS_MS), min_size=len(ordered), max_size=len(ordered)))
    mixed = sorted(zip(ordered, delays, strict=True), key=lambda pair: (pair[0][0] + pair[1], pair[1]))
    return ordered, [row for row, _ in mixed]


def tape_of(rows: list[Row], flushes: frozenset[int] = frozenset()) -> Tape:
    """Return a tape with trades in it, that ended a packet after those of the given places."""
    tape = Tape.begin(LATENESS_MS)
    for place, row in enumerate(rows):
        assert tape.add(*row)
        if place in flushes:
            tape.flush()
    tape.flush()
    return tape


def all_candles(tape: Tape) -> dict[int, list[Part]]:
    return {span.span_ms: span.candles for span in tape.spans}


def naive(rows: list[Row]) -> dict[int, list[Part]]:
    """Return the candles of trades, given with their numbers as places, by sorting."""
    found: dict[int, list[Part]] = {}
    for span_ms in SPANS.values():
        groups: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row[0]):
            groups[row[0] // span_ms * span_ms].append(row)
        found[span_ms] = [
            Part(
                start_ms, group[0][0], group[-1][0], group[0][1], max(row[1] for row in group), min(row[1] for row in group),
                group[-1][1], sum(row[2] for row in group), sum(row[1] * row[2] for row in group), len(group),
            )
            for start_ms, group in sorted(groups.items())
        ]  # fmt: skip
    return found


@settings(SETTINGS, max_examples=150)
@given(arrivals(), st.frozensets(st.integers(0, 40)))
def test_trades_of_different_times_make_the_same_candles_in_whatever_order_they_come_within_the_lateness(
    both: tuple[list[Row], list[Row]], flushes: frozenset[int]
):
    ordered, mixed = both
    assert all_candles(tape_of(mixed, flushes)) == all_candles(tape_of(ordered)) == naive(ordered)


@settings(SETTINGS, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 50), st.integers(1, 9)), min_size=1, max_size=30),
    st.frozensets(st.integers(0, 30)),
)
def test_of_equal_times_the_number_decides(rows: list[Row], flushes: frozenset[int]):
    rows = [(time_ms // 500 * 500, price, quantity) for time_ms, price, quantity in rows]
    assert all_candles(tape_of(rows, flushes)) == naive(rows), "sorting keeps the order of equal times"


@settings(SETTINGS, max_examples=100)
@given(arrivals(), st.integers(0, 40))
def test_a_tape_that_is_stored_and_read_back_goes_on_as_if_never_lost(both: tuple[list[Row], list[Row]], place: int):
    _, mixed = both
    tape = tape_of(mixed[:place]) if place else Tape.begin(LATENESS_MS)
    again = msgspec.json.decode(msgspec.json.encode(tape), type=Tape)
    for each in (tape, again):
        for row in mixed[place:]:
            assert each.add(*row)
        each.flush()
    assert msgspec.json.encode(tape) == msgspec.json.encode(again)


@settings(SETTINGS, max_examples=100)
@given(arrivals(), st.frozensets(st.integers(0, 40)))
def test_candles_that_leave_when_settled_are_never_touched_again_and_none_is_lost(
    both: tuple[list[Row], list[Row]], settles: frozenset[int]
):
    ordered, mixed = both
    tape = Tape.begin(LATENESS_MS)
    gone: dict[int, list[Part]] = {span_ms: [] for span_ms in SPANS.values()}
    for place, row in enumerate(mixed):
        assert tape.add(*row)
        if place in settles:
            tape.flush()
            for span in tape.spans:
                gone[span.span_ms] += span.settle(tape.settled_ms)
    tape.flush()
    assert {span.span_ms: gone[span.span_ms] + span.candles for span in tape.spans} == naive(ordered)


def test_a_trade_is_too_late_one_millisecond_beyond_the_lateness_and_then_changes_nothing():
    tape = tape_of([(10_000, 5, 1), (4_999 + 5_001, 6, 1)])
    before = msgspec.json.encode(tape)
    assert not tape.add(4_999, 7, 1)
    assert msgspec.json.encode(tape) == before
    assert tape.add(5_000, 7, 1)
    assert tape.clock_ms == 10_000


def test_since_gives_what_has_changed_and_what_was_still_open():
    span = SpanCandles(1_000)
    for start_ms in (0, 1_000, 2_000, 5_000):
        span.merge(Part(start_ms, start_ms, start_ms, 1, 1, 1, 1, 1, 1, 1))
    span.changed_ms = None
    assert [one.start_ms for one in span.since(5_999)] == [5_000], "open at the time"
    assert span.since(6_000) == [], "it ended then"
    span.merge(Part(1_000, 1_500, 1_500, 1, 1, 1, 1, 1, 1, 1))
    assert [one.start_ms for one in span.since(6_000)] == [1_000, 2_000, 5_000], "what follows from it changes with it"
