"""Indicators against TA-Lib: the same numbers, from the same bar on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import talib

from replay.bars import INSTRUMENTS
from tests.udfs.indicator_bars import Quoted, differences, real, results, walk
from udfs.indicators import DEFAULTS, parse

SIMPLE: Any = 0  # the kind of average
Columns = dict[str, Any]
ORACLES: dict[str, Callable[..., Any]] = {
    "sma": lambda bars, period: talib.SMA(bars["close"], period),
    "ema": lambda bars, period: talib.EMA(bars["close"], period),
    "wma": lambda bars, period: talib.WMA(bars["close"], period),
    "rsi": lambda bars, period: talib.RSI(bars["close"], period),
    "macd": lambda bars, fast, slow, signal: talib.MACD(bars["close"], fast, slow, signal),
    "bollinger": lambda bars, period, width: talib.BBANDS(bars["close"], period, width, width),
    "atr": lambda bars, period: talib.ATR(bars["high"], bars["low"], bars["close"], period),
    "obv": lambda bars: talib.OBV(bars["close"], bars["volume"]),
    "stochastic": lambda bars, period, smoothing, signal: talib.STOCH(
        bars["high"], bars["low"], bars["close"], period, smoothing, SIMPLE, signal, SIMPLE
    ),
}
MORE = (
    "sma(1)",
    "sma(2)",
    "sma(300)",
    "ema(1)",
    "ema(2)",
    "wma(1)",
    "wma(2)",
    "wma(7)",
    "rsi(2)",
    "rsi(30)",
    "macd(2,3,1)",
    "macd(5,35,5)",
    "bollinger(2,1)",
    "bollinger(50,2.5)",
    "atr(1)",
    "atr(2)",
    "stochastic(1,1,1)",
    "stochastic(5,1,3)",
    "stochastic(60,5,4)",
)
COMPARED = (*(name for name in DEFAULTS if name.partition("(")[0] in ORACLES), *MORE)


def told(name: str, bars: Sequence[Quoted]) -> list[Any]:
    """Return TA-Lib's results in the form of ours."""
    kind, *texts = re.findall(r"[a-z_]+|[0-9.]+", name)
    numbers = [float(text) if "." in text or (kind, place) == ("bollinger", 1) else int(text)
               for place, text in enumerate(texts)]  # fmt: skip
    columns = {column: np.array([getattr(bar, column) for bar in bars]) for column in Quoted._fields}
    found = ORACLES[kind](columns, *numbers)
    outputs = found if isinstance(found, (tuple, list)) else (found,)
    return [None if any(np.isnan(row)) else row for row in zip(*map(np.ndarray.tolist, outputs), strict=True)]


def test_every_default_is_compared_but_those_that_ta_lib_does_not_know() -> None:
    assert set(DEFAULTS) - set(COMPARED) == {"vwap(20)", "volatility(20)"}


@pytest.mark.parametrize("symbol", INSTRUMENTS)
def test_the_real_stocks_have_ta_libs_indicators(symbol: str) -> None:
    bars = real(symbol)
    wrong = {name: differences(name, results(name, bars), told(name, bars))[:3] for name in COMPARED}
    assert wrong == {name: [] for name in COMPARED}


@pytest.mark.slow
def test_a_hundred_thousand_random_bars_have_ta_libs_indicators() -> None:
    bars = walk(100_000)
    wrong = {name: differences(name, results(name, bars), told(name, bars))[:3] for name in COMPARED}
    assert wrong == {name: [] for name in COMPARED}


@pytest.mark.parametrize("name", COMPARED)
def test_the_first_value_comes_after_warm_up_bars_as_ta_libs_does(name: str) -> None:
    bars = walk(400)
    first = next(place for place, row in enumerate(told(name, bars)) if row is not None)
    assert (parse(name).warm_up, results(name, bars)[: first + 1].count(None)) == (first + 1, first)


@pytest.mark.parametrize(
    "name", ["rsi(14)", "stochastic(14,3,3)", "bollinger(20,2)", "atr(14)", "macd(12,26,9)", "obv"]
)
def test_a_flat_market_has_ta_libs_indicators(name: str) -> None:
    flat = [Quoted(0.1, 0.1, 0.1, 0.1, 0.0)] * 60
    assert differences(name, results(name, flat), told(name, flat)) == []


def test_the_rsi_of_a_market_that_went_quiet_stays_what_it_was_as_ta_libs_does() -> None:
    bars = walk(50)
    bars += bars[-1:] * 300
    assert differences("rsi(14)", results("rsi(14)", bars), told("rsi(14)", bars)) == []
    after = results("rsi(14)", bars)[50:]
    assert after == [pytest.approx(after[0])] * 300
