"""The machine of the `signals` job: what it takes, what it tells, what it keeps, and that it never looks ahead."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from exchange.analysis import BOOK_SOURCE, TRADES_SOURCE, Indicators, NewsSentiment, RuleScore, Signal, SignalOutcome
from exchange.errors import InvalidPacket
from exchange.host import Host, Record
from exchange.messages import Resume, Tick
from exchange.packets import decode_indicators, encode
from udfs.indicators import DEFAULTS
from udfs.observation import Observation
from udfs.rules import DEFAULT_RULES, Rule, Verdict, parse
from udfs.series import BarOf, Series
from udfs.signaller import HOUR_MS, MINUTE_MS, NEWS_MAX, SERIES_MAX, Signaller

CANDLE = (parse("candle"),)
NEWS = (parse("news"),)


def told(start_ms: int, opened: float, close: float, bars: int = 1, **other: Any) -> Indicators:
    fields: dict[str, Any] = {
        "symbol": "X", "source": TRADES_SOURCE, "span_ms": MINUTE_MS, "version": bars, "high": max(opened, close) + 1,
        "low": min(opened, close) - 1, "volume": 1.0, "values": {}, "closed": True, **other,
    }  # fmt: skip
    return Indicators(start_ms=start_ms, bars=bars, open=opened, close=close, **fields)


def minutes(*bodies: tuple[float, float], **other: Any) -> list[Indicators]:
    return [told(at * MINUTE_MS, *body, bars=at + 1, **other) for at, body in enumerate(bodies)]


def second(start_ms: int, flow: float, **other: Any) -> Indicators:
    fields = {"source": BOOK_SOURCE, "span_ms": 1000, "values": {"order_flow_imbalance": flow}} | other
    return told(start_ms, 10.0, 10.0, **fields)


def news(time_ms: int, score: float, magnitude: float = 1.0, source: str = "wire") -> NewsSentiment:
    return NewsSentiment(source=source, symbol="X", time_ms=time_ms, score=score, magnitude=magnitude)


def said(machine: Signaller, messages: Sequence[Any], arrival_ms: int = 10**12) -> list[Any]:
    return [out for message in messages for out in machine.apply(message, arrival_ms)]


def actions(outputs: Sequence[Any]) -> list[tuple[int, str]]:
    return [(one.start_ms // MINUTE_MS, one.action) for one in outputs if type(one) is Signal]


UP, DOWN, EVEN = (10.0, 11.0), (11.0, 10.0), (10.0, 10.0)


# Signals


def test_a_signal_is_told_when_the_action_changes_and_its_outcome_and_score_when_they_are_known() -> None:
    machine = Signaller("X", rules=CANDLE, horizons=(1,))
    outputs = said(machine, minutes(UP, (11.0, 12.0), DOWN))
    common: dict[str, Any] = {"symbol": "X", "source": "@trades", "span_ms": 60_000}
    assert outputs == [
        Signal(
            **common, start_ms=0, time_ms=60_000, rule="candle", action="BUY", strength=1 / 3, price=11.0,
            reason="close 11 > open 10", numbers={"close": 11.0, "open": 10.0},
        ),
        SignalOutcome(
            **common, start_ms=0, rule="candle", action="BUY", horizon=1, time_ms=120_000, entry=11.0, price=12.0, gain=12 / 11 - 1,
        ),
        RuleScore(
            **common, rule="candle", horizon=1, time_ms=120_000, bars=2, signals=1, hits=1, average=12 / 11 - 1, average_gain=12 / 11 - 1,
            average_loss=0.0, random=12 / 11 - 1, random_hit_rate=1.0, hold=12.0 / 10 - 1,
        ),
        Signal(
            **common, start_ms=120_000, time_ms=180_000, rule="candle", action="SELL", strength=1 / 3, price=10.0,
            reason="close 10 < open 11", numbers={"close": 10.0, "open": 11.0},
        ),
    ]  # fmt: skip
    assert [machine.address(one) for one in outputs] == [
        ("signals", "X"),
        ("scores", "X"),
        ("scores", "X"),
        ("signals", "X"),
    ]


def test_a_rule_holds_before_its_first_signal_and_a_later_hold_is_told() -> None:
    assert actions(said(Signaller("X", rules=CANDLE), minutes(EVEN, UP, EVEN, EVEN, UP))) == [
        (1, "BUY"),
        (2, "HOLD"),
        (4, "BUY"),
    ]


def test_within_the_cool_down_nothing_is_told_and_after_it_what_then_holds() -> None:
    machine = Signaller("X", rules=CANDLE, cool_down_ms=3 * MINUTE_MS)
    assert actions(said(machine, minutes(UP, DOWN, DOWN, DOWN, UP, DOWN, UP))) == [(0, "BUY"), (3, "SELL"), (6, "BUY")]


def test_rules_and_series_do_not_disturb_each_other() -> None:
    bars = [
        told(0, *UP),
        told(0, *DOWN, source="other"),
        told(0, *DOWN, span_ms=5 * MINUTE_MS),
        told(MINUTE_MS, *UP, bars=2),
        told(MINUTE_MS, *UP, bars=2, source="other"),
    ]
    assert [(one.source, one.span_ms, one.action) for one in said(Signaller("X", rules=CANDLE), bars) if type(one) is Signal] == [
        ("@trades", 60_000, "BUY"), ("other", 60_000, "SELL"), ("@trades", 300_000, "SELL"), ("other", 60_000, "BUY"),
    ]  # fmt: skip


def test_open_repeated_corrected_and_older_bars_change_nothing() -> None:
    machine = Signaller("X", rules=CANDLE)
    said(machine, minutes(UP, UP))
    machine.changes()
    again = [
        told(0, *DOWN),
        told(MINUTE_MS, *UP, bars=2),
        told(MINUTE_MS, *DOWN, bars=2, version=9),
        told(2 * MINUTE_MS, *DOWN, bars=3, closed=False),
    ]
    assert (said(machine, again), machine.changes()) == ([], {})
    assert actions(said(machine, [told(2 * MINUTE_MS, *DOWN, bars=3)])) == [(2, "SELL")]


def test_a_series_that_begins_anew_has_no_bar_before() -> None:
    low, high = ({"sma(20)": first, "sma(50)": 10.0, "atr(14)": 1.0} for first in (9.0, 11.0))
    for bars, expected in ((2, [(1, "BUY")]), (1, [])):
        machine = Signaller("X", rules=[parse("sma-cross")])
        assert actions(said(machine, [told(0, *UP, values=low), told(MINUTE_MS, *UP, bars, values=high)])) == expected


def test_only_its_own_symbol_belongs_to_a_machine_and_what_it_does_not_know_says_nothing() -> None:
    machine = Signaller("X")
    assert (machine.accepts(news(0, 1)), machine.accepts(msgspec.structs.replace(news(0, 1), symbol="Y"))) == (
        True,
        False,
    )
    assert machine.apply(Tick(key="X"), 5) == []
    assert (machine.deadline_ms(), machine.halted, machine.changes()) == (None, False, {})


def test_a_halted_machine_says_and_changes_nothing_until_it_is_resumed_and_then_goes_on() -> None:
    machine = Signaller("X", rules=CANDLE)
    said(machine, minutes(UP))
    entries = {name: entry for name, entry in machine.changes().items() if entry is not None}
    machine.halted = True
    assert machine.changes() == {"halted": "true"}
    machine = Signaller("X", entries | {"halted": "true"}, rules=CANDLE)
    resume = Resume(key="X")
    assert (machine.halted, machine.accepts(resume), machine.accepts(Resume(key="Y"))) == (True, True, False)
    assert (said(machine, minutes(UP, DOWN)), machine.changes()) == ([], {})
    assert (said(machine, [resume, resume]), machine.changes()) == ([], {"halted": None})
    assert actions(said(machine, [told(2 * MINUTE_MS, *DOWN, bars=3)])) == [(2, "SELL")]


def test_a_packet_that_breaks_an_invariant_halts_its_symbol_and_no_other() -> None:
    class Broken(Rule):
        """A rule that breaks at a price."""

        @property
        def name(self) -> str:
            return "broken"

        def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
            del before
            assert now.close != 13.0, "the bar that nobody thought of"
            return Verdict("BUY" if now.close > 10 else "SELL", 1.0, "", {})

    host = Host(lambda symbol, entries: Signaller(symbol, entries, rules=[Broken()]), decode_indicators)
    stored: dict[str, dict[str, str]] = {"X": {}, "Y": {}}

    def process(message: Indicators) -> list[tuple[str, str]]:
        entries = stored[message.symbol]
        outcome = host.process(Record("indicators", 0, 0, 0, message.symbol, encode([message])), lambda: entries)
        entries.update({name: entry for name, entry in outcome.changes.items() if entry})
        return [(topic, key) for topic, key, _ in outcome.records]

    assert process(told(0, *UP)) == [("signals", "X")]
    assert process(told(MINUTE_MS, 10.0, 13.0, 2)) == [("dead-letters", "indicators")]
    assert process(told(2 * MINUTE_MS, *DOWN, 3)) == []
    assert stored["X"]["halted"] == "true"
    assert process(told(0, *UP, symbol="Y")) == [("signals", "Y")]


def test_more_series_than_there_can_be_are_refused() -> None:
    machine = Signaller("X", rules=CANDLE)
    said(machine, [told(0, *UP, source=f"source-{number}") for number in range(SERIES_MAX)])
    with pytest.raises(InvalidPacket, match="X has more than 64 series"):
        machine.apply(told(0, *UP, source="one-more"), 0)


# News


@pytest.mark.parametrize(
    "wrong",
    [
        {"opened": -1e-5, "close": 1e308}, {"opened": 0.0}, {"close": -1.0}, {"values": {"sma(20)": 1e308}}, {"volume": 1e200},
        {"source": BOOK_SOURCE, "values": {"order_flow_imbalance": 1e308}},
    ],
)  # fmt: skip
def test_bars_with_numbers_that_sums_cannot_hold_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPacket):
        Signaller("X").apply(told(**{"start_ms": 0, "opened": 1.0, "close": 1.0} | wrong), 0)


def test_the_last_sentiment_up_to_the_bars_end_counts_for_an_hour() -> None:
    machine = Signaller("X", rules=NEWS)
    heard = [news(60_000, 0.5), news(60_001, -1.0), news(30_000, -1.0)]  # the second comes after the first bar's end
    assert actions(said(machine, [*heard, told(0, *UP)])) == [(0, "BUY")]
    hour = HOUR_MS // MINUTE_MS
    later = [told(at * MINUTE_MS, *UP, bars=at + 1) for at in (1, hour - 1, hour, hour + 1)]
    assert actions(said(machine, later)) == [(1, "SELL"), (hour + 1, "HOLD")]


def test_the_same_news_again_and_another_word_of_the_same_source_and_time_change_nothing() -> None:
    machine = Signaller("X", rules=NEWS)
    said(machine, [news(10, 1.0), news(10, -1.0), news(10, 1.0)])
    assert actions(said(machine, [told(0, *UP)])) == [(0, "BUY")]


def test_whatever_the_order_in_which_news_come_the_newest_are_kept_and_the_last_counts() -> None:
    items = [news(at, at / 200 - 0.5, source=source) for at in range(100) for source in ("a", "b")]
    states, chance = set(), random.Random(3)
    for _ in range(5):
        machine = Signaller("X")
        said(machine, items)
        states.add(str(machine.changes()))
        machine = Signaller("X")
        late = items[-NEWS_MAX:]
        chance.shuffle(late)
        said(machine, late)
        states.add(str(machine.changes()))
    assert len(states) == 1


@pytest.mark.parametrize(
    ("item", "heard"),
    [
        (news(0, 1.0), True),
        (news(1_060_000, -1.0, 0.0), True),
        (news(1_060_001, 1.0), False),
        (news(0, 1.1), False),
        (news(0, 1.0, -0.1), False),
        (news(0, float("nan")), False),
    ],
)
def test_news_that_the_indicators_job_refuses_are_not_heard(item: NewsSentiment, heard: bool) -> None:
    machine = Signaller("X")
    assert (machine.apply(item, 1_000_000), "news" in machine.changes()) == ([], heard)


# Order flow


class Flows(Rule):
    """A rule that only tells what order flow a bar has."""

    seen: ClassVar[list[tuple[int, float | None]]] = []

    @property
    def name(self) -> str:
        return "flows"

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        del before
        self.seen.append((now.end_ms, now.values.get("order_flow")))
        return None


@pytest.fixture
def flows() -> Flows:
    Flows.seen.clear()
    return Flows()


def test_the_order_flow_of_a_bar_is_that_of_its_last_minute(flows: Flows) -> None:
    book = [
        second(start_ms, flow)
        for start_ms, flow in [(59_000, 1), (60_000, 2), (119_000, 4), (120_000, 8), (175_000, 16)]
    ]
    bars = [
        told(0, *UP, span_ms=120_000),
        told(60_000, *UP),
        told(115_500, *UP, span_ms=0, source="ticks"),
        told(150_000, *UP, span_ms=27_000, source="odd"),
    ]
    said(Signaller("X", rules=[flows]), [*book, *bars])
    assert flows.seen == [(120_000, 6), (120_000, 6), (115_500, 3), (177_000, 28)]


def test_open_repeated_corrected_and_older_seconds_of_the_book_change_nothing(flows: Flows) -> None:
    book = [second(2_000, 1), second(2_000, 5), second(1_000, 5), second(3_000, 5, closed=False), second(4_000, 2)]
    book += [second(5_000, 0, values={}), second(70_000, 9), second(6_000, 5)]
    said(Signaller("X", rules=[flows]), [*book, told(0, *UP)])
    assert flows.seen == [(60_000, 3)]


def test_where_the_book_said_nothing_or_its_minute_is_gone_there_is_no_order_flow(flows: Flows) -> None:
    machine = Signaller("X", rules=[flows])
    said(machine, [told(0, *UP, source="first"), second(0, 1), told(0, *UP), told(60_000, *UP, bars=2)])
    assert set(machine.changes()) == {"series:60000:first", "series:60000:@trades", "flow:0"}
    said(machine, [second(60_000, 2), second(120_000, 3), second(180_000, 4), told(0, *UP, source="late")])
    said(machine, [told(90_000, *UP, span_ms=0, source="late")])
    assert flows.seen == [(60_000, None), (60_000, 1), (120_000, None), (60_000, None), (90_000, None)]
    changes = machine.changes()
    assert {name: bool(entry) for name, entry in changes.items() if name.startswith("flow")} == {
        "flow:0": False, "flow:1": True, "flow:2": True, "flow:3": True,
    }  # fmt: skip


# Forecasts


def test_a_model_is_asked_with_the_series_and_the_bar_and_its_forecast_is_signalled() -> None:
    asked: list[tuple[Any, Mapping[str, float]]] = []

    def predict(key: Any, values: Mapping[str, float]) -> float | None:
        asked.append((key, dict(values)))
        return 0.9 if values["close"] > 10.5 else None

    machine = Signaller("X", rules=[parse("forecast")], predict=predict)
    assert actions(said(machine, [told(0, *DOWN, values={"obv": 3.0}), told(MINUTE_MS, *UP, bars=2)])) == [(1, "BUY")]
    bar = {"open": 11.0, "high": 12.0, "low": 9.0, "close": 10.0, "volume": 1.0}
    assert asked[0] == (("X", "@trades", 60_000), {"obv": 3.0, **bar})


@pytest.mark.parametrize("chance", [None, float("nan"), -0.1, 1.1])
def test_what_is_no_probability_is_no_forecast(chance: float | None) -> None:
    machine = Signaller("X", rules=[parse("forecast")], predict=lambda _key, _values: chance)
    assert said(machine, minutes(UP, DOWN)) == []


# State


def market(seed: int, bars: int) -> list[Any]:
    """A minute after the other: the book's seconds, news now and then, the closed bar and an outside one; some of it twice or late."""
    print("seed", seed)
    chance, series, messages = (
        random.Random(seed),
        {"@trades": Series(DEFAULTS), "outside": Series(DEFAULTS)},
        list[Any](),
    )
    close = 100.0
    for at in range(bars):
        start_ms = at * MINUTE_MS
        messages += [second(start_ms + 7_000 * step, chance.gauss(0, 20)) for step in range(8)]
        if chance.random() < 0.1:
            messages.append(news(start_ms + chance.randrange(90_000), chance.uniform(-1, 1), chance.random()))
        for source, one in series.items():
            opened, close = close * (1 + chance.gauss(0, 0.002)), close * (1 + chance.gauss(0, 0.02))
            bar = BarOf(
                start_ms, opened, max(opened, close) * 1.01, min(opened, close) * 0.99, close, chance.uniform(1, 9)
            )
            if source == "@trades" or at % 3 == 0:
                messages.append(
                    told(
                        start_ms,
                        opened,
                        close,
                        at + 1,
                        source=source,
                        high=bar.high,
                        low=bar.low,
                        values=one.add(*bar[1:6]),
                    )
                )
        if chance.random() < 0.2:
            messages.append(chance.choice(messages[-11:]))
    return messages


