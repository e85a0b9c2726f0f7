"""Openbell's book and other Python matching engines on the same order flows: rates, whether the trades agree, memory.

Theory of operation: a flow is made once and written to a file. Each engine gets it in a process of its own (theirs in an environment of
their own), which makes the engine's own inputs beforehand and times only the engine's calls. Engines take turns, round by round, so
that what else the machine does meets all of them; a ratio is the median of those of the rounds. An engine that is slow stops after `SECONDS`
and has done the beginning of the flow. A round before them, not timed, takes down the trades. "Whole" is the same on new books with all that an
engine takes (order objects, decimal prices, ids of its own; our messages) made from plain integers within the measured time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from bench import machine
from bench.engines import flows
from bench.engines.environments import ENGINES, Engine, Unavailable, python

Row: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]
Trades: TypeAlias = list[list[list[int]]]

COMMANDS: Final = 50_000
SECONDS: Final = 0.7
"""How long an engine may work on a flow."""
CHECK_S: Final = 10.0
"""How long our own book may take to say what trades are right: the whole flow."""
PROCESS_S_MAX: Final = {"check": 40, "rate": 200, "both": 80, "memory": 40}
"""After how long an engine is taken to hang: it has at most 10 s for the orders that rest beforehand, and `SECONDS`."""
RESTING: Final = 100_000
DEPTHS: Final = (100, 10_000, 1_000_000)
OURS: Final = Engine("openbell", "this one", "Apache-2.0")
ROOT: Final = Path(__file__).parent.parent


def compare(repeat: int) -> Iterator[Row]:
    """Yield a row for each flow and engine, one for each engine's memory, and one for each depth of our own book."""
    with TemporaryDirectory(prefix="openbell-engine-") as folder:
        bench = _Bench(Path(folder))
        yield from (bench.missing[engine] for engine in bench.missing)
        for name, shape in flows.SHAPES.items():
            path = bench.write(name, flows.make(name, COMMANDS), shape.symbols)
            yield from _flow(bench, name, path, repeat)
        path = bench.write("resting", flows.Flow(list(flows.resting(RESTING, Random(1))), []), 1)
        yield from (_memory(bench, engine, path) for engine in bench.engines)
        for depth in DEPTHS:
            path = bench.write("depth", flows.make("mixed", COMMANDS, resting_orders=depth), 1)
            yield _depth(depth, [bench.run(OURS, "rate", path) for _ in range(repeat)])


