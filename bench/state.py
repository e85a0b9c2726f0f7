"""How a book's orders are best kept in Flink's state: layouts of it, measured with real Kafka, Flink and checkpoints.

Theory of operation: each cell is a job of its own on one TaskManager. All commands are in its inbox before it starts: those that fill the book,
then packets of 1, then packets of 100. Filling goes through the job as any order does, but state is first written with the last record of it.
How many packets a slow layout gets is found beforehand: as many as the machine alone, without Flink, works off in `ALONE_S`; this also counts
the bytes that it writes. The rate is that of the last two thirds of a phase's outputs, by their times; the TaskManager's processor time over
the same outputs says more than the rate on a machine that has other things to do. Then the job is stopped with a
savepoint, one more packet is written, and the job restored from it.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

from bench import machine
from bench.cluster import Cluster, started
from bench.state_flow import SYMBOL, StateFlow
from bench.state_layouts import LAYOUTS, NOW, host
from exchange import topics
from exchange.host import Record
from openbell.supervise.processes import group_members, wait_until
from wire.reader import Reader
from wire.writer import PacketWriter

Row: TypeAlias = dict[str, Any]
_Used: TypeAlias = list[tuple[float, float]]
"""When (wall milliseconds) how much processor time had been used (seconds)."""

DEPTHS: Final = (100, 10_000, 1_000_000)
PACKETS_MAX: Final = {1: 60_000, 100: 4_000}
"""The phases: packets of how many commands, and how many of them at most."""
PACKETS_MIN: Final = 4
ALONE_S: Final = 3.0
"""Processor time of the machine alone after which a phase gets no more packets."""
CELL_S_MAX: Final = 150.0
"""After how long a job is given up that has not worked off its inbox."""
GIVEN_UP: Final = f"not done after {CELL_S_MAX:.0f} s"
TASKMANAGER_MB: Final = 4_096
"""Ample for a book of a million orders in any layout."""
JOB: Final = "state"
SLOW_S: Final = 0.2
"""A packet that takes longer is told in seconds, not as a rate."""


@dataclass(frozen=True)
class Phase:
    """Packets of one size, how many records they write to `book-deltas`, and what the layout writes for a command of them."""

    size: int
    packets: list[bytes]
    outputs: int
    bytes_a_command: float
    entries_a_command: float


@dataclass(frozen=True)
class Plan:
    """What is sent to a layout: the filling, the phases, and the packet after the restore."""

    filling: list[bytes]
    filling_outputs: int
    phases: list[Phase]
    last: bytes

    @property
    def outputs(self) -> int:
        """Records in `book-deltas` before the restore."""
        return self.filling_outputs + sum(phase.outputs for phase in self.phases)


def compare(depths: tuple[int, ...] = DEPTHS) -> Iterator[Row]:
    """Yield a row for each number of resting orders and layout."""
    with started(jobs=False, page="off", task_managers=1, taskmanager_mb=TASKMANAGER_MB) as stack:
        cluster = Cluster(stack)
        flow = StateFlow(DEPTHS[0])
        warm_up = _plan(NOW, flow.resting, list(flow.filling()), flow)
        _Cell(cluster, "state-warm-up", NOW, flow.resting).measure(warm_up)  # or the first cell's Java would be slow
        for depth in depths:
            flow = StateFlow(depth)
            filling = list(flow.filling())
            for number, layout in enumerate(LAYOUTS):
                cell = _Cell(cluster, f"state-{depth}-{number}", layout, depth)
                yield cell.measure(_plan(layout, depth, filling, flow.copy()))


def _plan(layout: str, depth: int, filling: list[bytes], flow: StateFlow) -> Plan:
    """Work the flow off without Flink, as much of it as there is time for."""
    books, offset = host(layout, depth), 0

    def process(value: bytes) -> tuple[int, dict[str, str | None]]:
        nonlocal offset
        offset += 1
        outcome = books.process(Record(topics.BOOK_INBOX, 0, offset, 0, SYMBOL, value), dict)
        return sum(topic == topics.BOOK_DELTAS for topic, _, _ in outcome.records), outcome.changes

    filling_outputs = sum(process(value)[0] for value in filling)
    phases = []
    for size, packets_max in PACKETS_MAX.items():
        packets: list[bytes] = []
        outputs = written = entries = 0
        seconds = 0.0
        for value in islice(flow.packets(size), packets_max):
            begin = time.process_time()
            records, changes = process(value)
            seconds += time.process_time() - begin
            packets.append(value)
            outputs += records
            written += sum(len(name) + len(text or "") for name, text in changes.items())
            entries += len(changes)
            if seconds > ALONE_S and len(packets) >= PACKETS_MIN:
                break
        commands = size * len(packets)
        phases.append(Phase(size, packets, outputs, written / commands, entries / commands))
    return Plan(filling, filling_outputs, phases, next(flow.packets(1)))


class _Cell:
    """One layout at one number of resting orders."""

    def __init__(self, cluster: Cluster, venue: str, layout: str, depth: int) -> None:
        self.cluster = cluster
        self.venue = venue
        self.layout = layout
        self.depth = depth
        self.jobs = cluster.stack.jobs

    def measure(self, plan: Plan) -> Row:
        """Run the job, stop it and restore it."""
        self.cluster.new_venue(self.venue)
        with PacketWriter(self.cluster.servers, self.venue) as writer:
            for value in (*plan.filling, *(value for phase in plan.phases for value in phase.packets)):
                writer.send_raw(topics.BOOK_INBOX, SYMBOL, value)
        load = machine.load()
        try:
            job_id = self._run()
            with Reader(self.cluster.servers, self.venue, [topics.BOOK_DELTAS]) as reader:
                with _used(self.cluster.stack.pid("taskmanager-1")) as used:
                    done = _grown(reader, plan.outputs)
                row: Row = {"resting": f"{self.depth:,}", "layout": self.layout}
                row |= self._row(plan, job_id, reader, used) if done else {"outcome": GIVEN_UP}
        finally:
            self.jobs.cancel(JOB)
        return row | {"load": load}

    def _row(self, plan: Plan, job_id: str, reader: Reader, used: _Used) -> Row:
        row: Row = {}
        times = _times(reader, plan.outputs, plan.filling_outputs)
        for phase in plan.phases:
            row[f"packets of {phase.size}"], row[f"processor ({phase.size})"] = _rates(
                phase, times[: phase.outputs], used
            )
            row[f"bytes, entries ({phase.size})"] = f"{phase.bytes_a_command:,.0f}, {phase.entries_a_command:.2f}"
            times = times[phase.outputs :]
        row["checkpoint"] = self._checkpoint(job_id)
        begin = time.monotonic()
        savepoint = self.jobs.stop(JOB, seconds=CELL_S_MAX)
        assert savepoint is not None, "the job runs"
        row["stop"] = f"{time.monotonic() - begin:.1f} s"
        row["savepoint"] = f"{_size_mb(savepoint):,.1f} MB"
        row["restored after"] = self._restore(plan, savepoint, reader)
        return row

    def _run(self, savepoint: Path | None = None) -> str:
        arguments = ["--bootstrap-servers", self.cluster.servers, "--venue", self.venue, "--layout", self.layout]
        arguments += ["--resting", str(self.depth), "--name", f"{JOB}-{self.cluster.stack.venue}"]
        return self.jobs.run_module("bench.state_job", arguments, restore=savepoint)

    def _checkpoint(self, job_id: str) -> str:
        """Return size and time of the checkpoints: the median of the last, which are from the phases or shortly after."""
        checkpoints = partial(self.jobs.rest.get, f"/jobs/{job_id}/checkpoints")
        before = checkpoints()["counts"]["completed"]
        wait_until(lambda: checkpoints()["counts"]["completed"] > before, CELL_S_MAX, every=0.1)
        done = [one for one in checkpoints()["history"] if one["status"] == "COMPLETED"][:4]
        return f"{done[0]['state_size'] / 1e6:,.1f} MB, {median(one['end_to_end_duration'] for one in done):,.0f} ms"

    def _restore(self, plan: Plan, savepoint: Path, reader: Reader) -> str:
        """Return the seconds from the start of the restored job until the packet that waits for it is answered."""
        with PacketWriter(self.cluster.servers, self.venue) as writer:
            writer.send_raw(topics.BOOK_INBOX, SYMBOL, plan.last)
        job_id = self._run(savepoint)
        if not _grown(reader, plan.outputs + 1):
            return GIVEN_UP
        answered_ms = _times(reader, plan.outputs + 1, plan.outputs)[0]
        start_ms: int = self.jobs.rest.get(f"/jobs/{job_id}")["start-time"]
        return f"{(answered_ms - start_ms) / 1000:.1f} s"


def _grown(reader: Reader, records: int) -> bool:
    """Wait until a topic has so many records; say whether it came to that."""
    return wait_until(lambda: sum(reader.end_offsets().values()) >= records, CELL_S_MAX, every=0.2)


def _times(reader: Reader, records: int, begin: int) -> list[int]:
    """Return the times of a one-key topic's records from the one numbered `begin` on, in milliseconds."""
    ends = reader.end_offsets()
    assert sum(ends.values()) == records, "a job that fails writes again what it has written"
    for name, end in ends.items():
        if end:
            reader.seek(name, begin)
    return [record.time_ms for record in reader.to(ends)]


