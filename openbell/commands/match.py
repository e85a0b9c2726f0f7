"""`openbell match`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from openbell.errors import ExitCode, OpenbellError, SettingError

if TYPE_CHECKING:
    from exchange.instruments import Instrument, Rule

EXAMPLE = (
    """echo '{"type":"PlaceOrder","account":"alice","side":"buy","price":"101.25","quantity":"10"}' | openbell match"""
)
CHUNK_BYTES = 1_048_576
LINE_BYTES_MAX = 1_048_576
RULES = ("price-time", "pro-rata", "exact", "equal-quantity")
DEFAULT = '{"symbol":"AAPLUSD","base":"AAPL","quote":"USD","tick":"0.01","lot":"1"}'


def match(
    file: Path | None = typer.Argument(None, help="A file of commands.", show_default="standard input"),
    raw: bool = typer.Option(False, "--raw", help="Messages of book-inbox as they are, with integers; any symbols."),
    instrument: str = typer.Option(
        "", "--instrument", help="What is traded, as JSON or a file of it.", show_default=DEFAULT.replace('"', "'")
    ),
    rule: str = typer.Option(
        "", "--rule", help=f"Who trades with whom: {', '.join(RULES)}.", show_default="price-time, or the format's own"
    ),
    form: str = typer.Option(
        "openbell", "--format", help="What the lines are: openbell (commands in, events out), or seed-a or seed-b."
    ),
) -> None:
    """Match orders with no server: commands in, events out, as JSON lines; a line may hold an array of commands.

    Commands are PlaceOrder (account, side, price, quantity; order_id, kind, time_in_force, expires_ms, conditions), PlaceOco,
    CancelOrder, AmendOrder, ReplaceOrder, SetPhase, CancelSymbol and AdvanceClock; time_ms in any of them moves the clock. Prices and
    quantities are decimal strings.

    seed-a reads orders of stock_exchange_orders and writes successful_trade, by the rule exact; seed-b reads incoming_orders and
    writes MATCHED_TRADES, BUY_ORDERS and SELL_ORDERS, by the rule equal-quantity. Each instrument has a book of its own.

    A line that is no command is told on standard error, as JSON with its number, and the next one is taken; the exit code is
    1 in the end.
    """
    apply = _engine(raw, instrument, rule, form)
    try:
        descriptor = 0 if file is None else os.open(file, os.O_RDONLY)
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}") from error
    try:
        bad = _run(descriptor, apply)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            raise OpenbellError(f"reading or writing failed: {error.strerror}") from error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains when it flushes at its end
        return
    if bad:
        raise typer.Exit(int(ExitCode.FAILED))


def _engine(raw: bool, instrument: str, rule: str, form: str) -> Callable[[bytes], Iterable[bytes]]:
    """Return what answers a line, or refuse options that do not go together."""
    from exchange.decimal_protocol import DecimalBook
    from exchange.instruments import Rules
    from exchange.raw_protocol import RawBooks
    from exchange.seed_formats import FORMATS, SEED_B_WINDOW_MS
    from exchange.seed_protocol import SeedBooks

    chosen = rule_of(rule)
    if form != "openbell" and form not in FORMATS:
        raise SettingError(f"--format is {form!r}, but must be one of openbell, {', '.join(FORMATS)}")
    if raw and (instrument or rule or form != "openbell"):
        raise SettingError("--raw takes no --instrument, --rule or --format: listings are among its messages")
    if raw:
        return RawBooks().apply
    if form != "openbell":
        if instrument:
            raise SettingError(f"--format {form} takes no --instrument: every one that is named has a book")
        return SeedBooks(FORMATS[form], chosen).apply
    window_ms = SEED_B_WINDOW_MS if chosen == "equal-quantity" else 0
    return DecimalBook(
        _instrument(instrument or DEFAULT), Rules(matching=chosen or "price-time", window_ms=window_ms)
    ).apply


def rule_of(text: str) -> Rule | None:
    """Read a matching rule; None: none is asked for. Raises SettingError."""
    if text and text not in RULES:
        raise SettingError(f"--rule is {text!r}, but must be one of {', '.join(RULES)}")
    return cast("Rule", text) if text else None


def _run(descriptor: int, apply: Callable[[bytes], Iterable[bytes]]) -> int:
    """Answer every chunk of lines that can be read at once with one write; return how many lines were bad."""
    from exchange.errors import ExchangeError

    bad = number = 0
    try:
        for lines in _lines(descriptor):
            answer: list[bytes] = []
            for line in lines:
                number += 1
                if line is not None and not line.strip():
                    continue
                reason = f"longer than {LINE_BYTES_MAX} bytes"
                if line is not None:
                    try:
                        answer.extend(apply(line))
                        continue
                    except ExchangeError as error:
                        reason = str(error)
                bad += 1
                _write(1, answer)
                answer = []
                print(json.dumps({"type": "Error", "line": number, "reason": reason}), file=sys.stderr, flush=True)
            _write(1, answer)
    except KeyboardInterrupt:
        pass
    return bad


def _lines(descriptor: int) -> Iterator[list[bytes | None]]:
    """Yield the complete lines of each read, None for one that is too long, and at the end what has no end of line."""
    rest = b""
    skipping = False
    while chunk := os.read(descriptor, CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        lines: list[bytes | None] = [line if len(line) <= LINE_BYTES_MAX else None for line in whole]
        if skipping and lines:
            lines[0] = None
            skipping = False
        if len(rest) > LINE_BYTES_MAX or skipping:
            rest, skipping = b"", True
        yield lines
    if rest or skipping:
        yield [None if skipping else rest]


def _write(descriptor: int, parts: list[bytes]) -> None:
    left = memoryview(b"".join(parts))
    while left:
        left = left[os.write(descriptor, left) :]


def _instrument(text: str) -> Instrument:
    """Read an instrument from JSON, or from a file that holds it."""
    import msgspec

    from exchange.errors import ExchangeError
    from exchange.instruments import Instrument

    try:
        encoded = text.encode() if text.lstrip().startswith("{") else Path(text).read_bytes()
        return msgspec.json.decode(encoded, type=Instrument)
    except OSError as error:
        raise SettingError(f"--instrument {text}: {error.strerror}") from error
    except (msgspec.MsgspecError, ExchangeError, UnicodeError) as error:
        raise SettingError(f"--instrument is no instrument: {error}") from error
