# mypy: allow-subclassing-any
"""The indicators as functions of Flink: of a DataStream's windows, and of SQL. The one module of `udfs` that knows Flink.

Theory of operation: an indicator needs its bars in the order of time, and Flink gives a window's in the order in which they came. So a
window keeps its bars as they come, in Flink's own state and of Flink's own types, and when it fires they are sorted and stepped through a
new study: the result is that of the same bars in order. Each window begins anew; an indicator that is to go on from window to window
is what the `indicators` job computes.

**DataStream** (thread mode and process mode): `StudyWindow` over rows with named fields, or dicts. Tumbling, sliding and session windows, and
`count_window(size)`, `count_window(size, slide)`, in which the count goes by arrival and the order within a window by time; one begins with
every `slide`th bar, and tells when it is full.

    studies = StudyWindow("rsi(14)", "macd(12,26,9)")
    by_symbol = bars.key_by(lambda bar: bar["symbol"], Types.STRING())
    windows = by_symbol.window(SlidingEventTimeWindows.of(Time.minutes(10), Time.minutes(5)))
    rows = windows.process(studies, studies.output_type())

**SQL**: `register(table_env)` makes these known, under these names in every catalog. Their arguments are numbers of any SQL type.

- Functions of a row: `TYPICAL_PRICE(high, low, close)`, `MIDDLE_PRICE(bid, ask)`, `SPREAD(bid, ask)`, `RELATIVE_SPREAD(bid, ask)`,
  `DEPTH_IMBALANCE(bids, asks)`, `SIMPLE_RETURN(before, now)`, `LOG_RETURN(before, now)`, `TRUE_RANGE(high, low, close_before)`: NULL of a NULL.
- Aggregates `SMA`, `EMA`, `RSI`, `MACD`, ...: the value after the rows of a group. Arguments: what the rows are sorted by (a TIMESTAMP(3), a
  TIMESTAMP_LTZ(3) or a BIGINT, such as a trade's number), the indicator's inputs, its parameters. One that gives several numbers gives a
  row of them. Write group windows, `TUMBLE`, `HOP` and `SESSION` in GROUP BY, which give each window once, when it is over, and forget it.
  By window functions (`FROM TABLE(HOP(...))`), and without a window, Flink computes Python aggregates as a table that changes with each
  row, and keeps all rows for ever. Flink always runs them in process mode, and has them in no OVER window.

        SELECT symbol, HOP_END(row_time, INTERVAL '5' MINUTE, INTERVAL '10' MINUTE) AS window_end,
          RSI(row_time, price, 14) AS rsi, MACD(row_time, price, 12, 26, 9) AS macd
        FROM trades GROUP BY symbol, HOP(row_time, INTERVAL '5' MINUTE, INTERVAL '10' MINUTE)

- Aggregates `FIRST_BY(order, number)`, `LAST_BY(order, number)`, `AVERAGE_PRICE(price, quantity)`: what candles need beside MIN, MAX and SUM.
- Functions of a bounded OVER window, whose rows Flink has sorted; Flink allows these neither parameters nor rows of numbers, so each
  output of each of `over` has its own: `RSI_14_OVER(close)`, `MACD_12_26_9_SIGNAL_OVER(close)`. Each row steps through its whole window.

        SELECT symbol, row_time, SMA_20_OVER(price) OVER (PARTITION BY symbol ORDER BY row_time
          ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS average FROM trades

Rows that lack one of the numbers (NULL, NaN) are left out. Rows with the same time are taken in the order of their numbers, so that the result
never depends on the order of arrival.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pyflink.common import Row
from pyflink.common.typeinfo import Types
from pyflink.datastream import ProcessWindowFunction
from pyflink.datastream.window import TimeWindow
from pyflink.table import DataTypes
from pyflink.table.udf import AggregateFunction, ScalarFunction, udaf, udf

from udfs import scalars
from udfs.indicators import DEFAULTS, STUDIES, output_names, parse, values
from udfs.indicators.book import DepthImbalance, Spread

SCALARS: Final[Mapping[str, Callable[..., float | None]]] = {
    "TYPICAL_PRICE": scalars.typical_price,
    "MIDDLE_PRICE": scalars.middle_price,
    "SPREAD": Spread().step,
    "RELATIVE_SPREAD": scalars.relative_spread,
    "DEPTH_IMBALANCE": DepthImbalance(1).step,
    "SIMPLE_RETURN": scalars.simple_return,
    "LOG_RETURN": scalars.log_return,
    "TRUE_RANGE": scalars.true_range,
}
"""Functions of a row, by their SQL names. Spread and depth imbalance are indicators without state."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StudyWindow(ProcessWindowFunction):
    """What indicators say after the bars of a window.

    Bars are rows with named fields, or dicts, with the columns `order` and the indicators' inputs. `order` is what bars are sorted
    by, its first column their event time in milliseconds. Yields rows of `output_type()`: the key; `start_ms` and `end_ms` of the window,
    or, if it is one by count, the times of its first and last bar; `bars`, how many there are; and each output by its name, NULL
    before it is warm.
    """

    def __init__(self, *names: str, order: Sequence[str] = ("time_ms",)) -> None:
        studies = {name: parse(name) for name in names}
        self._inputs = {name: study.inputs for name, study in studies.items()}
        self._order = tuple(order)
        self._columns = tuple(dict.fromkeys(column for columns in self._inputs.values() for column in columns))
        self._outputs = [output for study in studies.values() for output in output_names(study)]

    def output_type(self, key_type: Any = None) -> Any:
        """Return the type of the rows; `key_type` is that of the stream's keys, a string if not told."""
        return Types.ROW_NAMED(
            ["key", "start_ms", "end_ms", "bars", *self._outputs],
            [
                key_type or Types.STRING(),
                Types.LONG(),
                Types.LONG(),
                Types.INT(),
                *[Types.DOUBLE()] * len(self._outputs),
            ],
        )

    def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Iterable[Any]) -> Iterator[Row]:
        """Yield one row, or none if no bar of the window is whole."""
        bars = sorted(bar for element in elements if (bar := self._read(element)) is not None)
        if not bars:
            return
        window = context.window()
        is_timed = isinstance(window, TimeWindow)
        start_ms, end_ms = (window.start, window.end) if is_timed else (bars[0][0][0], bars[-1][0][0])
        columns = dict(zip(self._columns, zip(*(numbers for _, numbers in bars), strict=True), strict=True))
        found: dict[str, float] = {}
        for name, inputs in self._inputs.items():
            found |= _after(name, zip(*(columns[column] for column in inputs), strict=True))
        yield Row(key, start_ms, end_ms, len(bars), *map(found.get, self._outputs))

    def _read(self, element: Any) -> tuple[tuple[Any, ...], list[float]] | None:
        numbers = [element[name] for name in self._columns]
        return (tuple(element[name] for name in self._order), _floats(numbers)) if _is_whole(numbers) else None


