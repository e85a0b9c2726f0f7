"""The real prices of the `bokeh-sampledata` package: daily bars of five stocks, 2000 to 2013, public domain.

Theory of operation: the file is read as text and every number is converted exactly. One price in thirty has three or
four decimals, so a tick is 0.0001; shares trade in round lots of a hundred, so that a tick of a lot is a cent. A row that
does not fit (one of 12,154: MSFT on 2003-02-18 has half a lot too many) is refused with its reason, never mended. A bar of
a date begins at its midnight in UTC and lasts a day.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Final

from exchange.candles import DAY_MS
from exchange.errors import ExchangeError
from exchange.instruments import Instrument
from exchange.messages import PRICE_MAX, QUANTITY_MAX, Bar

SOURCE: Final = "@bokeh"
QUOTE: Final = "USD"
TICKERS: Final = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
COLUMNS: Final = ["Ticker", "Date", "Open", "High", "Low", "Close", "Volume"]


class DataError(ExchangeError):
    """The data set is missing or is not what it should be."""


@dataclass(frozen=True)
class RefusedRow:
    """A row that is no usable bar: its line in the file, from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class DataSet:
    """The bars of each symbol, by time, and the rows that were refused."""

    bars: dict[str, list[Bar]]
    refused: list[RefusedRow]


def instrument(ticker: str) -> Instrument:
    """Return the instrument of a stock: a hundred shares a lot, a tick of 0.0001 USD.

    >>> instrument("AAPL").symbol
    'AAPLUSD'
    """
    return Instrument(
        symbol=ticker + QUOTE, base=ticker, quote=QUOTE, tick="0.0001", lot="100", base_scale=0, quote_scale=2
    )


INSTRUMENTS: Final = {listed.symbol: listed for listed in map(instrument, TICKERS)}


def day_ms(day: date) -> int:
    """Return a date's midnight in UTC, in milliseconds since the epoch.

    >>> day_ms(date(2000, 3, 1))
    951868800000
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def load() -> DataSet:
    """Read the installed data set.

    Raises:
        DataError: if it is not there or has other columns.
    """
    path = files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
    if not path.is_file():
        raise DataError("the installed bokeh-sampledata has no stocks.csv.gz; release 2026.1 has it")
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8", newline="") as lines:
        return read(lines)


def read(lines: Iterable[str]) -> DataSet:
    """Read CSV lines with a header row, which must begin with `COLUMNS`.

    Raises:
        DataError: if it does not.
    """
    rows = csv.reader(lines)
    if next(rows, [])[: len(COLUMNS)] != COLUMNS:
        raise DataError(f"the columns are not {', '.join(COLUMNS)}, ...")
    found = DataSet({symbol: [] for symbol in INSTRUMENTS}, [])
    for row in rows:
        try:
            symbol, bar = _bar(row, found.bars)
            found.bars[symbol].append(bar)
        except (ExchangeError, ValueError) as error:
            found.refused.append(RefusedRow(rows.line_num, str(error)))
    return found


def _bar(row: list[str], bars: dict[str, list[Bar]]) -> tuple[str, Bar]:
    """Convert one row to the next bar of its symbol, or raise an error that says why not."""
    if len(row) < len(COLUMNS):
        raise DataError(f"{len(row)} columns instead of {len(COLUMNS)} or more")
    ticker, day, *numbers = row[: len(COLUMNS)]
    listed = INSTRUMENTS.get(ticker + QUOTE)
    if listed is None:
        raise DataError(f"unknown ticker {ticker!r}")
    *prices, volume = numbers
    opened, high, low, close = (listed.price_ticks(price) for price in prices)
    lots = listed.quantity_lots(volume)
    if not 1 <= low <= high <= PRICE_MAX or not 1 <= lots <= QUANTITY_MAX:
        raise DataError(f"prices {prices} or volume {volume} out of range")
    start_ms = day_ms(date.fromisoformat(day))
    earlier = bars[listed.symbol]
    if earlier and start_ms <= earlier[-1].start_ms:
        raise DataError(f"{ticker} {day} is not after the row before it")
    return listed.symbol, Bar(
        source=SOURCE,
        seq=len(earlier) + 1,
        symbol=listed.symbol,
        start_ms=start_ms,
        span_ms=DAY_MS,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=lots,
    )
