"""The same windows over the same trades: the `indicators` job, quixstreams, and pandas, in turns.

Candles of a minute, of their closes an average of 20, an exponential one and the relative strength, and the average close of ten minutes every five.
The job computes these among all else that it does (six spans, thirteen indicators of five of them, profits, a summary a packet, repeats and
late trades); quixstreams (windows and state of its own, as its documentation has them) these alone; pandas these alone, all at once from
records in memory. Rates are those of the second half of the records.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from math import isnan
from operator import attrgetter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeAlias

from bench import flow, machine, windows_pandas
from bench.cluster import Cluster, started
from bench.indicators import Market
from bench.trade_flow import QUIET_MS, WARM_TRADES, Phase
from exchange import topics
from exchange.analysis import TRADES_SOURCE, Indicators, WindowAverage
from exchange.candles import SPANS
from exchange.packets import PacketDecoder
from udfs.watch.worth import Worth
from wire.reader import Reader

Row: TypeAlias = dict[str, Any]
Values: TypeAlias = dict[tuple[str, int], dict[str, float]]
"""What was computed, by symbol and time in milliseconds."""

ROOT: Final = Path(__file__).parent.parent
REQUIREMENTS: Final = Path(__file__).parent / "requirements-quixstreams.txt"
QUIXSTREAMS: Final = "quixstreams 3.28.1"
INSTALL_S_MAX: Final = 300
RUN_S_MAX: Final = 300
MOST: Final = 0.95
"""The job is measured up to this part of the trades: what is open after its last packets is told by a timer."""
SYMBOLS: Final = 50
PHASES: Final = (Phase(3_600, 100, QUIET_MS), Phase(600, 1, QUIET_MS))
"""An hour of a trade a second in packets of 100, and ten minutes of them alone in their records."""
NAMES: Final = ("close", "sma(20)", "ema(12)", "rsi(14)", "average")
"""What is compared. pandas' exponential averages begin with the first value, ours (and TA-Lib's) with a mean: they differ at first."""


class Timed(NamedTuple):
    """Trades per second by the wall's clock, and processor time in microseconds a trade."""

    rate: float
    processor_us: float


def compare(repeat: int) -> Iterator[Row]:
    """Yield a row for each way of computing and kind of packet, and whether they agree."""
    interpreter = python()
    with started(jobs=False, page="off", task_managers=1) as stack:
        for phase in PHASES:
            yield from _compare(_Contest(Cluster(stack), phase, interpreter), phase, repeat)


def _compare(contest: _Contest, phase: Phase, repeat: int) -> Iterator[Row]:
    rounds: dict[str, list[Timed]] = defaultdict(list)
    for _ in range(repeat):
        for name, timed in contest.round():
            rounds[name].append(timed)
    for name, measured in rounds.items():
        rates = [one.rate for one in measured]
        yield {
            "what": f"{name}, packets of {phase.packet}",
            "median": f"{median(rates):,.0f} trades/s",
            "spread": f"{min(rates):,.0f} to {max(rates):,.0f}",
            "processor": f"{median(one.processor_us for one in measured):.1f} us a trade",
            "load": machine.load(),
        }
    yield {"what": f"packets of {phase.packet}: agreement with the job", **contest.agreement()}


