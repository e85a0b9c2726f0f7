"""`openbell replay`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from openbell.console import ERR, OUT, print_json
from openbell.errors import OpenbellError, SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, stop_on_signal, venue_of

if TYPE_CHECKING:
    from replay.pace import Stop
    from replay.proof import Proof

EXAMPLE = "openbell replay --as-fast-as-possible --check"
DAY_A_SECOND = 86_400.0
DATE = ["%Y-%m-%d"]


def replay(
    context: typer.Context,
    speed: float = typer.Option(DAY_A_SECOND, min=1, max=1e9, help="Seconds of the data's time in a second."),
    as_fast_as_possible: bool = typer.Option(False, "--as-fast-as-possible", help="Do not wait at all."),
    symbols: str = typer.Option("", help="Only these, such as AAPL,IBM.", show_default="all five"),
    first: datetime | None = typer.Option(
        None, "--from", formats=DATE, help="The first date.", show_default="2000-03-01"
    ),
    last: datetime | None = typer.Option(None, "--to", formats=DATE, help="The last date.", show_default="2013-03-01"),
    check: bool = typer.Option(
        False, "--check", help="Then wait for the trades and prove that they give back every bar of the venue."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Replay 13 years of real daily prices (AAPL, FB, GOOG, IBM, MSFT) as market data and as trades of two paper accounts.

    It goes on where an earlier replay ended. Ctrl-C ends it after the day that is being played.
    """
    at = venue_of(context, bootstrap_servers, venue)
    if at.clock != "replay":
        raise SettingError(f"venue {at.name} has the {at.clock} clock; a replay needs one with OPENBELL_CLOCK=replay")
    with reaching(), stop_on_signal() as stop:
        result = _play(at, None if as_fast_as_possible else speed, _chosen(symbols), first, last, stop)
        proof = _check(at, stop) if check and not stop.asked else None
    if proof is not None:
        result["check"] = {"bars": proof.bars, "equal": proof.equal, "difference": proof.difference}
    if as_json:
        print_json(result)
    else:
        _print(result)
    if check and (proof is None or not proof.holds):
        raise OpenbellError(f"the proof failed: {proof.difference}" if proof else "stopped before the check")


def _chosen(symbols: str) -> list[str]:
    """Turn tickers or symbols, separated by commas, into symbols."""
    from replay.bars import INSTRUMENTS, QUOTE

    if not symbols.strip():
        return list(INSTRUMENTS)
    chosen = []
    for word in symbols.upper().split(","):
        symbol = word.strip() if word.strip() in INSTRUMENTS else word.strip() + QUOTE
        if symbol not in INSTRUMENTS:
            raise SettingError(f"there are no prices of {word.strip()!r}; there are those of {', '.join(INSTRUMENTS)}")
        if symbol not in chosen:
            chosen.append(symbol)
    return chosen


def _play(
    at: Venue, speed: float | None, symbols: list[str], first: datetime | None, last: datetime | None, stop: Stop
) -> dict[str, Any]:
    """Play what is not played yet, with a progress bar on a terminal, and return the figures."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from exchange.money import UNITS_MAX
    from exchange.topics import TRADES
    from replay.bars import INSTRUMENTS, day_ms, load
    from replay.flow import Flow
    from replay.history import read_history
    from replay.orders import paper
    from replay.pace import Pace
    from replay.plan import make_plan
    from replay.player import Player
    from wire.reader import Reader
    from wire.writer import PacketWriter

    data = load()
    accounts = paper(at.account_shards)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=ERR, disable=not ERR.is_terminal, transient=True) as progress:
        reading = progress.add_task("reading what has been replayed", total=None)
        history = read_history(
            at.bootstrap_servers,
            at.name,
            accounts,
            lambda done, total: progress.update(reading, completed=done, total=total),
        )
        progress.remove_task(reading)
        plan = make_plan(
            data.bars,
            symbols,
            first_ms=day_ms(first) if first else 0,
            last_ms=day_ms(last) if last else UNITS_MAX,
            history=history,
            accounts=accounts,
        )
        playing = progress.add_task("replaying bars", total=plan.bars)
        with (
            Reader(at.bootstrap_servers, at.name, [TRADES]) as trades,
            PacketWriter(at.bootstrap_servers, at.name) as writer,
        ):
            trades.skip_to_end()
            player = Player(
                writer,
                Flow(trades),
                Pace(speed, stop),
                accounts=accounts,
                shards=at.account_shards,
                history=history,
                stop=stop,
                played=lambda bars: progress.advance(playing, bars),
            )
            player.prepare([INSTRUMENTS[symbol] for symbol in symbols])
            begun = time.monotonic()
            played = len(player.play(plan))
    return {
        "venue": at.name,
        "bars": played,
        "seconds": round(time.monotonic() - begun, 3),
        "left": plan.bars - played,
        "done_before": plan.done,
        "before_the_clock": plan.past,
        "refused": [{"line": row.line, "reason": row.reason} for row in data.refused],
    }


def _check(at: Venue, stop: Stop) -> Proof:
    """Wait for the trades of every bar in the venue's market data, and compare."""
    from replay.check import check
    from replay.history import read_bars

    bars = [bar for played in read_bars(at.bootstrap_servers, at.name, stop).values() for bar in played]
    with _status("waiting for the trades"):
        return check(at.bootstrap_servers, at.name, bars, stop)


def _status(text: str) -> Any:
    from contextlib import nullcontext

    return ERR.status(text) if ERR.is_terminal else nullcontext()


def _print(result: dict[str, Any]) -> None:
    OUT.print(f"replayed {result['bars']} bars into venue {result['venue']} in {result['seconds']} s", soft_wrap=True)
    if result["done_before"]:
        OUT.print(f"{result['done_before']} more had been replayed before", soft_wrap=True)
    if result["left"]:
        OUT.print(f"{result['left']} are left; the same command goes on with them", soft_wrap=True)
    if result["before_the_clock"]:
        OUT.print(
            f"{result['before_the_clock']} lie before the venue's clock, which never goes back; use another venue"
        )
    if result["refused"]:
        first = result["refused"][0]
        OUT.print(
            f"left out {len(result['refused'])} unusable rows; line {first['line']}: {first['reason']}", soft_wrap=True
        )
    if "check" in result:
        proof = result["check"]
        OUT.print(f"proof: {proof['equal']} of {proof['bars']} bars equal the candles of their trades", soft_wrap=True)
