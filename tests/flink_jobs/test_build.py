"""The jobs' own operators on Flink's mini cluster, in memory: no Kafka, but real keying, state and thread mode."""

from __future__ import annotations

from collections import defaultdict

import pytest
from pyflink.common import Row
from pyflink.common.typeinfo import Types

from exchange import messages as m
from exchange import topics
from exchange.host import Host, Record, accounts_host, book_host
from exchange.instruments import Instrument
from exchange.packets import decode_dead_letters, encode
from flink_jobs import accounts, matching
from flink_jobs.job import MachineJob, Venue
from flink_jobs.kafka_streams import environments, keyed, to_record

pytestmark = pytest.mark.flink

VENUE = Venue("unused:9092", "test", "replay", 4)
APPLE = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD")
IBM = Instrument(symbol="IBMUSD", base="IBM", quote="USD")


def run_on_flink(job: MachineJob, texts: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return the rows that a job yields for (key, headed value) texts, in order."""
    env, _ = environments("test")
    env.set_parallelism(1)
    rows = env.from_collection([Row(*text) for text in texts], Types.ROW([Types.STRING(), Types.STRING()]))
    with job.build(keyed(rows), VENUE).execute_and_collect() as collected:
        return [(row[0], row[1], row[2]) for row in collected]


def run_purely(host: Host, texts: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return the same rows by the host alone, without Flink."""
    stored: dict[str, dict[str, str]] = defaultdict(dict)
    rows = []
    for key, text in texts:
        record: Record = to_record(key, text)
        outcome = host.process(record, lambda key=key: stored[key])
        stored[key].update({name: value for name, value in outcome.changes.items() if value is not None})
        rows += [(f"test.{topic}", key, packet.decode()) for topic, key, packet in outcome.records]
    return rows


def headed(topic: str, *records: tuple[str, bytes]) -> list[tuple[str, str]]:
    """Put topic, positions and times in front of values, as the source does."""
    return [
        (key, f"test.{topic} 0 {offset} {1_000 + offset} {value.decode('latin-1')}")
        for offset, (key, value) in enumerate(records)
    ]


def order(symbol: str, seq: int, side: m.Side, price: int, quantity: int) -> m.EnterOrder:
    return m.EnterOrder(
        source="@test", seq=seq, time_ms=seq, account=m.MARKET, order_id=-seq, symbol=symbol, side=side, price=price,
        quantity=quantity,
    )  # fmt: skip


def test_matching_on_flink_equals_the_books_alone():
    texts = headed(
        topics.BOOK_INBOX,
        ("AAPLUSD", encode(m.ListInstrument(key="AAPLUSD", instrument=APPLE))),
        ("IBMUSD", encode(m.ListInstrument(key="IBMUSD", instrument=IBM))),
        ("AAPLUSD", encode([order("AAPLUSD", seq, "sell", 100 + seq % 3, 5) for seq in range(1, 40)])),
        ("IBMUSD", encode(order("IBMUSD", 1, "buy", 77, 3))),
        ("AAPLUSD", b"\xff\xfe not a packet"),
        ("IBMUSD", encode(order("AAPLUSD", 40, "buy", 100, 1))),
        ("AAPLUSD", encode([order("AAPLUSD", seq, "buy", 101, 7) for seq in range(40, 50)])),
        ("", b""),
    )
    rows = run_on_flink(matching.JOB, texts)
    assert rows == run_purely(book_host("replay", 4), texts)
    assert {row[0] for row in rows} == {
        "test.trades",
        "test.book-deltas",
        "test.book-snapshots",
        "test.dead-letters",
    }
    raw = [decode_dead_letters(row[2].encode())[0].raw for row in rows if row[0] == "test.dead-letters"]
    assert raw[0] == b"\xff\xfe not a packet", "bytes that are no UTF-8 arrive as they were"


def test_accounts_on_flink_equal_the_shards_alone():
    shard = m.shard_of("alice", 4)
    common = {"account": "alice", "created_ms": 1_000}
    place = m.PlaceOrder(request_id="p", symbol="AAPLUSD", side="buy", price=100, quantity=5, **common)
    texts = headed(
        topics.ACCOUNT_INBOX,
        (shard, encode(m.ListInstrument(key=shard, instrument=APPLE))),
        (shard, encode([m.OpenAccount(request_id="o", **common)])),
        (shard, encode([m.Deposit(request_id="d", asset="USD", amount=600, **common), place, place])),
        (shard, encode(m.PlaceOrder(request_id="q", symbol="AAPLUSD", side="buy", price=101, quantity=1, **common))),
        (shard, encode(m.CancelOrder(request_id="c", order_request_id="p", **common))),
    )
    rows = run_on_flink(accounts.JOB, texts)
    assert rows == run_purely(accounts_host("replay", 4), texts)
    assert [row[0] for row in rows if row[0] == "test.book-inbox"] == ["test.book-inbox"] * 2, (
        "the order and its cancel"
    )
    assert any("INSUFFICIENT_FUNDS" in row[2] for row in rows)