def predict_close(_key: Any, values: Mapping[str, float]) -> float:
    return values["close"] * 100 % 1


def test_restored_after_every_message_it_goes_on_as_if_never_lost_and_its_entries_stay_small() -> None:
    options: dict[str, Any] = {"cool_down_ms": 2 * MINUTE_MS, "predict": predict_close}
    kept, entries, signals = Signaller("X", **options), dict[str, str](), set()
    restored = Signaller("X", entries, **options)
    for message in market(seed=21, bars=260):
        outputs = kept.apply(message, 10**12)
        assert restored.apply(message, 10**12) == outputs
        assert [msgspec.json.decode(encode(one), type=type(one)) for one in outputs] == outputs
        changes = restored.changes()
        assert changes == kept.changes()
        for name, entry in changes.items():
            if entry is None:
                del entries[name]
            else:
                entries[name] = entry
        restored = Signaller("X", entries, **options)
        assert restored.changes() == {}
        signals |= {one.rule for one in outputs if type(one) is Signal}
    assert signals == set(DEFAULT_RULES)
    sizes = {name: len(entry) for name, entry in entries.items()}
    print(sizes)
    assert sorted(name.partition(":")[0] for name in sizes) == ["flow", "flow", "flow", "news", "series", "series"]
    assert max(sizes.values()) < 8_000


