"""Orders per second through the jobs: Kafka -> Flink -> Kafka, state and checkpoints included.

The inbox is filled first; then the job starts and works it off. The rate is that of the second half of the output records,
by their times: it leaves out the start of the job and most of the time in which Java compiles.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import flow
from bench.cluster import SHARDS, Cluster
from exchange import messages as m
from exchange import topics
from exchange.packets import decode_order_reports, encode
from wire.reader import Reader
from wire.writer import PacketWriter


def matching(cluster: Cluster, venue: str, orders: int, packet: int) -> float:
    """Return the `@market` orders per second through `matching`, `packet` orders to a record."""
    cluster.new_venue(venue)
    with PacketWriter(cluster.servers, venue) as writer:
        for symbol in flow.SYMBOLS:
            writer.send(topics.BOOK_INBOX, symbol, [m.ListInstrument(key=symbol, instrument=flow.instrument(symbol))])
        for symbol, value in flow.book_packets(orders, packet):
            writer.send_raw(topics.BOOK_INBOX, symbol, value)
    with cluster.job("matching", venue):
        cluster.wait_quiet(venue, topics.BOOK_DELTAS)
    with Reader(cluster.servers, venue, [topics.BOOK_DELTAS]) as reader:
        return _rate(orders, [record.time_ms for record in reader.to_end()])


def both(cluster: Cluster, venue: str, orders: int, packet: int, accounts: int) -> float:
    """Return the orders per second through `accounts` and `matching` and back to `order-reports`, all on this machine."""
    cluster.new_venue(venue)
    created_ms = int(time.time() * 1000)
    with cluster.job("matching", venue):
        with PacketWriter(cluster.servers, venue, packet_max=packet) as writer:
            for symbol in flow.SYMBOLS:
                writer.send(
                    topics.BOOK_INBOX, symbol, [m.ListInstrument(key=symbol, instrument=flow.instrument(symbol))]
                )
                for key in map(str, range(SHARDS)):
                    listing = m.ListInstrument(key=key, instrument=flow.instrument(symbol))
                    writer.send(topics.ACCOUNT_INBOX, key, [listing])
            for name in flow.account_names(accounts):
                writer.send(topics.ACCOUNT_INBOX, m.shard_of(name, SHARDS), flow.funding(name, created_ms))
            for shard, commands in _by_shard(flow.placements(accounts, orders, created_ms), packet):
                writer.send_raw(topics.ACCOUNT_INBOX, shard, encode(commands))
        with cluster.job("accounts", venue):
            cluster.wait_quiet(venue, topics.ORDER_REPORTS)
    times = []
    with Reader(cluster.servers, venue, [topics.ORDER_REPORTS]) as reader:
        for record in reader.to_end():
            refused = [one for one in decode_order_reports(record.value) if isinstance(one, m.OrderRejected)]
            assert not refused, f"the benchmark's orders are all good, but: {refused[0]}"
            times.append(record.time_ms)
    return _rate(orders, times)


def _by_shard(commands: Iterator[m.PlaceOrder], packet: int) -> Iterator[tuple[str, list[m.PlaceOrder]]]:
    """Group commands into packets of one shard each, as a gateway under load does."""
    waiting: dict[str, list[m.PlaceOrder]] = {}
    for command in commands:
        shard = m.shard_of(command.account, SHARDS)
        group = waiting.setdefault(shard, [])
        group.append(command)
        if len(group) == packet:
            yield shard, waiting.pop(shard)
    yield from waiting.items()


def _rate(orders: int, times_ms: list[int]) -> float:
    """Return the orders per second of the second half of records that stand for equally many orders each."""
    times_ms.sort()
    return orders / 2 / (times_ms[-1] - times_ms[len(times_ms) // 2]) * 1_000
