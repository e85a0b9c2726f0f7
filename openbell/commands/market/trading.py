"""The actions of `openbell market` on what happens in a book: phase, halt, resume, cancel, bust."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast, get_args

import typer

from openbell.commands.market.options import AS_JSON, SYMBOL, TIMEOUT_S, tell
from openbell.console import OUT, print_json, progress
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, venue_of

if TYPE_CHECKING:
    from exchange.messages import Phase
    from openbell.bust import Evidence

TIMES = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]


def phase(
    context: typer.Context,
    symbol: str = SYMBOL,
    phase: str = typer.Argument(
        help="pre-open, opening-auction, continuous, halt, closing-auction or closed.", show_default=False
    ),
    at_time: datetime | None = typer.Option(None, "--at", formats=TIMES, help="When, in UTC.", show_default="now"),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Let a market go into a phase, now or at a time to come. docs/MATCHING.md says what each phase does.

    A time is the venue's: of the replayed data in a replay venue. 'openbell sessions' plans whole days.
    """
    from exchange import messages

    if phase not in get_args(messages.Phase):
        raise SettingError(f"there is no phase {phase!r}; the phases are {', '.join(get_args(messages.Phase))}")
    wanted = cast("Phase", phase)
    at_ms = round(at_time.replace(tzinfo=UTC).timestamp() * 1_000) if at_time else 0
    if at_ms < 0:
        raise SettingError("--at is before 1970")
    at = venue_of(context, bootstrap_servers, venue)
    if at_ms:
        _plan(at, symbol, wanted, at_ms, timeout, as_json)
    else:
        _change(at, symbol, wanted, timeout, as_json)


def halt(
    context: typer.Context,
    symbol: str = SYMBOL,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Stop trading in a symbol: orders are still taken and cancelled, but nothing matches until 'openbell market resume'."""
    _change(venue_of(context, bootstrap_servers, venue), symbol, "halt", timeout, as_json)


def resume(
    context: typer.Context,
    symbol: str = SYMBOL,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """End a halt: an auction is held of all that has come in, and continuous trading goes on."""
    at = venue_of(context, bootstrap_servers, venue)
    _change(at, symbol, "continuous", timeout, as_json, ending="halt")


def cancel(
    context: typer.Context,
    symbol: str = SYMBOL,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Cancel all open orders of a symbol (OPERATOR), those that wait unseen, too. New ones are taken as before."""
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from exchange.messages import CancelSymbol
        from openbell.operator import Operator, emptied

        with Operator(at, timeout) as operator:
            levels = operator.board.market(symbol).levels()
            operator.tell_books({symbol: [CancelSymbol(key=symbol)]}, emptied(symbol, levels))
    said = f"all orders of {symbol} are cancelled; prices that had orders: {len(levels)}"
    if not levels:
        said = f"no order of {symbol} is seen in its book; those that wait unseen, if any, are being cancelled"
    tell(as_json, said, venue=at.name, symbol=symbol, prices=len(levels))


def bust(
    context: typer.Context,
    symbol: str = SYMBOL,
    trade: int = typer.Argument(min=1, max=2**53 - 1, help="The symbol's trade number.", show_default=False),
    yes: bool = typer.Option(False, "--yes", help="Do it; without this it is only shown what would be done."),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Undo a trade: both sides give back what they got, fees as well, and both are told (FillBusted).

    The orders do not come back, and prices stay as they were. It reads all of the venue's trades and reports.
    """
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from openbell.bust import find
        from openbell.operator import Operator, undone

        with Operator(at, timeout) as operator:
            market = operator.board.market(symbol)
            with progress() as say:
                found = find(at, symbol, trade, say)
            lines = found.lines(market.instrument, listing=market.listing)
            if not yes:
                _show(lines, found, as_json)
                raise SettingError("nothing was done; the same command with --yes undoes the trade")
            operator.tell_books({symbol: [found.command]}, undone(symbol, trade))
    if not as_json:
        OUT.print("\n".join(lines), markup=False, soft_wrap=True)
    tell(as_json, f"trade {trade} of {symbol} is undone", venue=at.name, **found.row())


def release(
    context: typer.Context,
    symbol: str | None = typer.Argument(None, help="The symbol whose book stopped.", show_default=False),
    account: str | None = typer.Option(None, "--account", help="An account of the shard that stopped."),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Let a book (and what is computed of its symbol) or an account shard go on that stopped itself, as a message would have broken an invariant (HALTED).

    The dead letter BROKEN_INVARIANT names the message; find out why before this. What came meanwhile has been refused.
    """
    from exchange.messages import Resume, shard_of

    if (symbol is None) == (account is None):
        raise SettingError("name the symbol of a book, or an --account of a shard")
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from openbell.operator import Operator

        with Operator(at, timeout) as operator:
            if symbol is not None:
                operator.tell_books({operator.board.market(symbol).symbol: [Resume(key=symbol)]})
                said = f"the book of {symbol} goes on"
            else:
                shard = shard_of(account or "", at.account_shards)
                operator.tell_shards([shard], lambda key: [Resume(key=key)])
                said = f"account shard {shard} goes on"
    tell(as_json, said, venue=at.name, symbol=symbol, account=account)


def _show(lines: list[str], found: Evidence, as_json: bool) -> None:
    if as_json:
        print_json(found.row())
    else:
        OUT.print("\n".join(lines), markup=False, soft_wrap=True)


def _change(at: Venue, symbol: str, phase: Phase, timeout: float, as_json: bool, ending: Phase | None = None) -> None:
    """Let a market go into a phase and wait for it; `ending` is the phase that it must be in, if there is one."""
    with reaching():
        from exchange.messages import SetPhase
        from openbell.operator import Operator, in_phase

        with Operator(at, timeout) as operator:
            market = operator.board.market(symbol)
            market.need_phase(phase)
            before = market.phase
            if before != phase:
                if ending not in (None, before):
                    raise SettingError(
                        f"{symbol} is not in {ending} but {before}; 'openbell market phase {symbol} {phase}' changes that"
                    )
                operator.tell_books({symbol: [SetPhase(key=symbol, phase=phase)]}, in_phase(symbol, phase))
    said = f"{symbol} is in {phase} already" if before == phase else f"{symbol} went from {before} into {phase}"
    tell(as_json, said, venue=at.name, symbol=symbol, phase=phase, before=before)


def _plan(at: Venue, symbol: str, phase: Phase, at_ms: int, timeout: float, as_json: bool) -> None:
    """Write a phase to come; nothing shows it before its time."""
    with reaching():
        from exchange.messages import SetPhase
        from openbell.market import time_text
        from openbell.operator import Operator

        with Operator(at, timeout) as operator:
            market = operator.board.market(symbol)
            market.need_phase(phase)
            now_ms = market.now_ms(at)
            if at_ms <= now_ms:
                raise SettingError(f"--at is over: in venue {at.name} it is {time_text(now_ms)} UTC")
            operator.tell_books({symbol: [SetPhase(key=symbol, phase=phase, at_ms=at_ms)]})
    facts: dict[str, Any] = {"venue": at.name, "symbol": symbol, "phase": phase, "at_ms": at_ms}
    tell(as_json, f"{symbol} goes into {phase} at {time_text(at_ms)} UTC; until then nothing shows it", **facts)
