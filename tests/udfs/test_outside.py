"""Bars from outside in the `indicators` job: series, order, repeats and refusals (docs/ANALYTICS.md, 1 and 3.1)."""

from __future__ import annotations

import math
import random
from itertools import repeat
from typing import Any

import msgspec
import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from exchange.packets import encode
from tests.udfs.watched import LATENESS_MS, START_MS, Run, final, flow, listed, random_sizes
from udfs.indicators import DEFAULTS, parse, values
from udfs.watch.outside import flaw_of_bar

SECOND_MS = 1_000


def bar(time_ms: int = START_MS, **given: Any) -> a.OutsideBar:
    common: dict[str, Any] = {"source": "feed", "symbol": "AAPLUSD", "span_ms": SECOND_MS, "volume": 5.0}
    common |= {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}
    return a.OutsideBar(time_ms=time_ms, **(common | given))


def bars(seed: int, count: int, delay_ms: int = 0, **given: Any) -> list[a.OutsideBar]:
    """Return bars of different times at random, each up to `delay_ms` after its turn."""
    print(f"{count} bars of seed {seed}")
    chance = random.Random(seed)
    made = []
    time_ms = START_MS
    for _ in range(count):
        time_ms += chance.choice((1, 500, 1_000, 2_500, 4_000))
        prices = sorted(chance.uniform(90, 110) for _ in range(4))
        opened, close = chance.sample(prices[1:3], 2)
        made.append(
            (time_ms + chance.randint(0, delay_ms), bar(time_ms, open=opened, high=prices[3], low=prices[0], close=close, **given))
        )  # fmt: skip
    return [one for _, one in sorted(made, key=lambda pair: pair[0])]


def naive(sent: list[a.OutsideBar], lateness_ms: int = LATENESS_MS) -> list[Any]:
    """Return what is to be said of one series in the end: indicators after each bar, and the bars that came too late."""
    clock_ms = 0
    good: dict[int, a.OutsideBar] = {}
    late: list[Any] = []
    for one in sent:
        if one.time_ms < clock_ms - lateness_ms:
            late.append(
                a.LateData(
                    symbol=one.symbol, source=one.source, time_ms=one.time_ms, clock_ms=clock_ms - lateness_ms,
                    price=one.close, volume=one.volume, late=len(late) + 1,
                )
            )  # fmt: skip
        else:
            good.setdefault(one.time_ms, one)
            clock_ms = max(clock_ms, one.time_ms)
    studies = [(name, parse(name)) for name in DEFAULTS]
    found: list[Any] = []
    for count, (start_ms, one) in enumerate(sorted(good.items()), 1):
        told: dict[str, float] = {}
        for name, study in studies:
            told |= values(name, study.step(*[getattr(one, column) for column in study.inputs]))
        found.append(
            a.Indicators(
                symbol=one.symbol, source=one.source, span_ms=one.span_ms, start_ms=start_ms, version=count, bars=count,
                open=one.open, high=one.high, low=one.low, close=one.close, volume=one.volume, values=told, closed=True,
            )
        )  # fmt: skip
    return found + late


def tell(found: Run, sent: list[Any], sizes: Any = ()) -> None:
    rest, cuts = sent, iter(sizes)
    while rest:
        size = next(cuts, 1)
        found.tell(topics.MARKET_DATA, rest[:size])
        rest = rest[size:]


def held(found: Run) -> list[Any]:
    facts = final(found.told).values()
    indicators = [fact for fact in facts if isinstance(fact, a.Indicators)]
    return sorted(indicators, key=lambda fact: fact.start_ms) + [fact for fact in facts if isinstance(fact, a.LateData)]


# Order


