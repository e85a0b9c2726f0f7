"""Streams of klines while candles follow the book: each kline ends with one word that it is closed, told once nothing comes any more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from exchange import messages as m
from exchange import topics
from exchange.host import Record
from exchange.packets import encode
from gateway.binance.intervals import Interval
from gateway.binance.klines import WATCHED_MAX
from gateway.binance.streams.sources import KLINES, SETTLING_MS, KlineSource
from gateway.views import RedisViews
from tests.binance.stream_clients import DEADLINE_S, gateway, receive
from tests.gateway.analysed import LATENESS_MS, Analysed
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.script import SYMBOL, Script
from udfs.watch import watch_host

DAY_MS = 86_400_000
START_MS = NOW_MS - NOW_MS % DAY_MS
"""Intervals of every length begin here, three days and longer ones left out."""


class Market:
    """A market whose book events and trades are projected at once, and are analysed by the machine of the `indicators` job when a test says so."""

    def __init__(self, url: str, name: str) -> None:
        self.projected = Projected(url, name)
        self.projected.watch.write = lambda: None  # type: ignore[method-assign]  # what is computed comes from the machine below
        self.script = Script(self.projected)
        self.written = self.projected.venue.written
        self.now_ms = START_MS
        self.trades: list[m.Trade] = []
        self._host = watch_host(LATENESS_MS, pace_ms=0)
        self._counted = self._events = 0
        self.script.list(1)
        self._analyse(topics.BOOK_SNAPSHOTS, self.written[topics.BOOK_SNAPSHOTS][0])
        self.projected.show()

    def book(self, time_ms: int) -> None:
        """Let the book change at a time, in milliseconds after the start."""
        self._events += 1
        self.now_ms = START_MS + time_ms
        delta = m.BookDelta(
            symbol=SYMBOL, seq=self._events, time_ms=self.now_ms, side="buy", price=90, quantity=self._events
        )
        self.written[topics.BOOK_DELTAS].append(encode([delta]))

    def trade(self, time_ms: int, price: int = 100, quantity: int = 5, taker_side: m.Side = "buy") -> None:
        """Let something be traded at such a time."""
        trade = m.Trade(
            symbol=SYMBOL,
            seq=len(self.trades) + 1,
            time_ms=START_MS + time_ms,
            price=price,
            quantity=quantity,
            taker_side=taker_side,
            maker_order=1,
            taker_order=2,
        )
        self.trades.append(trade)
        self.written[topics.TRADES].append(encode([trade]))

    def count(self, trades: int = 1) -> None:
        """Let the analysis read so many more trades."""
        for trade in self.trades[self._counted : self._counted + trades]:
            self._analyse(topics.TRADES, encode([trade]))
        self._counted += trades

    def close(self) -> None:
        """Let the wall's clock close candles."""
        outcome = self._host.closing(SYMBOL, dict, self.now_ms, is_quiet=True)
        self._tell(outcome.records)

    def _analyse(self, topic: str, value: bytes) -> None:
        self._tell(self._host.process(Record(topic, 0, 0, self.now_ms, SYMBOL, value), dict).records)

    def _tell(self, records: list[tuple[str, str, bytes]]) -> None:
        for topic, _, value in records:
            self.written[topic].append(value)

    def stream(
        self, interval: str, scenario: Callable[[Told], Awaitable[None]], kind: type[RedisViews] = RedisViews
    ) -> None:
        """Play a scenario with what asks a stream, over views of some kind, for what is new."""

        async def asking() -> None:
            views = kind(self.projected.url, self.projected.name)
            source = KlineSource(views, SYMBOL, interval, lambda: self.now_ms)

            async def told() -> list[dict[str, Any]]:
                self.projected.project()
                return [event for _, event in await source.read()]

            try:
                await scenario(told)
            finally:
                await views.close()

        asyncio.run(asking())


Told = Callable[[], Awaitable[list[dict[str, Any]]]]


def brief(events: list[dict[str, Any]]) -> list[tuple[int, int, bool]]:
    """Return of each kline when it begins after the start, how many trades it has, and whether it is closed."""
    return [(event["k"]["t"] - START_MS, event["k"]["n"], event["k"]["x"]) for event in events]


@pytest.fixture
def market(redis_url: str, venue: str) -> Market:
    return Market(redis_url, venue)


def test_the_last_trade_of_a_minute_is_told_though_its_candle_comes_after_the_next_minute_began(market: Market) -> None:
    async def scenario(told: Told) -> None:
        market.trade(30_000)
        market.count()
        market.book(59_900)
        assert brief(await told()) == [(0, 1, False)]
        market.trade(59_950)
        market.book(60_050)
        assert brief(await told()) == [(60_000, 0, False)]
        market.count()
        market.book(60_400)
        assert brief(await told()) == [(0, 2, False)]
        market.trade(60_500)
        market.count()
        assert brief(await told()) == [(0, 2, True), (60_000, 1, False)]
        market.book(61_700)
        assert await told() == []

    market.stream("1m", scenario)


