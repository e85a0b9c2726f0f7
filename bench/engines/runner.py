"""One engine, one flow, one process: `python -m bench.engines.runner ENGINE MODE FLOW OUTCOME SECONDS`.

Runs in the engine's own environment. FLOW is a file with a command a line (`flows` says what it holds), those that are not measured before
an empty line; OUTCOME the file that the answer goes to. Modes: `rate` times the engine's calls, whose arguments are made beforehand; `both`
does, too, and then times making them and the calls together, on new books; `check` takes down the trades; `memory` measures the orders that
rest before the empty line. Time is the process's own processor time, so that others on the machine cost little; it stops after
SECONDS of the measured part, and after `REST_S_MAX` of resting.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from bench.engines.adapters import ADAPTERS, Adapter

STRIDE = 100
"""How many commands come between two looks at the clock."""
REST_S_MAX = 10
"""How many seconds an engine may take for the orders that rest beforehand."""
PAGE_BYTES = 4096

Answer: TypeAlias = dict[str, Any]


class TooSlow(Exception):
    """An engine that takes too long to get to where the measurement begins."""


def main() -> None:
    """Run what is asked for and write the answer down, an exception of the engine's as its text."""
    name, mode, flow, outcome, seconds = sys.argv[1:]
    answer: Answer = {}
    try:
        if mode == "memory":
            answer = _memory(name, Path(flow))
        elif mode == "check":
            answer = _check(name, Path(flow), float(seconds))
        else:
            answer = {"calls": _timed(name, Path(flow), float(seconds), whole=False)}
            if mode == "both":
                answer["whole"] = _timed(name, Path(flow), float(seconds), whole=True)
    except TooSlow as error:
        answer = {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever another engine raises is its answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    Path(outcome).write_text(json.dumps(answer))


@contextmanager
def _opened(name: str, flow: Path, remember: bool = True) -> Iterator[tuple[Adapter, TextIO]]:
    """Give an engine with empty books, and the commands of a flow."""
    with flow.open() as lines:
        engine = _engine(name)(int(lines.readline()), remember)
        try:
            yield engine, lines
        finally:
            engine.close()


def _engine(name: str) -> type[Adapter]:
    if name != "openbell":
        return ADAPTERS[name]
    from bench.engines.openbell import Openbell  # noqa: PLC0415 - imports what other engines' environments lack

    return Openbell


def _commands(lines: TextIO) -> Iterator[list[int]]:
    """Yield the commands down to an empty line, each with integers of its own."""
    for line in lines:
        if line == "\n":
            return
        yield [int(word) for word in line.split()]


def _rest(engine: Adapter, lines: TextIO) -> int:
    """Carry out the commands that are not measured; return how many these were, or raise `TooSlow`."""
    done, start = 0, time.process_time()
    for command in _commands(lines):
        call, arguments = engine.prepare(command)
        call(*arguments)
        done += 1
        if not done % STRIDE and time.process_time() - start > REST_S_MAX:
            raise TooSlow(f"too slow: only {done:,} orders rest after {REST_S_MAX} s")
    engine.logged()
    return done


def _timed(name: str, flow: Path, seconds: float, whole: bool) -> dict[str, float]:
    """Return how many commands were done, and in how many seconds."""
    with _opened(name, flow) as (engine, lines):
        _rest(engine, lines)
        commands = list(_commands(lines))
        calls = [(engine.carry_out, (command,)) for command in commands] if whole else [*map(engine.prepare, commands)]
        gc.collect()
        gc.freeze()
        done, left, elapsed = 0, iter(calls), 0.0
        start = time.process_time()
        while done < len(calls) and elapsed < seconds:
            for call, arguments in islice(left, STRIDE):
                call(*arguments)
            done = min(done + STRIDE, len(calls))
            elapsed = time.process_time() - start
        gc.unfreeze()
        return {"commands": done, "seconds": elapsed}


def _check(name: str, flow: Path, seconds: float) -> Answer:
    with _opened(name, flow) as (engine, lines):
        _rest(engine, lines)
        prepared = [engine.prepare(command) for command in _commands(lines)]
        return {"trades": list(_trades(engine, prepared, seconds)), "reports": engine.reports, "totals": engine.totals}


def _trades(engine: Adapter, prepared: Iterable[Any], seconds: float) -> Iterator[list[list[int]]]:
    """Yield the trades of each command, until the time is up."""
    end = time.process_time() + seconds
    for call, arguments in prepared:
        result = call(*arguments)
        yield [list(trade) for trade in engine.trades(result)]
        if time.process_time() > end:
            return


def _memory(name: str, flow: Path) -> Answer:
    """Return how much the process grows by with the orders that rest, in bytes of resident memory."""
    with _opened(name, flow, remember=False) as (engine, lines):
        gc.collect()
        before = _resident()
        rested = _rest(engine, lines)
        gc.collect()
        return {"orders": rested, "bytes": _resident() - before}


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    main()
