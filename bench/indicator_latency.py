"""From an order in the log to the indicator that Redis shows, by hop, at a steady rate of trades.

A process of its own sends pairs of `@market` orders, a sell and the buy that takes it, each pair in a record: one trade. The trade is followed by
the times in the log (the broker's append time of the orders, the jobs' write times of the trade and of the first indicators of a minute that
count it) to the moment at which Redis shows indicators that count it.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

import msgspec
import redis

from bench import flow
from bench.cluster import started
from bench.latency import Latency
from bench.machine import percentile
from exchange import messages as m
from exchange import topics
from exchange.analysis import TRADES_SOURCE, Indicators
from exchange.candles import SPANS
from exchange.packets import PacketDecoder, decode_book_inbox, decode_trades
from gateway.keys import Keys
from gateway.ports import Changed
from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from wire.reader import Reader
from wire.writer import PacketWriter

SYMBOLS: Final = flow.SYMBOLS[:4]
SPAN_MS: Final = SPANS["1m"]
WARM_UP_S: Final = 40
SETTLE_S_MAX: Final = 60
HOPS: Final = (
    "matching: order to trade",
    "indicators: trade to indicators",
    "projector: to Redis",
    "trade to indicators on Redis",
)


@contextmanager
def market() -> Iterator[Stack]:
    """Start a whole stack with a live venue and some symbols listed."""
    with started(jobs=True, venue="bench", clock="live") as stack:
        with PacketWriter(stack.bootstrap_servers, stack.venue) as writer:
            for symbol in SYMBOLS:
                listing = m.ListInstrument(key=symbol, instrument=flow.instrument(symbol))
                writer.send(topics.BOOK_INBOX, symbol, [listing])
        yield stack


def trade_to_indicator(stack: Stack, rate: int, seconds: int) -> list[Latency]:
    """Return each hop's latency at `rate` trades a second over `seconds`, after a warm-up at the same rate."""
    trades = rate * (seconds + WARM_UP_S)
    sender = multiprocessing.get_context("spawn").Process(
        target=_send, args=(stack.bootstrap_servers, stack.venue, rate, trades)
    )
    with _watching(stack) as shown:
        sender.start()
        sender.join()
        assert not sender.exitcode, "the orders could not be sent"
        last = {symbol: trades // len(SYMBOLS) for symbol in SYMBOLS}
        wait_until(
            lambda: all(rows and rows[-1][0] >= last[name] for name, rows in shown.items()), SETTLE_S_MAX, every=0.1
        )
    return _hops(stack, rate * WARM_UP_S // len(SYMBOLS), shown)


def _send(servers: str, venue: str, rate: int, trades: int) -> None:
    with PacketWriter(servers, venue) as writer:
        start = time.time() + 1
        for number in range(trades):
            symbol = SYMBOLS[number % len(SYMBOLS)]
            price = flow.REFERENCE_TICKS + number // len(SYMBOLS) % 20
            first = number // len(SYMBOLS) * 2 + 1
            pair = [_order(symbol, first, "sell", price), _order(symbol, first + 1, "buy", price)]
            time.sleep(max(0.0, start + number / rate - time.time()))
            writer.send(topics.BOOK_INBOX, symbol, pair)


def _order(symbol: str, seq: int, side: m.Side, price: int) -> m.EnterOrder:
    return m.EnterOrder(
        source="@bench", seq=seq, time_ms=0, account=m.MARKET, order_id=-seq, symbol=symbol, side=side, price=price, quantity=1
    )  # fmt: skip


@contextmanager
def _watching(stack: Stack) -> Iterator[dict[str, list[tuple[int, float]]]]:
    """Note, by symbol, how many trades the indicators that Redis shows count, and since when in wall milliseconds."""
    shown: dict[str, list[tuple[int, float]]] = {symbol: [] for symbol in SYMBOLS}
    client: Any = redis.Redis.from_url(stack.redis_url)
    keys = Keys(stack.venue)
    views = keys.of(client.get(keys.generation).decode())
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(keys.changed)
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            told = pubsub.get_message(timeout=0.2)
            for symbol in msgspec.json.decode(told["data"], type=Changed).symbols if told else ():
                row = client.hget(views.series(symbol), f"{SPAN_MS} {TRADES_SOURCE}") if symbol in shown else None
                if row:
                    (_, version, _), _ = msgspec.json.decode(row)
                    if not shown[symbol] or version > shown[symbol][-1][0]:
                        shown[symbol].append((version, time.time() * 1000))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield shown
    finally:
        stop.set()
        thread.join()


def _hops(stack: Stack, skip: int, shown: dict[str, list[tuple[int, float]]]) -> list[Latency]:
    """Join what was noted along the way of each trade after the first `skip` of its symbol."""
    entered, traded, told = _logged(stack)
    rows = []
    for (symbol, seq), (order, traded_ms) in traded.items():
        steps = (told[symbol], shown[symbol])
        found = [_first(one, seq) for one in steps]
        if seq > skip and None not in found:
            times = (entered[symbol, order], traded_ms, *found)
            rows.append([*(after - before for before, after in pairwise(times)), times[-1] - times[1]])
    if len(rows) < 2:
        counts = {symbol: (len(told[symbol]), len(noted)) for symbol, noted in shown.items()}
        raise RuntimeError(f"no trade got to Redis: of {len(traded)}, told and shown by symbol: {counts}")
    print(f"{len(rows)} of {len(traded)} trades were followed to Redis")
    columns = list(zip(*rows, strict=True))
    return [
        Latency(hop, *(round(percentile(column, percent), 1) for percent in (50, 95, 99)))
        for hop, column in zip(HOPS, columns, strict=True)
    ]


def _logged(stack: Stack) -> tuple[dict[Any, float], dict[Any, tuple[int, float]], dict[str, list[tuple[int, float]]]]:
    """Return when each order and each trade was written, and when indicators that count so many trades were."""
    entered: dict[Any, float] = {}
    traded: dict[Any, tuple[int, float]] = {}
    told: dict[str, list[tuple[int, float]]] = {symbol: [] for symbol in SYMBOLS}
    with Reader(stack.bootstrap_servers, stack.venue, [topics.BOOK_INBOX, topics.TRADES, topics.INDICATORS]) as reader:
        for record in reader.to_end():
            topic = record.topic.removeprefix(f"{stack.venue}.")
            if topic == topics.BOOK_INBOX:
                for entry in decode_book_inbox(record.value):
                    if isinstance(entry, m.EnterOrder):
                        entered[entry.symbol, entry.order_id] = record.time_ms
            elif topic == topics.TRADES:
                for trade in decode_trades(record.value):
                    traded[trade.symbol, trade.seq] = trade.taker_order, record.time_ms
            else:
                for one in _decode(record.value):
                    versions = told[one.symbol]
                    newer = not versions or one.version > versions[-1][0]
                    if newer and one.source == TRADES_SOURCE and one.span_ms == SPAN_MS:
                        versions.append((one.version, record.time_ms))
    return entered, traded, told


_decode: PacketDecoder[Indicators] = PacketDecoder(Indicators)


def _first(noted: list[tuple[int, float]], seq: int) -> Any:
    """Return when the trade numbered `seq` was first counted; None: never."""
    place = bisect_left(noted, (seq, 0.0))
    return noted[place][1] if place < len(noted) else None
