"""What `verify` says of a log that was tampered with: the first record that is wrong, and why."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
import pytest

from exchange import messages as m
from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.packets import decode_book_snapshots, encode
from exchange.verify import DECODERS, Finding, Verdict
from tests.simulation.log import PARTITIONS, Log
from tests.simulation.world import World

OUTPUTS = (topics.ORDER_REPORTS, topics.ACCOUNT_UPDATES, topics.TRADES, topics.BOOK_DELTAS, topics.BOOK_ORDERS)


@lru_cache(maxsize=1)
def _made() -> Log:
    world = World(2, "live", crashes=0.0)
    world.run(60)
    return world.log


def whole() -> Log:
    """Return the log of a venue that has traded, all at rest."""
    made, log = _made(), Log("live")
    log.now_ms = made.now_ms
    log.partitions.update({name: list(records) for name, records in made.partitions.items()})
    return log


def verdict(log: Log) -> Verdict:
    return log.verify(quiesced=True)


def records(log: Log, topic: str) -> list[Record]:
    return [record for place in range(PARTITIONS) for record in log.partitions[topic, place]]


def drop(log: Log, record: Record) -> None:
    log.partitions[record.topic, record.partition].remove(record)


def put(log: Log, record: Record, value: bytes) -> None:
    partition = log.partitions[record.topic, record.partition]
    partition[partition.index(record)] = replace(record, value=value)


def holding(log: Log, topic: str, word: bytes) -> Record:
    """Return a record of a topic whose bytes hold a word."""
    return next(record for record in records(log, topic) if word in record.value)


def found(log: Log) -> Finding:
    finding = verdict(log).finding
    assert finding is not None
    return finding


def test_a_whole_log_is_fine() -> None:
    result = verdict(whole())
    assert result.ok
    assert result.finding is None
    assert result.in_flight == {}
    assert result.accounts == 5
    assert result.orders_open > 0
    assert result.messages[topics.TRADES] > 10


def test_an_empty_log_is_fine() -> None:
    assert verdict(Log("live")).ok


@pytest.mark.parametrize("topic", OUTPUTS)
def test_a_record_that_is_missing_at_the_end_is_in_flight(topic: str) -> None:
    log = whole()
    last = next(log.partitions[topic, place][-1] for place in range(PARTITIONS) if log.partitions[topic, place])
    drop(log, last)
    assert found(log) == Finding(topic, -1, -1, "", f"{_count(last)} messages are missing at the end of {topic}")
    result = log.verify(quiesced=False)
    assert result.ok
    assert result.in_flight == {topic: _count(last)}


def _count(record: Record) -> int:
    return len(DECODERS[record.topic](record.value))


@pytest.mark.parametrize("topic", OUTPUTS)
def test_a_record_that_is_missing_in_the_middle_is_found(topic: str) -> None:
    log = whole()
    drop(log, next(log.partitions[topic, place][0] for place in range(PARTITIONS) if log.partitions[topic, place]))
    assert topic in found(log).reason
    assert log.verify(quiesced=False).in_flight[topic] > 0


@pytest.mark.parametrize("topic", DECODERS)
def test_a_record_that_comes_again_is_fine_and_counted(topic: str) -> None:
    log = whole()
    again = next(
        record for record in records(log, topic) if b'"seq"' in record.value and b'"@tape"' not in record.value
    )
    log.append(topic, again.key, again.value)
    before = len(records(log, topic))
    result = log.verify(quiesced=False)
    assert result.finding is None
    assert result.repeats[topic] >= _count(again)
    assert before == len(records(log, topic))


@pytest.mark.parametrize(
    ("topic", "old", "new"),
    [
        (topics.TRADES, b'"price":1', b'"price":2'),
        (topics.TRADES, b'"quantity":', b'"quantity":1'),
        (topics.BOOK_DELTAS, b'"quantity":', b'"quantity":1'),
        (topics.BOOK_DELTAS, b'"phase":"continuous"', b'"phase":"halt"'),
        (topics.BOOK_ORDERS, b'"number":', b'"number":1'),
        (topics.ORDER_REPORTS, b'"taker","fee":', b'"taker","fee":1'),
        (topics.ORDER_REPORTS, b'"amount":', b'"amount":1'),
        (topics.ORDER_REPORTS, b'"reason":"OTHER_LEG"', b'"reason":"REQUESTED"'),
        (topics.ACCOUNT_UPDATES, b'"reserved":', b'"reserved":1'),
        (topics.ORDER_REPORTS, b'"liquidity":"maker"', b'"liquidity":"taker"'),
        (topics.ACCOUNT_UPDATES, b'"available":', b'"available":1'),
    ],
)
def test_a_message_that_was_changed_is_named(topic: str, old: bytes, new: bytes) -> None:
    log = whole()
    record = holding(log, topic, old)
    put(log, record, record.value.replace(old, new, 1))
    finding = found(log)
    assert (finding.topic, finding.partition, finding.offset) == (topic, record.partition, record.offset)
    assert finding.message.startswith("{")


def test_a_repeat_that_says_something_else_is_named() -> None:
    log = whole()
    record = holding(log, topics.TRADES, b'"quantity":')
    trade = DECODERS[topics.TRADES](record.value)[0]
    log.append(topics.TRADES, record.key, encode(trade).replace(b'"quantity":', b'"quantity":1'))
    finding = found(log)
    assert finding.offset == len(log.partitions[topics.TRADES, record.partition]) - 1
    assert "with other content" in finding.reason


@pytest.mark.parametrize("topic", [topics.ACCOUNT_INBOX, topics.BOOK_INBOX])
def test_a_message_that_no_machine_sent_is_named(topic: str) -> None:
    log = whole()
    kind = m.EnterOrder if topic == topics.BOOK_INBOX else m.OrderAccepted
    record, sent = next(
        (record, message)
        for record in records(log, topic)
        for message in _readable(record)
        if type(message) is kind and message.account != m.MARKET
    )
    forged = encode(sent).replace(f'"seq":{sent.seq},'.encode(), b'"seq":99999,')
    log.append(topic, record.key, forged)
    finding = found(log)
    assert (finding.topic, finding.offset) == (topic, len(log.partitions[topic, record.partition]) - 1)
    assert finding.message == forged.decode()


def _readable(record: Record) -> list[Any]:
    try:
        return DECODERS[record.topic](record.value)
    except InvalidPacket:
        return []


def test_a_junk_record_in_an_output_topic_is_named() -> None:
    log = whole()
    log.append(topics.TRADES, "AAPLUSD", b"junk")
    assert "not a packet of trades" in found(log).reason


def test_a_bad_record_without_its_dead_letter_is_found() -> None:
    log = whole()
    log.append(topics.ACCOUNT_INBOX, "0", b"junk")
    assert log.verify(quiesced=False).in_flight == {topics.DEAD_LETTERS: 1}
    assert topics.DEAD_LETTERS in found(log).topic


@pytest.mark.parametrize("topic", topics.INBOXES)
def test_a_message_under_a_wrong_key_is_a_dead_letter_and_nothing_else(topic: str) -> None:
    log = whole()
    word = b'"EnterOrder","source":"' if topic == topics.BOOK_INBOX else b'"OrderAccepted"'
    log.append(topic, "GOOG", holding(log, topic, word).value)
    result = log.verify(quiesced=False)
    assert result.finding is None
    assert result.in_flight == {topics.DEAD_LETTERS: 1}


def test_a_dead_letter_of_a_good_record_is_named() -> None:
    log = whole()
    record = records(log, topics.DEAD_LETTERS)[0]
    put(log, record, record.value.replace(b'"offset":', b'"offset":9'))
    assert "is no dead letter" in found(log).reason


def test_alerts_that_were_not_delivered_are_no_flaw_and_each_counts_once() -> None:
    log = whole()
    before = verdict(log)
    place: dict[str, Any] = {"topic": "v.alerts", "partition": 0, "offset": 3, "key": "ann", "raw": b""}
    for channel in ("email", "webhook", "webhook"):
        letter = m.DeadLetter(reason="UNDELIVERED", detail=f"{channel} 1: no answer", **place)
        log.append(topics.DEAD_LETTERS, "ann", encode(letter))
    result = verdict(log)
    assert result.ok
    assert result.dead_letters - before.dead_letters == {"UNDELIVERED": 2}
    assert result.repeats[topics.DEAD_LETTERS] == before.repeats[topics.DEAD_LETTERS] + 1


def test_a_venue_that_runs_under_another_clock_is_not_the_same_venue() -> None:
    log = whole()
    log.clock = "replay"
    assert not verdict(log).ok


def _snapshot(log: Log) -> tuple[Record, m.BookSnapshot]:
    record = records(log, topics.BOOK_SNAPSHOTS)[0]
    return record, decode_book_snapshots(record.value)[0]


def test_a_snapshot_must_be_one_that_its_book_sends() -> None:
    log = whole()
    record, right = _snapshot(log)
    log.append(topics.BOOK_SNAPSHOTS, record.key, record.value)
    assert verdict(log).ok
    wrong = msgspec.structs.replace(right, bids=[*right.bids, (1, 1)])
    put(log, record, encode(wrong))
    finding = found(log)
    assert finding.topic == topics.BOOK_SNAPSHOTS
    assert finding.reason == f"{right.symbol} does not send this as snapshot {right.seq}"


def test_older_snapshots_may_be_gone() -> None:
    log = whole()
    for record in records(log, topics.BOOK_SNAPSHOTS)[:-1]:
        drop(log, record)
    assert verdict(log).ok


def test_a_snapshot_that_is_not_sent_yet_is_in_flight() -> None:
    log = whole()
    record, right = _snapshot(log)
    log.append(topics.BOOK_SNAPSHOTS, record.key, encode(msgspec.structs.replace(right, seq=10**9)))
    assert log.verify(quiesced=False).in_flight == {topics.BOOK_SNAPSHOTS: 1}
    assert found(log).topic == topics.BOOK_SNAPSHOTS


def test_a_trade_undone_as_what_it_was_not_is_named() -> None:
    log = whole()
    trade = DECODERS[topics.TRADES](records(log, topics.TRADES)[0].value)[0]
    wrong = m.BustTrade(
        key=trade.symbol, trade=trade.seq, price=trade.price + 1, quantity=trade.quantity, buyer="a", seller="b",
        buy_order=1, sell_order=2, listing=trade.listing,
    )  # fmt: skip
    log.append(topics.BOOK_INBOX, trade.symbol, encode(wrong))
    finding = log.verify(quiesced=False).finding
    assert finding is not None
    assert (finding.message, finding.reason) == (
        encode(wrong).decode(),
        f"trade {trade.seq} is undone as what it was not",
    )
