"""Indicators over columns of all kinds: what they are in is what comes back, and the numbers are the indicators' own."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from exchange.errors import ExchangeError
from udfs.columns import InvalidColumns, compute
from udfs.indicators import BOOK_DEFAULTS, DEFAULTS, output_names, parse, values

SEED = 6
NAMES = ("sma(3)", "macd(2,3,2)", "vwap(4)", "obv", "stochastic(3,2,2)", "bollinger(4,2)")


@pytest.fixture
def bars() -> dict[str, list[float]]:
    print("seed", SEED)
    chance, close = random.Random(SEED), [100.0]
    for _ in range(39):
        close.append(close[-1] + chance.uniform(-2, 2))
    return {
        "open": [100.0, *close[:-1]],
        "high": [price + chance.uniform(0, 1) for price in close],
        "low": [price - chance.uniform(0, 1) for price in close],
        "close": close,
        "volume": [float(chance.randrange(1, 100)) for _ in close],
    }


@pytest.fixture
def expected(bars: dict[str, list[float]]) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for name in NAMES:
        study = parse(name)
        after = [
            values(name, study.step(*(bars[column][row] for column in study.inputs)))
            for row in range(len(bars["close"]))
        ]
        found |= {output: [one.get(output) for one in after] for output in output_names(study)}
    assert sum(value is None for column in found.values() for value in column) > 10
    return found


def test_a_dict_of_columns_gives_a_dict_of_lists(bars: dict[str, list[float]], expected: Any) -> None:
    assert compute(bars, *NAMES) == expected


def test_a_data_frame_gives_a_data_frame_with_its_index(bars: dict[str, list[float]], expected: Any) -> None:
    index = pd.date_range("2024-05-31", periods=len(bars["close"]), freq="min", tz="UTC")
    found = compute(pd.DataFrame(bars, index=index), *NAMES)
    wanted = pd.DataFrame(
        {name: [math.nan if value is None else value for value in column] for name, column in expected.items()},
        index=index,
    )
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


def test_a_series_is_closes_and_gives_a_data_frame() -> None:
    found = compute(pd.Series([1, 2, 4], index=["a", "b", "c"]), "sma(2)")
    pd.testing.assert_frame_equal(found, pd.DataFrame({"sma(2)": [math.nan, 1.5, 3.0]}, index=["a", "b", "c"]))


@pytest.mark.parametrize("chunks", [1, 3])
def test_an_arrow_table_gives_a_table_whose_columns_are_doubles_with_nulls(
    bars: dict[str, list[float]], expected: Any, chunks: int
) -> None:
    table = pa.table(bars)
    pieces = [table.slice(at, 14) for at in range(0, 40, 14)] if chunks == 3 else [table]
    table = pa.concat_tables(pieces)
    assert table.column("close").num_chunks == chunks
    found = compute(table, *NAMES, "sma(500)")
    assert set(found.schema.types) == {pa.float64()}
    assert found.to_pydict() == {**expected, "sma(500)": [None] * 40}


@pytest.mark.parametrize(
    "closes",
    [[1, 2, 4], (1.0, 2.0, 4.0), np.array([1.0, 2.0, 4.0]), np.array([1, 2, 4]), pa.chunked_array([[1], [2, 4]]),
     [Decimal(1), Decimal("2.0"), Decimal(4)], iter([1, 2, 4])],
)  # fmt: skip
def test_any_sequence_of_closes_gives_a_dict(closes: Any) -> None:
    assert compute(closes, "sma(2)", "macd(2,3,2)") == {
        "sma(2)": [None, 1.5, 3.0],
        "macd(2,3,2)": [None] * 3,
        "macd(2,3,2).signal": [None] * 3,
        "macd(2,3,2).histogram": [None] * 3,
    }


def test_columns_without_rows_give_columns_without_rows() -> None:
    assert compute([], "macd(12,26,9)") == {name: [] for name in output_names(parse("macd(12,26,9)"))}
    empty = compute(pa.table({"close": pa.array([], pa.float64())}), "sma(2)")
    assert (empty.num_rows, empty.schema.types) == (0, [pa.float64()])
    assert compute(pd.DataFrame({"close": []}), "sma(2)").shape == (0, 1)


def test_all_indicators_by_default_can_be_computed_of_columns(bars: dict[str, list[float]]) -> None:
    book = dict.fromkeys(("bid", "ask", "bid_size", "ask_size", "bid_depth", "ask_depth"), bars["close"])
    found = compute(bars | book, *DEFAULTS, *BOOK_DEFAULTS)
    assert list(found) == [output for name in (*DEFAULTS, *BOOK_DEFAULTS) for output in output_names(parse(name))]


@pytest.mark.parametrize("frame", [{"close": [1.0]}, pd.DataFrame({"close": [1.0]}), pa.table({"close": [1.0]}), [1.0]])
def test_a_missing_column_is_named(frame: Any) -> None:
    with pytest.raises(InvalidColumns, match="column 'volume' is missing; there are close"):
        compute(frame, "sma(2)", "obv")


@pytest.mark.parametrize(
    ("closes", "told"),
    [
        ([1.0, None], "column 'close', row 1 (the first is 0): 'None' is no finite number"),
        (pd.Series([math.nan, 1.0]), "column 'close', row 0 (the first is 0): 'nan' is no finite number"),
        (pa.array([1.0, 2.0, None]), "column 'close', row 2 (the first is 0): 'None' is no finite number"),
        ([math.inf], "column 'close', row 0 (the first is 0): 'inf' is no finite number"),
        (["12"], "column 'close', row 0 (the first is 0): '12' is no finite number"),
        ([True], "column 'close', row 0 (the first is 0): 'True' is no finite number"),
        ([10**400], f"column 'close', row 0 (the first is 0): '1{'0' * 39}' is no finite number"),
        ([Decimal("sNaN")], "column 'close', row 0 (the first is 0): 'sNaN' is no finite number"),
        ("12", "column 'close', row 0 (the first is 0): '1' is no finite number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_by_column_and_row(closes: Any, told: str) -> None:
    with pytest.raises(InvalidColumns) as error:
        compute(closes, "sma(2)")
    assert str(error.value) == told


def test_columns_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(InvalidColumns, match="columns must have the same number of rows: close has 2, volume has 1"):
        compute({"close": [1, 2], "volume": [1]}, "obv")


def test_an_unknown_indicator_is_refused() -> None:
    with pytest.raises(ExchangeError, match="there is no indicator 'smma"):
        compute([1.0], "smma(20)")


def test_the_module_needs_neither_pandas_nor_arrow() -> None:
    program = "import sys; from udfs.columns import compute; compute([1, 2], 'sma(2)'); print({'numpy', 'pandas', 'pyarrow'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
