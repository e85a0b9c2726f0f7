"""`openbell doctor`."""

import typer

from openbell.console import OUT, print_json
from openbell.errors import ExitCode

EXAMPLE = "openbell doctor"


def doctor(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Check what the stack needs of this machine, and say what to do where something is missing. Exits with 3 then."""
    from openbell.checks import examine

    findings = examine(context.find_root().obj)
    if as_json:
        print_json([{"check": one.check, "ok": one.ok, "found": one.found, "advice": one.advice} for one in findings])
    else:
        for one in findings:
            OUT.print(f"{'✓' if one.ok else '✗'} {one.check}: {one.found}", markup=False, soft_wrap=True)
            if not one.ok:
                OUT.print(f"  {one.advice}", markup=False, soft_wrap=True)
    if not all(one.ok for one in findings):
        raise typer.Exit(int(ExitCode.NOT_READY))
