"""Everything that can be wrong with a record, through real Kafka and Flink: a refusal or a dead letter, and nothing else.

The tests share a venue; each has accounts or symbols of its own.
"""

from __future__ import annotations

from functools import partial

import pytest
from kafka import KafkaProducer
from venue import SHARDS, Venue, now_ms

from exchange import messages as m
from exchange import topics
from exchange.instruments import Instrument
from exchange.packets import encode

pytestmark = pytest.mark.stack

SYMBOL = b"AAPLUSD"
ALICE = m.shard_of("alice", SHARDS).encode()


def _order(**changes: object) -> dict[str, object]:
    good: dict[str, object] = {
        "type": "PlaceOrder", "account": "alice", "request_id": "bad", "created_ms": 1, "symbol": "AAPLUSD", "side": "buy",
        "price": 100, "quantity": 1,
    }  # fmt: skip
    return good | changes


# (inbox, record key, record value)
DEAD: dict[str, tuple[str, bytes | None, bytes | None]] = {
    "malformed JSON": (topics.ACCOUNT_INBOX, ALICE, b'{"type":"PlaceOrder"'),
    "truncated packet": (topics.BOOK_INBOX, SYMBOL, b'[{"type":"Tick","key":"AAPLUSD"},'),
    "no JSON": (topics.BOOK_INBOX, SYMBOL, b"hello"),
    "empty value": (topics.BOOK_INBOX, SYMBOL, b""),
    "no value": (topics.BOOK_INBOX, SYMBOL, None),
    "empty packet": (topics.ACCOUNT_INBOX, ALICE, b"[]"),
    "wrong type": (topics.ACCOUNT_INBOX, ALICE, encode(_order(price="100"))),
    "float": (topics.ACCOUNT_INBOX, ALICE, encode(_order(price=1.5))),
    "NaN": (topics.ACCOUNT_INBOX, ALICE, encode(_order()).replace(b"100", b"NaN")),
    "Infinity": (topics.ACCOUNT_INBOX, ALICE, encode(_order()).replace(b"100", b"Infinity")),
    "1e999": (topics.ACCOUNT_INBOX, ALICE, encode(_order()).replace(b"100", b"1e999")),
    "negative": (topics.ACCOUNT_INBOX, ALICE, encode(_order(quantity=-1))),
    "zero": (topics.ACCOUNT_INBOX, ALICE, encode(_order(quantity=0))),
    "2^63": (topics.ACCOUNT_INBOX, ALICE, encode(_order(price=2**63))),
    "unknown field": (topics.ACCOUNT_INBOX, ALICE, encode(_order(colour="red"))),
    "unknown message": (topics.ACCOUNT_INBOX, ALICE, b'{"type":"Shout","account":"alice"}'),
    "message of another inbox": (topics.BOOK_INBOX, SYMBOL, encode(_order())),
    "invalid UTF-8": (topics.ACCOUNT_INBOX, ALICE, b'{"type":"\xff\xfe"}'),
    "no key": (topics.BOOK_INBOX, None, b'{"type":"Tick","key":"AAPLUSD"}'),
    "wrong key": (topics.BOOK_INBOX, b"IBMUSD", b'{"type":"Tick","key":"AAPLUSD"}'),
    "wrong shard": (topics.ACCOUNT_INBOX, b"15" if ALICE != b"15" else b"14", encode(_order())),
    "key that is no UTF-8": (topics.BOOK_INBOX, b"\xff", b'{"type":"Tick","key":"AAPLUSD"}'),
    "1 MB": (topics.BOOK_INBOX, SYMBOL, b"x" * 1_048_000),
    "a key of 800 KB that JSON makes six times as long": (topics.BOOK_INBOX, b"\x01" * 800_000, b"x"),
    "an error text of 900 KB": (
        topics.BOOK_INBOX,
        SYMBOL,
        encode(
            m.ListInstrument(key="AAPLUSD", instrument=Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"))
        ).replace(b"0.01", b"\x7f" * 900_000),
    ),
    "deep nesting": (topics.BOOK_INBOX, SYMBOL, b"[" * 100_000),
}


def test_every_bad_record_is_a_dead_letter_and_the_good_orders_around_it_trade(shared_venue: Venue):
    venue = shared_venue
    venue.list("AAPLUSD")
    venue.fund("alice", "bob", USD=10**9, AAPL=10**6)
    producer = KafkaProducer(bootstrap_servers=venue.servers, acks="all", max_request_size=2**21)
    stood: dict[tuple[str, int, int], tuple[str, bytes]] = {}
    for number, (what, (topic, key, value)) in enumerate(DEAD.items()):
        venue.order("bob", f"before-{number}", "sell", 100, 1)
        sent = producer.send(f"{venue.name}.{topic}", key=key, value=value).get(timeout=30)
        stood[sent.topic, sent.partition, sent.offset] = what, value or b""
        venue.order("alice", f"after-{number}", "buy", 100, 1)
    producer.close()
    trades = venue.wait_for(topics.TRADES, lambda found: _of(found, "AAPLUSD", len(DEAD)))
    assert [trade.seq for trade in trades] == list(range(1, len(DEAD) + 1))
    letters = venue.wait_for(topics.DEAD_LETTERS, lambda found: len(found) >= len(DEAD) and found)
    assert {(one.topic, one.partition, one.offset): one.raw for one in letters} == {
        where: raw for where, (_, raw) in stood.items()
    }
    assert {one.reason for one in letters} == {"INVALID_PACKET"}
    assert [venue.jobs.status(name).restarts for name in ("accounts", "matching")] == [0, 0]


def test_what_the_market_refuses_is_reported_with_its_reason(shared_venue: Venue):
    venue = shared_venue
    venue.list("MSFTUSD")
    venue.fund("carol", USD=10_000)
    order = partial(venue.order, symbol="MSFTUSD")
    order("carol", "good", "buy", 100, 1)
    order("carol", "good", "buy", 100, 1, created_ms=now_ms())
    order("carol", "good", "buy", 100, 2)
    order("carol", "rich", "buy", 101, 100)
    order("carol", "short", "sell", 100, 1)
    order("carol", "where", "buy", 100, 1, symbol="NOWHERE")
    order("carol", "old", "buy", 100, 1, created_ms=now_ms() - 2 * 86_400_000)
    order("carol", "early", "buy", 100, 1, created_ms=now_ms() + 3_600_000)
    order("carol", "gtd", "buy", 100, 1, time_in_force="GTD")
    order("nobody", "who", "buy", 100, 1)
    venue.send(m.CancelOrder(account="carol", request_id="cancel", created_ms=now_ms(), order_id=999))
    reasons = {
        "rich": "INSUFFICIENT_FUNDS", "short": "INSUFFICIENT_FUNDS", "where": "UNKNOWN_SYMBOL", "old": "STALE",
        "early": "CLOCK_AHEAD", "gtd": "INVALID_TIME_IN_FORCE", "who": "UNKNOWN_ACCOUNT", "cancel": "UNKNOWN_ORDER",
    }  # fmt: skip
    refused = (m.OrderRejected, m.RequestRejected)

    def complete(told: list[m.OrderReport]) -> list[m.OrderReport]:
        found = [one for one in told if one.account in ("carol", "nobody")]
        ids = {one.request_id for one in found if isinstance(one, refused)}
        accepted = any(isinstance(one, m.OrderAccepted) for one in found)
        return found if accepted and ids >= {*reasons, "good"} else []

    reports = venue.wait_for(topics.ORDER_REPORTS, complete)
    told = {one.request_id: one.reason for one in reports if isinstance(one, refused)}
    assert told == {**reasons, "good": "DUPLICATE"}
    repeated = [one for one in reports if isinstance(one, m.RequestRepeated)]
    accepted = [one for one in reports if isinstance(one, m.OrderAccepted)]
    assert [one.order_id for one in repeated] == [one.order_id for one in accepted]


def test_a_broken_invariant_halts_its_own_key_only_until_it_is_resumed(shared_venue: Venue):
    venue = shared_venue
    venue.list("TSLAUSD", "IBMUSD")
    venue.fund("alice", "bob", USD=10**9, TSLA=10**6, IBM=10**6)
    venue.order("bob", "resting", "sell", 100, 5, symbol="TSLAUSD")
    reports = venue.wait_for(
        topics.ORDER_REPORTS,
        lambda found: [one for one in found if isinstance(one, m.OrderAccepted) and one.request_id == "resting"],
    )
    forged = m.EnterOrder(
        source="15", seq=1, time_ms=0, account="alice", order_id=reports[0].order_id, symbol="TSLAUSD", side="buy", price=1,
        quantity=1,
    )  # fmt: skip
    _write(venue, topics.BOOK_INBOX, b"TSLAUSD", forged)
    letters = venue.wait_for(
        topics.DEAD_LETTERS, lambda found: [one for one in found if one.reason == "BROKEN_INVARIANT"]
    )
    assert [(one.reason, one.raw) for one in letters] == [("BROKEN_INVARIANT", encode(forged))]
    venue.order("alice", "halted", "buy", 100, 1, symbol="TSLAUSD")
    venue.order("bob", "other", "sell", 100, 1, symbol="IBMUSD")
    venue.order("alice", "other", "buy", 100, 1, symbol="IBMUSD")
    venue.wait_for(topics.TRADES, lambda found: _of(found, "IBMUSD", 1))
    assert not [trade for trade in venue.messages(topics.TRADES) if trade.symbol == "TSLAUSD"]
    refused = venue.wait_for(
        topics.ORDER_REPORTS, lambda found: [one.reason for one in found if one.request_id == "halted"]
    )
    assert refused == ["HALTED"]
    _write(venue, topics.BOOK_INBOX, b"TSLAUSD", m.Resume(key="TSLAUSD"))
    venue.order("alice", "resumed", "buy", 100, 1, symbol="TSLAUSD")
    venue.wait_for(topics.TRADES, lambda found: _of(found, "TSLAUSD", 1))
    assert venue.jobs.status("matching").restarts == 0


def test_an_idle_book_expires_an_order_in_time(shared_venue: Venue):
    venue = shared_venue
    venue.list("INFYUSD")
    venue.fund("dave", USD=10**9)
    expires_ms = now_ms() + 5_000
    venue.order("dave", "gtd", "buy", 100, 1, time_in_force="GTD", expires_ms=expires_ms, symbol="INFYUSD")
    expired = venue.wait_for(
        topics.ORDER_REPORTS,
        lambda found: [one for one in found if isinstance(one, m.OrderExpired) and one.account == "dave"],
    )
    assert expires_ms <= expired[0].time_ms
    balances = [one for one in venue.messages(topics.ACCOUNT_UPDATES) if one.account == "dave"]
    assert (balances[-1].available, balances[-1].reserved) == (10**9, 0)


def _of(trades: list[m.Trade], symbol: str, count: int) -> list[m.Trade]:
    """Return a symbol's trades, if there are so many."""
    found = [trade for trade in trades if trade.symbol == symbol]
    return found if len(found) == count else []


def _write(venue: Venue, topic: str, key: bytes, message: m.Message) -> None:
    producer = KafkaProducer(bootstrap_servers=venue.servers, acks="all")
    producer.send(f"{venue.name}.{topic}", key=key, value=encode(message)).get(timeout=30)
    producer.close()
