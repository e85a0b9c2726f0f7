"""The `indicators` job on Flink's mini cluster equals its host alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink.common import Row

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from exchange.packets import encode
from flink_jobs import indicators
from flink_jobs.kafka_streams import to_record
from flink_jobs.machine_function import TICK_DELAY_MS, ClosingFunction, MachineFunction
from tests.flink_jobs.test_build import headed, run_on_flink, run_purely
from tests.udfs.watched import DECODERS, LATENESS_MS, START_MS, flow, listed, trade
from udfs.watch import watch_host


@pytest.mark.flink
def test_indicators_on_flink_equal_the_host_alone():
    trades = {
        symbol: flow(seed, 60, delay_ms=20 * 60_000, symbol=symbol) for seed, symbol in enumerate(("AAPLUSD", "IBMUSD"))
    }
    bar = a.OutsideBar(source="feed", symbol="AAPLUSD", time_ms=500, open=10.0, high=12.0, low=9.0, close=11.0)
    wrong = a.OutsideBar(source="feed", symbol="AAPLUSD", time_ms=501, open=10.0, high=8.0, low=9.0, close=11.0)
    quotes: list[tuple[m.Side, int]] = [("buy", 100), ("sell", 105), ("buy", 101), ("buy", 102)]
    deltas = [
        m.BookDelta(symbol="IBMUSD", seq=seq, time_ms=START_MS + seq * 400, side=side, price=price, quantity=seq)
        for seq, (side, price) in enumerate(quotes, 1)
    ]
    texts = [
        *headed(topics.TRADES, *((symbol, encode(each[:5])) for symbol, each in trades.items())),
        *headed(topics.BOOK_SNAPSHOTS, *((symbol, encode(listed(symbol))) for symbol in trades)),
        *headed(topics.MARKET_DATA, ("AAPLUSD", encode([bar, wrong, bar])), ("IBMUSD", b"\xff not a packet")),
        *headed(topics.BOOK_DELTAS, *(("IBMUSD", encode(delta)) for delta in deltas)),
        *headed(
            topics.TRADES,
            *(
                (symbol, encode(each[start : start + 5]))
                for start in range(5, 60, 5)
                for symbol, each in trades.items()
            ),
        ),
    ]
    rows = run_on_flink(indicators.JOB, texts)
    assert rows == run_purely(watch_host(LATENESS_MS), texts)
    told = [message for topic, _, value in rows for message in DECODERS[topic.removeprefix("test.")](value.encode())]
    assert {row[0].removeprefix("test.") for row in rows} == set(indicators.JOB.outputs)
    assert {type(message) for message in told} == {
        a.Candle, a.Indicators, a.WindowAverage, a.WindowProfit, a.SymbolSummary, a.LateData, m.DeadLetter,
    }  # fmt: skip
    letters = [(message.reason, message.detail) for message in told if isinstance(message, m.DeadLetter)]
    assert letters[0] == ("REJECTED", "HIGH_BELOW_LOW")
    assert [reason for reason, _ in letters] == ["REJECTED", "INVALID_PACKET"]


MakeOperator = Callable[[bool], "Operator"]


class Entries(dict[str, str]):
    """What the operator uses of a map state."""

    put_all = dict.update
    remove = dict.__delitem__


class Operator:
    """A job's function without Flink: with a clock of its own, and timers that it fires."""

    def __init__(self, function: MachineFunction) -> None:
        self.function = function
        self.now_ms = START_MS
        self.timers: list[int] = []
        self.entries = Entries()
        self.runtime: Any = SimpleNamespace(get_map_state=lambda _: self.entries)
        function.open(self.runtime)
        service = SimpleNamespace(
            current_processing_time=lambda: self.now_ms, register_processing_time_timer=self.timers.append
        )
        self.context: Any = SimpleNamespace(timer_service=lambda: service, get_current_key=lambda: "AAPLUSD")

    def record(self, topic: str, message: Any) -> list[Row]:
        return self.appended(self.now_ms, topic, message)

    def appended(self, time_ms: int, topic: str, message: Any) -> list[Row]:
        """Process a record that the broker appended at a time."""
        text = f"test.{topic} 0 0 {time_ms} {encode(message).decode()}"
        assert to_record("AAPLUSD", text).time_ms == time_ms
        return list(self.function.process_element(text, self.context))

    def fire(self) -> list[Row]:
        """Let the time of the first timer come."""
        timer_ms = min(self.timers)
        self.timers[:] = [one for one in self.timers if one != timer_ms]
        self.now_ms = max(self.now_ms, timer_ms)
        return list(self.function.on_timer(timer_ms, self.context))


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> MakeOperator:
    def make(is_live: bool) -> Operator:
        made = Operator(ClosingFunction(lambda: watch_host(LATENESS_MS, closes=is_live), "test", topics.TRADES, True))
        clock = SimpleNamespace(monotonic=lambda: made.now_ms / 1_000)
        monkeypatch.setattr("flink_jobs.machine_function.time", clock)
        return made

    return make


def closed(rows: list[Row]) -> list[int]:
    """Return the spans of the candles that rows tell as closed."""
    candles = [
        one for topic, _, value in rows if topic == "test.candles" for one in DECODERS[topics.CANDLES](value.encode())
    ]
    return [one.span_ms for one in candles if one.closed]


