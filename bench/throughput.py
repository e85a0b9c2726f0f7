"""Orders per second through the jobs: Kafka -> Flink -> Kafka, state and checkpoints included.

The inbox is filled first; then the job starts and works it off. The rate is taken between the times of the first and the
last output record, which leaves out the start of the job but not the warming up of its Java process.
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
    times = sorted(_times(cluster, venue, topics.BOOK_DELTAS))
    return orders / (times[-1] - times[0]) * 1_000


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
    return orders / (max(times) - min(times)) * 1_000


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


def _times(cluster: Cluster, venue: str, topic: str) -> Iterator[int]:
    with Reader(cluster.servers, venue, [topic]) as reader:
        for record in reader.to_end():
            yield record.time_ms
