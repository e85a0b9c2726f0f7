"""Trades per second through the `indicators` job and through its machine alone, and what it keeps of a symbol.

Theory of operation: a venue of so many symbols gets its books' snapshots and an hour of trades, so that the indicators of minutes have all
their values. Then, round by round: while the job is stopped its inbox is filled with phases of different packets; the job starts from
its savepoint and works them off, and is stopped with another. A summary names the last trade that it counts, so that the
times of the summaries say when each phase was worked on. The rate of a phase is that of the time in which all partitions were in it. Rounds
of different venues take turns, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlparse

from bench import machine
from bench.cluster import Cluster, started
from bench.processor import Used, watched
from bench.trade_flow import BUSY_MS, QUIET_MS, Phase, TradeFlow, symbols
from exchange import topics
from exchange.analysis import SymbolSummary
from exchange.host import Record
from exchange.packets import PacketDecoder
from openbell.supervise.processes import wait_until
from udfs.watch import watch_host
from wire.reader import Offsets, Reader
from wire.writer import PacketWriter

Row = dict[str, Any]

JOB: Final = "indicators"
LATENESS_MS: Final = 5_000
RUN_S_MAX: Final = 300
TASK_MANAGERS: Final = 2
DAY_MS: Final = 86_400_000
SPARSE: Final = tuple(Phase(60, 60, gap_ms) for gap_ms in (DAY_MS, 3_600_000, 900_000, 300_000, 60_000))
"""Sixty days, hours, quarters of an hour and so on with a trade in each, after which all that is kept of a symbol's trades is there."""


class Cell(NamedTuple):
    """What a round lets through the job: `lead` is not measured. `parallelism` is the job's."""

    symbols: int
    lead: Phase
    phases: tuple[Phase, ...]
    parallelism: int = 1


CELLS: Final = (
    Cell(10, Phase(10_000, 100, BUSY_MS), (Phase(50_000, 100, BUSY_MS),)),
    Cell(
        1_000,
        Phase(100, 100, BUSY_MS),
        (
            Phase(30, 1, BUSY_MS),
            Phase(100, 10, BUSY_MS),
            Phase(200, 100, QUIET_MS),
            Phase(500, 100, BUSY_MS),
        ),
    ),
    Cell(10_000, Phase(100, 100, BUSY_MS), (Phase(100, 100, BUSY_MS),)),
    Cell(1_000, Phase(100, 100, BUSY_MS), (Phase(500, 100, BUSY_MS),), parallelism=2),
)


# The machine alone


def alone(repeat: int) -> Iterator[Row]:
    """Yield the trades per second of processor time of the machine, and what it keeps of a symbol."""
    rates: dict[Phase, list[tuple[float, int, int]]] = defaultdict(list)
    for _ in range(repeat):
        for phase, rate, told, written in _alone():
            rates[phase].append((rate, told, written))
    for phase, measured in rates.items():
        _, told, written = measured[0]
        yield _rates(f"machine alone, {_words(phase)}", [one[0] for one in measured]) | {
            "told": f"{told} bytes a trade",
            "written": f"{written} bytes of state a trade",
        }
    yield _kept()


def _alone() -> Iterator[tuple[Phase, float, int, int]]:
    """Yield, of each kind of packet, trades per second of processor time, and the bytes told and written of a trade."""
    flow = TradeFlow(symbols(16))
    host = watch_host(LATENESS_MS)
    for key, value in (*flow.listings(), *flow.warm()):
        host.process(Record(topics.TRADES, 0, 1, 0, key, value), dict)
    for packet, packets in ((1, 500), (10, 300), (100, 50)):
        for gap_ms in (BUSY_MS, QUIET_MS):
            phase = Phase(packet * packets, packet, gap_ms)
            records = [Record(topics.TRADES, 0, 1, flow.time_ms, key, value) for key, value in flow.packets(phase)]
            start = time.process_time()
            outcomes = [host.process(record, dict) for record in records]
            seconds = time.process_time() - start
            trades = phase.trades * len(flow.names)
            told = sum(len(value) for outcome in outcomes for _, _, value in outcome.records)
            written = sum(len(text or "") for outcome in outcomes for text in outcome.changes.values())
            yield phase, trades / seconds, told // trades, written // trades


