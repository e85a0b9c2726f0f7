"""Indicators against their formulas, written out in fractions; what rounding may do, and what it may not."""

from __future__ import annotations

import math
import random
from collections import deque
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.bars import INSTRUMENTS
from tests.udfs.indicator_bars import SEED, Quoted, differences, new, real, results, walk
from udfs.indicators import DepthImbalance, Obv, OrderFlowImbalance, Spread, Vwap, parse

PRICES = st.floats(1e-6, 1e6)


def windows(bars: list[Any], count: int) -> list[list[Any] | None]:
    """Return the last `count` bars of each, or None while there are fewer."""
    return [bars[place + 1 - count : place + 1] if place + 1 >= count else None for place in range(len(bars))]


def vwap(bars: list[Quoted]) -> float | None:
    volume = sum(Fraction(bar.volume) for bar in bars)
    turnover = sum(
        (Fraction(bar.high) + Fraction(bar.low) + Fraction(bar.close)) / 3 * Fraction(bar.volume) for bar in bars
    )
    return float(turnover / volume) if volume else None


def volatility(closes: list[float]) -> float:
    with localcontext() as context:
        context.prec = 40
        returns = [(Decimal(after) / Decimal(before)).ln() for before, after in pairwise(closes)]
        return float((sum((one * one for one in returns), Decimal(0)) / len(returns)).sqrt())


def exact(name: str, window: list[Fraction]) -> float:
    """Return a moving average, or the variance, of fractions."""
    if name == "wma":
        weights = range(1, len(window) + 1)
        return float(sum(weight * one for weight, one in zip(weights, window, strict=True)) / sum(weights))
    return float(sum(window) / len(window))


@pytest.mark.parametrize("name", ["vwap(1)", "vwap(20)"])
@pytest.mark.parametrize("symbol", INSTRUMENTS)
def test_vwap_of_the_real_stocks_is_that_of_fractions(symbol: str, name: str) -> None:
    bars = real(symbol)[:1_000]
    period = parse(name).warm_up
    expected = [None if some is None else (vwap(some),) for some in windows(bars, period)]
    assert differences(name, results(name, bars), expected) == []


def test_vwap_says_nothing_while_nothing_was_traded_in_its_window() -> None:
    volumes = (0, 0, 3, 0, 0, 0, 0.1, 0)
    found = results("vwap(3)", [Quoted(5.0, 6.0, 4.0, 5.0, float(volume)) for volume in volumes])
    assert [said and said[0] for said in found] == [None, None, 5.0, 5.0, 5.0, None, 5.0, 5.0]


@pytest.mark.parametrize("name", ["volatility(1)", "volatility(20)"])
@pytest.mark.parametrize("symbol", INSTRUMENTS)
def test_volatility_of_the_real_stocks_is_that_of_forty_digits(symbol: str, name: str) -> None:
    closes = [bar.close for bar in real(symbol)[:500]]
    expected = [None if some is None else (volatility(some),) for some in windows(closes, parse(name).warm_up)]
    assert differences(name, results(name, real(symbol)[:500]), expected) == []


@given(st.tuples(PRICES, PRICES))
def test_spread_is_ask_less_bid(quote: tuple[float, float]) -> None:
    bid, ask = quote
    assert Spread().step(bid, ask) == float(Fraction(ask) - Fraction(bid))


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_depth_imbalance_is_within_1_and_that_of_fractions(bids: float, asks: float) -> None:
    found = DepthImbalance(5).step(bids, asks)
    if bids == asks == 0:
        assert found is None
        return
    assert found is not None
    assert -1 <= found <= 1
    expected = (Fraction(bids) - Fraction(asks)) / (Fraction(bids) + Fraction(asks))
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