class _Contest:
    """A venue with its trades, which each way of computing goes through anew in each round."""

    def __init__(self, cluster: Cluster, phase: Phase, interpreter: Path) -> None:
        self._cluster = cluster
        self._interpreter = interpreter
        self._market = market = Market(cluster, SYMBOLS, prefix=f"w{phase.packet}-")
        market.begin(1)
        self._begun = market.savepoint
        market.fill(phase)
        self._records = SYMBOLS + phase.trades // phase.packet * SYMBOLS
        self._trades = phase.trades * SYMBOLS
        self._packet = phase.packet
        self._rounds = 0
        self._pandas: windows_pandas.Computed | None = None
        self._ours()  # or the first round would be the one in which Java compiles

    def round(self) -> Iterator[tuple[str, Timed]]:
        """Let each have its turn."""
        self._rounds += 1
        yield "indicators", self._ours()
        yield QUIXSTREAMS, self._quix()
        yield from self._all_at_once()

    def _ours(self) -> Timed:
        """Go through the trades again, from the savepoint before them."""
        market = self._market
        market.savepoint = self._begun
        market.told.clear()
        market.counted.clear()
        with market.job(1) as (job, _):
            pass
        counted: dict[str, int] = {}
        sums: list[tuple[int, int]] = []
        for one in sorted(market.told, key=attrgetter("time_ms")):
            counted[one.symbol] = one.trades
            sums.append((one.time_ms, sum(counted.values())))
        begin_ms, begin = next(place for place in sums if place[1] > sums[-1][1] / 2)
        end_ms, end = next(place for place in sums if place[1] > sums[-1][1] * MOST)
        return Timed((end - begin) / (end_ms - begin_ms) * 1_000, job.between(begin_ms, end_ms) / (end - begin) * 1e6)

    def _quix(self) -> Timed:
        output = self._output
        with TemporaryDirectory(prefix="openbell-quix-") as folder:
            words = [str(self._interpreter), "-m", "bench.windows_quix", self._cluster.servers, self._market.venue]
            words += [output, str(self._records), folder]
            ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
        if ended.returncode:
            raise RuntimeError(f"quixstreams: {(ended.stderr.strip().splitlines() or ['it failed'])[-1]}")
        (half_s, half_used_s), (end_s, end_used_s) = json.loads(ended.stdout)
        trades = (self._records - self._records // 2) * self._packet
        return Timed(trades / (end_s - half_s), (end_used_s - half_used_s) / trades * 1e6)

    @property
    def _output(self) -> str:
        return f"quix-{self._market.venue}-{self._rounds}"

    def _all_at_once(self) -> Iterator[tuple[str, Timed]]:
        with Reader(self._cluster.servers, self._market.venue, [topics.TRADES]) as reader:
            packets = [record.value for record in reader.to_end()]
        trades = self._trades + SYMBOLS * WARM_TRADES
        with _timing(trades) as whole:
            frame = windows_pandas.frame(packets)
            with _timing(trades) as windows:
                self._pandas = windows_pandas.compute(frame)
        name = f"pandas {version('pandas')}"
        yield f"{name}, records to windows", whole[0]
        yield f"{name}, windows alone", windows[0]

    def agreement(self) -> Row:
        """Say how many values of each name the others have in common with the job, and how many of these are equal to 1e-9."""
        ours = _told(self._cluster.servers, self._market.venue)
        assert self._pandas
        return {
            "quixstreams": _equal(ours, _quix_told(self._cluster.servers, self._output)),
            "pandas": _equal(ours, _pandas_told(self._pandas)),
        }


@contextmanager
def _timing(trades: int) -> Iterator[list[Timed]]:
    found: list[Timed] = []
    start_s, start_used_s = time.perf_counter(), time.process_time()
    yield found
    found.append(Timed(trades / (time.perf_counter() - start_s), (time.process_time() - start_used_s) / trades * 1e6))


# What was computed


def _told(servers: str, venue: str) -> Values:
    """Return what the job has said of closed minutes and of ten minutes, in ticks."""
    ticks = 1 / Worth.of(flow.instrument("S00000USD")).price(1)
    found: Values = {}
    with Reader(servers, venue, [topics.INDICATORS, topics.AVERAGES]) as reader:
        for record in reader.to_end():
            for one in _decode(record.value):
                if isinstance(one, WindowAverage):
                    if one.method == "hopping-10m-5m":
                        found.setdefault((one.symbol, one.end_ms), {})["average"] = one.average * ticks
                elif one.source == TRADES_SOURCE and one.span_ms == SPANS["1m"] and one.closed:
                    row = found.setdefault((one.symbol, one.start_ms), {})
                    row["close"] = one.close * ticks
                    for name in ("sma(20)", "ema(12)"):
                        if name in one.values:
                            row[name] = one.values[name] * ticks
                    if "rsi(14)" in one.values:
                        row["rsi(14)"] = one.values["rsi(14)"]
    return found


_decode: PacketDecoder[Any] = PacketDecoder(Indicators | WindowAverage)


def _quix_told(servers: str, output: str) -> Values:
    found: Values = {}
    with Reader(servers, None, [f"{output}.indicators", f"{output}.averages"]) as reader:
        for record in reader.to_end():
            told = json.loads(record.value)
            if "values" in told:
                found.setdefault((record.key, told["start_ms"]), {}).update(told["values"], close=told["close"])
            else:
                found.setdefault((record.key, told["end"]), {})["average"] = told["value"]
    return found


def _pandas_told(computed: windows_pandas.Computed) -> Values:
    found: Values = {}
    for (symbol, start), row in computed.candles.iterrows():
        found[symbol, start.value // 1_000_000] = {
            name: row[name] for name in NAMES if name in row and not isnan(row[name])
        }
    for (symbol, start), average in computed.averages.items():
        if not isnan(average):
            found.setdefault((symbol, start.value // 1_000_000 + SPANS["5m"]), {})["average"] = average
    return found


def _equal(ours: Values, theirs: Values) -> str:
    words = []
    for name in NAMES:
        pairs = [
            (row[name], theirs[place][name])
            for place, row in ours.items()
            if name in row and name in theirs.get(place, {})
        ]
        equal = sum(abs(one - other) <= 1e-9 * max(1, abs(one)) for one, other in pairs)
        words.append(f"{name} {equal:,} of {len(pairs):,}")
    return ", ".join(words)


# quixstreams' environment


def python() -> Path:
    """Return the interpreter of an environment with quixstreams, made now if it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"quixstreams-{sha256((sys.version + REQUIREMENTS.read_text()).encode()).hexdigest()[:12]}"
    home = cache / "openbell" / "engines" / name
    interpreter, installed = home / "bin" / "python", home / "installed"
    if not installed.exists():
        print(f"openbell: installing quixstreams into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True, timeout=INSTALL_S_MAX)
        words = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--require-hashes", "-r", str(REQUIREMENTS)]
        subprocess.run(words, check=True, timeout=INSTALL_S_MAX)
        installed.touch()
    return interpreter