def test_entries_of_rules_that_are_no_longer_asked_do_no_harm_and_new_rules_begin() -> None:
    before, messages = Signaller("X", rules=CANDLE, horizons=(1, 5)), market(seed=4, bars=120)
    half = len(messages) // 2
    said(before, messages[:half])
    entries = {name: entry for name, entry in before.changes().items() if entry is not None}
    after = Signaller("X", entries, rules=[parse("bollinger-breakout")], horizons=(1, 2))
    outputs = said(after, messages[half:])
    assert {(one.rule) for one in outputs if type(one) is Signal} == {"bollinger-breakout(20,2)"}
    assert {
        one.horizon for one in outputs if type(one) is SignalOutcome and one.rule == "bollinger-breakout(20,2)"
    } == {1, 2}


def test_the_same_log_gives_the_same_outputs_whatever_its_packets() -> None:
    messages = market(seed=6, bars=80)
    assert said(Signaller("X"), messages) == said(Signaller("X"), messages)
    one, other, written, rewritten = Signaller("X"), Signaller("X"), {}, {}
    for at, message in enumerate(messages):
        one.apply(message, 10**12)
        other.apply(message, 10**12)
        written |= one.changes()
        if at % 17 == 16:
            rewritten |= other.changes()
    rewritten |= other.changes()
    assert written == {**rewritten, **{name: None for name, entry in written.items() if entry is None}}


