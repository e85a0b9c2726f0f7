"""Backtests: the archive and files as histories, files that are none, and no look-ahead from bars to signals."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import talib
from pyarrow import parquet

from exchange.analysis import SignalOutcome
from exchange.candles import DAY_MS
from replay.backtest import COLUMNS, History, archive, backtest, closed, pooled, read_file
from replay.bars import INSTRUMENTS, DataError
from udfs.indicators import DEFAULTS
from udfs.rules import DEFAULT_RULES, Rule, parse
from udfs.scores import Score
from udfs.series import BarOf
from udfs.signaller import Signaller

HEADER = ",".join(COLUMNS)
GOOD = f"{HEADER}\n2024-01-02,10,12,9,11,100\n2024-01-03,11,13,10,12.5,0\n"
BARS = [
    BarOf(1_704_153_600_000, 10.0, 12.0, 9.0, 11.0, 100.0),
    BarOf(1_704_240_000_000, 11.0, 13.0, 10.0, 12.5, 0.0),
]


def every_rule() -> list[Rule]:
    return [parse(name) for name in DEFAULT_RULES]


def walk(seed: int, bars: int) -> list[BarOf]:
    print("seed", seed)
    chance, close, found = random.Random(seed), 100.0, []
    for at in range(bars):
        opened = close * math.exp(chance.gauss(0, 0.005))
        close = opened * math.exp(chance.gauss(0, 0.02))
        high, low = max(opened, close) * 1.01, min(opened, close) * 0.99
        found.append(BarOf(at * DAY_MS, opened, high, low, close, chance.uniform(1, 100)))
    return found


def history(bars: Sequence[BarOf]) -> History:
    return History("X", "@test", DAY_MS, bars)


# Histories


def test_the_archive_is_five_histories_of_daily_bars_in_dollars_and_shares() -> None:
    found = {one.symbol: one for one in archive()}
    assert {symbol: (one.source, one.span_ms, len(one.bars)) for symbol, one in found.items()} == {
        "AAPLUSD": ("@bokeh", DAY_MS, 3270),
        "FBUSD": ("@bokeh", DAY_MS, 196),
        "GOOGUSD": ("@bokeh", DAY_MS, 2148),
        "IBMUSD": ("@bokeh", DAY_MS, 3270),
        "MSFTUSD": ("@bokeh", DAY_MS, 3269),
    }
    assert found["AAPLUSD"].bars[0] == BarOf(951_868_800_000, 118.56, 132.06, 118.5, 130.31, 9_616_100.0)


def test_a_csv_file_is_read_whatever_its_other_columns_their_order_and_case(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(GOOD)
    assert read_file(path, "X") == History("X", "@file", 0, BARS)
    path.write_text(
        "\ufeffName, Volume ,Close,LOW,High,Open,Time\nx,100,11,9,12,10,1704153600000\n\nx,0,12.5,10,13,11,2024-01-03T02:00:00+02:00\n"
    )
    assert read_file(path, "X").bars == BARS


@pytest.mark.parametrize(
    "times",
    [
        pa.array([1_704_153_600_000, 1_704_240_000_000]),
        pa.array(["2024-01-02", "2024-01-03T00:00:00Z"]),
        pa.array([date(2024, 1, 2), date(2024, 1, 3)]),
        *(pa.array([datetime(2024, 1, 2), datetime(2024, 1, 3)], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),  # noqa: DTZ001
        pa.array([datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
    ],
    ids=lambda times: str(times.type),
)  # fmt: skip
def test_a_parquet_file_is_read_whatever_the_type_of_its_times(tmp_path: Path, times: pa.Array) -> None:
    path = tmp_path / "x.parquet"
    columns = {"Time": times, "name": pa.array(["a", "b"])}
    columns |= {name: pa.array([bar[at] for bar in BARS]) for at, name in enumerate(COLUMNS) if at}
    parquet.write_table(pa.table(columns), path)
    assert read_file(path, "X").bars == BARS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no column time, open, high, low, close, volume; its first line must name time, open,"),
        ("time,open,high,close\n", "has no column low, volume"),
        (HEADER + "\n", "has no bars"),
        (GOOD + "2024-01-03,11,13,10,12,1\n", "line 4: time 2024-01-03 is not after that of the bar before"),
        (GOOD + "2024-01-04,11,9,10,12,1\n", "line 4: high 9 is below low 10"),
        (GOOD + "2024-01-04,14,13,10,12,1\n", "line 4: open 14 is not between low 10 and high 13"),
        (GOOD + "2024-01-04,11,13,10,9.5,1\n", "line 4: close 9.5 is not between low 10 and high 13"),
        (GOOD + "2024-01-04,11,13,0,12,1\n", "line 4: low 0 is not above 0"),
        (GOOD + "2024-01-04,11,13,10,12,-1\n", "line 4: volume -1 is below 0"),
        (GOOD + "2024-01-04,11,13,10,12\n", "line 4: volume '' is no number"),
        (GOOD + "2024-01-04,eleven,13,10,12,1\n", "line 4: open 'eleven' is no number"),
        (GOOD + "2024-01-04,nan,13,10,12,1\n", "line 4: open 'nan' is not finite"),
        (GOOD + "\n\n2024-01-04,11,inf,10,12,1\n", "line 6: high 'inf' is not finite"),
        (GOOD + "yesterday,11,13,10,12,1\n", "line 4: time 'yesterday' is neither milliseconds since the epoch nor ISO 8601"),
        (GOOD + "1704326400,11,13,10,12,1\n", "line 4: time 1704326400 is neither milliseconds since the epoch nor"),
        (GOOD + "9" * 30 + ",11,13,10,12,1\n", "is neither milliseconds since the epoch nor"),
        (f"{HEADER}\n1969-12-31,11,13,10,12,1\n", "line 2: time '1969-12-31' is before 1970"),
        (GOOD + '"2024-01-04,11,13,10,12,1\n', "is no CSV file: unexpected end of data"),
    ],
)  # fmt: skip
def test_a_file_with_a_line_that_is_no_bar_is_refused_with_the_line_and_the_reason(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(DataError) as refused:
        read_file(path, "X")
    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)


def test_what_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    (tmp_path / "x.parquet").write_text(GOOD)
    for name, message in [
        ("missing.csv", "cannot be read: No such file"),
        ("missing.parquet", "cannot be read: "),
        ("x.csv", "is no CSV file: "),
        ("x.parquet", "is no Parquet file: "),
    ]:
        with pytest.raises(DataError, match=message):
            read_file(tmp_path / name, "X")


def test_a_row_of_a_parquet_file_that_is_no_bar_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {name: pa.array([bar[at] for bar in BARS]) for at, name in enumerate(COLUMNS)}
    for change, message in [
        ({"close": pa.array([11.0, None])}, "row 2: close None is no number"),
        ({"time": pa.array([None, None], pa.timestamp("ms"))}, "row 1: time None is neither"),
        ({"time": pa.array([1.5, 2.5])}, "row 1: time 1.5 is neither"),
        ({"volume": pa.array([-1, 1])}, "row 1: volume -1 is below 0"),
    ]:
        parquet.write_table(pa.table(columns | change), path)
        with pytest.raises(DataError, match=message):
            read_file(path, "X")


# Results


def test_a_backtest_says_what_the_machine_of_the_signals_job_says_of_the_default_indicators() -> None:
    at = history(walk(1, 400))
    machine, outputs = Signaller("X"), list[Any]()
    for told in closed(at, DEFAULTS):
        outputs += machine.apply(told, 0)
    tested = backtest(at, every_rule())
    assert tested.signals == [one for one in outputs if hasattr(one, "strength")]
    outcomes = [one for one in outputs if type(one) is SignalOutcome]
    for (rule, horizon), score in tested.scores.items():
        gains = [one.gain for one in outcomes if (one.rule, one.horizon) == (rule, horizon)]
        assert (score.signals, score.hits) == (len(gains), sum(gain > 0 for gain in gains))
        assert score.average == pytest.approx(sum(gains) / len(gains) if gains else 0.0)
    assert {rule for (rule, _), score in tested.scores.items() if not score.signals} == {
        "news",
        "order-flow",
        "forecast",
    }


def test_the_cool_down_and_the_horizons_are_those_asked_for() -> None:
    at = history(walk(2, 300))
    tested = backtest(at, [parse("candle")], horizons=(2, 7), cool_down_ms=10 * DAY_MS)
    times = [one.time_ms for one in tested.signals]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 10 * DAY_MS
    assert set(tested.scores) == {("candle", 2), ("candle", 7)}


def test_rules_with_other_parameters_get_the_indicators_that_they_need() -> None:
    rules = [parse(name) for name in ("sma-cross(3,9)", "rsi-bounds(5,25,75)", "vote(macd-cross(3,7,4)=1)")]
    tested = backtest(history(walk(3, 300)), rules)
    assert {one.rule for one in tested.signals} == {rule.name for rule in rules}


def test_pooled_scores_are_those_of_all_signals_together() -> None:
    one = Score(
        bars=10, signals=4, hits=1, average=0.01, average_gain=0.1, average_loss=-0.02, random=0.5, random_hit_rate=0.5, hold=1.0
    )  # fmt: skip
    other = Score(
        bars=20, signals=1, hits=1, average=0.06, average_gain=0.06, average_loss=0.0, random=0.0, random_hit_rate=1.0, hold=0.0
    )  # fmt: skip
    idle = Score(
        bars=5, signals=0, hits=0, average=0.0, average_gain=0.0, average_loss=0.0, random=0.0, random_hit_rate=0.0, hold=-0.7
    )  # fmt: skip
    assert msgspec.structs.asdict(pooled([one, other, idle])) == pytest.approx({
        "bars": 35, "signals": 5, "hits": 2, "average": 0.02, "average_gain": 0.08, "average_loss": -0.02,
        "random": 0.4, "random_hit_rate": 0.6, "hold": 0.1,
    })  # fmt: skip
    assert pooled([idle]) == idle


# No look-ahead


@pytest.mark.parametrize("kept", [60, 150, 299])
def test_signals_up_to_a_bar_stand_when_all_bars_after_it_are_replaced(kept: int) -> None:
    bars, others = walk(4, 300), walk(5, 300)
    end_ms = kept * DAY_MS
    expected = backtest(history(bars[:kept]), every_rule()).signals
    assert len(expected) > kept / 2
    changed = backtest(history([*bars[:kept], *others[kept:]]), every_rule()).signals
    assert [one for one in changed if one.time_ms <= end_ms] == expected
    assert [one for one in changed if one.time_ms > end_ms] != [
        one for one in backtest(history(bars), every_rule()).signals if one.time_ms > end_ms
    ]


def test_the_same_bars_a_day_later_give_the_same_signals_a_day_later_and_the_same_scores() -> None:
    at = history(walk(6, 300))
    later = replace(at, bars=[bar._replace(start_ms=bar.start_ms + DAY_MS) for bar in at.bars])
    on_time, shifted = backtest(at, every_rule()), backtest(later, every_rule())
    assert shifted.scores == on_time.scores
    assert shifted.signals == [
        msgspec.structs.replace(one, start_ms=one.start_ms + DAY_MS, time_ms=one.time_ms + DAY_MS)
        for one in on_time.signals
    ]


def test_on_a_random_walk_no_rule_is_better_than_chance() -> None:
    tested = backtest(history(walk(7, 20_000)), every_rule(), horizons=(1,))
    for (rule, _), score in tested.scores.items():
        print(f"{rule}: {score.hit_rate:.4f} of {score.signals}, at random {score.random_hit_rate:.4f}")
        if score.signals:
            assert abs(score.hit_rate - score.random_hit_rate) < 4 * 0.5 / score.signals**0.5


@pytest.mark.parametrize("symbol", list(INSTRUMENTS))
def test_on_the_archive_rsi_signals_come_where_ta_lib_has_them(symbol: str) -> None:
    [at] = [one for one in archive() if one.symbol == symbol]
    expected, last = [], "HOLD"
    for bar, value in zip(at.bars, talib.RSI(np.array([bar.close for bar in at.bars]), 14), strict=True):
        action = "BUY" if value < 30 else "SELL" if value > 70 else "HOLD"
        if action != last:
            expected.append((bar.start_ms, action, bar.close))
            last = action
    assert [(one.start_ms, one.action, one.price) for one in backtest(at, [parse("rsi-bounds")]).signals] == expected
