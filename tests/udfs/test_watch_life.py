"""What happens to the machine of the `indicators` job: listings, halting and going on, the wall's clock; how large it gets."""

from __future__ import annotations

import copy

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
    Run,
    final,
    flow,
    listed,
    random_sizes,
    settled,
    trade,
)
from udfs.watch.trades import TradeWatch
from udfs.watch.worth import Worth

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def of_listing(trades: list[m.Trade], listing: int, after: int = 0) -> list[m.Trade]:
    """Return trades of another version of the listing, numbered on."""
    return [msgspec.structs.replace(one, seq=one.seq + after, listing=listing) for one in trades]


@pytest.fixture(params=[False, True], ids=["kept", "restored"])
def found(request: pytest.FixtureRequest) -> Run:
    return Run(restoring=request.param)


# Listings


def test_trades_before_the_snapshot_wait_for_it(found: Run):
    trades = flow(30, 120)
    found.trades(trades[:80], random_sizes(30))
    assert found.told == []
    assert "waiting 0" in found.stored["AAPLUSD"]
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    assert differences(settled(found.told), NaiveMarket(trades[:80]).facts()) == []
    assert "waiting 0" not in found.stored["AAPLUSD"]
    found.trades(trades[80:])
    assert differences(settled(found.told), NaiveMarket(trades).facts()) == []


