"""The `indicators` job on real Kafka and Flink: TA-Lib's numbers, with a savepoint and a restore at another parallelism in the middle."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import numpy as np
import pytest
import talib
from venue import OpenVenue, Venue

from exchange import topics
from exchange.analysis import Indicators, OutsideBar
from exchange.packets import PacketDecoder
from openbell.supervise.processes import wait_until
from replay import bars as archive
from wire.reader import Reader
from wire.writer import PacketWriter

pytestmark = [pytest.mark.stack, pytest.mark.slow]

BARS = 100_000
SEED = 2026
SOURCE = "@random"
decode: PacketDecoder[Indicators] = PacketDecoder(Indicators)


def random_bars(symbol: str) -> Iterator[OutsideBar]:
    """A seeded walk that stays between 20 and 2,000."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    price = 200.0
    for number in range(BARS):
        opened = price
        price = min(2_000.0, max(20.0, price * math.exp(chance.gauss(0, 0.01))))
        high, low = max(opened, price) * (1 + chance.random() / 100), min(opened, price) * (1 - chance.random() / 100)
        volume = float(chance.randrange(10_000))
        yield OutsideBar(
            source=SOURCE, symbol=symbol, time_ms=number * 60_000, span_ms=60_000,
            open=opened, high=high, low=low, close=price, volume=volume,
        )  # fmt: skip


def archived_bars() -> Iterator[OutsideBar]:
    """The daily bars of the archive."""
    for symbol, bars in archive.load().bars.items():
        for bar in bars:
            prices = (
                float(archive.INSTRUMENTS[symbol].price_text(ticks))
                for ticks in (bar.open, bar.high, bar.low, bar.close)
            )
            opened, high, low, close = prices
            yield OutsideBar(
                source="@daily", symbol=symbol, time_ms=bar.start_ms, span_ms=bar.span_ms,
                open=opened, high=high, low=low, close=close, volume=bar.volume * 100.0,
            )  # fmt: skip


def expected(bars: list[OutsideBar]) -> dict[str, np.ndarray]:
    """What TA-Lib computes of bars."""
    high, low, close, volume = (
        np.array([getattr(bar, name) for bar in bars]) for name in ("high", "low", "close", "volume")
    )
    macd = talib.MACD(close, 12, 26, 9)
    bands = talib.BBANDS(close, 20, 2, 2)
    stochastic = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    return {
        "sma(20)": talib.SMA(close, 20),
        "sma(50)": talib.SMA(close, 50),
        "ema(12)": talib.EMA(close, 12),
        "ema(26)": talib.EMA(close, 26),
        "wma(20)": talib.WMA(close, 20),
        "rsi(14)": talib.RSI(close, 14),
        "macd(12,26,9)": macd[0],
        "macd(12,26,9).signal": macd[1],
        "macd(12,26,9).histogram": macd[2],
        "bollinger(20,2).upper": bands[0],
        "bollinger(20,2).middle": bands[1],
        "bollinger(20,2).lower": bands[2],
        "atr(14)": talib.ATR(high, low, close, 14),
        "obv": talib.OBV(close, volume),
        "stochastic(14,3,3).k": stochastic[0],
        "stochastic(14,3,3).d": stochastic[1],
    }


def send(venue: Venue, bars: dict[str, list[OutsideBar]]) -> None:
    """Publish bars."""
    with PacketWriter(venue.servers, venue.name) as writer:
        for symbol, own in bars.items():
            writer.send(topics.MARKET_DATA, symbol, own)


class Heard:
    """What the job has said of each series, by the bars' starts."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.said: dict[tuple[str, str], dict[int, Indicators]] = {}

    def more(self) -> bool:
        """Read on, and say whether something has been said yet."""
        for record in self._reader.poll():
            for one in decode(record.value):
                self.said.setdefault((one.symbol, one.source), {})[one.start_ms] = one
        return bool(self.said)

    def reached(self, ends: dict[str, int]) -> bool:
        """Read on, and say whether each symbol's last bar has been said something of."""
        self.more()
        return {symbol: max(told) for (symbol, _), told in self.said.items()} == ends


def test_the_job_says_what_ta_lib_says_through_a_savepoint_and_a_restore(open_venue: OpenVenue):
    by_symbol: dict[str, list[OutsideBar]] = {}
    for bar in [*random_bars("RANDOM"), *archived_bars()]:
        by_symbol.setdefault(bar.symbol, []).append(bar)
    venue = open_venue("replay", "indicators")
    with Reader(venue.servers, venue.name, [topics.INDICATORS]) as reader:
        heard = Heard(reader)
        send(venue, {symbol: own[: len(own) // 2] for symbol, own in by_symbol.items()})
        assert wait_until(heard.more, 120), "the savepoint falls into the work"
        venue.restart("indicators", 2)
        send(venue, {symbol: own[len(own) // 2 :] for symbol, own in by_symbol.items()})
        assert wait_until(lambda: heard.reached({symbol: own[-1].time_ms for symbol, own in by_symbol.items()}), 180)
    for symbol, own in by_symbol.items():
        told = heard.said[symbol, own[0].source]
        assert [told[bar.time_ms].bars for bar in own] == list(range(1, len(own) + 1))
        for name, values in expected(own).items():
            ours = np.array([told[bar.time_ms].values.get(name, np.nan) for bar in own])
            np.testing.assert_allclose(ours, values, rtol=1e-9, atol=1e-9, err_msg=f"{symbol} {name}")
