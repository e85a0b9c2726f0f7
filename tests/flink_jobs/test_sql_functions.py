"""The functions that `udfs.adapter` registers, in SQL queries over bars out of order: equal to the indicators by themselves."""

from __future__ import annotations

import math
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import Configuration, Row, RowKind
from pyflink.table import EnvironmentSettings, TableEnvironment

from udfs.adapter import _StudyAggregate, register
from udfs.indicators import parse, values

pytestmark = pytest.mark.flink

SEED = 6
START = datetime(2024, 5, 31, 9, 0)  # noqa: DTZ001 -- a TIMESTAMP has no zone
FIVE = timedelta(minutes=5)

_BARS = """
CREATE TEMPORARY TABLE bars (symbol STRING, row_time TIMESTAMP(3), high DOUBLE, low DOUBLE, price DOUBLE, volume BIGINT,
  WATERMARK FOR row_time AS row_time - INTERVAL '6' MINUTE
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv', 'csv.null-literal' = 'null')"""

_HOPPING = """
SELECT symbol, HOP_START(row_time, INTERVAL '5' MINUTE, INTERVAL '10' MINUTE), EMA(row_time, CAST(price AS DECIMAL(12, 6)), 3) AS ema,
  BOLLINGER(row_time, price, 4, 2.5) AS bollinger, OBV(CAST(row_time AS TIMESTAMP_LTZ(3)), price, volume) AS obv,
  RSI(row_time, price, 500) AS cold, FIRST_BY(row_time, price), LAST_BY(row_time, price),
  AVERAGE_PRICE(price, volume), COUNT(*)
FROM bars GROUP BY symbol, HOP(row_time, INTERVAL '5' MINUTE, INTERVAL '10' MINUTE)"""

_GROUPED = """
SELECT symbol, SESSION_START(row_time, INTERVAL '4' MINUTE), WMA(row_time, price, 3), STOCHASTIC(row_time, high, low, price, 3, 2, 2)
FROM bars GROUP BY symbol, SESSION(row_time, INTERVAL '4' MINUTE)"""

_OVER = """
SELECT symbol, row_time, SMA_20_OVER(price) OVER last_bars, MACD_2_3_2_SIGNAL_OVER(price) OVER last_bars
FROM bars WINDOW last_bars AS (PARTITION BY symbol ORDER BY row_time ROWS BETWEEN 19 PRECEDING AND CURRENT ROW)"""

_ROWS = """
SELECT TYPICAL_PRICE(high, low, price), MIDDLE_PRICE(low, high), SPREAD(low, CAST(high AS DECIMAL(12, 2))), RELATIVE_SPREAD(low, high),
  DEPTH_IMBALANCE(3, volume), SIMPLE_RETURN(low, high), LOG_RETURN(low, high), TRUE_RANGE(high, low, price)
FROM (VALUES (101.5, 99.5, 100.5, 1), (CAST(NULL AS DECIMAL(4, 1)), 99.5, 100.5, -3)) AS made(high, low, price, volume)"""


@pytest.fixture(scope="module")
def bars() -> list[Row]:
    """Bars of two symbols in order, one of them without a price."""
    print("seed", SEED)
    chance, price, made = random.Random(SEED), 100.0, []
    for minute in range(60):
        price = round(price + chance.uniform(-2, 2), 3)
        time = START + timedelta(minutes=minute, milliseconds=chance.randrange(60_000))
        made.append(Row(chance.choice(["AAPL", "IBM"]), time, price + 1, price - 1, price, chance.randrange(1, 9)))
    made[30][4] = None
    return made


@pytest.fixture(scope="module")
def tables(bars: list[Row], tmp_path_factory: pytest.TempPathFactory) -> TableEnvironment:
    """Tables with the bars out of order, and with so small a cache that all state goes through Flink's types."""
    config = Configuration()
    settings = {
        "python.execution-mode": "thread", "python.executable": sys.executable, "python.client.executable": sys.executable, "parallelism.default": "1",
        "python.state.cache-size": "1", "python.fn-execution.bundle.size": "20", "table.local-time-zone": "UTC",
    }  # fmt: skip
    for name, value in settings.items():
        config.set_string(name, value)
    made = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(config).build()
    )
    chance, path = random.Random(SEED), tmp_path_factory.mktemp("sql") / "bars.csv"
    shuffled = [bar for _, bar in sorted(enumerate(bars), key=lambda one: one[0] + chance.uniform(0, 4))]
    assert shuffled != bars
    write_csv(path, shuffled)
    made.execute_sql(_BARS.format(path=path))
    register(made, ("sma(20)", "macd(2,3,2)"))
    return made


def write_csv(path: Path, rows: list[Row]) -> None:
    lines = [",".join("null" if value is None else str(value) for value in row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines))


