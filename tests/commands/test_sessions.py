"""What a book is told of the sessions to come."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from exchange.instruments import Instrument, Rules
from exchange.messages import BookSnapshot, SetPhase
from openbell.board import Market
from openbell.commands.sessions import _commands, _Wanted
from openbell.errors import SettingError

SNAPSHOT = BookSnapshot(
    symbol="X",
    seq=1,
    time_ms=0,
    delta=0,
    trade=0,
    listing=1,
    instrument=Instrument(symbol="X", base="A", quote="USD"),
    bids=[],
    asks=[],
)


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def told(wanted: _Wanted, now: str, calendar: str = "XNSE", rules: Rules | None = None) -> list[tuple[str, str]]:
    market = Market.at(replace(SNAPSHOT, rules=rules or Rules()))
    commands = _commands(market, wanted, calendar, at(now))
    assert all(isinstance(one, SetPhase) and one.key == "X" for one in commands)
    return [(f"{datetime.fromtimestamp(one.at_ms / 1_000, UTC):%m-%d %H:%M}", one.phase) for one in commands]


FRIDAY = [("03-06 03:30", "pre-open"), ("03-06 03:38", "opening-auction"), ("03-06 03:45", "continuous"), ("03-06 10:00", "closed")]  # fmt: skip


def test_before_the_first_session_the_market_is_as_the_last_one_left_it():
    assert told(_Wanted(2, None, {}), "2026-03-05 20:00") == [("03-05 10:00", "closed"), *FRIDAY]
    assert told(_Wanted(1, None, {}), "2026-03-08 12:00") == [("03-06 10:00", "closed")]


def test_in_a_session_the_phase_that_is_on_comes_first():
    assert told(_Wanted(1, None, {}), "2026-03-06 05:00") == FRIDAY[2:]


def test_days_that_are_named_are_planned_alone():
    assert told(_Wanted(1, date(2026, 3, 6), {}), "2026-03-01 00:00") == FRIDAY
    assert told(_Wanted(1, date(2026, 3, 6), {}), "1970-01-01 00:00") == FRIDAY


def test_a_market_without_auctions_only_opens_and_closes():
    plain = [FRIDAY[2], FRIDAY[3]]
    assert told(_Wanted(1, date(2026, 3, 6), {}), "2026-03-01 00:00", rules=Rules(matching="exact")) == plain
    assert told(_Wanted(1, None, {}), "2026-03-06 03:40", rules=Rules(matching="exact")) == [
        ("03-05 10:00", "closed"),
        *plain,
    ]


def test_a_market_that_never_closes_is_opened_at_once():
    assert told(_Wanted(3, None, {}), "2026-03-06 05:00", "24/7") == [("02-20 00:00", "continuous")]


def test_a_clock_that_has_not_begun_has_no_today():
    with pytest.raises(SettingError, match="name the first day with --from"):
        told(_Wanted(1, None, {}), "1970-01-01 00:00")


def test_more_phases_than_a_book_keeps():
    with pytest.raises(SettingError, match="have 1250 phases; a book keeps 1000, so name fewer --days"):
        told(_Wanted(366, date(2025, 1, 1), {}), "2024-12-01 00:00", "XNYS")
