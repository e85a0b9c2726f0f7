"""A job as `flink run` submits it, on a cluster within that same process: the least that runs a whole job, its own reading of arguments and all."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis_server

from openbell.errors import OpenbellError
from openbell.home import Home
from openbell.settings import Settings, variable
from openbell.stack import flink
from openbell.stack.rest import FlinkRest
from openbell.supervise.processes import kill_group

_WAIT = "-Dtable.dml-sync=true"
"""The cluster ends with the program, which does not wait by itself for a job that is all SQL."""


class LocalJob:
    """A job with its cluster; `home` has its logs, and all that it said."""

    def __init__(self, home: Home, rest: FlinkRest, process: subprocess.Popen[bytes]) -> None:
        self.home = home
        self.rest = rest
        self.process = process

    def ended(self) -> bool:
        """Whether it runs no longer."""
        return self.process.poll() is not None

    def said(self) -> str:
        """All that is in its logs and in its output."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.home.logs.iterdir()))

    def runs(self) -> bool:
        """Whether there is a job and all its tasks run."""
        tasks = [job["tasks"] for job in self._jobs()]
        return bool(tasks) and all(one["total"] == one["running"] > 0 for one in tasks)

    def failures(self) -> str:
        """Why the job has failed so far, as JSON."""
        return self._found(*(f"/jobs/{job['jid']}/exceptions" for job in self._jobs()))

    def shown(self) -> str:
        """All that Flink's page shows of the job and of the cluster, as JSON."""
        parts = ("", "/config", "/plan", "/exceptions", "/checkpoints")
        paths = [f"/jobs/{job['jid']}{part}" for job in self._jobs() for part in parts]
        return self._found(*paths, "/jobmanager/config", "/jobmanager/environment")

    def _jobs(self) -> list[dict[str, Any]]:
        try:
            return self.rest.jobs()
        except OpenbellError:  # its cluster is not up yet
            return []

    def _found(self, *paths: str) -> str:
        return json.dumps({path: self.rest.get(path) for path in paths}, ensure_ascii=False)


@contextmanager
def running(folder: Path, jars: str, module: str, *arguments: str) -> Iterator[LocalJob]:
    """Run a module's job until the context is left, in a home of its own."""
    wanted = {"home": folder, "jars": jars, "flink_rest_port": redis_server.free_port()}
    settings = Settings.from_mapping({variable(name): str(value) for name, value in wanted.items()})
    home = Home(folder)
    home.make()
    flink.prepare(settings)
    command = ["bash", str(flink.distribution() / "bin" / "flink"), "run", "--target", "local", _WAIT, "-pym", module]
    with (home.logs / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            env={**os.environ, **flink.environment(settings, "flink")},
            cwd=home.temporary,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield LocalJob(home, FlinkRest(f"http://127.0.0.1:{settings.flink_rest_port}"), process)
    finally:
        kill_group(process.pid)
        process.wait()
