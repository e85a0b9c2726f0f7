"""What holds of every indicator: its state, its bounds, its name and what its docstring says."""

from __future__ import annotations

import inspect
import math
import re
from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.udfs.indicator_bars import new, results, walk
from udfs.indicators import (
    BOOK_DEFAULTS,
    DEFAULTS,
    STUDIES,
    AnyStudy,
    Bollinger,
    InvalidIndicator,
    name_of,
    output_names,
    parse,
    values,
)
from udfs.indicators.rounds import Extremes
from udfs.study import Study

SHORT = (
    "sma(1)",
    "sma(3)",
    "ema(3)",
    "wma(3)",
    "vwap(3)",
    "rsi(2)",
    "macd(2,4,3)",
    "bollinger(3,2.5)",
    "atr(3)",
    "obv",
    "stochastic(3,2,2)",
    "volatility(3)",
    *BOOK_DEFAULTS,
)
"""One of each, and with rounds that end often."""
NUMBERS = st.one_of(st.floats(1e-9, 1e9), st.integers(1, 10**12), st.just(1.0))
ROWS = st.lists(st.tuples(*[NUMBERS] * 4), max_size=25)
CLOSES = st.lists(st.floats(0.01, 1e6), min_size=16, max_size=60)
encode = msgspec.json.encode
decode = msgspec.json.Decoder(list[AnyStudy]).decode


def stepped(study: Study, row: tuple[float, ...]) -> Any:
    return study.step(*row[: len(study.inputs)])


# State


@given(rows=ROWS)
@pytest.mark.parametrize("name", SHORT)
def test_a_study_that_is_stored_and_restored_after_every_bar_goes_on_exactly(name: str, rows: list[Any]) -> None:
    kept, stored = new(name), [new(name)]
    for row in rows:
        stored = list[Study](decode(encode(stored)))
        assert stepped(stored[0], row) == stepped(kept, row)
        assert stored == [kept]
        assert encode(stored) == encode([kept])


@given(rows=ROWS, more=ROWS)
@pytest.mark.parametrize("name", SHORT)
def test_a_clone_goes_its_own_way(name: str, rows: list[Any], more: list[Any]) -> None:
    study, never_cloned = new(name), new(name)
    for row in rows:
        stepped(study, row)
        stepped(never_cloned, row)
    clone = study.clone()
    said = [stepped(clone, row) for row in more]
    assert study == never_cloned
    assert [stepped(study, row) for row in more] == said
    assert study == clone


def test_the_state_of_a_long_series_is_no_longer_than_two_windows() -> None:
    studies = {name: new(name) for name in DEFAULTS}
    for bar in walk(5_000):
        for study in studies.values():
            study.step(*[getattr(bar, column) for column in study.inputs])
    longest = {name: len(encode(study)) for name, study in studies.items()}
    print(longest)
    assert max(longest.values()) < 2_000


def test_a_state_whose_parameters_are_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidIndicator, match="period is 0, and must be a whole number from 1 to 10000"):
        decode(b'[{"type":"sma","period":0}]')


# Bounds


@given(CLOSES)
def test_rsi_stays_within_0_and_100(closes: list[float]) -> None:
    study = new("rsi(14)")
    found = [study.step(close) for close in closes]
    assert [said for said in found if said is not None and not 0 <= said <= 100] == []


@given(CLOSES, st.integers(-20, 20), st.floats(0.001, 1_000))
def test_rsi_does_not_depend_on_the_unit_of_the_price(closes: list[float], power: int, factor: float) -> None:
    studies = [new("rsi(14)") for _ in range(3)]
    plain, doubled, scaled = [
        [study.step(close * by) for close in closes]
        for study, by in zip(studies, (1.0, 2.0**power, factor), strict=True)
    ]
    assert doubled == plain  # powers of two are exact
    # A change that is mostly rounding may become another one, so compare where changes are plain.
    if all(a == b or abs(a - b) > 1e-6 * a for a, b in pairwise(closes)):
        assert scaled == [pytest.approx(said, abs=1e-6) for said in plain]