def _kept() -> Row:
    """Return the bytes of the entries of a symbol whose indicators of all spans have all their values, after busy trading."""
    (name,) = symbols(1)
    flow = TradeFlow([name])
    host = watch_host(LATENESS_MS)
    entries: dict[str, str] = {}
    most = 0
    packets = [*flow.listings()]
    for phase in (*SPARSE, Phase(100_000, 100, QUIET_MS), Phase(5_000, 100, BUSY_MS)):
        packets += flow.packets(phase)
    packets += flow.book()
    for key, value in packets:
        outcome = host.process(Record(topics.TRADES, 0, 1, 0, key, value), dict)
        for entry, text in outcome.changes.items():
            if text is None:
                entries.pop(entry, None)
            else:
                entries[entry] = text
        most = max(most, sum(len(entry) + len(text) for entry, text in entries.items()))
    parts = ", ".join(f"{entry} {len(text):,}" for entry, text in entries.items())
    return {
        "what": "kept of a symbol, all spans warm, and a book of 100 prices",
        "most": f"{most:,} bytes",
        "parts": parts,
    }


# Through Kafka and Flink


def through(repeat: int) -> Iterator[Row]:
    """Yield the rates of all cells, then the size of what the job keeps of 1,000 symbols. Both TaskManagers have compiled before."""
    with started(jobs=False, page="off", task_managers=TASK_MANAGERS) as stack:
        yield from _through(Cluster(stack), repeat)


def _through(cluster: Cluster, repeat: int) -> Iterator[Row]:
    markets = {number: Market(cluster, number) for number in sorted({cell.symbols for cell in CELLS})}
    for market in markets.values():
        market.begin(TASK_MANAGERS)
    found: dict[tuple[Cell, Phase], list[Measured]] = defaultdict(list)
    for _ in range(repeat):
        for cell in CELLS:
            for phase, measured in markets[cell.symbols].round(cell):
                found[cell, phase].append(measured)
    for (cell, phase), measures in found.items():
        cores = "" if cell.parallelism == 1 else f", {cell.parallelism} TaskManagers"
        yield _rates(f"{cell.symbols:,} symbols, {_words(phase)}{cores}", [one.rate for one in measures]) | {
            "job": f"{median(one.job_us for one in measures):.1f} us of processor a trade",
            "Kafka": f"{median(one.kafka_us for one in measures):.1f} us",
            "loads": " ".join(one.load for one in measures),
        }
    yield markets[1_000].size()


@dataclass(frozen=True)
class Measured:
    rate: float
    job_us: float
    kafka_us: float
    load: str