def test_trades_that_wait_for_too_long_are_refused(found: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("udfs.watch.WAITING_MAX", 3)
    trades = [trade(seq, START_MS + seq) for seq in range(1, 6)]
    assert found.tell(topics.TRADES, trades) == [("REJECTED", "NO_LISTING")] * 2
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    assert differences(settled(found.told), NaiveMarket(trades[:3]).facts()) == []


def test_a_version_with_the_same_tick_goes_on_with_all_series(found: Run):
    first = flow(31, 60)
    second = [
        msgspec.structs.replace(one, time_ms=one.time_ms + first[-1].time_ms - START_MS)
        for one in of_listing(flow(32, 60), 2, after=60)
    ]
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.trades([*first, *second[:5]])
    found.tell(topics.BOOK_SNAPSHOTS, listed(listing=2))
    found.trades(second[5:])
    expected = NaiveMarket([*first, *second], listing=2).facts()
    told = {
        name: msgspec.structs.replace(fact, listing=2) if isinstance(fact, a.Candle) else fact
        for name, fact in settled(found.told).items()
    }
    assert differences(told, expected) == []


def test_a_version_with_another_tick_begins_all_series_anew_and_trades_of_the_old_are_passed_over(found: Run):
    first, second = flow(33, 60), of_listing(flow(34, 60), 2, after=60)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.trades(first[:50])
    found.tell(topics.MARKET_DATA, outside())
    assert {name.split()[0] for name in found.stored["AAPLUSD"]} == {
        "watcher", "trades", "series", "day", "buckets", "bars",
    }  # fmt: skip
    found.tell(topics.BOOK_SNAPSHOTS, listed(listing=2, tick="0.05"))
    assert set(found.stored["AAPLUSD"]) == {"watcher"}
    before = len(found.told)
    assert found.tell(topics.TRADES, first[50:]) == []
    found.trades(second, random_sizes(1))
    expected = NaiveMarket(second, "0.05", listing=2, before=60).facts()
    assert differences(settled(found.told[before:]), expected) == []
    overall = final(found.told)
    held = {name: overall[name] for name in expected if name[0] in ("candle", "indicators", "summary")}
    assert {name: held[name] for name in held} == {name: final(found.told[before:])[name] for name in held}, (
        "what is told of the new version holds against what was told of the old"
    )


def outside() -> a.OutsideBar:
    return a.OutsideBar(source="feed", symbol="AAPLUSD", time_ms=START_MS, open=1.0, high=2.0, low=1.0, close=2.0)


# Halting


def test_a_broken_invariant_halts_one_symbol_until_it_is_resumed_and_then_it_begins_anew(
    found: Run, monkeypatch: pytest.MonkeyPatch
):
    add = TradeWatch.add

    def breaking(self: TradeWatch, one: m.Trade, worth: Worth) -> None:
        if one.quantity == 666:
            raise AssertionError("it breaks here")
        add(self, one, worth)

    monkeypatch.setattr(TradeWatch, "add", breaking)
    trades = flow(35, 60)
    trades[30] = trade(31, trades[30].time_ms, quantity=666)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.trades(trades[:30])
    told = len(found.told)
    assert found.tell(topics.TRADES, trades[28:33]) == [("BROKEN_INVARIANT", "AssertionError: it breaks here")]
    assert found.tell(topics.TRADES, trades[33:35]) == []
    assert found.tell(topics.MARKET_DATA, outside()) == []
    assert found.closing("AAPLUSD", START_MS + DAY_MS)[0] == []
    other = trade(1, START_MS, symbol="IBMUSD")
    found.tell(topics.BOOK_SNAPSHOTS, listed("IBMUSD"))
    assert found.tell(topics.TRADES, other), "another symbol goes on"
    del found.told[told:]
    assert found.tell(topics.MARKET_DATA, m.Resume(key="AAPLUSD")) == []
    assert set(found.stored["AAPLUSD"]) == {"watcher"}
    found.trades(trades[35:])
    assert differences(settled(found.told[told:]), NaiveMarket(trades[35:], before=35).facts()) == []


def test_resume_changes_nothing_in_a_machine_that_is_not_halted(found: Run):
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.trades(flow(36, 20))
    before = copy.deepcopy(found.stored)
    assert found.tell(topics.MARKET_DATA, m.Resume(key="AAPLUSD")) == []
    assert found.stored == before


# The wall's clock


def test_the_wall_s_clock_closes_what_it_has_ended_and_changes_no_state(found: Run):
    trades = flow(37, 80)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.trades(trades)
    before = copy.deepcopy(found.stored)
    now_ms = trades[-1].time_ms // HOUR_MS * HOUR_MS + HOUR_MS
    told, deadline_ms = found.closing("AAPLUSD", now_ms)
    assert deadline_ms is not None
    assert deadline_ms > now_ms
    assert found.stored == before
    candles = {fact.span_ms: fact.closed for fact in told if isinstance(fact, a.Candle)}
    assert candles == dict.fromkeys((1_000, MINUTE_MS, 300_000, 900_000, HOUR_MS), True), "the day goes on"
    # As if the symbol's own clock had got there, by a trade of the next day that is then left out of the comparison:
    beyond = trade(81, now_ms + DAY_MS, 1)
    expected = NaiveMarket([*trades, beyond]).facts()
    for fact in told:
        if isinstance(fact, a.Candle | a.Indicators):
            assert fact in expected.values()
    windows = {(fact.method, fact.end_ms) for fact in told if isinstance(fact, a.WindowProfit)}
    assert windows == {
        (name[2], name[3])
        for name in expected.keys() - NaiveMarket(trades).facts().keys()
        if name[0] == "WindowProfit" and name[3] <= now_ms
    }
    assert differences(settled(told), {name: expected[name] for name in settled(told)}) == []
    assert found.closing("AAPLUSD", now_ms) == (told, deadline_ms), "once more does no harm"
    assert found.stored == before
    found.tell(topics.TRADES, beyond)
    assert differences(settled(found.told), expected) == []


def test_after_each_deadline_the_next_is_later_until_the_day_has_ended(found: Run):
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.tell(topics.TRADES, trade(1, START_MS + 500))
    found.tell(topics.BOOK_DELTAS, delta())
    deadlines, now_ms = [], START_MS
    machine = found.host.machine("AAPLUSD", lambda: found.stored["AAPLUSD"])
    deadline_ms = machine.deadline_ms()
    while deadline_ms is not None:
        deadlines.append(deadline_ms)
        assert deadline_ms > now_ms
        now_ms = deadline_ms
        found.host.machines["AAPLUSD"] = machine
        deadline_ms = found.closing("AAPLUSD", now_ms)[1]
    midnight_ms = START_MS // DAY_MS * DAY_MS + DAY_MS
    ends = [START_MS + span for span in (1_000, MINUTE_MS, 300_000, 600_000, 900_000, HOUR_MS)]
    assert deadlines == [end_ms + 1_000 for end_ms in (*ends, midnight_ms)]


def delta() -> m.BookDelta:
    return m.BookDelta(symbol="AAPLUSD", seq=1, time_ms=START_MS, side="buy", price=100, quantity=1)


def test_a_trade_that_comes_after_the_wall_s_clock_has_closed_its_candle_is_closed_by_it_again(found: Run):
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.tell(topics.TRADES, trade(1, START_MS + 100))
    found.closing("AAPLUSD", START_MS + MINUTE_MS + 1_000)
    found.tell(topics.TRADES, trade(2, START_MS + 59_900, 20_000))
    minute = ("candle", "AAPLUSD", MINUTE_MS, START_MS)
    assert not final(found.told)[minute].closed, "it has grown since"
    machine = found.host.machine("AAPLUSD", lambda: found.stored["AAPLUSD"])
    deadline_ms = machine.deadline_ms()
    assert deadline_ms == START_MS + MINUTE_MS + 1_000
    found.closing("AAPLUSD", deadline_ms + 500)
    assert (
        final(found.told)[minute]
        == NaiveMarket(
            [trade(1, START_MS + 100), trade(2, START_MS + 59_900, 20_000), trade(3, START_MS + DAY_MS)]
        ).facts()[minute]
    )


# Size


def test_a_symbol_of_which_every_span_is_warm_is_stored_in_less_than_20_kb():
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    days = flow(40, 60, [DAY_MS])
    hours = flow(41, 500, [200_000, 300_000])
    seconds = flow(42, 200, [400], delay_ms=LATENESS_MS)
    trades: list[m.Trade] = []
    for part in (days, hours, seconds):
        shift_ms = trades[-1].time_ms - START_MS if trades else 0
        trades += [
            msgspec.structs.replace(one, seq=seq, time_ms=one.time_ms + shift_ms)
            for seq, one in enumerate(part, len(trades) + 1)
        ]
    found.trades(trades, [60, 500, *[1] * 199])
    sizes = {name: len(text) for name, text in found.stored["AAPLUSD"].items()}
    print(sizes, sum(sizes.values()))
    assert sum(sizes.values()) < 20_000
    warm = {fact.span_ms for fact in found.told if isinstance(fact, a.Indicators) and "sma(50)" in fact.values}
    assert warm == {MINUTE_MS, 300_000, 900_000, HOUR_MS, DAY_MS}


def test_a_restored_symbol_goes_on_over_weeks():
    trades = flow(41, 150, JUMPS_MS, delay_ms=LATENESS_MS)
    found = Run(restoring=True)
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    found.trades(trades)
    assert differences(settled(found.told), NaiveMarket(trades).facts()) == []
