"""Indicators over whole columns: a pandas DataFrame, an Arrow table, a dict of columns, or just closes, as replay and backtest have them.

Theory of operation: a frame is known by what it can do, not by its class, so that this module needs neither pandas nor Arrow: what has
`column_names` and `from_pydict` is an Arrow table, what has `columns` and `index` a DataFrame, what has `to_frame` a Series; what has `tolist`
or `to_pylist` turns into a list by it. The columns are read once, checked to be numbers, and each study is stepped over its own ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from exchange.errors import ExchangeError
from udfs.indicators import output_names, parse

Number = int | float | Decimal
Values = list[float | None]

_CLOSE: Final = "close"


class InvalidColumns(ExchangeError):
    """Columns that no indicator can be computed of: missing, of unequal lengths, or with something in them that is no number."""


def compute(frame: Any, *names: str) -> Any:
    """Return the indicators `names` (such as `rsi(14)`) after each row of `frame`, whose rows are bars in the order of time.

    What comes back is of the kind that came in, and as long, with a column for each output: of a DataFrame or Series a DataFrame with its
    index, of an Arrow table (whose columns may be chunked) a table, of anything else a dict of lists. A frame that is only a sequence
    of numbers is taken as closes. Before an indicator is warm it is NaN in a DataFrame, null in a table, None in a list.

    >>> compute([1.0, 2.0, 4.0], "sma(2)")
    {'sma(2)': [None, 1.5, 3.0]}
    >>> compute({"close": [1, 2], "volume": [10, 5]}, "sma(1)", "obv")
    {'sma(1)': [1.0, 2.0], 'obv': [10.0, 15.0]}

    Raises:
        InvalidColumns: if a column is missing, if those that are needed differ in length, or if one of them has something in it that
            is no finite number (None and NaN neither).
        ExchangeError: if a name is that of no indicator.
    """
    if hasattr(frame, "column_names") and hasattr(frame, "from_pydict"):
        return _arrow_table(frame, _indicators(frame, frame.column_names, names))
    if hasattr(frame, "to_frame"):
        frame = frame.to_frame(_CLOSE)
    if hasattr(frame, "columns") and hasattr(frame, "index"):
        found = _indicators(frame, list(frame.columns), names)
        return type(frame)({name: _with_nan(values) for name, values in found.items()}, index=frame.index)
    if isinstance(frame, Mapping):
        return _indicators(frame, list(frame), names)
    return _indicators({_CLOSE: frame}, [_CLOSE], names)


def _indicators(frame: Any, present: Sequence[str], names: Iterable[str]) -> dict[str, Values]:
    studies = [parse(name) for name in names]
    needed = dict.fromkeys(column for study in studies for column in study.inputs)
    missing = [column for column in needed if column not in present]
    if missing:
        raise InvalidColumns(f"column {missing[0]!r} is missing; there are {', '.join(map(str, present)) or 'none'}")
    columns = {column: _numbers(column, frame[column]) for column in needed}
    lengths = {column: len(numbers) for column, numbers in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{column} has {length}" for column, length in lengths.items())
        raise InvalidColumns(f"columns must have the same number of rows: {told}")
    found: dict[str, Values] = {}
    for study in studies:
        outputs = output_names(study)
        steps: Iterable[Any] = map(study.step, *(columns[column] for column in study.inputs))
        if len(outputs) == 1:
            found[outputs[0]] = list(steps)
        else:
            cold = (None,) * len(outputs)
            rows = [cold if row is None else row for row in steps]
            found.update((name, [row[place] for row in rows]) for place, name in enumerate(outputs))
    return found


def _numbers(column: str, values: Any) -> list[float]:
    """Return a column as floats.

    Raises:
        InvalidColumns: at the first value that is no finite number.
    """
    for method in ("to_pylist", "tolist"):
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    numbers = []
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, Number) or not _is_finite(value):
            raise InvalidColumns(
                f"column {column!r}, row {row} (the first is 0): {str(value)[:40]!r} is no finite number"
            )
        numbers.append(float(value))
    return numbers


def _is_finite(value: Number) -> bool:
    try:
        return math.isfinite(value)
    except (OverflowError, ValueError):  # an int too great for a float, or a signalling NaN of a Decimal
        return False


def _with_nan(values: Values) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _arrow_table(frame: Any, found: dict[str, Values]) -> Any:
    """Return a table of the class of `frame`. A number in front, cut off again, makes a column of nulls alone one of numbers, too."""
    return type(frame).from_pydict({name: [0.0, *values] for name, values in found.items()}).slice(1)