@pytest.mark.parametrize("delay_ms", [0, LATENESS_MS, 5 * LATENESS_MS], ids=["in order", "out of order", "too late"])
@pytest.mark.parametrize("size", [1, 7, 100, None])
def test_bars_give_what_the_document_says_however_they_come(delay_ms: int, size: int | None):
    sent = bars(51, 150, delay_ms)
    found = Run()
    tell(found, sent, random_sizes(51) if size is None else repeat(size))
    assert held(found) == naive(sent)
    late = [fact for fact in held(found) if isinstance(fact, a.LateData)]
    assert bool(late) == (delay_ms > LATENESS_MS)
    assert found.letters == []


def test_bars_out_of_order_give_the_same_as_in_order():
    sent = bars(52, 150, LATENESS_MS)
    mixed, ordered = Run(), Run()
    tell(mixed, sent, random_sizes(52))
    tell(ordered, sorted(sent, key=lambda one: one.time_ms), random_sizes(53))
    assert held(mixed) == held(ordered)


def test_a_bar_exactly_as_old_as_the_lateness_allows_counts():
    sent = [bar(START_MS + LATENESS_MS), bar(START_MS), bar(START_MS - 1)]
    found = Run()
    tell(found, sent)
    assert held(found) == naive(sent)
    assert isinstance(held(found)[-1], a.LateData)


