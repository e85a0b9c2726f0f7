"""How numbers and times are written on the pages."""

import pytest

from gateway.filters import FILTERS, MINUS, NOTHING, age, clock, decimal, direction, signed


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (None, NOTHING),
        ("0", "0"),
        ("5", "5"),
        ("100", "100"),
        ("100.5", "100.5"),
        ("100.50", "100.50"),
        ("100.50000", "100.50"),
        ("0.00012000", "0.00012"),
        ("999", "999"),
        ("1000", "1,000"),
        ("1234567.8900", "1,234,567.89"),
        ("-1234.5", f"{MINUS}1,234.5"),
        ("1099511627776000.000000000001", "1,099,511,627,776,000.000000000001"),
    ],
)
def test_a_decimal_keeps_every_digit_but_idle_zeros(given: str | None, written: str) -> None:
    assert decimal(given) == written


@pytest.mark.parametrize(
    ("given", "written", "way"),
    [
        ("1.2500", "+1.25", "up"),
        ("0.01", "+0.01", "up"),
        ("-1.25", f"{MINUS}1.25", "down"),
        ("-0.01", f"{MINUS}0.01", "down"),
        ("0.00", "0.00", "flat"),
        (None, NOTHING, "flat"),
    ],
)
def test_a_change_has_a_sign_and_a_direction(given: str | None, written: str, way: str) -> None:
    assert (signed(given), direction(given)) == (written, way)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (0, "1970-01-01 00:00:00"),
        (1_204_351_200_999, "2008-03-01 06:00:00"),
        (253_402_300_799_999, "9999-12-31 23:59:59"),
    ],
)
def test_a_time_is_written_to_the_second(given: int, written: str) -> None:
    assert clock(given) == written


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (0, "less than a second"),
        (999, "less than a second"),
        (1_000, "1 second"),
        (59_999, "59 seconds"),
        (60_000, "1 minute"),
        (3_599_999, "59 minutes"),
        (3_600_000, "1 hour"),
        (86_399_999, "23 hours"),
        (864_000_000, "10 days"),
    ],
)
def test_an_age_is_told_in_the_greatest_whole_unit(given: int, written: str) -> None:
    assert age(given) == written


def test_templates_call_filters_by_their_own_names() -> None:
    assert {name: each.__name__ for name, each in FILTERS.items()} == {name: name for name in FILTERS}