@given(st.lists(st.tuples(*[st.floats(0.01, 1e6)] * 3), min_size=18, max_size=60))
def test_stochastic_stays_within_0_and_100(rows: list[tuple[float, float, float]]) -> None:
    study = new("stochastic(14,3,3)")
    for low, close, high in map(sorted, rows):
        said = study.step(high, low, close)
        assert said is None or (min(said) >= 0 and max(said) <= 100)


@given(CLOSES)
def test_bands_are_in_order_and_what_cannot_be_negative_is_not(closes: list[float]) -> None:
    bands, ranges, moves = new("bollinger(5,2)"), new("atr(5)"), new("volatility(5)")
    for close in closes:
        upper, middle, lower = bands.step(close) or (0.0, 0.0, 0.0)
        assert upper >= middle >= lower
        assert (ranges.step(close, close, close) or 0.0) >= 0
        assert (moves.step(close) or 0.0) >= 0


@pytest.mark.parametrize("name", SHORT)
def test_numbers_are_finite_up_to_1e100(name: str) -> None:
    rows = [(big, small, big, small) for big, small in ((1e100, 1e-100), (1e-100, 1e100), (1.0, 1.0))] * 5
    study = new(name)
    for row in rows:
        said = stepped(study, row)
        numbers = said if isinstance(said, tuple) else (said or 0.0,)
        assert all(map(math.isfinite, numbers))
        assert decode(encode([study])) == [study]


# Names


@pytest.mark.parametrize("name", [*DEFAULTS, *BOOK_DEFAULTS, *SHORT])
def test_a_name_makes_a_study_of_that_name(name: str) -> None:
    assert name_of(parse(name)) == name


@given(st.integers(2, 10_000), st.floats(0.001, 100) | st.integers(1, 100))
def test_bands_of_any_width_are_made_again_from_their_name(period: int, width: float) -> None:
    study = Bollinger(period, width)
    assert parse(name_of(study)) == study


def test_the_defaults_are_those_of_the_document() -> None:
    assert DEFAULTS == (
        "sma(20)", "sma(50)", "ema(12)", "ema(26)", "wma(20)", "vwap(20)", "rsi(14)", "macd(12,26,9)", "bollinger(20,2)",
        "atr(14)", "obv", "stochastic(14,3,3)", "volatility(20)",
    )  # fmt: skip
    assert set(STUDIES) == {name.partition("(")[0] for name in (*DEFAULTS, *BOOK_DEFAULTS)}
    assert tuple(STUDIES.values()) == get_args(AnyStudy)


def test_outputs_are_named_by_their_study() -> None:
    assert [
        output_names(parse(name)) for name in ("macd(12,26,9)", "bollinger(20,2)", "stochastic(14,3,3)", "obv")
    ] == [
        ("macd(12,26,9)", "macd(12,26,9).signal", "macd(12,26,9).histogram"),
        ("bollinger(20,2).upper", "bollinger(20,2).middle", "bollinger(20,2).lower"),
        ("stochastic(14,3,3).k", "stochastic(14,3,3).d"),
        ("obv",),
    ]
    assert values("bollinger(20, 2)", (3.0, 2.0, 1.0)) == {
        "bollinger(20,2).upper": 3.0,
        "bollinger(20,2).middle": 2.0,
        "bollinger(20,2).lower": 1.0,
    }
    assert (values("obv", 5.0), values("rsi(14)", None)) == ({"obv": 5.0}, {})


@pytest.mark.parametrize("name", [*DEFAULTS, *BOOK_DEFAULTS])
def test_a_study_gives_as_many_numbers_as_it_names(name: str) -> None:
    study = new(name)
    said = [study.step(*[1.0] * len(study.inputs)) for _ in range(60)][-1]
    assert list(values(name, said)) == list(output_names(study))


