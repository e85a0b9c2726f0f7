"""`openbell sessions`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from openbell.commands.market.options import TIMEOUT_S
from openbell.console import OUT, print_json, print_table
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, venue_of

if TYPE_CHECKING:
    from exchange.messages import Phase, SetPhase
    from openbell.board import Market

EXAMPLE = "openbell sessions AAPL MSFT --days 7 --write"
MINUTES_MAX = 720


def _minutes(option: str, meaning: str) -> Any:
    return typer.Option(
        None, option, min=0, max=MINUTES_MAX, help=f"{meaning}; 0: none.", show_default="as the exchange has it"
    )


def sessions(
    context: typer.Context,
    symbols: list[str] = typer.Argument(None, help="The symbols, as they are listed.", show_default=False),
    calendar: str | None = typer.Option(
        None, "--calendar", help="XNSE, XNYS or 24/7.", show_default="that of each symbol in the listing file"
    ),
    days: int = typer.Option(7, "--days", min=1, max=366, help="How many days."),
    first: datetime | None = typer.Option(
        None, "--from", formats=["%Y-%m-%d"], help="The first day.", show_default="today"
    ),
    pre_open: int | None = _minutes("--pre-open", "Minutes from pre-open to the opening"),
    opening_auction: int | None = _minutes("--opening-auction", "Minutes from the opening auction to the opening"),
    closing_auction: int | None = _minutes("--closing-auction", "Minutes from the closing auction to the close"),
    write: bool = typer.Option(False, "--write", help="Write them to the books of the symbols."),
    timeout: float = TIMEOUT_S,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Print when markets open, auction and close on the coming days of an exchange's calendar; write it to books with --write.

    Half days, holidays and daylight saving are the exchange's. What is over by the venue's clock is not written, but for the phase that
    is on now. A book keeps 1,000 phases to come; writing the same days twice does no harm but takes twice the room.
    """
    chosen = list(dict.fromkeys(symbols or []))
    calendars = _calendars(chosen, calendar)
    given = {"pre_open": pre_open, "opening_auction": opening_auction, "closing_auction": closing_auction}
    wanted = _Wanted(
        days, first.date() if first else None, {name: one for name, one in given.items() if one is not None}
    )
    if not write:
        today = datetime.now(UTC).date()
        _print({name: wanted.plan(name, today) for name in dict.fromkeys(calendars.values())}, as_json)
        return
    if not chosen:
        raise SettingError("--write needs the symbols whose books are to be told")
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from openbell.operator import Operator

        with Operator(at, timeout) as operator:
            markets = [operator.board.market(symbol) for symbol in chosen]
            commands = {one.symbol: _commands(one, wanted, calendars[one.symbol], one.now_ms(at)) for one in markets}
            operator.tell_books({symbol: own for symbol, own in commands.items() if own})
    _tell(at, {symbol: len(own) for symbol, own in commands.items()}, as_json)


@dataclass(frozen=True)
class _Wanted:
    """The days that were asked for (`first` None: from today on), and the offsets that are not the exchange's own."""

    days: int
    first: date | None
    offsets: Mapping[str, int]

    def plan(self, calendar: str, today: date, back: timedelta = timedelta(0)) -> list[tuple[int, Phase]]:
        """Return the phases of these days, and of those since `back` before today where no first day was asked for."""
        from openbell.calendars import OFFSETS, phases

        begin = self.first or today
        try:
            last = begin + timedelta(days=self.days - 1)
            return phases(
                calendar, begin if self.first else begin - back, last, replace(OFFSETS[calendar], **self.offsets)
            )
        except OverflowError as error:
            raise SettingError(f"{self.days} days from {begin} on are beyond the calendar") from error
        except ValueError as error:
            raise SettingError(str(error)) from error


def _commands(market: Market, wanted: _Wanted, calendar: str, now_ms: int) -> list[SetPhase]:
    """Return what to tell a book: the phase that is on now, which an earlier day may have begun, and those to come."""
    from exchange.book.state import PLANNED_MAX
    from exchange.messages import SetPhase
    from openbell.board import knows
    from openbell.calendars import LEAD, coming

    if not (now_ms or wanted.first):
        raise SettingError("the venue's clock has not begun, so there is no today; name the first day with --from")
    today = datetime.fromtimestamp(now_ms / 1_000, UTC).date()
    plan = [one for one in wanted.plan(calendar, today, LEAD) if knows(market.rules, one[1])]
    plan = coming(plan, now_ms)
    if len(plan) > PLANNED_MAX:
        raise SettingError(f"these days have {len(plan)} phases; a book keeps {PLANNED_MAX}, so name fewer --days")
    return [SetPhase(key=market.symbol, phase=phase, at_ms=at_ms) for at_ms, phase in plan]


def _calendars(symbols: list[str], calendar: str | None) -> dict[str, str]:
    """Return the calendar of each symbol; under '' the one that was named for no symbol in particular."""
    from openbell.calendars import OFFSETS
    from openbell.listings import load

    if calendar is not None:
        if calendar not in OFFSETS:
            raise SettingError(f"there is no calendar {calendar!r}; the calendars are {', '.join(OFFSETS)}")
        return dict.fromkeys(symbols or [""], calendar)
    if not symbols:
        raise SettingError("name symbols of the listing file, or a --calendar")
    listings = load()
    unknown = [symbol for symbol in symbols if symbol not in listings]
    if unknown:
        raise SettingError(f"the listing file has no {', '.join(unknown)}; name the --calendar")
    return {symbol: listings[symbol].calendar for symbol in symbols}


def _print(plans: dict[str, list[tuple[int, Phase]]], as_json: bool) -> None:
    from openbell.market import time_text

    if as_json:
        rows = {name: [{"at_ms": at_ms, "phase": phase} for at_ms, phase in plan] for name, plan in plans.items()}
        print_json(rows)
        return
    table: list[list[Any]] = [[name, time_text(at_ms), phase] for name, plan in plans.items() for at_ms, phase in plan]
    if table:
        print_table(["CALENDAR", "UTC", "PHASE"], table)
    else:
        OUT.print("there is no session on these days")


def _tell(at: Venue, written: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json({"venue": at.name, "written": written})
        return
    for symbol, phases in written.items():
        OUT.print(f"{symbol}: {phases} phases written to venue {at.name}", markup=False, soft_wrap=True)
