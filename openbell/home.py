"""Where a stack keeps what: one folder, and the JSON files in it that say how it runs.

- `run/lock` is held by the supervisor for as long as it lives, so that 'is it up?' has a true answer even after a `kill -9`.
- `run/plan.json` is written by `openbell up`: the settings with their ports and the services to run.
- `run/state.json` is written by the supervisor: what runs now.
- `jobs/NAME.json` says what a job was last started from, and survives `down`.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Home:
    """The folder of one stack."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def config(self) -> Path:
        return self.path / "config"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    @property
    def lock(self) -> Path:
        return self.path / "run" / "lock"

    @property
    def plan(self) -> Path:
        return self.path / "run" / "plan.json"

    @property
    def state(self) -> Path:
        return self.path / "run" / "state.json"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    def make(self) -> None:
        """Make the folders that are missing, and an empty one for temporary files."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        for folder in (self.logs, self.data, self.config, self.temporary, self.lock.parent):
            folder.mkdir(parents=True, exist_ok=True)

    def wipe(self) -> None:
        """Delete what a stack made here; the jars and whatever else a person put here stay."""
        for folder in (self.logs, self.data, self.config, self.temporary, self.jobs, self.lock.parent):
            shutil.rmtree(folder, ignore_errors=True)

    def try_lock(self) -> IO[str] | None:
        """Take the lock, or return None while another process has it. It is given back by closing the file."""
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        file = self.lock.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off other commands that start or stop this home's stack until the block ends."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".changing").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def supervised(self) -> bool:
        """Say whether a supervisor lives here."""
        if not self.lock.exists():
            return False
        file = self.try_lock()
        if file is None:
            return True
        file.close()
        return False


def read_json(path: Path) -> Any:
    """The file's value, or None when there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def write_json(path: Path, value: Any) -> None:
    """Replace the file as a whole: a reader sees the old value or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(value, indent=2) + "\n")
    draft.replace(path)
