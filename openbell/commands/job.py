"""`openbell job`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from openbell.console import OUT, print_json, progress, settings_of
from openbell.errors import OpenbellError, SettingError

EXAMPLE = "openbell job matching --parallelism 2"


def job(
    context: typer.Context,
    name: str = typer.Argument(help="accounts, matching or indicators."),
    start: bool = typer.Option(
        False, "--start", help="Submit the job if it is not there, from its last savepoint or checkpoint."
    ),
    stop: bool = typer.Option(False, "--stop", help="Stop the job with a savepoint and print its path."),
    parallelism: int = typer.Option(
        0, "--parallelism", "-p", min=0, max=720, help="Start the job, or start it anew, at this parallelism."
    ),
    restore: Path | None = typer.Option(
        None, "--restore", help="Start the job, or start it anew, from this savepoint or checkpoint."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show, start, stop, rescale or restore one Flink job.

    Without options it shows the job. To start anew means: stop with a savepoint first, and go on from that unless --restore names another.
    """
    from openbell import stack
    from openbell.stack.jobs import JOBS

    if name not in JOBS:
        raise SettingError(f"there is no job {name!r}; the jobs are {', '.join(JOBS)}")
    if stop and (start or parallelism or restore):
        raise SettingError("--stop goes with no other option but --json")
    if restore is not None and not (restore / "_metadata").exists():
        raise SettingError(f"{restore} is no savepoint or checkpoint: it has no _metadata file")
    up = stack.running(settings_of(context))
    result: dict[str, Any] = {}
    with progress() as say:
        if stop or parallelism or restore:
            say(f"stopping the {name} job with a savepoint")
            savepoint = up.jobs.stop(name)
            result["savepoint"] = str(savepoint) if savepoint else None
        if stop and result["savepoint"] is None:
            raise OpenbellError(f"job {name} is not running; 'openbell job {name} --start' starts it")
        if parallelism or restore or (start and up.jobs.active_id(name) is None):
            say(f"submitting the {name} job")
            up.jobs.submit(name, parallelism=parallelism or None, restore=restore)
            say(f"waiting for the {name} job")
            up.jobs.wait_running(name, up.settings.start_timeout_s)
    result |= asdict(up.jobs.status(name))
    if as_json:
        print_json(result)
        return
    if result.get("savepoint"):
        OUT.print(f"savepoint {result['savepoint']}", soft_wrap=True)
    where = f", parallelism {result['parallelism']} on {' '.join(result['task_managers'])}" if result["job_id"] else ""
    OUT.print(f"job {name} is {result['state']}{where}", soft_wrap=True)
