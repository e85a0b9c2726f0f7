"""When a market goes into which phase: the days and hours of real exchanges, as instants in UTC.

Days, hours, holidays, half days and daylight saving are those of the package exchange-calendars. It has no calendar of the
National Stock Exchange of India (XNSE), but one of the Bombay Stock Exchange (XBOM), which has the same holidays and the same hours
for shares. How long before the opening and the close the other phases begin is said here, in `OFFSETS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from exchange.messages import Phase

ALWAYS: Final = "24/7"
MINUTE_MS: Final = 60_000
LEAD: Final = timedelta(days=14)
"""No exchange is closed for so long, so that a calendar of so many days has a session, as the package wants."""


@dataclass(frozen=True)
class Offsets:
    """Minutes before the opening (`pre_open`, `opening_auction`) or the close at which a phase begins; 0: there is none."""

    pre_open: int
    opening_auction: int
    closing_auction: int


OFFSETS: Final[dict[str, Offsets]] = {
    # Continuous from 9:15 to 15:30 in Kolkata. Orders come in from 9:00 on; they are matched in the call auction between 9:08 and 9:15.
    # The official close is taken as an average of the last half hour's trades, so there is no closing auction unless one is asked for.
    "XNSE": Offsets(pre_open=15, opening_auction=7, closing_auction=0),
    # Continuous from 9:30 to 16:00 (13:00 on half days) in New York. Auction orders for the close are final from 15:50 on; there, trading
    # goes on beside the auction, here it makes way for it.
    "XNYS": Offsets(pre_open=30, opening_auction=2, closing_auction=10),
    ALWAYS: Offsets(pre_open=0, opening_auction=0, closing_auction=0),
}
_NAMES: Final = {"XNSE": "XBOM"}


class UnknownDays(ValueError):
    """A calendar does not know all of the days that were asked for."""


def phases(calendar: str, first: date, last: date, offsets: Offsets | None = None) -> list[tuple[int, Phase]]:
    """Return when which phase begins in the sessions of some days, in milliseconds since the epoch and in their order.

    `calendar` is a key of `OFFSETS`; `first` and `last` are days where the exchange is, both included. A market that
    never closes goes into `continuous` once, as the first day begins in UTC.

    Raises:
        UnknownDays: if the calendar does not reach that far, back or ahead.
        ValueError: if an offset leaves no time to trade, or phases are not in their order.
    """
    chosen = offsets or OFFSETS[calendar]
    if min(chosen.pre_open, chosen.opening_auction, chosen.closing_auction) < 0:
        raise ValueError("minutes before the opening or the close cannot be less than 0")
    if chosen.opening_auction > chosen.pre_open > 0:
        raise ValueError(
            f"the opening auction ({chosen.opening_auction} minutes) cannot begin before pre-open ({chosen.pre_open})"
        )
    if calendar == ALWAYS:
        return [(_ms(datetime(first.year, first.month, first.day, tzinfo=UTC)), "continuous")]
    return [begun for opening, close in _sessions(calendar, first, last) for begun in _session(opening, close, chosen)]


def coming(plan: list[tuple[int, Phase]], now_ms: int) -> list[tuple[int, Phase]]:
    """Leave out what is over: return the phase that is on now, if the plan says it, and all that are still to come."""
    over = sum(at_ms <= now_ms for at_ms, _ in plan)
    return plan[max(0, over - 1) :]


def _session(opening_ms: int, close_ms: int, offsets: Offsets) -> Iterator[tuple[int, Phase]]:
    closing_ms = close_ms - offsets.closing_auction * MINUTE_MS
    if closing_ms <= opening_ms:
        raise ValueError(f"a closing auction of {offsets.closing_auction} minutes leaves no time to trade")
    if offsets.pre_open:
        yield opening_ms - offsets.pre_open * MINUTE_MS, "pre-open"
    if offsets.opening_auction:
        yield opening_ms - offsets.opening_auction * MINUTE_MS, "opening-auction"
    yield opening_ms, "continuous"
    if offsets.closing_auction:
        yield closing_ms, "closing-auction"
    yield close_ms, "closed"


def _sessions(calendar: str, first: date, last: date) -> Iterator[tuple[int, int]]:
    """Yield opening and close of each session, in milliseconds."""
    from exchange_calendars import get_calendar

    name = _NAMES.get(calendar, calendar)
    try:
        found: Any = get_calendar(name, start=str(first - LEAD), end=str(last))
    except (ValueError, OverflowError) as error:  # what the package raises has many lines
        raise UnknownDays(f"the calendar {calendar} does not know all days from {first} to {last}") from error
    for session, opening in found.opens.items():
        if session.date() >= first:
            yield _ms(opening.to_pydatetime()), _ms(found.closes[session].to_pydatetime())


def _ms(time: datetime) -> int:
    """Return whole milliseconds since the epoch."""
    return round(time.timestamp()) * 1_000