def test_in_a_live_venue_an_idle_symbol_s_candles_are_closed_one_second_after_their_end_and_no_state_changes(
    operator: MakeOperator,
):
    live = operator(True)
    live.record(topics.BOOK_SNAPSHOTS, listed())
    live.now_ms += 400
    live.record(topics.TRADES, trade(1, START_MS + 390))
    stored = dict(live.entries)
    told = []
    while live.timers and live.now_ms < START_MS + 3_600_000:
        told += [(span_ms, live.now_ms - START_MS) for span_ms in closed(live.fire())]
    spans = (1_000, 60_000, 300_000, 900_000, 3_600_000)
    first = {span_ms: min(at_ms for one, at_ms in told if one == span_ms) for span_ms in spans}
    assert first == {span_ms: span_ms + 1_000 + TICK_DELAY_MS for span_ms in spans}
    assert live.entries == stored
    assert len(live.timers) == 1, "it waits for the day's end"


def test_while_trades_come_in_the_timer_waits_for_them(operator: MakeOperator):
    live = operator(True)
    live.record(topics.BOOK_SNAPSHOTS, listed())
    for seq in range(1, 20):
        live.now_ms += 700
        live.record(topics.TRADES, trade(seq, live.now_ms))
        while min(live.timers) <= live.now_ms:
            assert live.fire() == [], "it is the log's to say"
    heard_ms = live.now_ms
    told: list[int] = []
    while not told:
        told = closed(live.fire())
    assert told == [1_000]
    assert 1_000 <= live.now_ms - heard_ms <= 3_000


def test_a_restored_job_closes_nothing_by_the_wall_s_clock_before_it_has_read_what_was_appended_meanwhile(
    operator: MakeOperator,
):
    stopped = operator(True)
    stopped.record(topics.BOOK_SNAPSHOTS, listed())
    stopped.now_ms = START_MS + 30_000
    stopped.record(topics.TRADES, trade(1, START_MS + 30_000))
    while min(stopped.timers) < START_MS + 60_000:
        stopped.fire()
    restored = operator(True)
    restored.now_ms = START_MS + 600_000
    restored.function.open(restored.runtime)
    restored.entries.update(stopped.entries)
    restored.timers += stopped.timers

    def wait(until_ms: int) -> list[Row]:
        rows: list[Row] = []
        while min(restored.timers) <= until_ms:
            rows += restored.fire()
        restored.now_ms = until_ms
        return rows

    assert wait(START_MS + 603_000) == [], "the first records take a moment"
    closed_late = restored.appended(START_MS + 30_500, topics.TRADES, trade(2, START_MS + 30_500))
    assert wait(START_MS + 612_000) == [], "there are more, though the key has heard nothing for seconds"
    closed_late += restored.appended(START_MS + 59_000, topics.TRADES, trade(3, START_MS + 59_000, price=103))
    assert wait(START_MS + 615_000) == [], "they are still old"
    assert closed(closed_late) == [1_000]
    restored.appended(START_MS + 614_900, topics.BOOK_SNAPSHOTS, listed())
    restored.appended(START_MS + 614_900, topics.TRADES, trade(3, START_MS + 59_000, price=103))
    rows = wait(START_MS + 617_000)
    assert closed(rows) == [1_000, 60_000, 300_000]
    [minute] = [
        one
        for topic, _, value in rows
        if topic == "test.candles"
        for one in DECODERS[topics.CANDLES](value.encode())
        if one.span_ms == 60_000
    ]
    assert (minute.trades, minute.close) == (3, 103)


def test_with_a_backlog_to_read_what_is_open_is_told_only_when_it_has_been_read(operator: MakeOperator):
    live = operator(True)
    live.record(topics.BOOK_SNAPSHOTS, listed())
    assert live.appended(START_MS - 60_000, topics.TRADES, trade(1, START_MS))
    assert live.appended(START_MS - 59_999, topics.TRADES, trade(2, START_MS)) == [], "it has just been told"
    assert live.fire() == [], "more may come at once"
    told = live.fire()
    assert {topic for topic, _, _ in told} == {"test.candles", "test.indicators", "test.summaries"}
    assert live.now_ms - START_MS <= 1_100


def test_in_a_replay_a_timer_tells_what_is_open_and_closes_nothing(operator: MakeOperator):
    replay = operator(False)
    replay.record(topics.BOOK_SNAPSHOTS, listed())
    assert replay.record(topics.TRADES, trade(1, START_MS))
    assert replay.timers == []
    assert replay.record(topics.TRADES, trade(2, START_MS)) == [], "it has just been told"
    told = replay.fire()
    assert {topic for topic, _, _ in told} == {"test.candles", "test.indicators", "test.summaries"}
    assert closed(told) == []
    assert replay.timers == []


def test_a_busy_symbol_has_few_timers_however_long_it_is_busy(operator: MakeOperator):
    live = operator(True)
    live.record(topics.BOOK_SNAPSHOTS, listed())
    chance = random.Random(71)
    for seq in range(1, 1_001):
        live.now_ms += chance.choice((50, 100, 150))
        while live.timers and min(live.timers) <= live.now_ms:
            live.fire()
        live.record(topics.TRADES, trade(seq, live.now_ms - chance.choice((5, 300, 600))))
    assert len(set(live.timers)) <= 3