# No look-ahead


class Seer(Rule):
    """A rule that knows the bars to come; it says nothing where there are none."""

    bars: ClassVar[list[Indicators]] = []
    lag: int

    @property
    def name(self) -> str:
        return f"seer({self.lag})"

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Say where the trade that `lag` bars ago could be entered at the next bar went to; of lag 0: that of this bar."""
        del before
        at = now.start_ms // MINUTE_MS - self.lag
        if not 0 <= at < len(self.bars) - 1:
            return None
        rise = self.bars[at + 1].close - self.bars[at + 1].open
        return Verdict("BUY" if rise > 0 else "SELL", 1.0, "", {})


def test_a_rule_that_knows_the_future_is_always_right_and_the_same_rule_of_the_past_is_as_good_as_chance() -> None:
    chance, close, bodies = random.Random(13), 100.0, []
    for _ in range(20_000):
        opened = close
        close = opened * (1 + chance.choice((-1, 1)) * chance.uniform(0.001, 0.02))
        bodies.append((opened, close))
    Seer.bars[:] = bars = minutes(*bodies)
    machine = Signaller("X", rules=[Seer(0), Seer(1)], horizons=(1,))
    said(machine, bars)
    future, past = (machine.score(TRADES_SOURCE, MINUTE_MS, name, 1) for name in ("seer(0)", "seer(1)"))
    print(f"future {future.hit_rate}, past {past.hit_rate:.4f} of {past.signals}, at random {past.random_hit_rate:.4f}")
    assert (future.hits, future.signals > 9_000) == (future.signals, True)
    assert abs(past.hit_rate - past.random_hit_rate) < 4 * 0.5 / past.signals**0.5


def told_up_to(messages: Sequence[Any], shown: Callable[[Any], bool]) -> list[Any]:
    return [one for one in said(Signaller("X", predict=predict_close), messages) if shown(one)]


@pytest.mark.parametrize("kept", [1, 40, 90, 150, 199])
def test_what_has_been_said_up_to_a_bar_stands_when_all_that_comes_after_is_replaced(kept: int) -> None:
    past, other = market(seed=31, bars=200), market(seed=32, bars=200)
    begin = lambda message: message.time_ms if type(message) is NewsSentiment else message.start_ms  # noqa: E731
    known = [message for message in past if begin(message) < kept * MINUTE_MS]
    coming = [message for message in other if begin(message) >= kept * MINUTE_MS]
    end_ms = kept * MINUTE_MS
    expected = told_up_to(known, lambda one: one.time_ms <= end_ms)
    assert len(expected) > kept
    assert told_up_to([*known, *coming], lambda one: one.time_ms <= end_ms) == expected


def test_data_that_come_a_bar_later_are_said_the_same_of_a_bar_later() -> None:
    def later(message: Any) -> Any:
        name = "time_ms" if hasattr(message, "time_ms") else "start_ms"
        return msgspec.structs.replace(message, **{name: getattr(message, name) + MINUTE_MS})

    messages = market(seed=41, bars=200)
    outputs = said(Signaller("X", predict=predict_close), messages)
    shifted = [
        msgspec.structs.replace(
            one,
            time_ms=one.time_ms + MINUTE_MS,
            **({} if type(one) is RuleScore else {"start_ms": one.start_ms + MINUTE_MS}),
        )
        for one in outputs
    ]
    assert said(Signaller("X", predict=predict_close), [later(message) for message in messages]) == shifted


def test_values_that_come_a_bar_later_are_signalled_a_bar_later_and_never_sooner() -> None:
    messages = [one for one in market(seed=42, bars=200) if type(one) is Indicators and one.source == TRADES_SOURCE]
    bars = list({one.start_ms: one for one in messages}.values())
    rules = [parse(name) for name in ("sma-cross", "ema-cross", "rsi-bounds", "macd-cross")]
    lagging = [
        msgspec.structs.replace(now, values=before.values) for before, now in zip([bars[0], *bars], bars, strict=False)
    ]
    on_time = actions(said(Signaller("X", rules=rules), bars))
    assert actions(said(Signaller("X", rules=rules), lagging)) == [
        (at + 1, action) for at, action in on_time if at < 199
    ]
