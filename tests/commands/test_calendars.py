"""When markets open, auction and close: holidays, half days, daylight saving, and what a plan cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from exchange.messages import Phase
from openbell.calendars import Offsets, UnknownDays, coming, phases


def at(text: str) -> int:
    """Return an instant in UTC, in milliseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def plan(*lines: tuple[str, Phase]) -> list[tuple[int, Phase]]:
    return [(at(time), phase) for time, phase in lines]


def test_a_day_in_new_york():
    assert phases("XNYS", date(2026, 3, 5), date(2026, 3, 5)) == plan(
        ("2026-03-05 14:00", "pre-open"),
        ("2026-03-05 14:28", "opening-auction"),
        ("2026-03-05 14:30", "continuous"),
        ("2026-03-05 20:50", "closing-auction"),
        ("2026-03-05 21:00", "closed"),
    )


def test_a_day_in_india_has_a_call_auction_before_it_opens_and_none_at_its_close():
    assert phases("XNSE", date(2026, 3, 5), date(2026, 3, 5)) == plan(
        ("2026-03-05 03:30", "pre-open"),
        ("2026-03-05 03:38", "opening-auction"),
        ("2026-03-05 03:45", "continuous"),
        ("2026-03-05 10:00", "closed"),
    )


def test_a_weekend_between_two_sides_of_daylight_saving():
    opened = [at_ms for at_ms, phase in phases("XNYS", date(2026, 3, 6), date(2026, 3, 9)) if phase == "continuous"]
    assert opened == [at("2026-03-06 14:30"), at("2026-03-09 13:30")]


def test_india_keeps_its_hours_all_year():
    for day in (date(2026, 1, 6), date(2026, 7, 7)):
        assert phases("XNSE", day, day)[-2:] == plan((f"{day} 03:45", "continuous"), (f"{day} 10:00", "closed"))


def test_thanksgiving_is_a_holiday_and_the_day_after_it_a_half_day():
    assert phases("XNYS", date(2026, 11, 26), date(2026, 11, 27)) == plan(
        ("2026-11-27 14:00", "pre-open"),
        ("2026-11-27 14:28", "opening-auction"),
        ("2026-11-27 14:30", "continuous"),
        ("2026-11-27 17:50", "closing-auction"),
        ("2026-11-27 18:00", "closed"),
    )


def test_republic_day_and_a_weekend_have_no_session():
    assert phases("XNSE", date(2026, 1, 24), date(2026, 1, 26)) == []
    assert phases("XNYS", date(2026, 3, 7), date(2026, 3, 8)) == []


def test_a_market_that_never_closes_trades_from_the_first_day_on():
    assert phases("24/7", date(2026, 3, 7), date(2030, 3, 8)) == plan(("2026-03-07 00:00", "continuous"))


def test_phases_that_are_not_wanted_are_left_out():
    day = date(2026, 3, 5)
    assert phases("XNYS", day, day, Offsets(pre_open=0, opening_auction=0, closing_auction=0)) == plan(
        ("2026-03-05 14:30", "continuous"), ("2026-03-05 21:00", "closed")
    )
    assert phases("XNSE", day, day, Offsets(pre_open=0, opening_auction=1, closing_auction=5)) == plan(
        ("2026-03-05 03:44", "opening-auction"),
        ("2026-03-05 03:45", "continuous"),
        ("2026-03-05 09:55", "closing-auction"),
        ("2026-03-05 10:00", "closed"),
    )


@pytest.mark.parametrize("calendar", ["XNSE", "XNYS"])
def test_a_year_is_in_its_order_and_every_session_ends_closed(calendar: str):
    year = phases(calendar, date(2025, 1, 1), date(2025, 12, 31))
    assert year == sorted(year)
    assert len({at_ms for at_ms, _ in year}) == len(year)
    names = [phase for _, phase in year]
    session = names[: names.index("closed") + 1]
    assert names == session * names.count("closed")
    assert 240 < names.count("closed") < 255


@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        (Offsets(pre_open=1, opening_auction=5, closing_auction=0), "cannot begin before pre-open"),
        (Offsets(pre_open=-1, opening_auction=0, closing_auction=0), "less than 0"),
        (Offsets(pre_open=0, opening_auction=0, closing_auction=390), "no time to trade"),
    ],
)
def test_offsets_that_cannot_be(offsets: Offsets, said: str):
    with pytest.raises(ValueError, match=said):
        phases("XNYS", date(2026, 3, 5), date(2026, 3, 5), offsets)


@pytest.mark.parametrize(
    ("calendar", "first", "last"),
    [
        ("XNSE", date(1990, 1, 1), date(1990, 2, 1)),
        ("XNSE", date(2026, 3, 1), date(2199, 1, 1)),
        ("XNYS", date(1, 1, 1), date(1, 1, 2)),
    ],
)
def test_days_that_a_calendar_does_not_know(calendar: str, first: date, last: date):
    with pytest.raises(UnknownDays, match="does not know all days"):
        phases(calendar, first, last)


def test_what_is_over_is_left_out_but_for_the_phase_that_is_on():
    day = phases("XNSE", date(2026, 3, 5), date(2026, 3, 5))
    assert coming(day, at("2026-03-05 03:00")) == day
    assert coming(day, at("2026-03-05 03:38")) == day[1:]
    assert coming(day, at("2026-03-06 00:00")) == day[-1:]
    assert coming([], 5) == []
