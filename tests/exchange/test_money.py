"""Decimals in and out of whole units."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import InvalidAmount
from exchange.money import UNITS_MAX, from_units, minor_step, parse_decimal, to_units

steps = st.one_of(
    st.integers(0, 18).map(minor_step),
    st.sampled_from(["0.05", "0.25", "0.0125", "5", "1000", "0.10"]),
)


@given(units=st.integers(0, UNITS_MAX), step=steps)
def test_units_survive_the_way_through_text(units: int, step: str) -> None:
    assert to_units(from_units(units, step), step) == units


@given(units=st.integers(-UNITS_MAX, UNITS_MAX), step=steps)
def test_text_is_worth_its_units_exactly(units: int, step: str) -> None:
    assert Decimal(from_units(units, step)) == units * Decimal(step)


@given(text=st.text(max_size=20))
def test_any_text_is_a_plain_decimal_or_refused(text: str) -> None:
    try:
        value = parse_decimal(text)
    except InvalidAmount:
        return
    assert set(text) <= set("0123456789.")
    assert value == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        ".5",
        "5.",
        "1,5",
        "1 ",
        "1\n",
        "٣",
        "0x1",
        "1" * 31,
        "0." + "1" * 19,
        None,
        5,
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: object) -> None:
    with pytest.raises(InvalidAmount):
        parse_decimal(text)  # type: ignore[arg-type]


def test_a_fraction_of_a_step_is_refused_and_never_rounded() -> None:
    with pytest.raises(InvalidAmount, match=r"1\.005 is not a multiple of 0\.01"):
        to_units("1.005", "0.01")


def test_more_units_than_json_keeps_exact_are_refused() -> None:
    assert to_units(str(UNITS_MAX), "1") == UNITS_MAX
    with pytest.raises(InvalidAmount, match="more than"):
        to_units(str(UNITS_MAX + 1), "1")


def test_a_step_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidAmount, match="step"):
        to_units("1", "0")


@pytest.mark.parametrize(
    ("units", "step", "text"),
    [
        (0, "0.01", "0.00"),
        (1, "0.01", "0.01"),
        (-1, "0.01", "-0.01"),
        (3, "0.05", "0.15"),
        (7, "1", "7"),
        (2, "500", "1000"),
    ],
)
def test_units_are_written_with_the_decimals_of_their_step(units: int, step: str, text: str) -> None:
    assert from_units(units, step) == text