def test_restored_after_every_record_every_fact_and_every_entry_is_the_same():
    sent = [
        *bars(54, 100, 2 * LATENESS_MS),
        *bars(55, 60, LATENESS_MS, source="a name with blanks", span_ms=0),
        *bars(56, 60, LATENESS_MS, source="feed 60000", span_ms=60_000),
    ]
    random.Random(57).shuffle(sent)
    sent.sort(key=lambda one: one.time_ms // 10_000)
    whole, broken = Run(), Run(restoring=True)
    for one in sent:
        assert whole.tell(topics.MARKET_DATA, one) == broken.tell(topics.MARKET_DATA, one)
        assert whole.stored == broken.stored
    for source in ("feed", "a name with blanks", "feed 60000"):
        mine = [fact for fact in held(broken) if fact.source == source]
        assert mine == naive([one for one in sent if one.source == source])


def test_bars_change_nothing_of_trades_and_trades_nothing_of_bars():
    trades, sent = flow(58, 100), bars(58, 100)
    both, alone = Run(), Run()
    for found in (both, alone):
        found.tell(topics.BOOK_SNAPSHOTS, listed())
    for one, other in zip(trades, sent, strict=True):
        both.tell(topics.TRADES, one)
        both.tell(topics.MARKET_DATA, other)
        alone.tell(topics.TRADES, one)
    assert [fact for fact in both.told if getattr(fact, "source", "") != "feed"] == alone.told
    assert [fact for fact in held(both) if fact.source == "feed"] == naive(sent)


def test_bars_in_ticks_wait_for_the_snapshot_and_count_like_those_in_the_quote_asset():
    found = Run(restoring=True)
    sent = [
        m.Bar(
            source="@replay", seq=seq, symbol="AAPLUSD", start_ms=START_MS + seq * 60_000, span_ms=60_000, open=1_000 + seq,
            high=1_200, low=900, close=1_100, volume=seq,
        )
        for seq in range(1, 61)
    ]  # fmt: skip
    tell(found, [sent[0], *sent[:20], *sent[:20]], [1, 21])
    assert found.told == []
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    tell(found, [*sent[15:30], *sent[20:]], random_sizes(59))
    expected = [
        bar(one.start_ms, source="@replay", span_ms=60_000, open=one.open / 100, high=12.0, low=9.0, close=11.0, volume=float(one.seq))
        for one in sent
    ]  # fmt: skip
    assert held(found) == naive(expected)
    assert found.letters == []


# Repeats


def test_the_same_bar_again_changes_nothing_and_another_of_the_same_name_is_refused():
    found = Run(restoring=True)
    found.tell(topics.MARKET_DATA, bar())
    before = {key: dict(entries) for key, entries in found.stored.items()}
    assert found.tell(topics.MARKET_DATA, bar()) == []
    assert found.tell(topics.MARKET_DATA, [bar(), bar()]) == []
    assert found.tell(topics.MARKET_DATA, bar(close=11.5)) == [("REJECTED", "DUPLICATE_BAR")]
    assert found.stored == before
    assert msgspec.json.decode(found.letters[0].raw) == {
        "reason": "DUPLICATE_BAR",
        "message": msgspec.to_builtins(bar(close=11.5)),
    }
    told = found.tell(
        topics.MARKET_DATA, [bar(span_ms=0), bar(source="other"), bar(symbol="AAPLUSD", time_ms=START_MS + 1)]
    )
    assert [type(fact) for fact in told] == [a.Indicators] * 3, "other names"


@pytest.mark.parametrize("size", [1, 2_000])
def test_a_bar_that_is_settled_because_there_are_too_many_after_it_does_not_count_twice(
    size: int | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("udfs.watch.outside.UNSETTLED_MAX", 20)
    sent = [bar(START_MS + place) for place in range(50)]
    found = Run(restoring=True)
    tell(found, [*sent, sent[3], sent[29], bar(START_MS + 3, close=9.5), sent[30], sent[49]], repeat(size))
    facts = held(found)
    assert [fact.bars for fact in facts[:50]] == list(range(1, 51))
    assert [(fact.time_ms, fact.clock_ms) for fact in facts[50:]] == [
        (START_MS + place, START_MS + 30) for place in (3, 29, 3)
    ]
    assert found.letters == []


# Refusals

BAD: list[tuple[dict[str, Any], str]] = [
    ({"high": 8.0}, "HIGH_BELOW_LOW"),
    ({"open": 12.5}, "OUTSIDE_HIGH_LOW"),
    ({"open": 8.5}, "OUTSIDE_HIGH_LOW"),
    ({"close": 12.5}, "OUTSIDE_HIGH_LOW"),
    ({"close": 8.5}, "OUTSIDE_HIGH_LOW"),
    ({"volume": -0.5}, "NEGATIVE_VOLUME"),
    ({"low": 0.0}, "NOT_POSITIVE"),
    ({"low": -1.0}, "NOT_POSITIVE"),
    ({"time_ms": 2 * START_MS + 60_001}, "FUTURE"),
    ({"high": 1e300}, "OUT_OF_RANGE"),
    ({"low": 5e-324}, "OUT_OF_RANGE"),
    ({"volume": 1e300}, "OUT_OF_RANGE"),
    ({"source": "@trades"}, "RESERVED_SOURCE"),
    ({"source": "@book"}, "RESERVED_SOURCE"),
]


@pytest.mark.parametrize(("wrong", "reason"), BAD)
def test_a_bad_bar_is_refused_alone_with_its_reason(wrong: dict[str, Any], reason: str | None):
    bad = bar(**wrong)
    good = [bar(START_MS + place * SECOND_MS) for place in range(4)]
    found = Run()
    told = found.tell(topics.MARKET_DATA, [good[0], good[1], bad, good[2]])
    assert [entry for entry in told if isinstance(entry, tuple)] == [("REJECTED", reason)]
    found.tell(topics.MARKET_DATA, good[3])
    assert held(found) == naive(good), "and moves no clock"
    assert msgspec.json.decode(found.letters[0].raw) == {"reason": reason, "message": msgspec.to_builtins(bad)}


def test_a_bar_a_minute_ahead_of_the_broker_s_time_counts():
    found = Run()
    assert found.tell(topics.MARKET_DATA, bar(2 * START_MS + 60_000))[0].start_ms == 2 * START_MS + 60_000


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_flaw(field: str, number: Any):
    assert flaw_of_bar(bar(**{field: number}), START_MS) == "NOT_FINITE"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"null", b'"11"'])
