"""Bars to compute indicators of, and the oracles' answers beside ours."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from replay import bars as bokeh
from udfs.indicators import output_names, parse
from udfs.study import Study

SEED = 20_061


class Quoted(NamedTuple):
    """A bar in the quote asset."""

    open: float
    high: float
    low: float
    close: float
    volume: float


def real(symbol: str) -> list[Quoted]:
    """Return the daily bars of a stock."""
    tick = float(bokeh.INSTRUMENTS[symbol].tick)
    lot = float(bokeh.INSTRUMENTS[symbol].lot)
    return [
        Quoted(bar.open * tick, bar.high * tick, bar.low * tick, bar.close * tick, bar.volume * lot)
        for bar in bokeh.load().bars[symbol]
    ]


def walk(count: int, seed: int = SEED) -> list[Quoted]:
    """Return bars of a price that goes at random, by about one per cent a bar and never far from 100; volumes are whole."""
    print(f"random bars of seed {seed}")
    chance = random.Random(seed)
    found = []
    close = 100.0
    for _ in range(count):
        opened, close = close, close * math.exp(chance.gauss(0, 0.01)) + (100 - close) * 0.001
        high = max(opened, close) * (1 + abs(chance.gauss(0, 0.003)))
        low = min(opened, close) * (1 - abs(chance.gauss(0, 0.003)))
        found.append(Quoted(opened, high, low, close, float(chance.randrange(1, 100_000))))
    return found


def new(name: str) -> Study:
    """Return a new study of this name, of any kind."""
    return parse(name)


def results(name: str, bars: Iterable[Any]) -> list[Any]:
    """Return what the study of this name says after each bar, as a tuple; None where it says nothing."""
    study = new(name)
    rows = ([getattr(bar, column) for column in study.inputs] for bar in bars)
    found = [study.step(*row) for row in rows]
    return [said if said is None or study.outputs else (said,) for said in found]


def differences(name: str, found: Sequence[Any], expected: Sequence[Any]) -> list[str]:
    """Return where two rows of results differ by more than a part in 1e9 (or 1e-9), or in whether there is one."""
    outputs = output_names(parse(name))
    assert len(found) == len(expected)
    wrong = []
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if (ours is None) != (theirs is None):
            wrong.append(f"{name} at {place}: {ours} instead of {theirs}")
        elif ours is not None:
            wrong += [
                f"{output} at {place}: {one!r} instead of {other!r}"
                for output, one, other in zip(outputs, ours, theirs, strict=True)
                if not math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
            ]
    return wrong
