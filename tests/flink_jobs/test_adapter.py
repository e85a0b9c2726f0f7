"""Indicators in Flink's own windows, in both of Flink's modes, on bars out of order: equal to the same bars in order without Flink."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pyflink.common import Configuration, Duration, Row, Time, WatermarkStrategy
from pyflink.common.typeinfo import Types
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedStream, StreamExecutionEnvironment
from pyflink.datastream.window import CountWindow, SlidingEventTimeWindows, TumblingEventTimeWindows

from exchange.errors import ExchangeError
from udfs.adapter import StudyWindow
from udfs.indicators import parse, values

pytestmark = pytest.mark.flink

SEED = 6
MINUTE_MS = 60_000
NAMES = ("ema(3)", "macd(2,3,2)", "vwap(4)", "stochastic(3,2,2)")
COLUMNS = ("time_ms", "open", "high", "low", "close", "volume")
BAR = Types.ROW_NAMED(["symbol", *COLUMNS], [Types.STRING(), Types.LONG(), *[Types.DOUBLE()] * 5])
Bar = dict[str, Any]


def random_bars(count: int) -> list[Bar]:
    """Bars of two symbols, one a minute or so, in order."""
    print("seed", SEED)
    chance, bars, close = random.Random(SEED), [], 100.0
    for number in range(count):
        opened, close = close, close + chance.uniform(-2, 2)
        bars.append({
            "symbol": chance.choice(["AAPL", "IBM"]), "time_ms": number * MINUTE_MS + chance.randrange(MINUTE_MS), "open": opened,
            "high": max(opened, close) + chance.random(), "low": min(opened, close) - chance.random(), "close": close,
            "volume": chance.uniform(1, 9),
        })  # fmt: skip
    return bars


def out_of_order(bars: Sequence[Bar]) -> list[Bar]:
    """Bars, each up to some four places from where it belongs."""
    chance = random.Random(SEED)
    return [bar for _, bar in sorted(enumerate(bars), key=lambda one: one[0] + chance.uniform(0, 4))]


def expected(key: str, start_ms: int, end_ms: int, bars: Sequence[Bar]) -> tuple[Any, ...]:
    """What a window must give: the indicators after its bars in order, by nothing but the indicators."""
    ordered = sorted(bars, key=lambda bar: bar["time_ms"])
    after: list[float | None] = []
    for name in NAMES:
        study = parse(name)
        found = [study.step(*(bar[column] for column in study.inputs)) for bar in ordered]
        after += values(name, found[-1]).values() or [None] * (len(study.outputs) or 1)
    return (key, start_ms, end_ms, len(ordered), *after)


def by_time(bars: Sequence[Bar], size_ms: int, slide_ms: int) -> list[tuple[Any, ...]]:
    rows = []
    for key in ("AAPL", "IBM"):
        for start_ms in range(-size_ms + slide_ms, bars[-1]["time_ms"] + 1, slide_ms):
            inside = [b for b in bars if b["symbol"] == key and start_ms <= b["time_ms"] < start_ms + size_ms]
            if inside:
                rows.append(expected(key, start_ms, start_ms + size_ms, inside))
    return sorted(rows)


def by_count(arrived: Sequence[Bar], size: int, slide: int) -> list[tuple[Any, ...]]:
    rows = []
    for key in ("AAPL", "IBM"):
        own = [bar for bar in arrived if bar["symbol"] == key]
        for first in range(0, len(own) - size + 1, slide):
            inside = own[first : first + size]
            times = [bar["time_ms"] for bar in inside]
            rows.append(expected(key, min(times), max(times), inside))
    return sorted(rows)


class BarTime(TimestampAssigner):
    def extract_timestamp(self, value: Row, record_timestamp: int) -> int:
        del record_timestamp
        return value["time_ms"]


def on_flink(mode: str, bars: Sequence[Bar], *windows: Callable[[KeyedStream], Any]) -> list[list[tuple[Any, ...]]]:
    """Run one job in which each of `windows` makes a windowed stream, and return the rows of each, sorted."""
    config = Configuration()
    config.set_string("python.execution-mode", mode)
    for option in ("python.executable", "python.client.executable"):
        config.set_string(option, sys.executable)
    env = StreamExecutionEnvironment.get_execution_environment(config)
    env.set_parallelism(1)
    rows = env.from_collection([Row(bar["symbol"], *(bar[name] for name in COLUMNS)) for bar in bars], BAR)
    times = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_minutes(6)).with_timestamp_assigner(BarTime())
    keyed = rows.assign_timestamps_and_watermarks(times).key_by(lambda bar: bar["symbol"], Types.STRING())
    studies = StudyWindow(*NAMES)
    told = Types.ROW([Types.INT(), studies.output_type()])
    streams = [
        window(keyed).process(studies, studies.output_type()).map(lambda row, n=number: Row(n, row), told)
        for number, window in enumerate(windows)
    ]
    found: list[list[tuple[Any, ...]]] = [[] for _ in windows]
    with streams[0].union(*streams[1:]).execute_and_collect() as collected:
        for number, row in collected:
            found[number].append(tuple(row))
    return [sorted(rows) for rows in found]


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_windows_of_bars_out_of_order_give_what_the_indicators_give_of_them_in_order(mode: str) -> None:
    bars = random_bars(80)
    arrived = out_of_order(bars)
    assert arrived != bars
    tumbling, sliding, count, sliding_count = on_flink(
        mode, arrived,
        lambda keyed: keyed.window(TumblingEventTimeWindows.of(Time.minutes(15))),
        lambda keyed: keyed.window(SlidingEventTimeWindows.of(Time.minutes(10), Time.minutes(5))),
        lambda keyed: keyed.count_window(6),
        lambda keyed: keyed.count_window(8, 3),
    )  # fmt: skip
    assert tumbling == by_time(bars, 15 * MINUTE_MS, 15 * MINUTE_MS)
    assert sliding == by_time(bars, 10 * MINUTE_MS, 5 * MINUTE_MS)
    assert count == by_count(arrived, 6, 6)
    assert sliding_count == by_count(arrived, 8, 3)


class Firing:
    """What Flink tells of a window that fires."""

    def window(self) -> CountWindow:
        return CountWindow(0)


def test_bars_without_a_number_are_left_out_and_bars_of_one_time_have_an_order_of_their_own() -> None:
    bars = [{"time_ms": at, "close": close} for at, close in ((9, 4), (5, None), (7, 2.0), (7, 1.0), (8, math.nan))]
    found = [[tuple(row) for row in StudyWindow("sma(2)").process("AAPL", Firing(), some)]
             for some in (bars, bars[::-1], bars[1:2])]  # fmt: skip
    assert found == [[("AAPL", 7, 9, 3, 3.0)]] * 2 + [[]]


def test_a_window_function_of_an_unknown_indicator_is_refused_before_the_job_runs() -> None:
    with pytest.raises(ExchangeError, match="there is no indicator 'rsy"):
        StudyWindow("rsy(14)")
