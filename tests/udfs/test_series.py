"""Indicators over bars of which the last may still be corrected."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from typing import Any
from zlib import decompress

import pytest

from tests.udfs.indicator_bars import walk
from udfs.indicators import DEFAULTS, InvalidIndicator, parse, values
from udfs.series import BarOf, Series, Settling

BARS = [BarOf(place * 60_000, *bar, size=place % 7 + 1) for place, bar in enumerate(walk(130))]


def naive(bars: list[BarOf]) -> list[dict[str, float]]:
    """Return the default indicators after each bar, by a study each over all bars."""
    studies = {name: parse(name) for name in DEFAULTS}
    return [
        {
            output: value
            for name, study in studies.items()
            for output, value in values(name, study.step(*[getattr(bar, column) for column in study.inputs])).items()
        }
        for bar in bars
    ]


def test_a_series_gives_the_indicators_that_are_warm_after_each_bar():
    series = Series()
    told = [series.add(*bar[1:6]) for bar in BARS]
    assert told == naive(BARS)
    assert "sma(50)" not in told[48]
    assert "sma(50)" in told[49]


def test_a_clone_goes_its_own_way():
    series = Series()
    for bar in BARS[:60]:
        series.add(*bar[1:6])
    clone = series.clone()
    for bar in BARS[60:]:
        clone.add(*bar[1:6])
    assert [series.add(*bar[1:6]) for bar in BARS[60:]] == naive(BARS)[60:]


def test_of_one_indicator_in_a_series_only_it_is_told():
    series = Series(["sma(2)", "spread"][:1])
    assert [series.add(*bar[1:6]) for bar in BARS[:2]] == [
        {},
        {"sma(2)": pytest.approx((BARS[0].close + BARS[1].close) / 2)},
    ]
    with pytest.raises(InvalidIndicator, match="there is no indicator 'nonsense'"):
        Series(["nonsense"])


@pytest.mark.parametrize("restoring", [False, True])
def test_indicators_are_those_of_all_bars_whatever_is_settled_and_however_often_it_is_asked(restoring: bool):
    chance = random.Random(61)
    print("seed 61")
    settling, settled = Settling(), 0
    expected = naive(BARS)
    versions = [sum(bar.size for bar in BARS[: count + 1]) for count in range(len(BARS))]
    for end in range(1, len(BARS) + 1):
        first = chance.randrange(settled, end)
        for _ in range(2):
            told = settling.after(BARS[settled:end], BARS[first].start_ms)
            assert [tuple(one) for one in told] == [
                (BARS[place], expected[place], place + 1, versions[place]) for place in range(first, end)
            ]
        while settled < end and chance.random() < 0.5:
            settling.settle(BARS[settled])
            settled += 1
        if restoring:
            settling = Settling.restored(settling.text())


def test_a_restored_series_is_stored_as_the_same_text():
    settling = Settling()
    for bar in BARS:
        settling.settle(bar)
        assert Settling.restored(settling.text()).text() == settling.text()


def test_stored_numbers_are_as_exact_as_they_were():
    settling = Settling(["sma(3)"])
    settling.settle(BarOf(0, 0.1, 0.3, 0.1, 0.1 + 0.2, 1e-9))
    stored: Any = json.loads(decompress(b64decode(settling.text())))
    assert stored == [1, 1, [{"type": "sma", "period": 3, "recent": [0.1 + 0.2], "mean": 0.1 + 0.2}]]


def test_versions_go_on_from_where_they_are_told_to():
    settling = Settling(version=100)
    settling.settle(BARS[0])
    assert settling.after([BARS[1]], 0)[0].version == 100 + BARS[0].size + BARS[1].size
    assert settling.after([BARS[1]], 0)[0].bars == 2