def told(tables: TableEnvironment, query: str) -> list[tuple[Any, ...]]:
    with tables.execute_sql(query).collect() as rows:
        found = list(rows)
    assert {row.get_row_kind() for row in found} == {RowKind.INSERT}, "each result once"
    return sorted((tuple(row) for row in found), key=str)


def after(name: str, rows: list[Row], *columns: int) -> Any:
    """What an indicator gives after rows that are whole."""
    study, found = parse(name), None
    for row in rows:
        numbers = [row[column] for column in columns]
        if None not in numbers:
            found = study.step(*map(float, numbers))
    return found


def hops(bars: list[Row]) -> list[tuple[str, datetime, list[Row]]]:
    return [
        (symbol, start, inside)
        for symbol in ("AAPL", "IBM")
        for start in (START + FIVE * step for step in range(-1, 12))
        if (inside := [bar for bar in bars if bar[0] == symbol and start <= bar[1] < start + 2 * FIVE])
    ]


def test_aggregates_in_a_hopping_window_equal_the_indicators_over_its_rows_in_order(
    tables: TableEnvironment, bars: list[Row]
) -> None:
    expected = []
    for symbol, start, inside in hops(bars):
        whole = [bar for bar in inside if bar[4] is not None]
        bollinger = after("bollinger(4,2.5)", inside, 4)
        turnover, volume = sum(bar[4] * bar[5] for bar in whole), sum(bar[5] for bar in whole)
        expected.append((
            symbol, start, after("ema(3)", inside, 4), bollinger and Row(*bollinger), after("obv", inside, 4, 5), None,
            whole[0][4], whole[-1][4], pytest.approx(turnover / volume, rel=1e-12), len(inside),
        ))  # fmt: skip
    found = told(tables, _HOPPING)
    assert len(found) == len(expected)
    for row, other in zip(found, sorted(expected, key=str), strict=True):
        assert [plain(value) for value in row] == [plain(value) for value in other]


def plain(value: Any) -> Any:
    """A row without its field names, which a query's result has and a row of our own has not."""
    return tuple(value) if isinstance(value, Row) else value


def test_aggregates_in_sessions_that_grow_together_equal_the_indicators_over_their_rows_in_order(
    tables: TableEnvironment, bars: list[Row]
) -> None:
    expected = []
    for symbol in ("AAPL", "IBM"):
        sessions: list[list[Row]] = []
        for bar in [bar for bar in bars if bar[0] == symbol]:
            if not sessions or bar[1] - sessions[-1][-1][1] > timedelta(minutes=4):
                sessions.append([])
            sessions[-1].append(bar)
        expected += [
            (symbol, one[0][1], after("wma(3)", one, 4), after("stochastic(3,2,2)", one, 2, 3, 4)) for one in sessions
        ]
    assert len(expected) > 4
    assert [tuple(map(plain, row)) for row in told(tables, _GROUPED)] == sorted(expected, key=str)


def test_functions_of_a_bounded_over_window_equal_the_indicators_over_the_last_rows(
    tables: TableEnvironment, bars: list[Row]
) -> None:
    expected = []
    for symbol in ("AAPL", "IBM"):
        own = [bar for bar in bars if bar[0] == symbol]
        for place, bar in enumerate(own):
            last = own[max(0, place - 19) : place + 1]
            macd = after("macd(2,3,2)", last, 4)
            signal = None if macd is None else values("macd(2,3,2)", macd)["macd(2,3,2).signal"]
            expected.append((symbol, bar[1], after("sma(20)", last, 4), signal))
    assert told(tables, _OVER) == sorted(expected, key=str)


def test_functions_of_a_row_are_null_of_a_null(tables: TableEnvironment) -> None:
    whole = (100.5, 100.5, 2.0, 2 / 100.5, 0.5, 2 / 99.5, math.log(101.5 / 99.5), 2.0)
    assert told(tables, _ROWS) == sorted([whole, (None, None, None, None, None, None, None, None)], key=str)


def test_a_row_that_is_taken_back_leaves_no_trace_even_after_its_state_was_stored() -> None:
    aggregate = _StudyAggregate("sma")
    accumulator = aggregate.create_accumulator()
    for minute, price in ((2, 5.0), (0, 1.0), (1, 3.0)):
        aggregate.accumulate(accumulator, START + timedelta(minutes=minute), price, 2)
    for bar in accumulator[1]:
        bar.set_field_names(["place", "numbers"])  # as Flink's coder does
    assert aggregate.get_value(accumulator) == 4.0
    aggregate.retract(accumulator, (START + timedelta(minutes=2)).replace(tzinfo=UTC), 5.0, 2)
    assert aggregate.get_value(accumulator) == 2.0
