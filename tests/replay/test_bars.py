"""The data set as it is, and rows as they should not be."""

from datetime import date

import pytest

from exchange.candles import DAY_MS
from exchange.messages import Bar
from replay.bars import INSTRUMENTS, DataError, RefusedRow, day_ms, load, read

HEADER = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close"


def test_all_rows_but_one_of_the_installed_data_set_are_exact_bars() -> None:
    data = load()
    assert {symbol: len(bars) for symbol, bars in data.bars.items()} == {
        "AAPLUSD": 3270,
        "FBUSD": 196,
        "GOOGUSD": 2148,
        "IBMUSD": 3270,
        "MSFTUSD": 3269,
    }
    assert data.refused == [RefusedRow(9629, "28707750 is not a multiple of 100")]
    for bars in data.bars.values():
        assert [bar.seq for bar in bars] == list(range(1, len(bars) + 1))
    assert data.bars["AAPLUSD"][0] == Bar(
        source="@bokeh",
        seq=1,
        symbol="AAPLUSD",
        start_ms=day_ms(date(2000, 3, 1)),
        span_ms=DAY_MS,
        open=1_185_600,
        high=1_320_600,
        low=1_185_000,
        close=1_303_100,
        volume=96_161,
    )


def test_a_tick_of_a_lot_is_a_cent() -> None:
    assert {listed.notional_units for listed in INSTRUMENTS.values()} == {1}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("AAPL,2000-03-01,1,2,0.5", "5 columns"),
        ("TSLA,2000-03-01,1,2,0.5,1,100,1", "unknown ticker"),
        ("AAPL,2000-13-01,1,2,0.5,1,100,1", "month must be"),
        ("AAPL,2000-03-01,1.00001,2,0.5,1,100,1", "not a multiple of 0.0001"),
        ("AAPL,2000-03-01,nan,2,0.5,1,100,1", "not a plain decimal"),
        ("AAPL,2000-03-01,-1,2,0.5,1,100,1", "not a plain decimal"),
        ("AAPL,2000-03-01,1,2,0,1,100,1", "out of range"),
        ("AAPL,2000-03-01,1,2,0.5,1,0,1", "out of range"),
        ("AAPL,2000-03-01,1,2,0.5,1,150,1", "not a multiple of 100"),
        ("AAPL,2000-03-01,3,2,0.5,1,100,1", "within low to high"),
        ("AAPL,2000-02-28,1,2,0.5,1,100,1", "not after the row before it"),
    ],
)
def test_an_odd_row_is_refused_with_its_reason_and_the_next_one_taken(row: str, reason: str) -> None:
    lines = [HEADER, "AAPL,2000-02-29,1,2,0.5,1,100,1", row, "AAPL,2000-03-02,1,2,0.5,1,100,1"]
    data = read(lines)
    assert [(bar.seq, bar.start_ms) for bar in data.bars["AAPLUSD"]] == [
        (1, day_ms(date(2000, 2, 29))),
        (2, day_ms(date(2000, 3, 2))),
    ]
    assert [refused.line for refused in data.refused] == [3]
    assert reason in data.refused[0].reason


@pytest.mark.parametrize("lines", [[], ["Date,Ticker"]])
def test_other_columns_are_an_error(lines: list[str]) -> None:
    with pytest.raises(DataError, match="columns"):
        read(lines)
