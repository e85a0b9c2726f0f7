"""What `verify` says of a log that was tampered with: the first record that is wrong, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from exchange import messages as m
from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.packets import decode_book_snapshots, encode
from exchange.verify import DECODERS, Finding, Verdict
from exchange.views import MarketView
from tests.simulation.world import PARTITIONS, Log, World


def whole() -> Log:
    """Return the log of a venue that has traded, all at rest."""
    world = World(2, "live", crashes=0.0)
    world.run(60)
    return world.log


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


@pytest.mark.parametrize("topic", [topics.ORDER_REPORTS, topics.ACCOUNT_UPDATES, topics.TRADES, topics.BOOK_DELTAS])
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


@pytest.mark.parametrize("topic", [topics.ORDER_REPORTS, topics.ACCOUNT_UPDATES, topics.TRADES, topics.BOOK_DELTAS])
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


def test_a_venue_that_runs_under_another_clock_is_not_the_same_venue() -> None:
    log = whole()
    log.clock = "replay"
    assert not verdict(log).ok


def _snapshot(log: Log, delta: int) -> m.BookSnapshot:
    """Return the right snapshot of a book after so many deltas."""
    empty = decode_book_snapshots(records(log, topics.BOOK_SNAPSHOTS)[0].value)[0]
    view = MarketView(empty.symbol)
    for record in records(log, topics.BOOK_DELTAS):
        for one in DECODERS[topics.BOOK_DELTAS](record.value) if record.key == empty.symbol else ():
            if one.seq <= delta:
                view.delta(one)
    return msgspec.structs.replace(empty, delta=delta, bids=view.book.bids.top(10**6), asks=view.book.asks.top(10**6))


def test_a_snapshot_must_say_what_the_deltas_add_up_to() -> None:
    log = whole()
    right = _snapshot(log, 7)
    log.append(topics.BOOK_SNAPSHOTS, right.symbol, encode(right))
    assert verdict(log).ok
    wrong = msgspec.structs.replace(right, bids=[*right.bids, (1, 1)])
    log = whole()
    log.append(topics.BOOK_SNAPSHOTS, right.symbol, encode(wrong))
    finding = found(log)
    assert (finding.topic, finding.reason) == (topics.BOOK_SNAPSHOTS, "it is not what the deltas add up to")


def test_a_snapshot_of_deltas_that_are_not_there_yet_is_in_flight() -> None:
    log = whole()
    ahead = _snapshot(log, 10**9)
    log.append(topics.BOOK_SNAPSHOTS, ahead.symbol, encode(ahead))
    assert log.verify(quiesced=False).in_flight == {topics.BOOK_DELTAS: 1}
    assert found(log).topic == topics.BOOK_DELTAS