class _Scalar(ScalarFunction):
    """A function of a row's numbers. It is found by name where it runs, so that only the name is sent there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def eval(self, *numbers: Any) -> float | None:
        return SCALARS[self._name](*_floats(numbers)) if _is_whole(numbers) else None


class _StudyAggregate(AggregateFunction):
    """An indicator after a group's rows. The accumulator is [indicator's name, its rows' (order, numbers)]."""

    accumulator_type = "ROW<name STRING, bars ARRAY<ROW<place BIGINT, numbers ARRAY<DOUBLE>>>>"

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._inputs = len(STUDIES[tag].inputs)
        self._outputs = bool(STUDIES[tag].outputs)

    def create_accumulator(self) -> list[Any]:
        return ["", []]

    def accumulate(self, accumulator: Any, order: Any, *arguments: Any) -> None:
        numbers, parameters = arguments[: self._inputs], arguments[self._inputs :]
        if not accumulator[0]:
            name = f"{self._tag}({','.join(map(str, parameters))})" if parameters else self._tag
            parse(name)
            accumulator[0] = name
        if order is not None and _is_whole(numbers):
            accumulator[1].append(Row(_place(order), _floats(numbers)))

    def retract(self, accumulator: Any, order: Any, *arguments: Any) -> None:
        numbers = arguments[: self._inputs]
        if order is not None and _is_whole(numbers):
            bars = accumulator[1]
            bars.pop(_bars(bars).index((_place(order), _floats(numbers))))

    def merge(self, accumulator: Any, accumulators: Iterable[Any]) -> None:
        for other in accumulators:
            accumulator[0] = accumulator[0] or other[0]
            accumulator[1].extend(other[1])

    def get_value(self, accumulator: Any) -> Any:
        if not accumulator[1]:
            return None
        found = _after(accumulator[0], (numbers for _, numbers in sorted(_bars(accumulator[1]))))
        if not found:
            return None
        return Row(*found.values()) if self._outputs else next(iter(found.values()))


class _EndBy(AggregateFunction):
    """The number with the least or the greatest order; of equal orders the least or the greatest number."""

    accumulator_type = "ROW<place BIGINT, number DOUBLE>"

    def __init__(self, is_first: bool) -> None:
        self._is_first = is_first

    def create_accumulator(self) -> list[Any]:
        return [None, None]

    def accumulate(self, accumulator: Any, order: Any, number: Any) -> None:
        if order is not None and _is_whole((number,)):
            self._take(accumulator, (_place(order), float(number)))

    def merge(self, accumulator: Any, accumulators: Iterable[Any]) -> None:
        for other in accumulators:
            if other[0] is not None:
                self._take(accumulator, (other[0], other[1]))

    def get_value(self, accumulator: Any) -> float | None:
        number: float | None = accumulator[1]
        return number

    def _take(self, accumulator: Any, found: tuple[int, float]) -> None:
        held = (accumulator[0], accumulator[1])
        if held[0] is None or (found < held if self._is_first else found > held):
            accumulator[0], accumulator[1] = found


