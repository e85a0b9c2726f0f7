"""The Flink jobs of a stack: submitted by the real `flink run`, stopped with a savepoint, started again from the right place.

A job starts, unless told otherwise, from the first of these that there is:
1. the savepoint of its last stop, if nothing ran since;
2. the newest complete checkpoint of its last run, which Flink keeps even when everything is killed;
3. the savepoint from which that last run was started;
4. nothing, that is from the beginning of the log. That is safe, if slow: the machines give the same messages under the same numbers
   again, and who reads them drops what it has.

A file of each job remembers its last runs and its savepoint; it is written after Flink has confirmed, so it never promises too much.
"""

import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from openbell.errors import NotReadyError, OpenbellError, SettingError
from openbell.home import Home, read_json, write_json
from openbell.settings import Settings, variable
from openbell.stack import flink
from openbell.stack.rest import FlinkRest
from openbell.supervise.processes import wait_until

EXCHANGE = ("accounts", "matching")
ANALYTICS = ("indicators", "signals")
JOBS = EXCHANGE + ANALYTICS
RUNS_KEPT_MAX = 3
SAVEPOINTS_KEPT_MAX = 5
_SUBMIT_S = 180
_ENDED = ("FINISHED", "CANCELED", "FAILED")


def wanted_jobs(settings: Settings) -> tuple[str, ...]:
    """Return the names of the jobs that a stack of these settings runs."""
    return JOBS if settings.analytics == "on" else EXCHANGE


@dataclass(frozen=True)
class Record:
    """What is remembered of a job: the ids of its runs (newest last), and a savepoint, `fresh` until a run has started from it."""

    runs: list[str] = field(default_factory=list)
    savepoint: str | None = None
    fresh: bool = False


@dataclass(frozen=True)
class JobStatus:
    """A job as a user sees it. `state` is Flink's, RUNNING only when all tasks run, or ABSENT."""

    name: str
    state: str
    job_id: str | None = None
    parallelism: int | None = None
    task_managers: list[str] = field(default_factory=list)
    checkpoints: int = 0
    restarts: int = 0