@pytest.mark.parametrize(
    ("name", "wrong", "usage"),
    [
        ("sma(0)", "period is 0, and must be a whole number from 1 to 10000", "sma(period), such as sma(20)"),
        ("rsi(1)", "period is 1, and must be a whole number from 2 to 10000", "rsi(period), such as rsi(14)"),
        ("atr(10001)", "period is 10001, and must be a whole number from 1 to 10000", "atr(period), such as atr(14)"),
        ("ema(2.0)", "period is 2.0, and must be a whole number from 1 to 10000", "ema(period), such as ema(12)"),
        (
            "macd(26,12,9)",
            "fast is 26, and must be below slow, which is 12",
            "macd(fast,slow,signal), such as macd(12,26,9)",
        ),
        ("macd(12,26)", "it has 2 parameters, not 3", "macd(fast,slow,signal), such as macd(12,26,9)"),
        (
            "bollinger(20,0)",
            "width is 0, and must be a number from 0.001 to 100",
            "bollinger(period,width), such as bollinger(20,2)",
        ),
        ("obv(3)", "it has 1 parameter, not 0", "obv"),
        ("sma(1.2.3)", "'1.2.3' is not a number", "sma(period), such as sma(20)"),
        ("sma()", "it has 0 parameters, not 1", "sma(period), such as sma(20)"),
    ],
)
def test_wrong_parameters_are_refused_with_what_is_wrong_and_how_to_write_it(name: str, wrong: str, usage: str) -> None:
    with pytest.raises(InvalidIndicator) as refused:
        parse(name)
    assert str(refused.value) == f"indicator '{name}': {wrong}; write {usage}"


@pytest.mark.parametrize("name", ["foo(3)", "", "SMA(20)", "sma(20", "sma(-1)"])
def test_an_unknown_name_is_refused_with_all_that_there_are(name: str) -> None:
    with pytest.raises(InvalidIndicator) as refused:
        parse(name)
    assert str(refused.value) == (
        f"there is no indicator {name!r}; there are sma(period), ema(period), wma(period), vwap(period), rsi(period), "
        "macd(fast,slow,signal), bollinger(period,width), atr(period), obv, stochastic(period,smoothing,signal), "
        "volatility(period), spread, depth_imbalance(levels), order_flow_imbalance"
    )


@given(st.text(max_size=80) | st.from_regex(r"[a-z_]{2,12}\([0-9., ]{0,12}\)", fullmatch=True))
def test_any_text_is_an_indicator_or_refused(text: str) -> None:
    try:
        study = parse(text)
    except InvalidIndicator:
        return
    assert parse(name_of(study)) == study


def test_a_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidIndicator) as refused:
        parse("sma(" + "9" * 1_000_000 + ")")
    assert len(str(refused.value)) < 500


# Docstrings


@pytest.mark.parametrize("kind", STUDIES.values(), ids=STUDIES)
def test_a_docstring_tells_formula_source_seeding_warm_up_and_unit_and_shows_it(kind: type[Study]) -> None:
    lines = (inspect.getdoc(kind) or "").splitlines()
    words = [line.partition(": ")[0] for line in lines if re.match(r"(Formula|Source|Seeding|Warm-up|Unit): \S", line)]
    assert words == ["Formula", "Source", "Seeding", "Warm-up", "Unit"]
    assert any(line.startswith(">>> ") for line in lines)
    source = re.search(r"Source: (.*?)Seeding: ", " ".join(lines))
    assert source is not None
    assert re.search(r"\((19|20)\d\d\)", source[1])


@pytest.mark.parametrize("name", [*DEFAULTS, *SHORT])
def test_the_warm_up_is_the_number_of_bars_to_the_first_value(name: str) -> None:
    study = new(name)
    found = [study.step(*[1.0] * len(study.inputs)) for _ in range(study.warm_up)]
    assert [said is None for said in found] == [True] * (study.warm_up - 1) + [False]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40), st.integers(1, 6))
def test_the_extremes_are_those_of_the_window(rows: list[tuple[float, float]], period: int) -> None:
    extremes = Extremes(period)
    found = [extremes.step(high, low) for high, low in rows]
    windows = [rows[place + 1 - period : place + 1] for place in range(period - 1, len(rows))]
    expected = [(max(high for high, _ in some), min(low for _, low in some)) for some in windows]
    assert found == [None] * min(period - 1, len(rows)) + expected


def test_random_bars_are_the_same_each_time() -> None:
    assert results("sma(5)", walk(50)) == results("sma(5)", walk(50))
