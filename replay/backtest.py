"""Rules asked over past bars, and scored: the machine of the `signals` job, fed from a file.

Theory of operation: bars go one after the other through the indicators that the rules need and into a `Signaller`, as closed bars do in the job.
So a backtest signals and scores what the job would have, by the same code, and cannot look ahead where the job could not.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from exchange.analysis import Indicators, Signal
from exchange.candles import DAY_MS
from exchange.money import UNITS_MAX
from replay.bars import INSTRUMENTS, SOURCE, DataError, load
from udfs.rules import Panel, Rule
from udfs.scores import HORIZONS, Score
from udfs.series import BarOf, Series, Valued
from udfs.signaller import Predict, Signaller
from udfs.watch.trades import indicators
from udfs.watch.worth import Worth

COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")
FILE_SOURCE: Final = "@file"
MILLIS_MIN: Final = 10**11
"""A smaller whole number as a time is one of seconds or a date, not one of milliseconds after 1973."""


@dataclass(frozen=True)
class History:
    """The bars of one symbol, by time, of spans of `span_ms` (0: not known) from a source."""

    symbol: str
    source: str
    span_ms: int
    bars: Sequence[BarOf]


@dataclass(frozen=True)
class Tested:
    """What came out on one history: the signals in their order, and the score of each rule and horizon."""

    history: History
    signals: list[Signal]
    scores: dict[tuple[str, int], Score]


def archive() -> list[History]:
    """Return the daily bars of the bokeh archive, as they were traded: not adjusted for splits or dividends.

    Raises:
        DataError: if it is not there.
    """
    histories = []
    for symbol, bars in load().bars.items():
        worth = Worth.of(INSTRUMENTS[symbol])
        converted = [
            BarOf(
                start_ms=one.start_ms,
                open=worth.price(one.open),
                high=worth.price(one.high),
                low=worth.price(one.low),
                close=worth.price(one.close),
                volume=worth.quantity(one.volume),
            )
            for one in bars
        ]
        histories.append(History(symbol, SOURCE, DAY_MS, converted))
    return histories


def backtest(
    history: History,
    rules: Sequence[Rule],
    *,
    horizons: tuple[int, ...] = HORIZONS,
    cool_down_ms: int = 0,
    predict: Predict | None = None,
) -> Tested:
    """Ask the rules of every bar, in order, and follow up what they signal.

    Raises:
        InvalidIndicator: if a rule needs an indicator that cannot be.
    """
    at = history
    machine = Signaller(at.symbol, rules=rules, horizons=horizons, cool_down_ms=cool_down_ms, predict=predict)
    signals: list[Signal] = []
    for told in closed(history, Panel(rules).studies):
        signals += [said for said in machine.apply(told, told.start_ms) if type(said) is Signal]
    scores = {
        (rule.name, horizon): machine.score(at.source, at.span_ms, rule.name, horizon)
        for rule in rules
        for horizon in horizons
    }
    return Tested(history, signals, scores)


def closed(history: History, studies: Iterable[str]) -> Iterator[Indicators]:
    """Yield each bar, closed, with the indicators after it."""
    series = Series(studies)
    for number, bar in enumerate(history.bars, 1):
        told = Valued(bar, series.add(*bar[1:6]), number, number)
        yield indicators(history.symbol, history.source, history.span_ms, told, closed=True)


def pooled(scores: Sequence[Score]) -> Score:
    """Return the score of several series together: every signal counts the same, every series' holding too."""
    signals, hits = sum(one.signals for one in scores), sum(one.hits for one in scores)

    def mean(value: Callable[[Score], float], weight: Callable[[Score], int], weights: int) -> float:
        return sum(value(one) * weight(one) for one in scores) / weights if weights else 0.0

    return Score(
        bars=sum(one.bars for one in scores),
        signals=signals,
        hits=hits,
        average=mean(lambda one: one.average, lambda one: one.signals, signals),
        average_gain=mean(lambda one: one.average_gain, lambda one: one.hits, hits),
        average_loss=mean(lambda one: one.average_loss, lambda one: one.signals - one.hits, signals - hits),
        random=mean(lambda one: one.random, lambda one: one.signals, signals),
        random_hit_rate=mean(lambda one: one.random_hit_rate, lambda one: one.signals, signals),
        hold=mean(lambda one: one.hold, lambda _: 1, len(scores)),
    )