@given(st.lists(st.tuples(*[st.integers(1, 9)] * 4), min_size=1, max_size=40))
def test_order_flow_imbalance_is_that_of_the_papers_formula(quotes: list[tuple[int, int, int, int]]) -> None:
    study = OrderFlowImbalance()
    found = [study.step(*quote) for quote in quotes]
    expected: list[int | None] = [None]
    for (bid0, bids0, ask0, asks0), (bid, bids, ask, asks) in pairwise(quotes):
        bought = (bid >= bid0) * bids - (bid <= bid0) * bids0
        sold = (ask <= ask0) * asks - (ask >= ask0) * asks0
        expected.append(bought - sold)
    assert found == expected


@pytest.mark.parametrize("name", ["sma(20)", "wma(20)", "ema(12)", "bollinger(20,2)"])
@given(price=PRICES)
def test_averages_and_bands_of_equal_closes_are_exactly_the_close(name: str, price: float) -> None:
    found = results(name, [Quoted(price, price, price, price, 1.0)] * 70)
    warm_up = parse(name).warm_up
    outputs = len(parse(name).outputs) or 1
    assert found == [None] * (warm_up - 1) + [(price,) * outputs] * (71 - warm_up)


def test_on_a_market_that_has_gone_flat_averages_of_different_periods_are_equal() -> None:
    """Those of running sums differ by what rounding left in them, and seem to cross."""
    bars = [*walk(100), *[Quoted(123.45, 123.45, 123.45, 123.45, 1.0)] * 50]
    last = {name: results(name, bars)[-1][0] for name in ("sma(20)", "sma(50)", "wma(20)")}
    assert last == {"sma(20)": 123.45, "sma(50)": 123.45, "wma(20)": 123.45}


def test_a_flat_market_has_no_volatility_no_range_and_no_macd() -> None:
    flat = [Quoted(0.1, 0.1, 0.1, 0.1, 1.0)] * 80
    last = {
        name: results(name, flat)[-1] for name in ("volatility(20)", "atr(14)", "macd(12,26,9)", "stochastic(14,3,3)")
    }
    assert last == {
        "volatility(20)": (0.0,),
        "atr(14)": (0.0,),
        "macd(12,26,9)": (0.0, 0.0, 0.0),
        "stochastic(14,3,3)": (0.0, 0.0),
    }


@pytest.mark.parametrize("name", ["sma(20)", "wma(20)", "bollinger(20,2)", "vwap(20)", "volatility(20)"])
def test_a_spike_leaves_no_trace_once_it_has_left_the_window(name: str) -> None:
    """A running sum would keep about 1e15 * 1e-16 of it; of squares, a deviation of thousands."""
    calm = walk(200)
    spike = Quoted(1e12, 1e15, 1e12, 1e12, 1e12)
    assert differences(name, results(name, [*calm[:77], spike, *calm[77:]])[100:], results(name, calm)[99:]) == []


@pytest.mark.slow
def test_a_million_bars_leave_no_drift() -> None:
    """What comes out at the end is what the last bars alone give, in fractions."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    studies = {name: new(f"{name}(20)") for name in ("sma", "wma", "volatility")}
    traded, balance = Vwap(20), Obv()
    last: deque[Quoted] = deque(maxlen=21)
    exact_balance, before, said = Fraction(0), 0.0, dict[str, Any]()
    for _ in range(1_000_000):
        close = 100 + chance.random()
        bar = Quoted(close, close + chance.random(), close - chance.random(), close, chance.random())
        last.append(bar)
        said = {name: study.step(close) for name, study in studies.items()}
        said["vwap"] = traded.step(bar.high, bar.low, close, bar.volume)
        said["obv"] = balance.step(close, bar.volume)
        exact_balance += Fraction(bar.volume) if close > before else -Fraction(bar.volume)
        before = close
    closes = [Fraction(bar.close) for bar in last]
    expected = {
        "sma": exact("sma", closes[1:]),
        "wma": exact("wma", closes[1:]),
        "volatility": volatility([bar.close for bar in last]),
        "vwap": vwap(list(last)[1:]),
        "obv": float(exact_balance),
    }
    assert said == {name: pytest.approx(value, rel=1e-14, abs=1e-14) for name, value in expected.items()}
