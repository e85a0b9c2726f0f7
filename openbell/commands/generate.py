"""`openbell generate`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import typer

from openbell.console import ERR, OUT, print_json, settings_of
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, reaching, stop_on_signal, venue_of

if TYPE_CHECKING:
    from generator.flow import Flow
    from replay.pace import Stop

EXAMPLE = "openbell generate --seed 7 --orders 10000 --symbols 2 --accounts 10 --rate 200"


def generate(
    context: typer.Context,
    seed: int = typer.Option(1, min=0, max=2**31, help="The same seed gives the same flow."),
    orders: int = typer.Option(10_000, min=1, max=10**9, help="How many orders and cancellations."),
    symbols: int = typer.Option(2, min=1, max=10_000, help="How many symbols: GEN1USD, GEN2USD, ..."),
    accounts: int = typer.Option(
        10, min=0, max=1_000_000, help="How many accounts; 0: @market flow, past the accounts."
    ),
    cancels: float = typer.Option(0.2, min=0, max=1, help="Share of cancellations."),
    crosses: float = typer.Option(0.3, min=0, max=1, help="Share of orders that take what stands on the other side."),
    rate: float = typer.Option(0, min=0, max=1e7, help="Orders a second.", show_default="as fast as possible"),
    packet: int = typer.Option(50, min=1, max=500, help="Greatest number of messages in a record."),
    stdout: bool = typer.Option(False, "--stdout", help="Print the packets, a line each, and send nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON (with --stdout, on standard error)."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Generate random order flow, the same for the same seed: orders that rest, that trade, and cancellations.

    With --stdout and --accounts 0 the lines are what 'openbell match --raw' reads; their times are 0, so that the same seed
    gives the same bytes. A flow that is sent again within a day has no second effect.
    """
    from generator.flow import Flow

    if stdout and rate:
        raise SettingError("--rate is for sending; with --stdout the reader sets the pace")
    at = None if stdout else venue_of(context, bootstrap_servers, venue)
    flow = Flow(
        seed=seed,
        orders=orders,
        symbols=symbols,
        accounts=accounts,
        shards=(at or settings_of(context)).account_shards,
        cancel_share=cancels,
        cross_share=crosses,
    )
    begun = time.monotonic()
    with reaching(), stop_on_signal() as stop:
        if at is None:
            sent, records = _print(flow, packet, stop)
        else:
            sent, records = _send(flow, at.bootstrap_servers, at.name, packet, rate, stop)
    seconds = time.monotonic() - begun
    summary = {
        "venue": at.name if at else None,
        "seed": seed,
        "messages": sent,
        "records": records,
        "seconds": round(seconds, 3),
        "messages_per_s": round(sent / seconds),
        "stopped": stop.asked,
    }
    if stdout:
        if as_json:
            ERR.print_json(data=summary)
    elif as_json:
        print_json(summary)
    else:
        OUT.print(
            f"sent {sent} messages in {records} records to venue {at.name if at else ''} in {seconds:.1f} s",
            soft_wrap=True,
        )


def _print(flow: Flow, packet: int, stop: Stop) -> tuple[int, int]:
    """Write everything as packets, a line each; a reader that goes away ends it. Returns messages and lines."""
    import os

    from generator.flow import events, setup
    from generator.sender import grouped
    from wire.writer import packets

    sent = lines = 0
    everything = chain(setup(flow, _zero), events(flow, _zero))
    try:
        for turn in grouped(everything, packet * flow.symbols):
            for messages in turn.values():
                for line in packets(messages, packet):
                    sys.stdout.buffer.write(line + b"\n")
                    lines += 1
                sent += len(messages)
            if stop.asked:
                break
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains when it flushes at its end
    return sent, lines


def _send(flow: Flow, bootstrap_servers: str, venue: str, packet: int, rate: float, stop: Stop) -> tuple[int, int]:
    """Write everything to Kafka, the set-up acknowledged first. Returns messages and records."""
    from rich.progress import Progress

    from generator.flow import events, setup
    from generator.sender import TURN_MAX, grouped, paced
    from wire.clock import wall_ms
    from wire.writer import PacketWriter

    sent = records = 0
    with (
        PacketWriter(bootstrap_servers, venue, packet_max=packet) as writer,
        Progress(console=ERR, disable=not ERR.is_terminal, transient=True) as progress,
    ):
        task = progress.add_task("sending orders", total=flow.orders)
        for (topic, key), messages in _turns(grouped(setup(flow, wall_ms), TURN_MAX)):
            sent += len(messages)
            records += writer.send(topic, key, messages)
        writer.flush()
        flowing = events(flow, wall_ms)
        turns = paced(flowing, rate, lambda: stop.asked) if rate else grouped(flowing, TURN_MAX)
        for (topic, key), messages in _turns(turns):
            sent += len(messages)
            records += writer.send(topic, key, messages)
            progress.advance(task, len(messages))
            if stop.asked and not rate:
                break
    return sent, records


def _turns(turns: Iterable[dict[tuple[str, str], list[Any]]]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    for turn in turns:
        yield from turn.items()


def _zero() -> int:
    return 0
