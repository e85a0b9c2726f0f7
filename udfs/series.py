"""Indicators over a series of bars of which the last few may still be corrected.

Theory of operation: a `Series` takes bars once, in order. A bar that may still change must not go into it for good, so `Settling` keeps one
series of the settled bars; what follows from the others is computed from a copy of it, anew whenever one of them changes. There are
rarely more than two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, NamedTuple, Self

import msgspec

from udfs.indicators import DEFAULTS, AnyStudy, output_names, parse
from udfs.packed import pack, unpacker

COLUMNS: Final = ("open", "high", "low", "close", "volume")


class BarOf(NamedTuple):
    """A bar: prices in the quote asset, volume in the base asset; `size` is the number of trades or messages in it."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    size: int = 1


class Series:
    """Some indicators, by name such as `rsi(14)`, over bars that come in order."""

    __slots__ = ("_steps", "studies")

    def __init__(self, specs: Iterable[str] = DEFAULTS, studies: list[AnyStudy] | None = None) -> None:
        self.studies = [parse(spec) for spec in specs] if studies is None else studies
        self._steps: list[tuple[Callable[..., Any], Any, tuple[str, ...]]] = [
            (study.step, _columns(study.inputs), output_names(study)) for study in self.studies
        ]

    def add(self, open: float, high: float, low: float, close: float, volume: float) -> dict[str, float]:  # noqa: A002
        """Take in the next bar and return the indicators after it, without those that are not warm."""
        bar = (open, high, low, close, volume)
        values: dict[str, float] = {}
        for step, columns, names in self._steps:
            value = step(close) if columns is None else step(*columns(bar))
            if value is None:
                continue
            if len(names) == 1:
                values[names[0]] = value
            else:
                values.update(zip(names, value, strict=True))
        return values

    def clone(self) -> Self:
        """Return a copy that goes its own way."""
        twin = object.__new__(type(self))
        twin.studies = [study.clone() for study in self.studies]
        twin._steps = [(study.step, *rest) for study, (_, *rest) in zip(twin.studies, self._steps, strict=True)]
        return twin


class Valued(NamedTuple):
    """A bar, the indicators after it, the number of bars up to it, and as `version` the sum of their sizes."""

    bar: BarOf
    values: dict[str, float]
    bars: int
    version: int


class Settling:
    """The indicators of a series whose last bars, given anew each time, are not settled. `bars` and `version` are of the settled."""

    __slots__ = ("bars", "changed", "settled", "version")

    def __init__(self, specs: Iterable[str] = DEFAULTS, version: int = 0) -> None:
        self.settled = Series(specs)
        self.bars = 0
        self.version = version
        self.changed = False

    def settle(self, bar: BarOf) -> None:
        """Take a bar in for good."""
        self.settled.add(*bar[1:6])
        self.bars += 1
        self.version += bar.size
        self.changed = True

    def after(self, unsettled: Iterable[BarOf], from_ms: int) -> list[Valued]:
        """Return the indicators after each of the bars that are not settled, from the bar that begins at `from_ms` on."""
        series, bars, version = self.settled.clone(), self.bars, self.version
        found: list[Valued] = []
        for bar in unsettled:
            values = series.add(*bar[1:6])
            bars += 1
            version += bar.size
            if bar.start_ms >= from_ms:
                found.append(Valued(bar, values, bars, version))
        return found

    # As text

    def text(self) -> str:
        """Return the settled state as text."""
        return pack(_Stored(self.bars, self.version, self.settled.studies))

    @classmethod
    def restored(cls, text: str) -> Self:
        """Return what `text` was made of."""
        stored = _unpack(text)
        found = cls(())
        found.settled = Series(studies=stored.studies)
        found.bars, found.version = stored.bars, stored.version
        return found


class _Stored(msgspec.Struct, array_like=True):
    bars: int
    version: int
    studies: list[AnyStudy]


_unpack = unpacker(_Stored)


def _columns(inputs: tuple[str, ...]) -> Any:
    """Return what picks a study's inputs from a bar; None: it takes the close alone."""
    if inputs == ("close",):
        return None
    places = [COLUMNS.index(name) for name in inputs]
    return itemgetter(*places) if len(places) > 1 else lambda bar: (bar[places[0]],)