def test_a_record_with_what_json_has_no_number_for_is_no_packet_and_changes_nothing(number: Any):
    found = Run()
    found.tell(topics.MARKET_DATA, bar())
    before = {key: dict(entries) for key, entries in found.stored.items()}
    raw = encode([bar(START_MS + 1), bar(START_MS + 2, close=11.25)]).replace(b"11.25", number)
    assert [reason for reason, _ in found.tell(topics.MARKET_DATA, raw, key="AAPLUSD")] == ["INVALID_PACKET"]
    assert found.letters[0].raw == raw
    assert found.stored == before


def test_a_bar_in_ticks_is_refused_for_the_same_reasons_as_one_that_is_not():
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    common: dict[str, Any] = {"symbol": "AAPLUSD", "span_ms": 60_000, "high": 12, "low": 9, "close": 11, "volume": 1}
    sent = [
        m.Bar(source="@replay", seq=1, start_ms=START_MS, open=10, **common),
        m.Bar(source="@replay", seq=2, start_ms=3 * START_MS, open=10, **common),
        m.Bar(source="@replay", seq=3, start_ms=START_MS, open=11, **common),
        m.Bar(source="@trades", seq=1, start_ms=START_MS, open=10, **common),
    ]
    told = found.tell(topics.MARKET_DATA, sent)
    assert told[:3] == [("REJECTED", reason) for reason in ("FUTURE", "DUPLICATE_BAR", "RESERVED_SOURCE")]
    assert [fact.start_ms for fact in told[3:]] == [START_MS]


def test_however_many_sources_number_bars_in_ticks_a_symbol_s_state_stays_small():
    found = Run()
    found.tell(topics.BOOK_SNAPSHOTS, listed())
    for seq in (1, 7):
        for first in range(0, 2_000, 500):
            sent = [
                m.Bar(
                    source=f"source-{number}-{seq}", seq=seq, symbol="AAPLUSD", start_ms=START_MS, span_ms=SECOND_MS,
                    open=1, high=1, low=1, close=1, volume=0,
                )
                for number in range(first, first + 500)
            ]  # fmt: skip
            found.tell(topics.MARKET_DATA, sent)
    assert {letter.detail for letter in found.letters} == {"TOO_MANY_SERIES"}
    assert len(found.stored["AAPLUSD"]["watcher"]) < 3_000
    assert len(found.host.machines["AAPLUSD"].inbound.holes) < 100


def test_a_symbol_has_at_most_16_series_of_bars_from_outside():
    found = Run(restoring=True)
    sent = [bar(source=f"feed-{place}") for place in range(17)]
    told = found.tell(topics.MARKET_DATA, sent)
    assert told[0] == ("REJECTED", "TOO_MANY_SERIES")
    assert len(told) == 17
    assert found.tell(topics.MARKET_DATA, bar(source="feed-0", span_ms=0)) == [("REJECTED", "TOO_MANY_SERIES")]
    assert len(found.tell(topics.MARKET_DATA, bar(START_MS + 1, source="feed-0"))) == 1
    assert len(found.tell(topics.MARKET_DATA, bar(symbol="IBMUSD", source="feed-17"))) == 1, "of another symbol"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"score": 1.01}, "OUT_OF_RANGE"),
        ({"score": -1.01}, "OUT_OF_RANGE"),
        ({"magnitude": -0.01}, "OUT_OF_RANGE"),
        ({"magnitude": 1.01}, "OUT_OF_RANGE"),
        ({"time_ms": 2 * START_MS + 60_001}, "FUTURE"),
        ({"score": 1.0, "magnitude": 0.0}, None),
    ],
)
def test_news_are_refused_only_for_what_is_wrong_with_them(wrong: dict[str, Any], reason: str | None):
    common: dict[str, Any] = {
        "source": "wire",
        "symbol": "AAPLUSD",
        "time_ms": START_MS,
        "score": -1.0,
        "magnitude": 1.0,
    }
    found = Run()
    told = found.tell(topics.MARKET_DATA, [bar(), a.NewsSentiment(**(common | wrong))])
    assert [entry for entry in told if isinstance(entry, tuple)] == ([("REJECTED", reason)] if reason else [])
    assert held(found) == naive([bar()])
