"""What the `indicators` job says of a book, against a fold that is done anew for each second (docs/ANALYTICS.md, 3.4)."""

from __future__ import annotations

import copy
import random
from itertools import repeat
from typing import Any

import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from tests.udfs.watched import START_MS, Run, final, listed, random_sizes, trade
from udfs.watch.trades import TradeWatch

BAR: dict[str, Any] = {"symbol": "AAPLUSD", "source": "@book", "span_ms": 1_000, "volume": 0.0}
Best = tuple[int, int, int, int]


def delta(seq: int, time_ms: int, side: m.Side, price: int, quantity: int) -> m.BookDelta:
    return m.BookDelta(symbol="AAPLUSD", seq=seq, time_ms=time_ms, side=side, price=price, quantity=quantity)


def book_flow(seed: int, count: int) -> list[Any]:
    """Return book events at random: mostly deltas about a price of 128; at times one side is emptied, or a bid crosses the asks."""
    print(f"{count} book events of seed {seed}")
    chance = random.Random(seed)
    sides: tuple[m.Side, ...] = ("buy", "sell")
    resting: set[tuple[m.Side, int]] = set()
    coming: list[tuple[m.Side, int, int]] = []
    events: list[Any] = []
    time_ms = START_MS
    while len(events) < count:
        time_ms += chance.choice((0, 0, 30, 200, 900, 5_000))
        side = chance.choice(sides)
        here = sorted(price for one, price in resting if one == side)
        away = chance.random()
        if away < 0.05:
            common: dict[str, Any] = {"symbol": "AAPLUSD", "seq": len(events) + 1, "time_ms": time_ms}
            events.append(m.PhaseChanged(**common, phase="continuous"))
            continue
        if not coming and here and away < 0.07:
            coming = [(side, price, 0) for price in here]
        elif not coming and away < 0.1:
            coming = [
                ("buy", chance.choice((128, 130)), 3),
                ("sell", 128, 3),
                ("sell", 128, 0),
                ("buy", 128, 0),
                ("buy", 130, 0),
            ]
        elif not coming:
            price = 128 - (chance.randrange(1, 9) if side == "buy" else -chance.randrange(1, 9))
            coming = [(side, price, chance.choice((0, chance.randrange(1, 50), chance.randrange(1, 50))))]
        side, price, quantity = coming.pop(0)
        (resting.add if quantity else resting.discard)((side, price))
        events.append(delta(len(events) + 1, time_ms, side, price, quantity))
    return events


def best_of(book: dict[m.Side, dict[int, int]]) -> Best | None:
    if not book["buy"] or not book["sell"] or max(book["buy"]) >= min(book["sell"]):
        return None
    bid, ask = max(book["buy"]), min(book["sell"])
    return bid, book["buy"][bid], ask, book["sell"][ask]


def change_of(before: Best, now: Best) -> int:
    """Return what a change of the best quotes says (Cont, Kukanov, Stoikov 2014, formula 3)."""
    (bid0, bid_size0, ask0, ask_size0), (bid1, bid_size1, ask1, ask_size1) = before, now
    found = 0
    found += bid_size1 if bid1 >= bid0 else 0
    found -= bid_size0 if bid1 <= bid0 else 0
    found -= ask_size1 if ask1 <= ask0 else 0
    found += ask_size0 if ask1 >= ask0 else 0
    return found


