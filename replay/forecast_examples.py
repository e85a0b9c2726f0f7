"""What a forecast is trained on: of each bar of the archive its features, and whether the price had risen some bars later.

The features of a bar come from that bar and those before it, as in a running job; only the answer comes from later ones, and each
example says when it is known (`known_ms`), so that nothing is trained on an answer from the time that it will be tested in. Prices count in ticks: features
have no unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from exchange.messages import Bar
from udfs.forecast import FORMULAS, features_of
from udfs.series import Series


@dataclass(frozen=True)
class Examples:
    """Columns of equal length, by time and then symbol: an example for each bar that has all features and an answer.

    `start_ms` is when the bar began, `known_ms` when the one began that gave the answer, `features` a row in the order of `FORMULAS`, `rose` the
    answer (the later close is higher), `rose_before` whether this close is higher than that of as many bars before.
    """

    symbol: NDArray[Any]
    start_ms: NDArray[np.int64]
    known_ms: NDArray[np.int64]
    features: NDArray[np.float64]
    rose: NDArray[np.bool_]
    rose_before: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rose)

    def where(self, chosen: NDArray[Any]) -> Self:
        """Return the examples of a mask or of positions."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def before(self, until_ms: int) -> Self:
        """Return the examples whose answer was known by a bar that began before `until_ms`.

        So between them and what is forecast from bars since then, as many bars as the forecast looks ahead are left out.
        """
        return self.where(self.known_ms < until_ms)

    def between(self, from_ms: int, to_ms: int) -> Self:
        """Return the examples of bars that began from `from_ms` on and before `to_ms`."""
        return self.where((self.start_ms >= from_ms) & (self.start_ms < to_ms))


def examples(bars: Mapping[str, Sequence[Bar]], horizon: int) -> Examples:
    """Return the examples that the bars of each symbol give, with answers from `horizon` bars later."""
    rows = [row for symbol in sorted(bars) for row in _rows(symbol, bars[symbol], horizon)]
    rows.sort(key=lambda row: (row[1], row[0]))
    symbol, start_ms, known_ms, features, rose, rose_before = zip(*rows, strict=True) if rows else ((),) * 6
    return Examples(
        np.array(symbol, dtype=np.str_),
        np.array(start_ms, dtype=np.int64),
        np.array(known_ms, dtype=np.int64),
        np.array(features, dtype=np.float64).reshape(len(rows), len(FORMULAS)),
        np.array(rose, dtype=np.bool_),
        np.array(rose_before, dtype=np.bool_),
    )


def _rows(symbol: str, bars: Sequence[Bar], horizon: int) -> list[tuple[Any, ...]]:
    """Return a symbol's examples, as the fields of `Examples`."""
    series = Series()
    rows = []
    for position, bar in enumerate(bars[: len(bars) - horizon]):
        values = series.add(float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume))
        features = features_of(bar.close, values)
        if features is None or position < horizon:
            continue
        later, before = bars[position + horizon], bars[position - horizon]
        rose, rose_before = later.close > bar.close, bar.close > before.close
        rows.append((symbol, bar.start_ms, later.start_ms, features, rose, rose_before))
    return rows