class _Bench:
    """The engines that can be had here, and the folder for what they are given and answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: dict[Engine, Path] = {OURS: Path(sys.executable)}
        self.missing: dict[Engine, Row] = {}
        for engine in ENGINES:
            try:
                self.engines[engine] = python(engine)
            except Unavailable as error:
                self.missing[engine] = {"what": _title(engine), "built": engine.built, "outcome": str(error)}

    def write(self, name: str, flow: flows.Flow, symbols: int) -> Path:
        """Write a flow where the engines read it."""
        path = self.folder / name
        with path.open("w") as out:
            print(symbols, file=out)
            for part in flow:
                out.writelines(" ".join(map(str, command)) + "\n" for command in part)
                print(file=out)
        return path

    def run(self, engine: Engine, mode: str, flow: Path, seconds: float = SECONDS) -> Answer:
        """Let an engine work in a process of its own and return its answer."""
        outcome = self.folder / "outcome"
        outcome.unlink(missing_ok=True)
        words = [
            str(self.engines[engine]), "-m", "bench.engines.runner", engine.package, mode, str(flow), str(outcome), str(seconds),
        ]  # fmt: skip
        try:
            ended = subprocess.run(
                words, cwd=ROOT, capture_output=True, text=True, timeout=PROCESS_S_MAX[mode], check=False
            )
        except subprocess.TimeoutExpired:
            return {"error": f"hangs: has not ended after {PROCESS_S_MAX[mode]} s"}
        if not outcome.exists():
            return {"error": (ended.stderr.strip().splitlines() or [f"ended with {ended.returncode}"])[-1]}
        answer: Answer = json.loads(outcome.read_text())
        return answer


def _flow(bench: _Bench, name: str, path: Path, repeat: int) -> Iterator[Row]:
    checks = {
        engine: bench.run(engine, "check", path, CHECK_S if engine is OURS else SECONDS) for engine in bench.engines
    }
    able = [engine for engine, answer in checks.items() if "error" not in answer]
    rounds = [{engine: bench.run(engine, "both", path) for engine in able} for _ in range(repeat)]
    for engine, checked in checks.items():
        row: Row = {"what": f"{name}: {_title(engine)}", "built": engine.built}
        error = next(
            (found["error"] for found in (checked, *(each.get(engine, {}) for each in rounds)) if "error" in found),
            None,
        )
        if error is not None:
            yield row | {"outcome": error}
            continue
        rates, whole = ([_rate(each[engine][part]) for each in rounds] for part in ("calls", "whole"))
        faster, wholly = (
            median(_rate(each[OURS][part]) / _rate(each[engine][part]) for each in rounds)
            for part in ("calls", "whole")
        )
        done = min(each[engine]["calls"]["commands"] for each in rounds)
        yield (
            row
            | _rates(rates)
            | {
                "openbell": f"{faster:.2f} x",
                "whole": f"{median(whole):,.0f} orders/s",
                "openbell whole": f"{wholly:.2f} x",
                "done": f"{done:,} of {COMMANDS:,}",
                "trades": agreement(checks[OURS]["trades"], checked),
            }
        )


def _depth(depth: int, answers: list[Answer]) -> Row:
    row: Row = {"what": f"depth: openbell, mixed on {depth:,} resting orders"}
    error = next((answer["error"] for answer in answers if "error" in answer), None)
    return row | ({"outcome": error} if error else _rates([_rate(answer["calls"]) for answer in answers]))


def agreement(ours: Trades, theirs: Answer) -> str:
    """Say whether an engine's trades are ours as far as it got, or what the first is that differs."""
    number = 0
    for index, trades in enumerate(theirs["trades"]):
        wanted = _totals(ours[index]) if theirs["totals"] else ours[index]
        for want, got in zip_longest(wanted, trades):
            if want != got:
                return f"WRONG at command {index + 1:,}: {_words(got)} in place of {_words(want)}"
        number += len(wanted)
    return f"{number:,} agree ({theirs['reports']})"


def _totals(trades: list[list[int]]) -> list[list[int]]:
    sums: dict[int, int] = {}
    for price, quantity, _ in trades:
        sums[price] = sums.get(price, 0) + quantity
    return [[price, quantity, 0] for price, quantity in sums.items()]


def _words(trade: list[int] | None) -> str:
    return "no trade" if trade is None else f"{trade[1]} lots at {trade[0]} of order {trade[2]}"


def _memory(bench: _Bench, engine: Engine, path: Path) -> Row:
    answer = bench.run(engine, "memory", path)
    row: Row = {"what": f"memory: {_title(engine)}", "built": engine.built}
    if "error" in answer:
        return row | {"outcome": answer["error"]}
    return row | {
        "bytes": f"{answer['bytes'] / answer['orders']:,.0f} bytes a resting order",
        "resting": f"{answer['orders']:,} orders",
    }


def _title(engine: Engine) -> str:
    return engine.package if engine is OURS else f"{engine.package} {engine.version}"


def _rate(timed: dict[str, float]) -> float:
    """Return the commands per second; a cancel counts as an order."""
    return timed["commands"] / timed["seconds"]


def _rates(rates: list[float]) -> Row:
    return {
        "median": f"{median(rates):,.0f} orders/s",
        "spread": f"{min(rates):,.0f} to {max(rates):,.0f}",
        "load": machine.load(),
    }
