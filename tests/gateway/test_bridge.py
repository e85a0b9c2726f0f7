"""A bridge over a log in memory that it is torn away from after every record: what comes out is what an undisturbed one gives."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record, book_host
from exchange.instruments import Instrument
from exchange.messages import EnterOrder, ListInstrument
from exchange.packets import decode_book_inbox, decode_dead_letters
from exchange.seed_formats import FORMATS, SEED_A, SEED_B, SeedFormat
from exchange.seed_protocol import SeedBooks
from gateway.bridges.bridge import Bridge
from gateway.bridges.standing import standing_of
from openbell.listings import load
from wire.errors import WireError
from wire.writer import packets

VENUE = "test"
NOW_MS = 1_700_000_000_000
INSTRUMENTS = {symbol: listing.instrument for symbol, listing in load().items()}


class Torn(Exception):
    """The bridge has lost its broker."""


class Log:
    """All topics by full name, with the books behind `book-inbox`; after `left` more records from bridges it is torn away."""

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = defaultdict(list)
        self.books = book_host("replay", 16)
        self.stored: dict[str, dict[str, str]] = defaultdict(dict)
        self.left = -1

    def append(self, topic: str, key: str, value: bytes) -> None:
        record = Record(topic, 0, len(self.records[topic]), NOW_MS, key, value)
        self.records[topic].append(record)
        if topic == f"{VENUE}.{topics.BOOK_INBOX}":
            stored = self.stored[key]
            outcome = self.books.process(record, lambda: stored)
            for entry, text in outcome.changes.items():
                if text is None:
                    stored.pop(entry, None)
                else:
                    stored[entry] = text
            for to, name, answer in outcome.records:
                self.append(f"{VENUE}.{to}", name, answer)

    def of(self, topic: str) -> list[Record]:
        return self.records[f"{VENUE}.{topic}"]


class Writer:
    """Writes to a log at once, in records of at most three messages, so that many end inside a turn."""

    def __init__(self, log: Log, prefix: str) -> None:
        self.log = log
        self.prefix = prefix

    def send(self, topic: str, key: str, messages: Iterable[Any]) -> int:
        for packet in packets(messages, 3):
            self.send_raw(topic, key, packet)
        return 0

    def send_raw(self, topic: str, key: str, value: bytes) -> None:
        if self.log.left == 0:
            raise Torn
        self.log.left -= 1
        self.log.append(self.prefix + topic, key, value)

    def flush(self) -> None:
        pass


def start(log: Log, seed: SeedFormat, **more: Any) -> Bridge:
    written = [record for name in (seed.trades, *seed.sides.values()) for record in log.records[name]]
    standing = standing_of(seed, log.of(topics.BOOK_INBOX), log.of(topics.DEAD_LETTERS), written)
    inside, outside = Writer(log, f"{VENUE}."), Writer(log, "")
    return Bridge(seed, standing, INSTRUMENTS, inside=inside, outside=outside, **more)


def run(log: Log, seed: SeedFormat, turn: int = 7) -> Bridge:
    """Run a bridge over all there is, some records at a time."""
    bridge = start(log, seed)
    orders = log.records[seed.orders]
    seen = 0
    for begin in range(0, max(len(orders), 1), turn):
        bridge.take(orders[begin : begin + turn])
        if not bridge.behind:
            trades = log.of(topics.TRADES)
            bridge.report(trades[seen:], VENUE)
            seen = len(trades)
    bridge.check_caught_up()
    return bridge


def values(log: Log, topic: str) -> list[Any]:
    return [json.loads(record.value) for record in log.records[topic]]


def a_order(number: int, random: Random) -> bytes:
    """An order of seed A; one in ten is none."""
    order: dict[str, Any] = {
        "id": random.randrange(40) if random.random() < 0.3 else number + 100,
        "instrument": random.choice(["RIL", "TCS", "NEWCO"]),
        "trxn_type": random.choice(["BUY", "SELL"]),
        "quantity": float(random.choice([10, 20])),
        "price": random.choice([100.0, 100.5]),
        "order_timestamp": f"2020/05/31, 09:{number // 60:02}:{number % 60:02}",
    }
    if random.random() < 0.1:
        order |= random.choice([{"price": -1}, {"quantity": 0.001}, {"instrument": "no symbol"}, {"trxn_type": "HOLD"}])
    return json.dumps(order).encode()


def b_order(number: int, random: Random) -> bytes:
    """An order of seed B; one in ten is none."""
    order: dict[str, Any] = {
        "order_id": f"id-{random.randrange(40) if random.random() < 0.3 else number + 100}",
        "stock_symbol": random.choice(["AAPL", "TSLA", "NEWCO"]),
        "quantity": random.choice([10, 20, 30]),
        "side": random.choice(["buy", "SELL"]),
        "order_type": "limit",
        "price": random.choice([150.25, 150.5, 151]),
        "time_in_force": random.choice(["gtc", "DAY"]),
    }
    if random.random() < 0.1:
        order |= random.choice([{"price": 0.001}, {"quantity": 1.5}, {"stock_symbol": "x"}, {"order_type": "peg"}])
    return json.dumps(order).encode()


MADE = {"seed-a": a_order, "seed-b": b_order}


def fed(seed: SeedFormat, orders: int, number: int) -> Log:
    print(f"seed {number}")
    random = Random(number)
    log = Log()
    for n in range(orders):
        log.append(seed.orders, "", MADE[seed.name](n, random))
    return log


def in_process(log: Log, seed: SeedFormat) -> dict[str, list[Any]]:
    """What `openbell match` says of the orders that the bridge's instruments can count, stream by stream."""
    books = SeedBooks(seed)
    refused = {letter.offset for record in log.of(topics.DEAD_LETTERS) if record.key == seed.orders
               for letter in decode_dead_letters(record.value)}  # fmt: skip
    found: dict[str, list[Any]] = {name: [] for name in (seed.trades, *seed.sides.values())}
    for record in log.records[seed.orders]:
        if record.offset in refused:
            continue
        answers: list[bytes] = []
        try:
            answers.extend(books.apply(record.value))
        except InvalidPacket as error:
            if "DUPLICATE" not in str(error):
                raise
        for answer in map(json.loads, answers):
            stream = answer.pop("stream") if seed.sides else seed.trades
            found[stream].append(answer)
    return found