def test_a_minute_without_trades_is_closed_once_all_trades_are_counted(market: Market) -> None:
    async def scenario(told: Told) -> None:
        market.trade(30_000)
        market.count()
        market.book(30_000)
        assert brief(await told()) == [(0, 1, False)]
        market.book(119_999)
        assert brief(await told()) == [(0, 1, True), (60_000, 0, False)]
        market.trade(119_999)
        market.book(119_999 + SETTLING_MS)
        assert brief(await told()) == [(120_000, 0, False)]  # not all trades are counted
        market.count()
        assert brief(await told()) == [(60_000, 1, False)]
        market.book(120_000 + SETTLING_MS)
        assert brief(await told()) == [(60_000, 1, True)]
        market.book(180_000)
        assert brief(await told()) == [(180_000, 0, False)]
        market.book(180_000 + SETTLING_MS)
        assert brief(await told()) == [(120_000, 0, True)]

    market.stream("1m", scenario)


def test_nothing_is_closed_by_the_market_time_while_the_analysis_is_behind(market: Market) -> None:
    async def scenario(told: Told) -> None:
        market.trade(30_000)
        market.count()
        market.book(59_900)
        assert brief(await told()) == [(0, 1, False)]
        market.trade(59_950)
        market.trade(119_000)
        market.book(300_000)
        assert brief(await told()) == [(minute * 60_000, 0, False) for minute in range(1, 6)]
        market.count()
        assert brief(await told()) == [(0, 2, False)]
        market.count()
        assert brief(await told()) == [
            (0, 2, True),
            (60_000, 1, True),
            (120_000, 0, True),
            (180_000, 0, True),
        ]
        market.book(300_000 + SETTLING_MS)
        assert brief(await told()) == [(240_000, 0, True)]

    market.stream("1m", scenario)


def test_a_trade_that_is_counted_between_two_reads_is_in_the_kline_when_it_is_closed(market: Market) -> None:
    class Overtaken(RedisViews):
        async def market(self, *args: Any, **more: Any) -> Any:
            market.count()
            market.projected.project()
            return await super().market(*args, **more)

    async def scenario(told: Told) -> None:
        market.trade(30_000)
        market.count()
        market.book(59_900)
        await told()
        market.trade(59_950)
        market.book(60_000 + SETTLING_MS)
        assert brief(await told()) == [(0, 2, True), (60_000, 0, False)]

    market.stream("1m", scenario, Overtaken)


def test_a_kline_of_several_candles_is_closed_though_nothing_was_traded_in_the_last(market: Market) -> None:
    async def scenario(told: Told) -> None:
        market.trade(10_000)
        market.trade(70_000)
        market.count(2)
        market.book(100_000)
        assert brief(await told()) == [(0, 2, False)]
        market.book(180_000)
        assert brief(await told()) == [(180_000, 0, False)]
        market.trade(181_000)
        market.count()
        assert brief(await told()) == [(0, 2, True), (180_000, 1, False)]
        market.book(360_000)
        assert brief(await told()) == [(360_000, 0, False)]
        market.book(360_000 + SETTLING_MS)
        assert brief(await told()) == [(180_000, 1, True)]  # by the market's time alone

    market.stream("3m", scenario)


def test_a_candle_that_the_wall_clock_has_closed_closes_its_kline_and_a_correction_is_told(market: Market) -> None:
    async def scenario(told: Told) -> None:
        market.trade(59_000)
        market.count()
        market.book(59_500)
        assert brief(await told()) == [(0, 1, False)]
        market.now_ms = START_MS + 61_000
        market.close()
        [event] = await told()
        assert (event["k"]["x"], event["E"]) == (True, market.now_ms)
        market.trade(59_999)
        market.trade(62_000)
        market.count(2)
        market.book(62_000)
        assert brief(await told()) == [(0, 2, True), (60_000, 1, False)]

    market.stream("1m", scenario)


def test_what_takers_bought_stays_known_when_the_trades_of_a_kline_are_no_longer_among_the_newest(
    market: Market,
) -> None:
    async def scenario(told: Told) -> None:
        for _ in range(400):
            market.trade(59_000)
        market.count(400)
        market.book(59_500)
        [before] = await told()
        assert before["k"]["V"] == "2000"
        for _ in range(700):
            market.trade(60_500)
        market.count(700)
        market.book(60_600)
        closed, _ = await told()
        assert (closed["k"]["x"], closed["k"]["V"], closed["k"]["Q"]) == (True, "2000", before["k"]["Q"])

    market.stream("1m", scenario)


