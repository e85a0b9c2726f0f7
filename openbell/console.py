"""How commands talk to a person: tables and JSON on stdout, progress and errors on stderr."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from openbell.settings import Settings

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


def settings_of(context: typer.Context) -> Settings:
    """The settings from the environment that the command line was called with. Raises SettingError."""
    return Settings.from_mapping(context.find_root().obj)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, default=str))


def print_table(columns: list[str], rows: list[list[Any]], *, numbers: tuple[int, ...] = ()) -> None:
    """Print a table; the columns whose positions are in `numbers` are set flush right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position in numbers else "left", no_wrap=True)
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    OUT.print(table, soft_wrap=not OUT.is_terminal)


def complain(message: str) -> None:
    """Print a warning or an error as one line on stderr."""
    ERR.print(f"openbell: {message}", markup=False, soft_wrap=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done on stderr while it is done, if that is a terminal; else stay silent."""
    if not ERR.is_terminal:
        yield lambda _: None
        return
    with ERR.status("") as status:
        yield status.update