def by_instrument(trades: list[Any]) -> dict[str, list[Any]]:
    found = defaultdict(list)
    for trade in trades:
        one = trade[0] if isinstance(trade, list) else trade
        found[one.get("instrument") or one["buy_stock_symbol"]].append(trade)
    return dict(found)


@pytest.mark.parametrize("seed", [SEED_A, SEED_B], ids=["seed-a", "seed-b"])
def test_what_comes_out_is_what_the_books_in_process_give(seed: SeedFormat) -> None:
    log = fed(seed, 400, 1)
    bridge = run(log, seed)
    expected = in_process(log, seed)
    assert len(expected[seed.trades]) > 50
    assert by_instrument(values(log, seed.trades)) == by_instrument(expected[seed.trades])
    for stream in seed.sides.values():
        assert values(log, stream) == expected[stream]
    assert bridge.figures.trades == len(expected[seed.trades])
    assert bridge.figures.orders + bridge.figures.refused == 400
    assert bridge.figures.refused > 20


@pytest.mark.parametrize("seed", [SEED_A, SEED_B], ids=["seed-a", "seed-b"])
def test_torn_away_after_any_record_and_started_again_it_gives_the_same(seed: SeedFormat) -> None:
    whole = fed(seed, 60, 2)
    run(whole, seed)
    total = sum(len(records) for name, records in whole.records.items() if name != seed.orders)
    for torn_after in range(total):
        log = fed(seed, 60, 2)
        log.left = torn_after
        try:
            run(log, seed)
        except Torn:
            log.left = -1
            run(log, seed)
        for name in (f"{VENUE}.{topics.TRADES}", f"{VENUE}.{topics.BOOK_DELTAS}"):
            assert messages_of(log, name) == messages_of(whole, name), f"{name} after {torn_after}"
        for stream in seed.sides.values():
            assert values(log, stream) == values(whole, stream)
        assert by_instrument(values(log, seed.trades)) == by_instrument(values(whole, seed.trades))
        assert letters(log, seed) == letters(whole, seed)


