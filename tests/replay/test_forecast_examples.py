"""Features look back only, and answers say when they are known."""

from __future__ import annotations

from dataclasses import fields

import msgspec
import numpy as np
import pytest

from exchange.messages import Bar
from replay.bars import load
from replay.forecast_examples import Examples, examples
from udfs.forecast import FORMULAS

WARM_UP = 50


@pytest.fixture(scope="module")
def bars() -> dict[str, list[Bar]]:
    return {symbol: found[:400] for symbol, found in load().bars.items() if symbol in {"AAPLUSD", "IBMUSD"}}


def altered(bar: Bar) -> Bar:
    """Return a bar of the same day with other prices and volume."""
    return msgspec.structs.replace(
        bar, open=bar.low * 3, high=bar.high * 3 + 7, low=bar.low * 2, close=bar.high * 3, volume=bar.volume * 5
    )


def rows_until(found: Examples, start_ms: int) -> Examples:
    return found.where(found.start_ms <= start_ms)


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("last", [60, 200, 333])
def test_no_feature_up_to_a_bar_changes_with_the_bars_after_it(bars: dict[str, list[Bar]], last: int, horizon: int):
    future = {symbol: found[: last + 1] + list(map(altered, found[last + 1 :])) for symbol, found in bars.items()}
    last_ms = bars["IBMUSD"][last].start_ms
    before, after = (rows_until(examples(each, horizon), last_ms) for each in (bars, future))
    assert len(before) == 2 * (last - WARM_UP + 2)
    for name in ("symbol", "start_ms", "known_ms", "features", "rose_before"):
        assert (getattr(before, name) == getattr(after, name)).all(), name
    known = before.known_ms <= last_ms
    assert (before.rose[known] == after.rose[known]).all()
    assert (before.rose[~known] != after.rose[~known]).any()


@pytest.mark.parametrize("horizon", [1, 3])
def test_an_answer_is_the_close_that_many_bars_later_against_this_one(bars: dict[str, list[Bar]], horizon: int):
    found = examples(bars, horizon)
    closes = {(symbol, bar.start_ms): (bar, place) for symbol, each in bars.items() for place, bar in enumerate(each)}
    assert len(found) == 2 * (400 - horizon - WARM_UP + 1)
    for symbol, start_ms, known_ms, rose, rose_before in zip(
        found.symbol, found.start_ms, found.known_ms, found.rose, found.rose_before, strict=True
    ):
        bar, place = closes[symbol, start_ms]
        later, before = bars[symbol][place + horizon], bars[symbol][place - horizon]
        assert (known_ms, rose, rose_before) == (later.start_ms, later.close > bar.close, bar.close > before.close)


def test_examples_are_by_time_and_then_symbol(bars: dict[str, list[Bar]]):
    found = examples(bars, 1)
    order = list(zip(found.start_ms.tolist(), found.symbol.tolist(), strict=True))
    assert order == sorted(order)
    assert found.features.shape == (len(found), len(FORMULAS))
    assert np.isfinite(found.features).all()


@pytest.mark.parametrize("horizon", [1, 7])
def test_before_a_time_as_many_bars_are_left_out_as_the_answers_take(bars: dict[str, list[Bar]], horizon: int):
    found, from_ms = examples(bars, horizon), bars["AAPLUSD"][250].start_ms
    trained, tested = found.before(from_ms), found.between(from_ms, bars["AAPLUSD"][300].start_ms)
    for symbol, each in bars.items():
        starts = [bar.start_ms for bar in each]
        last_trained = starts.index(trained.start_ms[trained.symbol == symbol].max())
        first_tested = starts.index(tested.start_ms[tested.symbol == symbol].min())
        assert first_tested - last_trained == horizon + 1
        assert (tested.symbol == symbol).sum() == 50
    assert trained.known_ms.max() < tested.start_ms.min()


@pytest.mark.parametrize("count", [0, 1, 40, WARM_UP])
def test_too_few_bars_give_no_example(bars: dict[str, list[Bar]], count: int):
    found = examples({"IBMUSD": bars["IBMUSD"][:count]}, 1)
    assert [len(getattr(found, field.name)) for field in fields(found)] == [0] * 6