@dataclass
class Market:
    """A venue, and the job that watches it, which is stopped while the inbox is filled. `told` are summaries that were not looked at yet."""

    cluster: Cluster
    number: int
    prefix: str = "i"
    savepoint: Path | None = None
    offsets: Offsets = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.venue = f"{self.prefix}{self.number}"
        self.flow = TradeFlow(symbols(self.number))

    def begin(self, parallelism: int) -> None:
        """List the symbols and let them trade for an hour."""
        self.cluster.new_venue(self.venue)
        with PacketWriter(self.cluster.servers, self.venue) as writer:
            for symbol, value in self.flow.listings():
                writer.send_raw(topics.BOOK_SNAPSHOTS, symbol, value)
            for symbol, value in self.flow.warm():
                writer.send_raw(topics.TRADES, symbol, value)
        with self.job(parallelism):
            pass

    def round(self, cell: Cell) -> Iterator[tuple[Phase, Measured]]:
        """Let a cell's trades through the job, and yield what was measured of each phase."""
        self.told.clear()
        ends = [self.fill(phase) for phase in (cell.lead, *cell.phases)]
        load = machine.load()
        with self.job(cell.parallelism) as (job, kafka):
            pass
        for begin, end, phase in zip(ends, ends[1:], cell.phases, strict=False):
            begin_ms, end_ms, trades = _span(self.told, begin, end)
            job_us, kafka_us = (one.between(begin_ms, end_ms) / trades * 1e6 for one in (job, kafka))
            yield phase, Measured(trades / (end_ms - begin_ms) * 1_000, job_us, kafka_us, load)

    def size(self) -> Row:
        """Return the size of a savepoint by symbol, after all spans have become warm."""
        for phase in SPARSE:
            self.fill(phase)
        with self.job(TASK_MANAGERS):
            pass
        assert self.savepoint
        size = sum(path.stat().st_size for path in self.savepoint.rglob("*") if path.is_file())
        return {
            "what": f"savepoint of {self.number:,} symbols, all spans warm",
            "size": f"{size / 1e6:.1f} MB",
            "a symbol": f"{size / self.number:,.0f} bytes",
        }

    def fill(self, phase: Phase) -> int:
        """Write a phase's trades; return the number of the last of each symbol."""
        with PacketWriter(self.cluster.servers, self.venue) as writer:
            for symbol, value in self.flow.packets(phase):
                writer.send_raw(topics.TRADES, symbol, value)
        return self.flow.trades

    @contextmanager
    def job(self, parallelism: int) -> Iterator[tuple[Used, Used]]:
        """Run the job until all is worked off, and stop it with a savepoint; give the processor time of its TaskManagers, and of Kafka."""
        stack = self.cluster.stack
        arguments = ["--bootstrap-servers", self.cluster.servers, "--venue", self.venue, "--clock", "replay"]
        arguments += ["--lateness-ms", str(LATENESS_MS)]
        job_id = stack.jobs.run_module(f"flink_jobs.{JOB}", arguments, parallelism=parallelism, restore=self.savepoint)
        wait_until(lambda: len(stack.jobs.rest.task_managers_of(job_id)) == parallelism, 60)
        groups = [stack.pid(name) for name in stack.jobs.rest.task_managers_of(job_id)]
        with watched(groups) as job, watched([stack.pid("kafka")]) as kafka:
            if not wait_until(self._is_told, RUN_S_MAX, every=0.2):
                raise TimeoutError(f"the job has not worked off {self.venue} after {RUN_S_MAX} s")
            yield job, kafka
        self.savepoint = self._stop(job_id)

    def _stop(self, job_id: str) -> Path:
        jobs = self.cluster.stack.jobs
        folder = jobs.home.data / "savepoints" / self.venue
        asked = jobs.rest.post(f"/jobs/{job_id}/stop", {"targetDirectory": folder.as_uri(), "drain": False})
        path = f"/jobs/{job_id}/savepoints/{asked['request-id']}"
        if not wait_until(lambda: jobs.rest.get(path)["status"]["id"] == "COMPLETED", 60, every=0.1):
            raise TimeoutError(f"the job of {self.venue} could not be stopped within 60 s")
        wait_until(lambda: jobs.rest.get(f"/jobs/{job_id}")["state"] == "FINISHED", 60, every=0.1)
        return Path(unquote(urlparse(jobs.rest.get(path)["operation"]["location"]).path))

    def _is_told(self) -> bool:
        """Read the summaries that are new, and say whether all trades are in them."""
        with Reader(self.cluster.servers, self.venue, [topics.SUMMARIES], self.offsets) as reader:
            for record in reader.to_end():
                for one in _decode(record.value):
                    self.told.append(Told(record.partition, one.symbol, one.trades, record.time_ms))
                    self.counted[one.symbol] = one.trades
            self.offsets = dict(reader.offsets)
        return len(self.counted) == self.number and min(self.counted.values()) == self.flow.trades


class Told(NamedTuple):
    """When it was told that so many trades of a symbol have been counted."""

    partition: int
    symbol: str
    trades: int
    time_ms: int


_decode: PacketDecoder[SymbolSummary] = PacketDecoder(SymbolSummary)


def _span(told: list[Told], begin: int, end: int) -> tuple[int, int, int]:
    """Return when all partitions were in a phase, from and to, and how many trades were worked off then.

    The phase's trades of a symbol come after number `begin`, and go up to `end`.
    """
    by_partition: dict[int, list[int]] = defaultdict(list)
    for one in told:
        if begin < one.trades <= end:
            by_partition[one.partition].append(one.time_ms)
    begin_ms = max(min(own) for own in by_partition.values())
    end_ms = min(max(own) for own in by_partition.values())
    counted = {one.symbol: begin for one in told}
    before = dict(counted)
    for one in told:
        if begin < one.trades <= end and one.time_ms <= end_ms:
            counted[one.symbol] = one.trades
            if one.time_ms <= begin_ms:
                before[one.symbol] = one.trades
    trades = sum(counted.values()) - sum(before.values())
    assert trades, "a phase is too short to be measured"
    return begin_ms, end_ms, trades


def _words(phase: Phase) -> str:
    return f"packets of {phase.packet}, {1_000 / phase.gap_ms:.0f} trades/s a symbol"


def _rates(what: str, rates: list[float]) -> Row:
    spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
    return {
        "what": what,
        "median": f"{median(rates):,.0f} trades/s",
        "spread": spread,
        "load": machine.load(),
    }