def test_torn_away_again_and_again_it_still_gets_there() -> None:
    log, whole = fed(SEED_B, 100, 3), fed(SEED_B, 100, 3)
    run(whole, SEED_B)
    random = Random(3)
    for _ in range(1_000):
        log.left = random.randrange(1, 15)
        try:
            run(log, SEED_B, turn=random.randrange(1, 20))
            break
        except Torn:
            continue
    else:
        pytest.fail("it never got there")
    assert by_instrument(values(log, SEED_B.trades)) == by_instrument(values(whole, SEED_B.trades))
    assert letters(log, SEED_B) == letters(whole, SEED_B)


def test_it_lists_what_nobody_has_listed_and_leaves_a_listing_as_it_is() -> None:
    log = Log()
    listed = ListInstrument(key="TCS", instrument=INSTRUMENTS["TCS"], version=4)
    Writer(log, f"{VENUE}.").send(topics.BOOK_INBOX, "TCS", [listed])
    for n, name in enumerate(["TCS", "RIL", "NEWCO"]):
        log.append(SEED_A.orders, "", json.dumps({
            "id": n, "instrument": name, "trxn_type": "BUY", "quantity": 1.0, "price": 5.0,
            "order_timestamp": "2020/05/31, 09:15:00",
        }).encode())  # fmt: skip
    said: list[str] = []
    start(log, SEED_A, told=said.append).take(log.records[SEED_A.orders])
    sent = [message for record in log.of(topics.BOOK_INBOX) for message in decode_book_inbox(record.value)]
    lists = {message.key: message for message in sent if isinstance(message, ListInstrument)}
    assert {key: (one.version, one.rules.matching) for key, one in lists.items()} == {
        "TCS": (4, "price-time"), "RIL": (1, "exact"), "NEWCO": (1, "exact"),
    }  # fmt: skip
    assert lists["RIL"].instrument == INSTRUMENTS["RIL"]
    assert {message.symbol: message.listing for message in sent if isinstance(message, EnterOrder)} == {
        "TCS": 4, "RIL": 1, "NEWCO": 1,
    }  # fmt: skip
    assert said == ["TCS is listed with the rule price-time; it stays so"]


def test_after_a_new_listing_orders_are_entered_under_it_by_this_bridge_and_the_next() -> None:
    log = fed(SEED_A, 40, 5)
    bridge = run(log, SEED_A)
    refused = len(log.of(topics.DEAD_LETTERS))
    coarser = ListInstrument(
        key="TCS", version=2, rules=bridge.rules,
        instrument=Instrument(symbol="TCS", base="TCS", quote="INR", tick="0.05", lot="0.01", base_scale=2, quote_scale=4),
    )  # fmt: skip
    Writer(log, f"{VENUE}.").send(topics.BOOK_INBOX, "TCS", [coarser])
    bridge.report(log.of(topics.BOOK_SNAPSHOTS), VENUE)

    def order(number: int, side: str) -> bytes:
        return json.dumps({
            "id": number, "instrument": "TCS", "trxn_type": side, "quantity": 7.0, "price": 9.15,
            "order_timestamp": "2020/05/31, 12:00:00",
        }).encode()  # fmt: skip

    log.append(SEED_A.orders, "", order(1_000, "BUY"))
    bridge.take(log.records[SEED_A.orders][-1:])
    log.append(SEED_A.orders, "", order(1_001, "SELL"))
    run(log, SEED_A)
    entered = [message for record in log.of(topics.BOOK_INBOX) for message in decode_book_inbox(record.value)
               if isinstance(message, EnterOrder)]  # fmt: skip
    assert [(one.listing, one.price) for one in entered[-2:]] == [(2, 183), (2, 183)]
    assert len(log.of(topics.DEAD_LETTERS)) == refused
    assert values(log, SEED_A.trades)[-1][0] | {"update_timestamp": ""} == {
        "id": 1_000, "id_sell": 1_001, "instrument": "TCS", "quantity": 7.0, "price": 9.15, "update_timestamp": "",
    }  # fmt: skip