def naive_seconds(events: list[Any]) -> list[a.Indicators]:
    """Return what is to be said of each second that the clock has passed, a tick being worth 0.01 and a lot 1."""
    deltas = [event for event in events if isinstance(event, m.BookDelta)]
    book: dict[m.Side, dict[int, int]] = {"buy": {}, "sell": {}}
    before: Best | None = None
    told: list[a.Indicators] = []
    for start_ms in sorted({one.time_ms // 1_000 * 1_000 for one in deltas}):
        flow = 0
        inside = [one for one in deltas if one.time_ms // 1_000 * 1_000 == start_ms]
        for one in inside:
            book[one.side].pop(one.price, None)
            if one.quantity:
                book[one.side][one.price] = one.quantity
            best = best_of(book)
            flow += change_of(before, best) if before and best else 0
            before = best
        if before is None or inside[-1] is deltas[-1]:
            continue
        bids = sum(book["buy"][price] for price in sorted(book["buy"])[-5:])
        asks = sum(book["sell"][price] for price in sorted(book["sell"])[:5])
        middle = (before[0] + before[2]) / 200
        told.append(
            a.Indicators(
                **BAR, start_ms=start_ms, version=inside[-1].seq, bars=len(told) + 1, open=middle, high=middle, low=middle,
                close=middle, closed=True, values={
                    "spread": (before[2] - before[0]) / 100,
                    "depth_imbalance(5)": (bids - asks) / (bids + asks),
                    "order_flow_imbalance": float(flow),
                },
            )
        )  # fmt: skip
    return told


def tell(found: Run, events: list[Any], sizes: Any = ()) -> None:
    rest, cuts = events, iter(sizes)
    while rest:
        size = next(cuts, 1)
        found.tell(topics.BOOK_DELTAS, rest[:size])
        rest = rest[size:]


def closed(found: Run) -> list[a.Indicators]:
    return [fact for fact in final(found.told).values() if isinstance(fact, a.Indicators) and fact.closed]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 7, 300, None])
def test_each_second_is_what_the_document_says_however_the_log_is_cut(seed: int, size: int | None):
    events = book_flow(seed, 600)
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    tell(found, events, random_sizes(seed) if size is None else repeat(size))
    expected = naive_seconds(events)
    assert len(expected) > 100
    assert closed(found) == expected
    assert found.letters == []


def test_repeated_events_count_once():
    events = book_flow(5, 200)
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    for place in range(0, 200, 10):
        found.tell(topics.BOOK_DELTAS, events[max(0, place - 25) : place + 10])
        found.tell(topics.BOOK_DELTAS, events[place : place + 10])
    assert closed(found) == naive_seconds(events)


def test_restored_after_every_record_every_fact_and_every_entry_is_the_same():
    events = book_flow(6, 400)
    whole, broken = Run(), Run(restoring=True)
    for found in (whole, broken):
        found.tell(topics.BOOK_SNAPSHOTS, listed())
        found.tell(topics.TRADES, trade(1, START_MS))
    pages = set()
    for event in events:
        assert whole.tell(topics.BOOK_DELTAS, event) == broken.tell(topics.BOOK_DELTAS, event)
        assert whole.stored == broken.stored
        pages |= {name for name in whole.stored["AAPLUSD"] if name.startswith("levels ")}
    assert pages == {"levels buy 1", "levels buy 2", "levels sell 2"}, "prices of 64 to 127, and of 128 to 191"


def test_pages_of_levels_that_are_empty_are_not_stored():
    found = Run(restoring=True)
    tell(found, [delta(1, START_MS, "buy", 63, 5), delta(2, START_MS, "buy", 64, 6), delta(3, START_MS, "buy", 63, 0)])
    assert {name: text for name, text in found.stored["AAPLUSD"].items() if name.startswith("levels")} == {
        "levels buy 1": "[[64,6]]"
    }


def test_nothing_is_said_of_a_book_with_an_empty_side_or_a_crossed_one_nor_of_what_came_before_its_listing():
    found = Run()
    tell(found, [delta(1, START_MS, "buy", 100, 5), delta(2, START_MS, "sell", 110, 5)])
    assert found.told == [], "nobody knows what a tick is worth"
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    assert found.tell(topics.BOOK_DELTAS, delta(3, START_MS + 10, "sell", 110, 0)) == []
    assert found.tell(topics.BOOK_DELTAS, delta(4, START_MS + 20, "sell", 100, 5)) == [], "locked"
    assert found.tell(topics.BOOK_DELTAS, delta(5, START_MS + 30, "sell", 90, 5)) == [], "crossed"
    assert found.tell(topics.BOOK_DELTAS, delta(6, START_MS + 5_000, "buy", 100, 0)) == []


def told_quote(found: Run) -> tuple[Any, Any]:
    return [(fact.bid, fact.ask) for fact in found.told if isinstance(fact, a.SymbolSummary)][-1]


def test_a_summary_is_told_of_each_second_in_which_the_best_prices_changed():
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.tell(topics.TRADES, trade(1, START_MS))
    events = [
        (0, "buy", 100, 5), (0, "sell", 110, 5),
        (1_000, "buy", 100, 7), (1_500, "buy", 99, 7),
        (2_000, "buy", 101, 1), (2_500, "buy", 101, 0),
        (3_000, "sell", 110, 0),
        (4_000, "buy", 99, 1),
    ]  # fmt: skip
    summaries = []
    for seq, (after_ms, side, price, quantity) in enumerate(events, 1):
        told = found.tell(topics.BOOK_DELTAS, delta(seq, START_MS + after_ms, side, price, quantity))
        summaries.append([(fact.bid, fact.ask) for fact in told if isinstance(fact, a.SymbolSummary)])
    assert [len(each) for each in summaries] == [0, 0, 1, 0, 0, 0, 0, 1], "not of seconds that end at the same prices"
    assert told_quote(found) == (100, None)


# The wall's clock


def test_the_wall_s_clock_closes_the_open_second_and_changes_no_state():
    events = [event for event in book_flow(8, 200) if isinstance(event, m.BookDelta)]
    events = [delta(seq, one.time_ms, one.side, one.price, one.quantity) for seq, one in enumerate(events, 1)]
    found, seconds = Run(), Run()
    for each in (found, seconds):
        each.tell(topics.BOOK_SNAPSHOTS, listed())
    tell(seconds, events)
    count = 0
    for event, following in zip(events, [*events[1:], None], strict=True):
        found.tell(topics.BOOK_DELTAS, event)
        end_ms = event.time_ms // 1_000 * 1_000 + 1_000
        assert found.deadline_ms("AAPLUSD") == end_ms + 1_000
        assert found.closing("AAPLUSD", end_ms - 1) == ([], end_ms + 1_000)
        if following is None or following.time_ms >= end_ms:
            before = copy.deepcopy(found.stored)
            told, deadline_ms = found.closing("AAPLUSD", end_ms)
            assert deadline_ms is None
            assert found.closing("AAPLUSD", end_ms + 5) == (told, None), "once more does no harm"
            assert found.stored == before
            assert told == [
                fact for fact in naive_seconds([*events, delta(999, end_ms, "buy", 1, 1)]) if fact.version == event.seq
            ]
            count += len(told)
    assert count > 30
    assert closed(found)[: len(closed(seconds))] == closed(seconds)


def test_the_wall_s_clock_tells_a_summary_where_the_best_prices_have_changed():
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.tell(topics.TRADES, trade(1, START_MS))
    tell(found, [delta(1, START_MS, "buy", 100, 5), delta(2, START_MS + 1_000, "buy", 100, 6)])
    assert told_quote(found) == (100, None)
    told, _ = found.closing("AAPLUSD", START_MS + 2_000)
    assert not any(isinstance(fact, a.SymbolSummary) for fact in told), "they have not"
    tell(found, [delta(3, START_MS + 1_500, "buy", 100, 0)])
    found.closing("AAPLUSD", START_MS + 2_000)
    assert told_quote(found) == (None, None)


# Listings and halting


def test_a_book_that_is_listed_in_other_ticks_is_said_nothing_of_until_it_has_emptied_itself():
    found = Run(restoring=True)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    tell(found, [delta(1, START_MS, "buy", 100, 5), delta(2, START_MS, "sell", 110, 5)])
    found.tell(topics.BOOK_SNAPSHOTS, listed(listing=2, tick="0.1", delta=4))
    told = len(found.told)
    tell(found, [delta(3, START_MS + 1_000, "buy", 100, 0), delta(4, START_MS + 1_000, "sell", 110, 0)])
    assert found.told[told:] == []
    tell(found, [delta(5, START_MS + 2_000, "buy", 10, 5), delta(6, START_MS + 2_000, "sell", 11, 5)])
    assert [(fact.close, fact.values["spread"]) for fact in found.told[told:]] == [(1.05, 0.1)]


@pytest.mark.parametrize("restoring", [False, True])
def test_after_halting_and_resume_the_book_goes_on_from_a_snapshot_that_has_all_that_was_passed_over(
    restoring: bool, monkeypatch: pytest.MonkeyPatch
):
    events = book_flow(9, 400)
    reference = Run()
    reference.tell(topics.BOOK_SNAPSHOTS, listed())
    tell(reference, events)
    found = Run(restoring=restoring)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    tell(found, events[:100])

    def breaking(*_: Any) -> None:
        raise AssertionError("it breaks here")

    with monkeypatch.context() as broken:
        broken.setattr(TradeWatch, "add", breaking)
        assert found.tell(topics.TRADES, trade(1, START_MS)) == [("BROKEN_INVARIANT", "AssertionError: it breaks here")]
    tell(found, events[100:120])
    found.tell(topics.MARKET_DATA, m.Resume(key="AAPLUSD"))
    told = len(found.told)
    found.tell(topics.BOOK_SNAPSHOTS, snapshot_after(events, 110))
    tell(found, events[120:150])
    assert found.told[told:] == [], "it cannot know what the twentieth to the fortieth event did"
    found.tell(topics.BOOK_SNAPSHOTS, snapshot_after(events, 160))
    tell(found, events[150:])
    expected = {fact.start_ms: fact.values for fact in closed(reference)}
    values = {fact.start_ms: fact.values for fact in closed(found) if fact.version > 170}
    assert len(values) > 20
    first = min(values)
    values.pop(first)
    assert values == {start_ms: expected[start_ms] for start_ms in values}
    assert max(values) == max(expected)


def snapshot_after(events: list[Any], count: int) -> m.BookSnapshot:
    book: dict[m.Side, dict[int, int]] = {"buy": {}, "sell": {}}
    for one in events[:count]:
        if isinstance(one, m.BookDelta):
            book[one.side].pop(one.price, None)
            if one.quantity:
                book[one.side][one.price] = one.quantity
    return listed(delta=count, bids=sorted(book["buy"].items(), reverse=True), asks=sorted(book["sell"].items()))