# Files


def read_file(path: Path, symbol: str) -> History:
    """Read bars from a CSV file with a header or a Parquet file (`.parquet`), with the columns `COLUMNS` among others.

    A time is in milliseconds since the epoch, or ISO 8601 (UTC where it names no zone), and later than that of the bar before.

    Raises:
        DataError: if it cannot be read, or has a row that is no bar; it names the line (of Parquet: the row, from 1).
    """
    bars: list[BarOf] = []
    for where, row in _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path):
        try:
            bars.append(_bar(row, bars[-1].start_ms if bars else -1))
        except ValueError as error:
            raise DataError(f"{path}, {where}: {error}") from None
    if not bars:
        raise DataError(f"{path} has no bars")
    return History(symbol, FILE_SOURCE, 0, bars)


def _csv_rows(path: Path) -> Iterator[tuple[str, list[Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            places = _places(path, next(rows, []))
            for row in rows:
                if row:
                    yield f"line {rows.line_num}", [row[at] if at < len(row) else "" for at in places]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no CSV file: {error}") from None


def _parquet_rows(path: Path) -> Iterator[tuple[str, list[Any]]]:
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            columns = [names[at] for at in _places(path, names)]
            number = 0
            for batch in file.iter_batches(columns=columns):
                for row in zip(*(_plain(batch.column(name)) for name in columns), strict=True):
                    number += 1
                    yield f"row {number}", list(row)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise DataError(f"{path} is no Parquet file: {error}") from None


def _plain(column: Any) -> list[Any]:
    """Return a column's values; of times their milliseconds."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
    elif pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms")).cast(pa.int64())
    return list(column.to_pylist())


def _places(path: Path, names: Sequence[str]) -> list[int]:
    """Return where the columns are."""
    found = [name.strip().lower() for name in names]
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; its first line must name {', '.join(COLUMNS)}")
    return [found.index(name) for name in COLUMNS]


def _bar(row: Sequence[Any], after_ms: int) -> BarOf:
    """Make a bar of a row's values, in the order of `COLUMNS`, or raise a ValueError that says why it is none."""
    start_ms = _time_ms(row[0])
    if start_ms <= after_ms:
        raise ValueError(f"time {row[0]!s} is not after that of the bar before")
    opened, high, low, close, volume = (_number(name, value) for name, value in zip(COLUMNS[1:], row[1:], strict=True))
    if low <= 0:
        raise ValueError(f"low {low:g} is not above 0")
    if high < low:
        raise ValueError(f"high {high:g} is below low {low:g}")
    for name, price in (("open", opened), ("close", close)):
        if not low <= price <= high:
            raise ValueError(f"{name} {price:g} is not between low {low:g} and high {high:g}")
    if volume < 0:
        raise ValueError(f"volume {volume:g} is below 0")
    return BarOf(start_ms, opened, high, low, close, volume)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} {value!r} is no number") from None
    if not isfinite(number):
        raise ValueError(f"{name} {value!r} is not finite")
    return number


def _time_ms(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not text.isdecimal():
            return _iso_ms(text)
        value = int(text)
    if type(value) is not int or not MILLIS_MIN <= value <= UNITS_MAX:
        raise ValueError(f"time {value!r} is neither milliseconds since the epoch nor ISO 8601, such as 2024-05-31")
    return int(value)


def _iso_ms(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"time {text!r} is neither milliseconds since the epoch nor ISO 8601, such as 2024-05-31"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    milliseconds = round((found - datetime.combine(date(1970, 1, 1), datetime.min.time(), UTC)).total_seconds() * 1000)
    if milliseconds < 0:
        raise ValueError(f"time {text!r} is before 1970")
    return milliseconds
