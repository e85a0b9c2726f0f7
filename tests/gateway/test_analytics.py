"""What is computed of a market is shown as it was told last, whatever comes twice, late, in other packets, or to a projector that was killed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from exchange import analysis as a
from exchange import topics
from exchange.candles import SPANS
from exchange.messages import Message
from exchange.topics import topic_name
from gateway.analytics import projected as analytics
from gateway.analytics.shown import (
    AlertShown,
    AnalysisShown,
    AverageShown,
    FollowedUp,
    FundamentalsShown,
    InboxShown,
    IndicatorsShown,
    LateItemShown,
    LateShown,
    LeaderShown,
    MarketAnalysisShown,
    ProfitShown,
    RankShown,
    ScoreShown,
    SeriesShown,
    SignalShown,
    TotalsShown,
)
from gateway.projecting.projection import TOPICS, Projection
from gateway.projecting.store import new_generation
from gateway.shown import CandleShown
from tests.gateway import facts
from tests.gateway.facts import MINUTE_MS, START_MS, say
from tests.gateway.projected import Projected
from tests.gateway.reads import read
from tests.gateway.script import COARSE, SYMBOL, Script

Ask = Callable[[Any], Any]


def listed(redis_url: str, venue: str) -> Projected:
    """Return a venue that has listed AAPLUSD, and nothing else."""
    projected = Projected(redis_url, venue)
    Script(projected).list(1)
    return projected


TOTALS = TotalsShown(
    open="1.00", high="1.03", low="0.99", close="1.01", volume="9", turnover="9.11000", vwap=911 / 900, trades=3
)
WINDOW = {"method": "hopping-10m-5m", "start_ms": START_MS - 600_000, "end_ms": START_MS}
BAR = IndicatorsShown(
    start_ms=START_MS, seq=3, bars=1, closed=False, open=1.0, high=1.03, low=0.99, close=1.01, volume=9.0,
    values={"sma(20)": 1.0 / 3, "rsi(14)": 55.5},
)  # fmt: skip
RANKS = [RankShown(symbol=SYMBOL, value=0.01), RankShown(symbol="COINUSD", value=-0.01)]
SHOWN: list[tuple[Message, Ask, Any]] = [
    (
        facts.candle(),
        lambda views: views.candles(SYMBOL, "1m", 10),
        [CandleShown(
            start_ms=START_MS, open="1.00", high="1.03", low="0.99", close="1.01", volume="9", trades=3,
            turnover="9.11000", vwap=911 / 900, closed=False,
        )],
    ),
    (facts.indicators(), lambda views: views.analytics.indicators(SYMBOL, MINUTE_MS), [BAR]),
    (
        facts.indicators(source="a b", span_ms=0, closed=True),
        lambda views: views.analytics.series(SYMBOL),
        [SeriesShown(source="a b", span_ms=0, newest=msgspec.structs.replace(BAR, closed=True))],
    ),
    (facts.average(), lambda views: views.analytics.averages(SYMBOL, 10), [AverageShown(**WINDOW, seq=3, average=1.5)]),
    (facts.profit(), lambda views: views.analytics.profits(SYMBOL, 10), [ProfitShown(**WINDOW, seq=3, profit=-0.5)]),
    (
        facts.leader(),
        lambda views: views.analytics.leaders(10),
        [LeaderShown(**WINDOW, symbol=SYMBOL, profit=0.5, symbols=2)],
    ),
    (
        facts.fundamentals(),
        lambda views: views.analytics.fundamentals(),
        {SYMBOL: FundamentalsShown(source="ingest", time_ms=START_MS, market_cap=3e12, pe_ratio=32.5)},
    ),
    (
        facts.summary(),
        lambda views: views.analytics.summary(SYMBOL),
        AnalysisShown(
            symbol=SYMBOL, seq=3, time_ms=START_MS, listing=1, session=TOTALS, day=TOTALS, change=0.01, change_24h=0.02,
            previous_close="1.00", bid="1.00", ask="1.02", volatility=0.001, profit=0.5, late=2,
        ),
    ),
    (
        facts.market(),
        lambda views: views.analytics.market(),
        MarketAnalysisShown(
            time_ms=START_MS, symbols=2, advancers=1, decliners=1, unchanged=0, by_change=RANKS, by_turnover=RANKS,
            by_profit=RANKS[:1],
        ),
    ),
    (
        facts.late(7),
        lambda views: views.analytics.late(SYMBOL, 10),
        LateShown(
            counts={"@trades": 7},
            items=[LateItemShown(
                source="@trades", seq=7, time_ms=START_MS - 9_000, clock_ms=START_MS - 5_000, price=1.01, volume=5.0
            )],
        ),
    ),
    (
        facts.signal(),
        lambda views: views.analytics.signals(SYMBOL, 10),
        [SignalShown(
            source="@trades", span_ms=MINUTE_MS, start_ms=START_MS, time_ms=START_MS + MINUTE_MS, rule="rsi-bounds(14,30,70)",
            action="BUY", strength=0.7, price=1.01, reason="RSI 27.9 < 30", numbers={"rsi(14)": 27.9}, outcomes=[],
        )],
    ),
    (facts.outcome(), lambda views: views.analytics.signals(SYMBOL, 10), []),
    (
        facts.score(),
        lambda views: views.analytics.scores(SYMBOL),
        [ScoreShown(
            source="@trades", span_ms=MINUTE_MS, rule="candle", horizon=5, time_ms=START_MS, seq=30, signals=4, hits=3,
            average=0.01, average_gain=0.02, average_loss=-0.02, random=0.0, random_hit_rate=0.5, hold=0.03,
        )],
    ),
    (
        facts.alert(email="a@example.org", webhook="https://example.org/"),
        lambda views: views.analytics.inbox("demo", 10),
        InboxShown(
            told=1,
            alerts=[AlertShown(
                alert="dip", event="trade 7", symbol=SYMBOL, time_ms=START_MS, text="AAPLUSD is at 0.99", channels=["inbox"]
            )],
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "ask", "shown"), SHOWN, ids=lambda value: type(value).__name__)
def test_a_fact_is_shown_as_it_was_told(redis_url: str, venue: str, fact: Message, ask: Ask, shown: Any) -> None:
    projected = listed(redis_url, venue)
    say(projected, fact)
    projected.show()
    assert read(projected, ask) == shown
    assert (projected.projection.messages, projected.projection.refused) == (2, 0)


def test_every_fact_of_the_topics_is_told_in_these_tests() -> None:
    assert {facts.TOPIC_OF[type(fact)] for fact, _, _ in SHOWN} == set(analytics.DECODERS)
    assert {type(fact) for fact, _, _ in SHOWN} == set(facts.TOPIC_OF)


STEPS: list[tuple[list[Message], Ask, list[Any]]] = [
    (
        [facts.candle(trades=n, closed=n == 5) for n in (3, 4, 5)] + [facts.candle(trades=5)],
        lambda views: views.candles(SYMBOL, "1m", 10),
        [3, 4, 5, 5],
    ),
    (
        [facts.indicators(version=n, closed=c) for n, c in ((9, False), (9, True), (10, False), (100, False))],
        lambda views: views.analytics.indicators(SYMBOL, MINUTE_MS),
        [9, 9, 10, 100],
    ),
    (
        [facts.average(version=n) for n in (9, 10, 100)],
        lambda views: views.analytics.averages(SYMBOL, 10),
        [9, 10, 100],
    ),
    ([facts.profit(version=n) for n in (1, 2, 30)], lambda views: views.analytics.profits(SYMBOL, 10), [1, 2, 30]),
    (
        [facts.score(bars=n) for n in (9, 10, 2**53 - 1)],
        lambda views: views.analytics.scores(SYMBOL),
        [9, 10, 2**53 - 1],
    ),
]


def seq_of(shown: Any) -> Any:
    return shown.trades if isinstance(shown, CandleShown) else shown.seq


@pytest.mark.parametrize("apart", [False, True], ids=["in-one-batch", "in-batches"])
@pytest.mark.parametrize(
    ("told", "ask", "seqs"), STEPS, ids=lambda value: type(value[0]).__name__ if isinstance(value, list) else ""
)
def test_of_two_with_one_name_the_greater_version_holds(
    redis_url: str, venue: str, told: list[Message], ask: Ask, seqs: list[int], *, apart: bool
) -> None:
    projected = listed(redis_url, venue)
    projected.show()
    again = [*told, *told[:-1], told[-1], told[0]]
    expected = [*seqs, *([seqs[-1]] * (len(told) + 1))]
    for fact, seq in zip(again, expected, strict=True):
        say(projected, fact)
        if apart:
            projected.project()
            [shown] = read(projected, ask)
            assert seq_of(shown) == seq
    projected.project()
    [shown] = read(projected, ask)
    assert seq_of(shown) == seqs[-1]


def test_a_closed_candle_does_not_open_again_and_a_late_trade_corrects_it(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    told = []
    for trades, closed in ((3, False), (3, True), (3, False), (4, False), (4, True), (3, True)):
        say(projected, facts.candle(trades=trades, closed=closed))
        projected.show()
        [shown] = read(projected, lambda views: views.candles(SYMBOL, "1m", 10))
        told.append((shown.trades, shown.closed))
    assert told == [(3, False), (3, True), (3, True), (4, False), (4, True), (4, True)]


def test_of_summaries_the_one_with_more_trades_holds_and_then_the_later(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    told = []
    for trades, after_ms in ((3, 0), (3, 5), (3, 2), (4, 1), (3, 9)):
        say(projected, facts.summary(trades, time_ms=START_MS + after_ms))
        projected.show()
        shown = read(projected, lambda views: views.analytics.summary(SYMBOL))
        told.append((shown.seq, shown.time_ms - START_MS))
    assert told == [(3, 0), (3, 5), (3, 5), (4, 1), (4, 1)]


def test_of_leaders_and_of_the_market_the_last_one_told_holds(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    say(projected, facts.leader(1), facts.leader(0), facts.leader(1, "COINUSD"), facts.market(9), facts.market(8))
    projected.show()
    leaders = read(projected, lambda views: views.analytics.leaders(10))
    assert [(one.end_ms, one.symbol) for one in leaders] == [(START_MS, SYMBOL), (START_MS + 300_000, "COINUSD")]
    assert read(projected, lambda views: views.analytics.market()).time_ms == 8
    say(projected, facts.leader(1))
    projected.project()
    assert [one.symbol for one in read(projected, lambda views: views.analytics.leaders(10))] == [SYMBOL, SYMBOL]


def test_what_is_said_once_stands_and_is_counted_once(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    first = [
        facts.signal(0), facts.signal(1), facts.late(1), facts.late(2), facts.late(1, "feed"),
        facts.alert("a"), facts.alert("b"), facts.alert("a", alert="rise"), facts.alert("a", account="ann"),
    ]  # fmt: skip
    say(projected, *first)
    projected.show()
    say(projected, *first, facts.signal(0, strength=0.1, action="SELL"), facts.alert("a", text="again"))
    projected.project()
    signals = read(projected, lambda views: views.analytics.signals(SYMBOL, 10))
    assert [(one.start_ms, one.action) for one in signals] == [(START_MS + MINUTE_MS, "BUY"), (START_MS, "BUY")]
    late = read(projected, lambda views: views.analytics.late(SYMBOL, 10))
    assert late.counts == {"@trades": 2, "feed": 1}
    assert [(one.source, one.seq) for one in late.items] == [("feed", 1), ("@trades", 2), ("@trades", 1)]
    inbox = read(projected, lambda views: views.analytics.inbox("demo", 10))
    assert (inbox.told, [(one.alert, one.event) for one in inbox.alerts]) == (
        3,
        [("rise", "a"), ("dip", "b"), ("dip", "a")],
    )
    assert read(projected, lambda views: views.analytics.inbox("ann", 10)).told == 1
    assert read(projected, lambda views: views.analytics.inbox("bob", 10)) == InboxShown(told=0, alerts=[])


def test_signals_are_shown_with_what_became_of_them_whichever_is_read_first(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    say(projected, facts.outcome(20), facts.outcome(1), facts.outcome(1, rule="candle"), facts.outcome(1, gain=9.0))
    projected.show()
    assert read(projected, lambda views: views.analytics.signals(SYMBOL, 10)) == []
    say(projected, facts.signal(0), facts.signal(1))
    projected.project()
    newer, older = read(projected, lambda views: views.analytics.signals(SYMBOL, 10))
    assert (newer.start_ms, newer.outcomes) == (START_MS + MINUTE_MS, [])
    assert older.outcomes == [
        FollowedUp(horizon=horizon, time_ms=START_MS + (horizon + 1) * MINUTE_MS, entry=1.0, price=1.02, gain=0.02)
        for horizon in (1, 20)
    ]


def test_candles_and_summaries_of_other_ticks_are_not_shown(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    say(projected, facts.candle(0), facts.candle(1, trades=500), facts.summary(5))
    projected.show()

    def prices() -> tuple[list[str], str | None]:
        candles = read(projected, lambda views: views.candles(SYMBOL, "1m", 10))
        page = read(projected, lambda views: views.market(SYMBOL, "1m"))
        assert candles == page.candles
        summary = read(projected, lambda views: views.analytics.summary(SYMBOL))
        return [one.close for one in candles], summary and summary.session.close

    assert prices() == (["1.01", "1.01"], "1.01")
    new = {"open": 11, "high": 11, "low": 11, "close": 11, "listing": 2}
    session = a.Totals(open=11, high=11, low=11, close=11, volume=1, turnover=11, trades=1)
    say(
        projected,
        facts.candle(1, trades=1, **new),
        facts.candle(2, trades=1, **new),
        facts.summary(1, listing=2, session=session),
    )
    projected.project()  # nobody knows yet what these count in
    assert prices() == (["1.01"], None)
    script.list(2, COARSE)
    projected.project()
    assert prices() == (["1.1", "1.1"], "1.1")
    say(projected, facts.candle(1, trades=501), facts.candle(0, trades=9), facts.summary(6))
    projected.project()
    assert prices() == (["1.1", "1.1"], "1.1")
    script.list(3, COARSE)
    projected.project()
    assert prices() == (["1.1", "1.1"], "1.1")


def test_what_is_computed_of_a_symbol_that_is_not_listed_is_shown_where_it_counts_in_no_ticks(
    redis_url: str, venue: str
) -> None:
    projected = listed(redis_url, venue)
    say(projected, facts.indicators(symbol="OTHER"), facts.candle(symbol="OTHER"))
    projected.show()
    assert read(projected, lambda views: views.analytics.indicators("OTHER", MINUTE_MS)) == [BAR]
    assert read(projected, lambda views: views.candles("OTHER", "1m", 10)) is None
    assert read(projected, lambda views: views.analytics.signals("OTHER", 10)) is None
    assert read(projected, lambda views: views.analytics.signals(SYMBOL, 10)) == []


def test_names_that_others_have_chosen_do_not_run_into_each_other(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    names = [("A:B", "C"), ("A", "B:C"), ("A%3AB", "C"), ("é", "\n"), ("A", "B C")]
    say(projected, *(facts.indicators(symbol=symbol, source=source) for symbol, source in names))
    projected.show()
    for symbol, source in names:
        shown = read(projected, lambda views, s=symbol, o=source: views.analytics.indicators(s, MINUTE_MS, o))
        assert shown == [BAR]


def test_what_is_kept_of_the_analysis_is_bounded(redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = {
        "CANDLES_MAX": 9, "SECONDS_MAX": 8, "INDICATORS_MAX": 7, "WINDOWS_MAX": 6, "LEADERS_MAX": 5, "LATE_MAX": 4,
        "SIGNALS_MAX": 3, "OUTCOMES_MAX": 5, "ALERTS_MAX": 2, "SERIES_MAX": 7, "SCORES_MAX": 10, "SYMBOLS_MAX": 12,
    }  # fmt: skip
    for name, most in bounds.items():
        monkeypatch.setattr(analytics, name, most)
    projected = listed(redis_url, venue)
    for n in range(20):
        say(projected, facts.candle(n), facts.candle(n, span_ms=1_000), facts.indicators(n), facts.average(n))
        say(
            projected,
            facts.profit(n),
            facts.leader(n),
            facts.late(n + 1),
            facts.signal(n),
            facts.alert(str(n)),
            facts.outcome(n + 1),
        )
        say(projected, facts.indicators(source=f"s{n}"), facts.score(rule=f"r{n}"), facts.summary(symbol=f"S{n}"))
        say(projected, facts.candle(n, span_ms=777))
        projected.project()
    projected.show()
    say(projected, facts.candle(0, trades=99), facts.signal(0))
    projected.project()
    assert {
        name: len(found)
        for name, found in projected.contents().items()
        if name not in ("market:AAPLUSD", "listings", "seen", "alert-count:demo") and ":s" not in name
    } == {
        "candles:AAPLUSD:1m": 9, "candles:AAPLUSD:1s": 8, "indicators:AAPLUSD:@trades:60000": 7, "averages:AAPLUSD:hopping-10m-5m": 6,
        "profits:AAPLUSD:hopping-10m-5m": 6, "leaders:hopping-10m-5m": 5, "late:AAPLUSD": 4, "late-ids:AAPLUSD": 4,
        "late-counts:AAPLUSD": 1, "signals:AAPLUSD": 3, "signal-ids:AAPLUSD": 3, "signal-outcomes:AAPLUSD": 5,
        "signal-outcome-ids:AAPLUSD": 5, "alerts:demo": 2, "alert-ids:demo": 2, "series:AAPLUSD": 7, "scores:AAPLUSD": 10, "summaries": 12,
    }  # fmt: skip
    starts = [one.start_ms for one in read(projected, lambda views: views.candles(SYMBOL, "1m", 100))]
    assert starts == [START_MS + n * MINUTE_MS for n in range(11, 20)]
    assert read(projected, lambda views: views.analytics.inbox("demo", 10)).told == 20


def test_a_page_of_older_bars_ends_where_it_is_asked_to(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    say(projected, *(facts.indicators(n, closed=n < 5) for n in range(6)))
    projected.show()
    end_ms = START_MS + 4 * MINUTE_MS
    older = read(projected, lambda views: views.analytics.indicators(SYMBOL, MINUTE_MS, limit=2, end_ms=end_ms))
    assert [one.bars for one in older] == [3, 4]
    newest = read(projected, lambda views: views.analytics.indicators(SYMBOL, MINUTE_MS, limit=2))
    assert [(one.bars, one.closed) for one in newest] == [(5, True), (6, False)]
    [series] = read(projected, lambda views: views.analytics.series(SYMBOL))
    assert series.newest == newest[-1]


def test_windows_of_both_methods_are_shown_in_the_order_of_their_ends(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    for n in range(3):
        say(projected, facts.average(n), facts.average(n, method="vwap-5m"))
    projected.show()
    ends = [
        (one.end_ms - START_MS, one.method)
        for one in read(projected, lambda views: views.analytics.averages(SYMBOL, 3))
    ]
    assert ends == [(300_000, "vwap-5m"), (600_000, "hopping-10m-5m"), (600_000, "vwap-5m")]
    only = read(projected, lambda views: views.analytics.averages(SYMBOL, 2, "vwap-5m"))
    assert [one.end_ms - START_MS for one in only] == [300_000, 600_000]


def some_facts(dice: random.Random) -> list[Message]:
    """Return facts as a job might tell them that is killed at times and then tells again what it has told since its last checkpoint."""
    told: list[Message] = []
    for step in range(60):
        minute, version = step // 6, step + 1
        told += [
            facts.candle(minute, trades=version, close=100 + dice.randrange(3)),
            facts.indicators(minute, version=version, close=dice.random()),
            facts.average(minute, version=version, value=dice.random()),
            facts.summary(version, time_ms=START_MS + step),
            facts.leader(minute, dice.choice((SYMBOL, "COINUSD"))),
            facts.score(bars=version, horizon=dice.choice((1, 5))),
        ]
        if dice.random() < 0.3:
            told += [facts.signal(step), facts.late(step + 1), facts.alert(f"event {step}"), facts.market(step)]
        if dice.random() < 0.15:
            told += told[-dice.randint(1, 40) :]
    return told


@pytest.mark.parametrize("seed", range(8))
def test_cut_repeated_restarted_or_rebuilt_the_analysis_is_the_same(redis_url: str, venue: str, seed: int) -> None:
    dice = random.Random(seed)
    projected = listed(redis_url, venue)
    say(projected, *some_facts(dice))
    projected.show()
    once = projected.contents()
    best = read(projected, lambda views: views.candles(SYMBOL, "1m", 100))
    assert [one.trades for one in best] == [6 * (n + 1) for n in range(10)]
    assert read(projected, lambda views: views.analytics.summary(SYMBOL)).seq == 60

    generation, store, commit = new_generation(), projected.store, 0
    cut = Projection(venue)
    pending = {topic: projected.records(topic) for topic in TOPICS}
    while any(pending.values()):
        topic = dice.choice([topic for topic, records in pending.items() if records])
        count = dice.randint(1, 9)
        for record in pending[topic][:count]:
            cut.add(record)
            if dice.random() < 0.2:
                cut.add(record)
        pending[topic] = pending[topic][count:]
        commit += 1
        store.apply(generation, commit, cut.changes(store.keys.of(generation)), publish=False)
        if dice.random() < 0.3:
            cut, commit = store.load(venue, generation)
            assert cut.offsets[topic_name(venue, topic), 0] == len(projected.records(topic)) - len(pending[topic])
    assert projected.contents(generation) == once, f"seed {seed}"
    projected.rebuild()
    assert projected.contents() == once, f"seed {seed}"


@pytest.mark.parametrize("seed", range(4))
def test_versions_in_any_order_come_to_the_same(redis_url: str, venue: str, seed: int) -> None:
    dice = random.Random(seed)
    projected = listed(redis_url, venue)
    kinds = (a.Candle, a.Indicators, a.WindowAverage, a.SymbolSummary)
    told = [fact for fact in some_facts(random.Random(5)) if isinstance(fact, kinds)]
    say(projected, *told)
    projected.project()
    once = projected.contents()
    for topic in analytics.DECODERS:
        dice.shuffle(projected.venue.written[topic])
    projected.generation, projected.projection, projected.commit = new_generation(), Projection(venue), 0
    store = projected.store
    pending = [record for topic in TOPICS for record in projected.records(topic)]
    for commit, start in enumerate(range(0, len(pending), 7), 1):
        for record in pending[start : start + 7]:
            projected.projection.add(record)
        store.apply(
            projected.generation,
            commit,
            projected.projection.changes(store.keys.of(projected.generation)),
            publish=False,
        )
    assert projected.contents() == once, f"seed {seed}"


@pytest.mark.parametrize(("fact", "ask", "shown"), SHOWN, ids=lambda value: type(value).__name__)
def test_a_fact_is_published_as_a_change_of_its_symbol_or_account(
    redis_url: str, venue: str, fact: Message, ask: Ask, shown: Any
) -> None:
    del ask, shown
    projected = listed(redis_url, venue)
    projected.show()
    say(projected, fact)
    for record in projected.records(facts.TOPIC_OF[type(fact)]):
        projected.projection.add(record)
    changes = projected.projection.changes(projected.store.keys.of(projected.generation))
    told = {
        a.Alert: ([], ["demo"]),
        a.ProfitLeader: ([a.MARKET_KEY], []),
        a.MarketSummary: ([a.MARKET_KEY], []),
    }
    assert (changes.symbols, changes.accounts) == told.get(type(fact), ([SYMBOL], []))


def test_a_packet_of_another_topic_is_refused_whole(redis_url: str, venue: str) -> None:
    projected = listed(redis_url, venue)
    say(projected, facts.candle())
    projected.venue.written[topics.SIGNALS] += projected.venue.written[topics.CANDLES]
    projected.show()
    assert projected.projection.refused == 1
    assert read(projected, lambda views: views.analytics.signals(SYMBOL, 10)) == []


def test_the_spans_of_candles_are_those_that_are_computed() -> None:
    assert SPANS == {"1s": 1_000, "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000}