def test_a_listing_that_the_book_refuses_is_none_and_loses_no_order() -> None:
    log = Log()
    other = ListInstrument(key="TCS", instrument=Instrument(symbol="TCS", base="TCS", quote="INR"), version=1)
    order = json.dumps({
        "id": 1, "instrument": "TCS", "trxn_type": "BUY", "quantity": 7.0, "price": 9.0,
        "order_timestamp": "2020/05/31, 12:00:00",
    }).encode()  # fmt: skip
    log.append(SEED_A.orders, "", order)
    bridge = start(log, SEED_A)  # which does not see that an operator lists it in the same moment
    Writer(log, f"{VENUE}.").send(topics.BOOK_INBOX, "TCS", [other])
    bridge.take(log.records[SEED_A.orders])
    (refused,) = (letter for record in log.of(topics.DEAD_LETTERS) for letter in decode_dead_letters(record.value))
    assert (refused.topic, refused.reason) == (f"{VENUE}.{topics.BOOK_INBOX}", "INVALID_PACKET")
    assert log.books.machines["TCS"].inbound.counts == {"@seed-a": 1}
    standing = standing_of(SEED_A, log.of(topics.BOOK_INBOX), log.of(topics.DEAD_LETTERS), [])
    assert (standing.listings, standing.entered, standing.dead) == ({"TCS": other}, {"TCS": 1}, set())


def test_orders_that_are_gone_from_the_topic_end_it() -> None:
    log = fed(SEED_A, 30, 4)
    run(log, SEED_A)
    log.records[SEED_A.orders].clear()
    bridge = start(log, SEED_A)
    with pytest.raises(WireError, match="gone from the topic"):
        bridge.check_caught_up()


def test_a_trade_with_an_order_from_elsewhere_names_it_by_its_id_in_the_book() -> None:
    log = Log()
    instrument = INSTRUMENTS["AAPL"]
    native = EnterOrder(source="3", seq=1, time_ms=NOW_MS, account="alice", order_id=77, symbol="AAPL", side="sell",
                        price=15_000, quantity=10)  # fmt: skip
    Writer(log, f"{VENUE}.").send(
        topics.BOOK_INBOX, "AAPL", [ListInstrument(key="AAPL", instrument=instrument), native]
    )
    log.append(SEED_B.orders, "", json.dumps({
        "order_id": "u", "stock_symbol": "AAPL", "quantity": 4, "side": "buy", "order_type": "limit", "price": 151.5,
        "time_in_force": "gtc",
    }).encode())  # fmt: skip
    run(log, SEED_B)
    assert values(log, SEED_B.trades) == [
        {"buy_order_id": "u", "sell_order_id": 77, "buy_stock_symbol": "AAPL", "buy_price": 151.5, "sell_price": 150.0,
         "quantity": 4}
    ]  # fmt: skip


def test_a_record_of_a_megabyte_that_is_no_order_fits_into_a_dead_letter() -> None:
    log = Log()
    log.append(SEED_A.orders, "", b"x" * 1_048_000)
    run(log, SEED_A)
    assert [len(record.value) < 1_048_576 for record in log.of(topics.DEAD_LETTERS)] == [True]


def test_every_format_has_a_bridge() -> None:
    for seed in FORMATS.values():
        start(Log(), seed)


def messages_of(log: Log, name: str) -> dict[str, list[Any]]:
    """All messages of a topic by key, the repeats of the log's own writers left in."""
    found = defaultdict(list)
    for record in log.records[name]:
        found[record.key] += json.loads(record.value)
    return dict(found)


def letters(log: Log, seed: SeedFormat) -> list[Any]:
    return sorted({letter.offset for record in log.of(topics.DEAD_LETTERS) if record.key == seed.orders
                   for letter in decode_dead_letters(record.value)})  # fmt: skip