def test_in_a_quiet_market_no_more_klines_are_watched_than_may_be(market: Market) -> None:
    async def scenario(told: Told) -> None:
        market.trade(500)
        market.count()
        market.book(900)
        await told()
        events: list[dict[str, Any]] = []
        for second in range(3, 3 * KLINES, KLINES - WATCHED_MAX - 10):
            market.book(second * 1_000 + 1)
            events += await told()
        assert [begin for begin, _, closed in brief(events) if closed] == list(range(0, (second - 1) * 1_000, 1_000))
        market.trade(second * 1_000 + 2_000)
        market.count()
        assert brief(await told()) == [
            *(((second + after) * 1_000, 0, True) for after in (-1, 0, 1)),
            ((second + 2) * 1_000, 1, False),
        ]

    market.stream("1s", scenario)


@pytest.mark.parametrize(("name", "intervals", "step_ms"), [("1s", 40, 90), ("1m", 5, 450), ("3m", 4, 1_100)])
@pytest.mark.parametrize("seed", [1, 2])
def test_of_every_kline_the_last_word_is_that_it_is_closed_with_all_its_trades(
    market: Market, name: str, intervals: int, step_ms: int, seed: int
) -> None:
    dice, interval = random.Random(seed), Interval(name)
    length_ms = interval.later(START_MS) - START_MS
    events: list[dict[str, Any]] = []

    async def scenario(told: Told) -> None:
        time_ms, due_ms = 10, [0]
        market.trade(5)
        while time_ms < intervals * length_ms + 3_000:
            market.book(time_ms)
            while due_ms and due_ms[0] <= time_ms:
                market.count()
                due_ms.pop(0)
            events.extend(await told())
            after_ms = time_ms + dice.randint(1, 2 * step_ms)
            is_quiet = time_ms // length_ms % 3 == 1 or time_ms // 60_000 % 3 == 2
            for traded_ms in sorted(dice.randint(time_ms, after_ms - 1) for _ in range(dice.randint(0, 2))):
                if not is_quiet:
                    sides: list[m.Side] = ["buy", "sell"]
                    market.trade(traded_ms, dice.randint(95, 105), dice.randint(1, 9), dice.choice(sides))
                    due_ms.append(max([*due_ms[-1:], traded_ms + dice.randint(100, 900)]))
            time_ms = after_ms

    market.stream(name, scenario)
    print(f"seed {seed}: {len(market.trades)} trades, {len(events)} events")
    close = Decimal(0)
    for opening in range(START_MS, START_MS + intervals * length_ms, length_ms):
        words = [event for event in events if event["k"]["t"] == opening]
        some = [trade for trade in market.trades if interval.opening(trade.time_ms) == opening]
        bought = [trade for trade in some if trade.taker_side == "buy"]
        prices = [Decimal(trade.price) / 100 for trade in some] or [close]
        close, [*open_words, last] = prices[-1], words
        assert [word["k"]["x"] for word in open_words] == [False] * len(open_words)
        assert last["k"]["x"]
        assert last["E"] >= opening + length_ms
        told = last["k"]
        assert told["n"] == len(some)
        assert [Decimal(told[letter]) for letter in "ohlcvq"] == [
            *(prices[0], max(prices), min(prices), close),
            sum(trade.quantity for trade in some),
            Decimal(sum(trade.price * trade.quantity for trade in some)) / 100,
        ]
        assert Decimal(told["V"]) in (0, sum(trade.quantity for trade in bought))  # 0: not known
    begins = [(event["k"]["t"], event["E"]) for event in events]
    assert sorted(begins, key=lambda begin: (begin[1], begin[0])) == begins


def test_a_websocket_is_told_that_a_kline_is_closed(redis_url: str, venue: str) -> None:
    floor = Analysed(redis_url, venue)
    floor.stroll(1, 1)

    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE_S), served.connect("/ws/aaplusd@kline_1m") as live:
            before = await receive(live)
            assert (before["k"]["n"], before["k"]["x"]) == (1, False)
            floor.stroll(2, 1, step_ms=200_000)
            told = [await receive(live)]
            while told[-1]["k"]["n"] == 0 or told[-1]["k"]["x"]:
                told.append(await receive(live))
            assert told[0] == {**before, "k": {**before["k"], "x": True}}
            begins = [one["k"]["t"] for one in told]
            assert begins == list(range(begins[0], begins[-1] + 1, 60_000))
            assert [one["k"]["x"] for one in told] == [True] * (len(told) - 1) + [False]

    with gateway(floor) as served:
        asyncio.run(scenario())
