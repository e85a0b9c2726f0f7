"""`openbell reports`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, reaching, stop_on_signal, venue_of

if TYPE_CHECKING:
    from exchange.host import Record
    from replay.pace import Stop
    from wire.reader import Reader

EXAMPLE = "openbell reports --account alice --follow"
LEFT_OUT = ("type", "source", "seq", "time_ms", "account", "symbol", "order_id")
"""What a line says in its beginning, or not at all."""


def reports(
    context: typer.Context,
    account: str | None = typer.Option(None, "--account", help="Only this account's.", show_default="all accounts"),
    follow: bool = typer.Option(False, "--follow", help="Go on with what comes, until Ctrl-C."),
    as_json: bool = typer.Option(
        False, "--json", help="Print each report as a line of JSON, as docs/PROTOCOL.md has it."
    ),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Print a copy of all that accounts are told of their orders, a line each, in the log's order and without repeats.

    Prices are in ticks, quantities in lots, fees in minor units. The reports of one account are in the order in which they happened.
    """
    if account is not None and not 1 <= len(account) <= 64:
        raise SettingError("an account's name has 1 to 64 characters")
    at = venue_of(context, bootstrap_servers, venue)
    with reaching(), stop_on_signal() as stop:
        from exchange import topics
        from exchange.channel import Inbound
        from exchange.packets import encode
        from openbell.account_log import reports_in
        from wire.reader import Reader

        seen = Inbound()
        with Reader(at.bootstrap_servers, at.name, [topics.ORDER_REPORTS]) as reader:
            try:
                for records in _batches(reader, follow, stop):
                    for report in reports_in(records, seen, account):
                        sys.stdout.write((encode(report).decode() if as_json else line(report)) + "\n")
                    sys.stdout.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains when it flushes at its end


def _batches(reader: Reader, follow: bool, stop: Stop) -> Iterator[Iterable[Record]]:
    """Yield what there is, then, to `follow`, what comes, until `stop` is asked for."""
    yield _until(reader.to_end(), stop)
    while follow and not stop.asked:
        yield reader.poll()


def _until(records: Iterator[Record], stop: Stop) -> Iterator[Record]:
    for record in records:
        if stop.asked:
            return
        yield record


def line(report: Any) -> str:
    """Write a report as a line: when, whose, of what order, what happened, and its other fields by name."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(report)
    rest = " ".join(f"{name}={_value(value)}" for name, value in fields.items() if name not in LEFT_OUT)
    order = f"order {fields['order_id']}" if fields.get("order_id") else "-"
    head = f"{_instant(report.time_ms)} {report.account} {fields.get('symbol', '-')} {order} {fields['type']}"
    return f"{head} {rest}".rstrip()


def _value(value: Any) -> str:
    """Write a field's value; of conditions each with its name."""
    if isinstance(value, dict):
        return ",".join(f"{name}:{one}" for name, one in value.items())
    return str(value)


def _instant(time_ms: int) -> str:
    """Write a time in UTC to the millisecond; one beyond the calendar as the number that it is."""
    try:
        return f"{datetime.fromtimestamp(time_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%S}.{time_ms % 1_000:03d}Z"
    except (OverflowError, ValueError):
        return f"{time_ms} ms"
