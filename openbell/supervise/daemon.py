"""Starts and stops the supervisor of a home, from outside it."""

import os
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from openbell.errors import OpenbellError
from openbell.home import Home, read_json, write_json
from openbell.supervise.processes import sweep, wait_until
from openbell.supervise.service import Service

START_S = 20.0


def start(home: Home, settings: dict[str, str], services: list[Service]) -> None:
    """Write the plan, start a supervisor as a daemon of its own session, and wait until it has started the services."""
    write_json(home.plan, {"settings": settings, "services": [asdict(service) for service in services]})
    home.state.unlink(missing_ok=True)
    spawn(home)
    if not wait_until(home.state.exists, START_S):
        raise OpenbellError(f"the supervisor did not start; see {home.logs / 'supervisor.log'}")


def spawn(home: Home) -> None:
    """Start a supervisor of the plan that is there; it ends at once where another one lives."""
    with (home.logs / "supervisor.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", "-m", "openbell.supervise.supervisor", str(home.path)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=home.path,
        )


def stop(home: Home, seconds: float) -> None:
    """Have the supervisor stop its services and end, kill it where that takes longer, and see that no process is left.

    A home without a supervisor is no error: what an earlier crash may have left is swept.
    """
    state: dict[str, Any] = read_json(home.state) or {}
    if home.supervised() and not _ended(home, state.get("supervisor"), seconds):
        raise OpenbellError(f"the supervisor in {home.path} does not end; its process id is {state.get('supervisor')}")
    left = sweep(str(home.path))
    if left:
        raise OpenbellError(
            f"processes {left} of the stack in {home.path} could not be ended; see who they are with 'ps'"
        )


def _ended(home: Home, process: int | None, seconds: float) -> bool:
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, START_S)):
        if process is not None:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                return True
        if wait_until(lambda: not home.supervised(), patience):
            return True
    return False
