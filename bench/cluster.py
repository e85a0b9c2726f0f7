"""A real stack for the time of a benchmark, with a venue of its own for each measurement."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exchange import topics
from openbell import stack as local
from openbell.settings import Settings
from openbell.stack import topics as broker
from openbell.supervise.processes import wait_until
from wire.reader import Reader

PARTITIONS = 4
SHARDS = 16
QUIET_S = 4.0
"""Outputs that have not grown for so long are complete."""


@dataclass(frozen=True)
class Cluster:
    """A running stack without jobs."""

    stack: local.Stack

    @property
    def servers(self) -> str:
        """Kafka's address."""
        return self.stack.bootstrap_servers

    def new_venue(self, name: str) -> None:
        """Make the topics of a venue."""
        broker.create(self.servers, name, PARTITIONS)

    @contextmanager
    def job(self, name: str, venue: str) -> Iterator[None]:
        """Run a job for a venue with the live clock."""
        arguments = [
            "--bootstrap-servers",
            self.servers,
            "--venue",
            venue,
            "--clock",
            "live",
            "--account-shards",
            str(SHARDS),
        ]
        job_id = self.stack.jobs.run_module(f"flink_jobs.{name}", arguments)
        try:
            yield
        finally:
            self.stack.jobs.rest.cancel(job_id)
            wait_until(lambda: self.stack.jobs.rest.get(f"/jobs/{job_id}")["state"] == "CANCELED", 60)

    def wait_quiet(self, venue: str, topic: str, seconds: float = 600) -> None:
        """Wait until a topic has records and has stopped growing."""
        with Reader(self.servers, venue, [topic]) as reader:
            seen, since = 0, time.monotonic()

            def quiet() -> bool:
                nonlocal seen, since
                end = sum(reader.end_offsets().values())
                if end != seen:
                    seen, since = end, time.monotonic()
                return bool(seen) and time.monotonic() - since > QUIET_S

            if not wait_until(quiet, seconds, every=0.5):
                raise TimeoutError(f"{topics.topic_name(venue, topic)} still grows after {seconds:.0f} s")


@contextmanager
def started(*, jobs: bool, **settings: Any) -> Iterator[local.Stack]:
    """Start a stack of two TaskManagers on free ports and in a temporary folder; jars come from the usual place."""
    jars = Settings.from_mapping({}).jars
    with tempfile.TemporaryDirectory(prefix="openbell-bench-") as folder:
        wanted = Settings(home=Path(folder) / "home", jars=jars, **settings)
        try:
            yield local.up(wanted, jobs=jobs)
        finally:
            local.down(wanted, savepoints=False)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a stack without jobs and without the page."""
    with started(jobs=False, page="off") as stack:
        yield Cluster(stack)