def _rates(phase: Phase, times_ms: list[int], used: _Used) -> tuple[str, str]:
    """Return commands a second and processor time a command, or both for a packet that is slow."""
    begin = len(times_ms) // 3
    packets = (len(times_ms) - 1 - begin) * len(phase.packets) / phase.outputs
    seconds = max(1, times_ms[-1] - times_ms[begin]) / 1_000 / packets
    processor = (_used_at(used, times_ms[-1]) - _used_at(used, times_ms[begin])) / packets
    if seconds > SLOW_S:
        return f"{seconds:.1f} s a packet", f"{processor:.1f} s a packet"
    return f"{phase.size / seconds:,.0f}/s", f"{processor / phase.size * 1e6:,.1f} us"


@contextmanager
def _used(group: int) -> Iterator[_Used]:
    """Note the processor time that a process group has used, again and again while the context lasts."""
    used: _Used = []
    stop = threading.Event()
    processes = list(group_members(group))

    def watch() -> None:
        while True:
            last = stop.wait(0.05)
            fields = [Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split() for process in processes]
            ticks = sum(int(one[11]) + int(one[12]) for one in fields)
            used.append((time.time() * 1_000, ticks / os.sysconf("SC_CLK_TCK")))
            if last:
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield used
    finally:
        stop.set()
        thread.join()


def _used_at(used: _Used, at_ms: float) -> float:
    """Return the processor time used up to a moment, in seconds, between the two notes around it."""
    place = min(max(1, bisect_left(used, (at_ms, 0.0))), len(used) - 1)
    (before_ms, before_s), (after_ms, after_s) = used[place - 1 : place + 1]
    return before_s + (after_s - before_s) * (at_ms - before_ms) / (after_ms - before_ms)


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