class _AveragePrice(AggregateFunction):
    """Turnover / quantity, NULL while the quantity is 0."""

    accumulator_type = "ROW<turnover DOUBLE, quantity DOUBLE>"

    def create_accumulator(self) -> list[float]:
        return [0.0, 0.0]

    def accumulate(self, accumulator: Any, price: Any, quantity: Any) -> None:
        self._add(accumulator, price, quantity, 1)

    def retract(self, accumulator: Any, price: Any, quantity: Any) -> None:
        self._add(accumulator, price, quantity, -1)

    def merge(self, accumulator: Any, accumulators: Iterable[Any]) -> None:
        for other in accumulators:
            accumulator[0] += other[0]
            accumulator[1] += other[1]

    def get_value(self, accumulator: Any) -> float | None:
        return accumulator[0] / accumulator[1] if accumulator[1] else None

    def _add(self, accumulator: Any, price: Any, quantity: Any, sign: int) -> None:
        if _is_whole((price, quantity)):
            accumulator[0] += sign * float(price) * float(quantity)
            accumulator[1] += sign * float(quantity)


class _Over(AggregateFunction):
    """One output of an indicator after the rows of an OVER window, which come as pandas columns, in order."""

    def __init__(self, name: str, output: str) -> None:
        self._name = name
        self._output = output

    def create_accumulator(self) -> list[Any]:
        return []

    def accumulate(self, accumulator: list[Any], *columns: Any) -> None:
        rows = zip(*(column.tolist() for column in columns), strict=True)
        accumulator.append(_after(self._name, (_floats(row) for row in rows if _is_whole(row))).get(self._output))

    def get_value(self, accumulator: list[Any]) -> Any:
        return accumulator[0]


def register(table_env: Any, over: Iterable[str] = DEFAULTS) -> tuple[str, ...]:
    """Make the functions known to a table environment, those of OVER windows for the indicators `over`; return their SQL names.

    Raises:
        ExchangeError: if one of `over` is no indicator.
    """
    functions = {name: udf(_Scalar(name), result_type=DataTypes.DOUBLE(), name=name) for name in SCALARS}
    for tag in STUDIES:
        if tag.upper() not in functions:
            functions[tag.upper()] = _aggregate(tag.upper(), _StudyAggregate(tag), _result_type(tag))
    functions["FIRST_BY"] = _aggregate("FIRST_BY", _EndBy(is_first=True), "DOUBLE")
    functions["LAST_BY"] = _aggregate("LAST_BY", _EndBy(is_first=False), "DOUBLE")
    functions["AVERAGE_PRICE"] = _aggregate("AVERAGE_PRICE", _AveragePrice(), "DOUBLE")
    for indicator in over:
        for output in output_names(parse(indicator)):
            name = _over_name(output)
            functions[name] = udaf(_Over(indicator, output), result_type="DOUBLE", func_type="pandas", name=name)
    for name, function in functions.items():
        table_env.create_temporary_system_function(name, function)
    return tuple(functions)


def _aggregate(name: str, function: Any, result_type: str) -> Any:
    return udaf(function, result_type=result_type, accumulator_type=function.accumulator_type, name=name)


def _result_type(tag: str) -> str:
    fields = ", ".join(f"`{output or tag}` DOUBLE" for output in STUDIES[tag].outputs)
    return f"ROW<{fields}>" if fields else "DOUBLE"


def _over_name(output: str) -> str:
    """Return the SQL name of an output.

    >>> _over_name("bollinger(20,2.5).upper")
    'BOLLINGER_20_2_5_UPPER_OVER'
    """
    return re.sub(r"[^A-Z0-9]+", "_", output.upper()).strip("_") + "_OVER"


def _after(name: str, rows: Iterable[Sequence[float]]) -> dict[str, float]:
    """Return what an indicator gives after the last of `rows`, by the names of its outputs; nothing before it is warm."""
    step: Callable[..., Any] = parse(name).step
    found = None
    for row in rows:
        found = step(*row)
    return {output: float(number) for output, number in values(name, found).items()}


def _bars(rows: Iterable[Any]) -> list[tuple[int, list[float]]]:
    """Return an accumulator's rows as tuples: Flink's own differ once they have been stored."""
    return [(row[0], list(row[1])) for row in rows]


def _floats(numbers: Iterable[Any]) -> list[float]:
    return [float(number) for number in numbers]


def _is_whole(numbers: Iterable[Any]) -> bool:
    return all(number is not None and math.isfinite(number) for number in numbers)


def _place(order: Any) -> int:
    """Return what rows are sorted by as a whole number: of a time the microseconds since the epoch, a time without a zone being UTC."""
    if not isinstance(order, datetime):
        return int(order)
    time = order if order.tzinfo else order.replace(tzinfo=UTC)
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
