"""Bridges through real Kafka and Flink, killed in the middle: every trade comes out once, as the books in process give it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

import pytest
from kafka import KafkaProducer
from venue import OpenVenue, Venue

from exchange import topics
from exchange.seed_formats import SEED_A, SEED_B, SeedFormat
from exchange.seed_protocol import SeedBooks
from gateway.bridges.foreign import make_topics
from openbell.supervise.processes import wait_until
from wire.reader import Reader

pytestmark = pytest.mark.stack

ORDERS = 3_000
SEED = 7


def order_a(number: int, random: Random) -> dict[str, Any]:
    return {
        "id": number,
        "instrument": random.choice(["RIL", "INFY", "ONGC", "TCS"]),
        "trxn_type": random.choice(["BUY", "SELL"]),
        "quantity": float(random.choice([10, 20, 30])),
        "price": random.choice([100.0, 100.5, 101.25]),
        "order_timestamp": f"2020/05/31, {9 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}",
    }


def order_b(number: int, random: Random) -> dict[str, Any]:
    return {
        "order_id": f"order-{number}",
        "stock_symbol": random.choice(["AAPL", "GOOGL", "TSLA"]),
        "quantity": random.choice([10, 20, 30]),
        "side": random.choice(["buy", "sell"]),
        "order_type": "limit",
        "price": random.choice([150.25, 150.5, 151]),
        "time_in_force": "gtc",
    }


MADE = {"seed-a": order_a, "seed-b": order_b}
BAD = [b"nope", b'{"id": 1}', b"", b'{"order_id": 1}', b"\xff\xfe", b"[]"]


def flow(seed: SeedFormat) -> list[bytes]:
    """Orders with some records in between that are none."""
    print(f"seed {SEED}")
    random = Random(SEED)
    orders = [json.dumps(MADE[seed.name](number, random)).encode() for number in range(ORDERS)]
    for place, bad in enumerate(BAD):
        orders.insert(place * 400 + 3, bad)
    return orders


def expected(seed: SeedFormat, orders: list[bytes]) -> dict[str, list[Any]]:
    """What `openbell match` makes of the same orders, by stream."""
    books = SeedBooks(seed)
    found: dict[str, list[Any]] = defaultdict(list)
    for order in orders:
        if order in BAD:
            continue
        for line in map(json.loads, books.apply(order)):
            found[line.pop("stream") if seed.sides else seed.trades].append(line)
    return found


def by_instrument(trades: list[Any]) -> dict[str, list[Any]]:
    found = defaultdict(list)
    for trade in trades:
        one = trade[0] if isinstance(trade, list) else trade
        found[one.get("instrument") or one["buy_stock_symbol"]].append(trade)
    return dict(found)


def read(venue: Venue, topic: str) -> list[Any]:
    with Reader(venue.servers, None, [topic]) as reader:
        return [json.loads(record.value) for record in reader.to_end()]


@contextmanager
def bridging(venue: Venue, seed: SeedFormat) -> Iterator[subprocess.Popen[str]]:
    """Run a bridge, and end it in whatever way if it has not ended."""
    process = venue.openbell("bridge", seed.name, "--json")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("seed", [SEED_A, SEED_B], ids=["seed-a", "seed-b"])
def test_a_bridge_that_is_killed_twice_loses_and_repeats_nothing(open_venue: OpenVenue, seed: SeedFormat):
    venue = open_venue("live")
    orders = flow(seed)
    wanted = expected(seed, orders)
    make_topics(venue.servers, seed)
    third = len(orders) // 3
    producer = KafkaProducer(bootstrap_servers=venue.servers, acks="all")

    def produce(some: list[bytes]) -> None:
        for order in some:
            producer.send(seed.orders, order)
        producer.flush()

    with ExitStack() as stack:
        for turn in range(2):
            running = stack.enter_context(bridging(venue, seed))
            entered = venue.count(topics.BOOK_INBOX)
            produce(orders[turn * third : (turn + 1) * third])
            venue.wait_for_more(topics.BOOK_INBOX, entered)  # it is at work
            running.send_signal(signal.SIGKILL)
            running.wait(30)
        produce(orders[2 * third :])
        running = stack.enter_context(bridging(venue, seed))
        assert wait_until(lambda: len(read(venue, seed.trades)) >= len(wanted[seed.trades]), 120, every=0.5)
        assert wait_until(
            lambda: all(len(read(venue, name)) >= len(wanted[name]) for name in seed.sides.values()), 60, every=0.5
        )
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    producer.close()
    assert running.returncode == 0, err
    summary = json.loads(out)
    assert (summary["bridge"], summary["venue"]) == (seed.name, venue.name)
    assert len(wanted[seed.trades]) > 500
    assert by_instrument(read(venue, seed.trades)) == by_instrument(wanted[seed.trades])
    for name in seed.sides.values():
        assert read(venue, name) == wanted[name]
    letters = venue.messages(topics.DEAD_LETTERS)
    assert {letter.topic for letter in letters} == {seed.orders}
    assert sorted({letter.offset for letter in letters}) == [place * 400 + 3 for place in range(len(BAD))]
    assert {letter.raw for letter in letters} == set(BAD)
