"""The `openbell` command: `app` is put together from the modules of openbell/commands, one command each.

A command's module has a function of the command's name (a hyphen in one is an underscore in the other) whose docstring is its help, or an
app of that name with actions, and EXAMPLE, the line with which the help ends. Its heavy imports are inside the functions, so that
`--help` is quick.
"""

import os
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from openbell import __version__
from openbell.console import complain
from openbell.errors import OpenbellError

COMMANDS = (
    "run",
    "sim",
    "up",
    "down",
    "status",
    "doctor",
    "topics",
    "job",
    "replay",
    "backtest",
    "match",
    "bridge",
    "listings",
    "forecast",
    "generate",
    "watch",
    "market",
    "user",
    "key",
    "sessions",
    "reports",
    "statement",
    "verify",
    "audit",
)


class _Group(TyperGroup):
    """Turns an expected failure of any command into one line on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OpenbellError as error:
            complain(str(error))
            raise typer.Exit(int(error.exit_code)) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: openbell up && openbell status",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"openbell {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and end."
    ),
) -> None:
    """Openbell, an electronic stock exchange: the servers, the data and the tools of a local one.

    Ports, folders and sizes are settings in the environment; docs/SETTINGS.md has them all.
    Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not ready.
    """
    del version
    context.obj = os.environ


for _name in COMMANDS:
    _module = import_module(f"openbell.commands.{_name}")
    _command, _epilog = getattr(_module, _name), f"Example: {_module.EXAMPLE}"
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name, epilog=_epilog)
    else:
        app.command(_name, epilog=_epilog)(_command)


def main() -> None:
    """Run the command line."""
    app(prog_name="openbell")