class Jobs:
    """The jobs of one running stack; `settings` are those with which it was started, ports and all."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.rest = FlinkRest(f"http://127.0.0.1:{settings.flink_rest_port}")

    # What there is

    def record(self, name: str) -> Record:
        known = read_json(self._file(name))
        return Record(**known) if known else Record()

    def active_id(self, name: str) -> str | None:
        """The id of the job's run that has not ended, if there is one."""
        full = self._full(name)
        runs = [job for job in self.rest.jobs() if job["name"] == full and job["state"] not in _ENDED]
        return str(max(runs, key=lambda job: job["start-time"])["jid"]) if runs else None

    def status(self, name: str) -> JobStatus:
        """Say how a job is. Raises OpenbellError when Flink does not answer."""
        job_id = self.active_id(name)
        if job_id is None:
            return JobStatus(name=name, state="ABSENT")
        detail = self.rest.get(f"/jobs/{job_id}")
        counts = self.rest.get(f"/jobs/{job_id}/checkpoints").get("counts", {})
        return JobStatus(
            name=name,
            state=_state(detail),
            job_id=job_id,
            parallelism=max((vertex["parallelism"] for vertex in detail["vertices"]), default=None),
            task_managers=self.rest.task_managers_of(job_id),
            checkpoints=counts.get("completed", 0),
            restarts=self._restarts(job_id),
        )

    def wait_running(self, name: str, seconds: float) -> JobStatus:
        """Wait until every task of the job runs. Raises OpenbellError saying why it does not."""
        status = JobStatus(name=name, state="ABSENT")

        def running() -> bool:
            nonlocal status
            status = self.status(name)
            return status.state == "RUNNING"

        if not wait_until(running, seconds, every=0.2):
            raise OpenbellError(
                f"job {name} is {status.state} after {seconds:.0f} s: {self._why(name)}; see the logs in {self.home.logs}"
            )
        return status

    # Start

    def start_point(self, name: str) -> Path | None:
        """Where the job would start from by itself; the order is told at the top of this module."""
        record = self.record(name)
        savepoint = Path(record.savepoint) if record.savepoint and Path(record.savepoint).exists() else None
        if savepoint and record.fresh:
            return savepoint
        return (self._last_checkpoint(record.runs[-1]) if record.runs else None) or savepoint

    def submit(
        self, name: str, *, parallelism: int | None = None, restore: Path | None = None, check_slots: bool = True
    ) -> str:
        """Submit a job by `flink run` and return its id. `restore` is a savepoint or checkpoint to start from instead of the job's own.
        Without `check_slots` the job may have to wait for slots.

        Raises NotReadyError where there are too few free slots, OpenbellError where Flink refuses.
        """
        if name not in JOBS:
            raise SettingError(f"there is no job {name!r}; the jobs are {', '.join(JOBS)}")
        parallelism = parallelism or self.settings.parallelism
        if check_slots:
            self._need_slots(name, parallelism)
        start = restore or self.start_point(name)
        job_id = self.run_module(f"flink_jobs.{name}", self.arguments(), parallelism=parallelism, restore=start)
        record = self.record(name)
        self._remember(
            name, Record(runs=[*record.runs, job_id][-RUNS_KEPT_MAX:], savepoint=str(start) if start else None)
        )
        self._prune(record, start)
        return job_id

    def arguments(self) -> list[str]:
        """The program arguments that every job takes."""
        return [
            "--bootstrap-servers",
            f"127.0.0.1:{self.settings.kafka_port}",
            "--venue",
            self.settings.venue,
            "--clock",
            self.settings.clock,
            "--account-shards",
            str(self.settings.account_shards),
            "--lateness-ms",
            str(self.settings.lateness_ms),
            "--models",
            str(self.settings.models),
        ]

    def run_module(
        self, module: str, arguments: list[str], *, parallelism: int = 1, restore: Path | None = None
    ) -> str:
        """`flink run -d -pym MODULE`: submit any job module and return its id."""
        command = ["bash", str(flink.distribution() / "bin" / "flink"), "run", "--detached", "-p", str(parallelism)]
        if restore is not None:
            command += ["-s", restore.absolute().as_uri()]
        command += ["-pym", module, *arguments]
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=_SUBMIT_S,
                env={**os.environ, **flink.environment(self.settings, "flink-client")},
                cwd=self.home.temporary,
            )
        except subprocess.TimeoutExpired:
            raise OpenbellError(
                f"flink run {module} did not end within {_SUBMIT_S} s; see the logs in {self.home.logs}"
            ) from None
        output = done.stdout + done.stderr
        with (self.home.logs / "flink-client.out").open("a") as log:
            log.write(output)
        found = re.search(r"JobID ([0-9a-f]{32})", output)
        if done.returncode != 0 or found is None:
            raise OpenbellError(
                f"flink run {module} failed: {_cause(output)}; see {self.home.logs / 'flink-client.out'}"
            )
        return found[1]

    # Stop

    def stop(self, name: str, *, seconds: float = 60) -> Path | None:
        """Stop a job with a savepoint and return its path; None when it is not there. Raises OpenbellError, the job then still running."""
        job_id = self.active_id(name)
        if job_id is None:
            return None
        folder = self.home.data / "savepoints" / self._full(name)
        asked = self.rest.post(f"/jobs/{job_id}/stop", {"targetDirectory": folder.as_uri(), "drain": False})
        path = f"/jobs/{job_id}/savepoints/{asked['request-id']}"
        answer: dict[str, Any] = {}

        def completed() -> bool:
            nonlocal answer
            answer = self.rest.get(path)
            return bool(answer["status"]["id"] == "COMPLETED")

        if not wait_until(completed, seconds, every=0.1):
            raise OpenbellError(f"job {name} could not be stopped with a savepoint within {seconds:.0f} s")
        operation = answer["operation"]
        if "location" not in operation:
            raise OpenbellError(f"job {name} made no savepoint: {_cause(operation['failure-cause']['stack-trace'])}")
        savepoint = Path(unquote(urlparse(operation["location"]).path))
        self._remember(name, replace(self.record(name), savepoint=str(savepoint), fresh=True))
        for old in sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime)[:-SAVEPOINTS_KEPT_MAX]:
            shutil.rmtree(old, ignore_errors=True)
        wait_until(lambda: self.active_id(name) is None, seconds)
        return savepoint

    def cancel(self, name: str, *, seconds: float = 60) -> None:
        """End a job without a savepoint; it can be started again from its last checkpoint."""
        job_id = self.active_id(name)
        if job_id is None:
            return
        self.rest.cancel(job_id)
        if not wait_until(lambda: self.active_id(name) is None, seconds):
            raise OpenbellError(f"job {name} could not be cancelled within {seconds:.0f} s")

    # Parts

    def _need_slots(self, name: str, parallelism: int) -> None:
        def free() -> int:
            return sum(int(one["freeSlots"]) for one in self.rest.task_managers())

        if not wait_until(lambda: free() >= parallelism, 15, every=0.2):
            more = self.settings.task_managers + parallelism - free()
            raise NotReadyError(
                f"job {name} needs {parallelism} free slots and there are {free()}; run 'openbell down' and then"
                f" '{variable('task_managers')}={more} openbell up'"
            )

    def _last_checkpoint(self, job_id: str) -> Path | None:
        complete = (self.home.data / "checkpoints" / job_id).glob("chk-*/_metadata")
        return max((one.parent for one in complete), key=lambda one: int(one.name[4:]), default=None)

    def _remember(self, name: str, record: Record) -> None:
        write_json(self._file(name), asdict(record))

    def _file(self, name: str) -> Path:
        return self.home.jobs / f"{self._full(name)}.json"

    def _full(self, name: str) -> str:
        """What Flink calls the job: a cluster may run the same job for several venues."""
        return f"{name}-{self.settings.venue}"

    def _prune(self, before: Record, start: Path | None) -> None:
        """Delete the checkpoints of runs that are no longer remembered, but not the one that was just started from."""
        for old in before.runs[: -(RUNS_KEPT_MAX - 1)]:
            folder = self.home.data / "checkpoints" / old
            if start is None or folder not in start.parents:
                shutil.rmtree(folder, ignore_errors=True)

    def _restarts(self, job_id: str) -> int:
        """How often Flink has started the job's tasks anew since it was submitted."""
        found = self.rest.get(f"/jobs/{job_id}/metrics?get=numRestarts")
        return int(found[0]["value"]) if found else 0

    def _why(self, name: str) -> str:
        job_id = self.active_id(name)
        if job_id is None:
            return "it has ended"
        entries = self.rest.get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return _cause(entries[0]["stacktrace"]) if entries else "Flink reports no failure"


def _state(detail: dict[str, Any]) -> str:
    """Flink says RUNNING as soon as tasks are being deployed; here it means that all of them run."""
    if detail["state"] != "RUNNING":
        return str(detail["state"])
    running = all(vertex["tasks"].get("RUNNING", 0) == vertex["parallelism"] for vertex in detail["vertices"])
    return "RUNNING" if running else "STARTING"


def _cause(trace: str) -> str:
    """The line of a Java or Python stack trace that says most: the innermost cause."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    python = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
    return ((python or causes or lines or ["no reason given"])[-1])[:300]
