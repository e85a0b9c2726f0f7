"""`openbell audit`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from openbell.console import ERR, OUT, print_json
from openbell.errors import ExitCode
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, venue_of

if TYPE_CHECKING:
    from exchange.audit_log import AuditEntry, Finding, Head

EXAMPLE = "openbell audit --user ann --since 2026-01-31"
WORDS = {
    "changed": "this entry is not as it was written",
    "dropped": "this entry is missing",
    "reordered": "this entry stands before one that was written earlier",
    "broken": "this entry does not follow the one before it, which was replaced",
}
UNREADABLE = "this record is no entry"


def audit(
    context: typer.Context,
    user: str | None = typer.Option(None, "--user", help="Only what this user has done, or what was done to it."),
    since: datetime | None = typer.Option(
        None, "--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only from this time on, UTC."
    ),
    verify: bool = typer.Option(False, "--verify", help="Check all chains, and print how far each goes."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """List who did what that concerns safety: log-ins, and changes to users, keys and instruments.

    With --verify it says of each gateway's chain of entries whether it is whole, and where one was changed, dropped or moved; the exit code is 1
    then. A chain is open while its gateway runs, and for good if that was
    killed. Keep the last hashes elsewhere: only they show that entries are missing at a chain's end.
    """
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        found, unreadable = _read(at)
    if verify:
        _verify(at, found, unreadable, as_json)
        return
    since_ms = 0 if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1_000)
    wanted = sorted(select([entry for _, entry in found], user, since_ms), key=lambda entry: entry.time_ms)
    if as_json:
        import msgspec

        print_json([msgspec.to_builtins(entry) for entry in wanted])
    else:
        for entry in wanted:
            OUT.print(line(entry), markup=False, soft_wrap=True)


def select(entries: list[AuditEntry], user: str | None, since_ms: int) -> list[AuditEntry]:
    """Return the entries of a user, each once, from a time on (milliseconds since the epoch)."""
    once = {(entry.source, entry.seq, entry.hash): entry for entry in entries}
    return [
        entry
        for entry in once.values()
        if entry.time_ms >= since_ms and (user is None or user in (entry.actor, entry.subject))
    ]


def line(entry: AuditEntry) -> str:
    """Return an entry in one line; texts from outside are shown without what a terminal would obey."""
    from openbell.market import time_text

    told = [time_text(entry.time_ms), entry.actor or "-", entry.action, entry.subject or "-", entry.outcome]
    facts = {"address": entry.address, **entry.details, "request": entry.request_id}
    told += [f"{name}={text}" for name, text in facts.items() if text]
    return "  ".join("".join(one if one.isprintable() else ascii(one)[1:-1] for one in text) for text in told)


def _read(at: Venue) -> tuple[list[tuple[str, AuditEntry]], list[str]]:
    """Return all entries with where each stands, and where there are records that are none."""
    from rich.progress import Progress

    from exchange.errors import InvalidPacket
    from exchange.packets import decode_audit
    from exchange.topics import AUDIT
    from wire.reader import Reader

    found: list[tuple[str, AuditEntry]] = []
    unreadable = []
    with Progress(console=ERR, disable=not ERR.is_terminal, transient=True) as progress:
        task = progress.add_task("reading the audit log", total=None)
        with Reader(at.bootstrap_servers, at.name, [AUDIT]) as reader:
            for record in reader.to_end(lambda done, total: progress.update(task, completed=done, total=total)):
                where = f"{record.partition}:{record.offset}"
                try:
                    found += [(where, entry) for entry in decode_audit(record.value)]
                except InvalidPacket:
                    unreadable.append(where)
    return found, unreadable


def _verify(at: Venue, found: list[tuple[str, AuditEntry]], unreadable: list[str], as_json: bool) -> None:
    import msgspec

    from exchange.audit_log import verify

    heads, findings = verify(found)
    ok = not findings and not unreadable
    if as_json:
        told = {"heads": heads, "findings": findings, "unreadable": unreadable}
        print_json({"venue": at.name, "ok": ok} | msgspec.to_builtins(told))
    else:
        _print(at, heads, list(_sentences(findings, unreadable)))
    if not ok:
        raise typer.Exit(int(ExitCode.FAILED))


def _sentences(findings: list[Finding], unreadable: list[str]) -> Iterator[str]:
    for finding in findings:
        yield f"FAILED: {finding.source} {finding.seq} at {finding.where}: {WORDS[finding.kind]}"
    for where in unreadable:
        yield f"FAILED: at {where}: {UNREADABLE}"


def _print(at: Venue, heads: list[Head], faults: list[str]) -> None:
    for head in heads:
        end = "closed" if head.closed else "open"
        OUT.print(f"{head.source}  {head.entries} entries, {end}, last {head.hash}", markup=False, soft_wrap=True)
    for fault in faults:
        OUT.print(fault, markup=False, soft_wrap=True)
    if not faults:
        OUT.print(f"the audit log of venue {at.name} is whole: {sum(head.entries for head in heads)} entries")
