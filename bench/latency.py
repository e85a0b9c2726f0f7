"""Order-to-trade latency by hop at a steady rate, from a client's send to a reader's receipt of the trade.

A process of its own sends pairs of orders, a resting sell and the buy that takes it, each alone in its record. Hops are
told apart by the times in the log: the broker's append times of the two inboxes, and the job's write time of the trade.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from itertools import pairwise

from bench import flow
from bench.cluster import SHARDS, Cluster
from bench.machine import percentile
from exchange import messages as m
from exchange import topics
from exchange.packets import decode_account_inbox, decode_book_inbox, decode_order_reports, decode_trades
from wire.reader import Reader
from wire.writer import PacketWriter

MAKER, TAKER = "bench-0", "bench-1"
WARM_UP_S = 30
HOPS = (
    "client to account-inbox",
    "accounts: to book-inbox",
    "matching: to trades",
    "trades to reader",
    "order to trade",
)


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one hop."""

    hop: str
    p50: float
    p95: float
    p99: float


def latency(cluster: Cluster, venue: str, rate: int, seconds: int) -> list[Latency]:
    """Return each hop's latency at `rate` orders per second over `seconds`, after a warm-up at the same rate."""
    cluster.new_venue(venue)
    orders = rate * (seconds + WARM_UP_S)
    with cluster.job("matching", venue), cluster.job("accounts", venue):
        sent = multiprocessing.get_context("spawn").Array("d", orders)
        sender = multiprocessing.get_context("spawn").Process(target=_send, args=(cluster.servers, venue, rate, sent))
        received: dict[int, float] = {}
        with Reader(cluster.servers, venue, [topics.TRADES]) as reader:
            sender.start()
            deadline = time.monotonic() + seconds + WARM_UP_S + 60
            while len(received) < orders // 2 and time.monotonic() < deadline:
                for record in reader.poll(50):
                    now_ms = time.time() * 1000
                    for trade in decode_trades(record.value):
                        received.setdefault(trade.taker_order, now_ms)
        sender.join()
        cluster.wait_quiet(venue, topics.ORDER_REPORTS)
    assert len(received) == orders // 2, f"{len(received)} of {orders // 2} trades came"
    return _hops(cluster, venue, rate * WARM_UP_S, sent[:], received)


def _send(servers: str, venue: str, rate: int, sent: list[float]) -> None:
    created_ms = int(time.time() * 1000)
    symbols = flow.SYMBOLS[:4]
    with PacketWriter(servers, venue) as writer:
        for symbol in symbols:
            listing = flow.instrument(symbol)
            writer.send(topics.BOOK_INBOX, symbol, [m.ListInstrument(key=symbol, instrument=listing)])
            for shard in range(SHARDS):
                writer.send(topics.ACCOUNT_INBOX, str(shard), [m.ListInstrument(key=str(shard), instrument=listing)])
        for name in (MAKER, TAKER):
            writer.send(topics.ACCOUNT_INBOX, m.shard_of(name, SHARDS), flow.funding(name, created_ms))
        writer.flush()
        start = time.time() + 1
        for number in range(len(sent)):
            account = TAKER if number % 2 else MAKER
            side: m.Side = "buy" if number % 2 else "sell"
            command = m.PlaceOrder(
                account=account, request_id=f"{number}", created_ms=int(time.time() * 1000),
                symbol=symbols[number // 2 % len(symbols)], side=side, price=flow.REFERENCE_TICKS, quantity=1,
            )  # fmt: skip
            time.sleep(max(0.0, start + number / rate - time.time()))
            sent[number] = time.time() * 1000
            writer.send(topics.ACCOUNT_INBOX, m.shard_of(account, SHARDS), [command])


def _hops(cluster: Cluster, venue: str, skip: int, sent: list[float], received: dict[int, float]) -> list[Latency]:
    """Join the logs by request id and order id; pairs whose buy was the maker (it overtook its sell) count alike."""
    arrived: dict[int, int] = {}
    entered: dict[int, int] = {}
    traded: dict[int, int] = {}
    numbers: dict[int, int] = {}
    names = [topics.ACCOUNT_INBOX, topics.BOOK_INBOX, topics.TRADES, topics.ORDER_REPORTS]
    with Reader(cluster.servers, venue, names) as reader:
        for record in reader.to_end():
            topic = record.topic.removeprefix(f"{venue}.")
            if topic == topics.ACCOUNT_INBOX:
                for one in decode_account_inbox(record.value):
                    if isinstance(one, m.PlaceOrder):
                        arrived[int(one.request_id)] = record.time_ms
            elif topic == topics.BOOK_INBOX:
                entered.update(
                    (one.order_id, record.time_ms)
                    for one in decode_book_inbox(record.value)
                    if isinstance(one, m.EnterOrder)
                )
            elif topic == topics.TRADES:
                traded.update((one.taker_order, record.time_ms) for one in decode_trades(record.value))
            else:
                numbers.update(
                    (one.order_id, int(one.request_id or 0))
                    for one in decode_order_reports(record.value)
                    if isinstance(one, m.OrderAccepted)
                )
    rows = []
    for order_id, got_ms in received.items():
        number = numbers[order_id]
        if number >= skip:
            times = (sent[number], arrived[number], entered[order_id], traded[order_id], got_ms)
            rows.append([*(after - before for before, after in pairwise(times)), got_ms - sent[number]])
    columns = list(zip(*rows, strict=True))
    return [
        Latency(hop, *(round(percentile(column, percent), 1) for percent in (50, 95, 99)))
        for hop, column in zip(HOPS, columns, strict=True)
    ]
