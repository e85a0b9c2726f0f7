"""Runs a bridge on real Kafka until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from exchange import topics
from exchange.instruments import Instrument, Rule
from exchange.seed_formats import SeedFormat
from exchange.topics import topic_name
from gateway.bridges.bridge import Bridge, Figures
from gateway.bridges.foreign import make_topics
from gateway.bridges.standing import read_standing
from wire.errors import WireError
from wire.reader import Reader
from wire.writer import PacketWriter

POLL_MS: Final = 50
TOLD_S: Final = 10.0
"""How often a bridge says what it has done, if that is more than before."""


def run(
    bootstrap_servers: str,
    venue: str,
    seed: SeedFormat,
    instruments: Mapping[str, Instrument],
    *,
    rule: Rule | None,
    stopped: Callable[[], bool],
    told: Callable[[str], None],
) -> Figures:
    """Carry orders in and trades out until `stopped` says so, and return what was done; `told` is told now and then.

    Raises:
        WireError: if the broker or a topic cannot be used; start again to go on.
    """
    make_topics(bootstrap_servers, seed)
    with (
        Reader(bootstrap_servers, None, [seed.orders]) as orders,
        Reader(bootstrap_servers, venue, [topics.TRADES, topics.BOOK_SNAPSHOTS]) as market,
        PacketWriter(bootstrap_servers, venue) as inside,
        PacketWriter(bootstrap_servers, None) as outside,
    ):
        if len(orders.offsets) != 1:
            raise WireError(f"topic {seed.orders} has {len(orders.offsets)} partitions; it needs one, to have an order")
        _skip_snapshots(market, topic_name(venue, topics.BOOK_SNAPSHOTS))
        told(f"reading how far {seed.orders} has come in venue {venue}")
        standing = read_standing(bootstrap_servers, venue, seed)
        bridge = Bridge(seed, standing, instruments, inside=inside, outside=outside, rule=rule, told=told)
        there = orders.end_offsets()
        said_s, said = time.monotonic(), bridge.figures.text()
        told(f"bridging {seed.orders} to venue {venue}; Ctrl-C ends it")
        while not stopped():
            bridge.take(orders.poll(POLL_MS))
            if not bridge.behind:
                bridge.report(market.poll(POLL_MS), venue)
            elif all(orders.offsets[name] >= end for name, end in there.items()):
                bridge.check_caught_up()
            if time.monotonic() - said_s >= TOLD_S:
                text = bridge.figures.text()
                if text != said:
                    told(text)
                said_s, said = time.monotonic(), text
        return bridge.figures


def _skip_snapshots(market: Reader, snapshots: str) -> None:
    """Go on behind the snapshots there are: how things are listed now, the inbox says; after this, the next snapshots do."""
    for (topic, partition), end in market.end_offsets().items():
        if topic == snapshots:
            market.seek((topic, partition), end)
