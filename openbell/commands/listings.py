"""`openbell listings`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from openbell.console import OUT, print_json, print_table
from openbell.listings import load

EXAMPLE = "openbell listings --check my-listings.toml"


def listings(
    check: Path | None = typer.Option(
        None, "--check", help="Read this file, and say what is wrong with it, if anything."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON, with all details."),
) -> None:
    """Show the listing file: what can be listed, and what is known of each stock. The one installed is sample data, no advice."""
    import msgspec

    found = load(check)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    rows: list[list[Any]] = [
        [symbol, one.details.name, one.calendar, one.instrument.quote, one.instrument.tick, one.instrument.lot]
        for symbol, one in found.items()
    ]
    print_table(["SYMBOL", "NAME", "CALENDAR", "QUOTE", "TICK", "LOT"], rows, numbers=(4, 5))
    dates = sorted({one.as_of for one in found.values()})
    OUT.print(f"{len(found)} listings as of {', '.join(dates) or '-'}", soft_wrap=True)
