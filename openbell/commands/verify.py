"""`openbell verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from openbell.console import ERR, OUT, print_json, print_table
from openbell.errors import ExitCode
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, venue_of

if TYPE_CHECKING:
    from exchange.verify import Verdict

EXAMPLE = "openbell verify --quiesced"


def verify(
    context: typer.Context,
    quiesced: bool = typer.Option(False, "--quiesced", help="Nothing may be in flight: the venue is at rest."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Check the venue's whole log: the jobs' output against the machines run again, and that nothing is made or lost.

    What is not all right is named: the first such record, the message in it, and why. The exit code is 1 then.
    """
    import msgspec

    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        verdict = _verify(at, quiesced)
    if as_json:
        print_json({"venue": at.name, "ok": verdict.ok} | msgspec.to_builtins(verdict))
    else:
        _print(at, verdict)
    if not verdict.ok:
        raise typer.Exit(int(ExitCode.FAILED))


def _verify(at: Venue, quiesced: bool) -> Verdict:
    """Verify, with a progress bar for each topic on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from replay.verify import verify_venue

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=ERR, disable=not ERR.is_terminal, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(topic: str, done: int, total: int) -> None:
            if topic not in tasks:
                tasks[topic] = bars.add_task(f"verifying {topic}", total=total)
            bars.update(tasks[topic], completed=done, total=total)

        return verify_venue(
            at.bootstrap_servers, at.name, at.clock, at.account_shards, quiesced=quiesced, progress=show
        )


def _print(at: Venue, verdict: Verdict) -> None:
    from exchange.verify import TOPICS

    rows: list[list[Any]] = [
        [topic, verdict.messages[topic], verdict.repeats[topic], verdict.in_flight[topic]] for topic in TOPICS
    ]
    print_table(["TOPIC", "MESSAGES", "REPEATS", "IN FLIGHT"], rows, numbers=(1, 2, 3))
    for reason, count in sorted(verdict.dead_letters.items()):
        OUT.print(f"dead letters {reason}: {count}")
    if verdict.halted:
        OUT.print(f"halted: {' '.join(verdict.halted)}", markup=False, soft_wrap=True)
    finding = verdict.finding
    if finding is None:
        OUT.print(f"venue {at.name} is whole: {verdict.accounts} accounts, {verdict.orders_open} orders open")
        return
    where = finding.topic if finding.offset < 0 else f"{finding.topic} {finding.partition} at {finding.offset}"
    OUT.print(f"FAILED: {where}: {finding.reason}", markup=False, soft_wrap=True)
    if finding.message:
        OUT.print(f"  {finding.message}", markup=False, soft_wrap=True)
