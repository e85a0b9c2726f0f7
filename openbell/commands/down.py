"""`openbell down`."""

import typer

from openbell.console import OUT, complain, progress, settings_of

EXAMPLE = "openbell down --wipe"


def down(
    context: typer.Context,
    wipe: bool = typer.Option(False, "--wipe", help="Then delete the stack's data, logs and state; the jars stay."),
) -> None:
    """Stop the jobs with a savepoint and then the servers of this home, and nothing else.

    A stack that is not up is no error.
    """
    from openbell import stack

    settings = settings_of(context)
    with progress() as say:
        warnings = stack.down(settings, wipe=wipe, say=say)
    for warning in warnings:
        complain(f"warning: {warning}")
    OUT.print("Openbell is down" + (", its data deleted" if wipe else ""))
