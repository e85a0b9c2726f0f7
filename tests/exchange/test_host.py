"""Packets in, records and state out: atomic, and never stuck on a bad one."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from exchange import host, topics
from exchange import messages as m
from exchange.book import Book
from exchange.channel import HOLE_ALERT_MS
from exchange.errors import InvalidPacket
from exchange.host import Host, Outcome, Record, accounts_host, book_host, records_of
from exchange.instruments import Instrument
from exchange.packets import PACKET_MAX, decode_account_inbox, decode_dead_letters, decode_trades, encode
from tests.exchange.pit import INSTRUMENT, SHARDS, SYMBOL, Pit
from tests.simulation.world import World


class Shop:
    """A host of one key with its state and all that it wrote; a forgetful one rebuilds its machine each time."""

    def __init__(self, host: Host, topic: str, key: str) -> None:
        self.host = host
        self.topic = topic
        self.key = key
        self.entries: dict[str, str] = {}
        self.offset = 0
        self.forgetful = False

    def take(self, *messages: m.Message, key: str | None = None) -> list[tuple[str, list[str]]]:
        """Process a packet and return what was written, as topics with the types of their messages."""
        return self.take_raw(encode(messages), key)

    def take_raw(self, value: bytes, key: str | None = None, time_ms: int = 1_000) -> list[tuple[str, list[str]]]:
        outcome = self.process(Record(self.topic, 2, self.offset, time_ms, key or self.key, value))
        self.records = outcome.records
        return [(topic, _types(value)) for topic, _, value in outcome.records]

    def process(self, record: Record) -> Outcome:
        self.offset += 1
        if self.forgetful:
            self.host.machines.clear()
        outcome = self.host.process(record, lambda: self.entries)
        for name, text in outcome.changes.items():
            if text is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = text
        return outcome

    def letters(self) -> list[m.DeadLetter]:
        """Return the dead letters of the last packet."""
        return [decode_dead_letters(value)[0] for topic, _, value in self.records if topic == topics.DEAD_LETTERS]


def _types(value: bytes) -> list[str]:
    decoded = json.loads(value)
    return [message["type"] for message in (decoded if isinstance(decoded, list) else [decoded])]


def book_shop() -> tuple[Shop, Pit]:
    shop = Shop(book_host("live", SHARDS), topics.BOOK_INBOX, SYMBOL)
    shop.take(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT))
    return shop, Pit()


def accounts_shop() -> Shop:
    shop = Shop(accounts_host("live", 1), topics.ACCOUNT_INBOX, "0")
    common: dict[str, Any] = {"account": "alice", "created_ms": 1_000}
    shop.take(
        m.ListInstrument(key="0", instrument=INSTRUMENT),
        m.OpenAccount(**common, request_id="1"),
        m.Deposit(**common, request_id="2", asset="USD", amount=10_000),
        m.PlaceOrder(**common, request_id="3", symbol=SYMBOL, side="buy", price=100, quantity=5),
    )
    return shop


def fill(seq: int, order_id: int, source: str = SYMBOL) -> m.OrderFilled:
    return m.OrderFilled(
        source=source,
        seq=seq,
        time_ms=0,
        account="alice",
        order_id=order_id,
        symbol=SYMBOL,
        trade=1,
        side="buy",
        price=100,
        quantity=5,
        leaves=0,
        liquidity="maker",
    )


def test_outputs_are_grouped_by_topic_and_key() -> None:
    shop, pit = book_shop()
    written = shop.take(
        pit.order("alice", 1, "sell", 5, 100), pit.order("alice", 2, "sell", 5, 100), pit.order("bob", 3, "buy", 7, 100)
    )
    same_shard = m.shard_of("alice", SHARDS) == m.shard_of("bob", SHARDS)
    assert len(written) == (3 if same_shard else 4)
    assert dict(written)[topics.TRADES] == ["Trade", "Trade"]
    assert dict(written)[topics.BOOK_DELTAS] == ["BookDelta"] * 3


def test_a_great_output_is_cut_into_packets() -> None:
    shop, pit = book_shop()
    makers = [pit.order(m.MARKET, -number, "sell", 1, 100) for number in range(1, PACKET_MAX + 3)]
    shop.take(*makers)
    shop.take(pit.order(m.MARKET, -10_000, "buy", PACKET_MAX + 2, 100))
    packets = [decode_trades(value) for topic, _, value in shop.records if topic == topics.TRADES]
    assert [len(packet) for packet in packets] == [PACKET_MAX, 2]
    assert [trade.seq for packet in packets for trade in packet] == list(range(1, PACKET_MAX + 3))


def test_a_bad_record_is_a_dead_letter_that_says_all_and_changes_nothing() -> None:
    shop, _ = book_shop()
    before = dict(shop.entries)
    shop.take_raw(b'{"type":"Tick","key":"\xff"}')
    assert shop.entries == before
    (letter,) = shop.letters()
    assert (letter.topic, letter.partition, letter.offset) == (topics.BOOK_INBOX, 2, 1)
    assert (letter.key, letter.reason, letter.raw) == (SYMBOL, "INVALID_PACKET", b'{"type":"Tick","key":"\xff"}')
    assert [(topic, key) for topic, key, _ in shop.records] == [(topics.DEAD_LETTERS, topics.BOOK_INBOX)]


def test_a_bad_record_does_not_cost_the_working_form() -> None:
    shop, _ = book_shop()
    book = shop.host.machines[SYMBOL]
    shop.take_raw(b"junk")
    assert shop.host.machines[SYMBOL] is book
    shop.take_raw(b"junk", "UNSEEN")
    assert "UNSEEN" not in shop.host.machines


def test_one_bad_message_spoils_its_packet_and_no_other() -> None:
    shop, pit = book_shop()
    good, bad = (
        pit.order("alice", 1, "buy", 5, 100),
        encode(pit.order("alice", 2, "buy", 5, 100)).replace(b"100", b"-1"),
    )
    assert shop.take_raw(b"[" + encode(good) + b"," + bad + b"]") == [(topics.DEAD_LETTERS, ["DeadLetter"])]
    assert (topics.ACCOUNT_INBOX, ["OrderAccepted"]) in shop.take(good)


@pytest.mark.parametrize("key", ["GOOGUSD", "aaplusd", "AAPLUSD ", "0"])
def test_a_record_under_another_key_is_a_dead_letter(key: str) -> None:
    shop, pit = book_shop()
    shop.take(pit.order("alice", 1, "buy", 5, 100), key=key)
    (letter,) = shop.letters()
    assert (letter.reason, letter.key) == ("INVALID_PACKET", key)
    assert "key" in letter.detail


def test_a_record_without_a_key_is_a_dead_letter() -> None:
    shop, pit = book_shop()
    value = encode([pit.order("alice", 1, "buy", 5, 100)])
    shop.records = shop.process(Record(topics.BOOK_INBOX, 0, 0, 0, "", value)).records
    assert [letter.reason for letter in shop.letters()] == ["INVALID_PACKET"]


def test_a_refused_order_of_recorded_flow_is_a_dead_letter() -> None:
    shop, pit = book_shop()
    shop.take(pit.order(m.MARKET, -1, "buy", 5, 100), pit.order(m.MARKET, -1, "buy", 5, 100))
    (letter,) = shop.letters()
    assert (letter.reason, letter.detail) == ("REJECTED", "DUPLICATE")


def test_a_hole_that_lasts_raises_one_alert() -> None:
    shop, pit = book_shop()
    pit.numbered("alice")
    value = encode(pit.order("alice", 1, "buy", 5, 100))
    reasons = []
    for time_ms in (1_000, 1_000 + HOLE_ALERT_MS, 1_001 + HOLE_ALERT_MS, 1_002 + HOLE_ALERT_MS):
        shop.take_raw(value, time_ms=time_ms)
        reasons.append([letter.reason for letter in shop.letters()])
    assert reasons == [[], [], ["CHANNEL_HOLE"], []]


def test_a_listing_that_becomes_another_instrument_is_a_dead_letter_and_halts_nothing() -> None:
    shop = accounts_shop()
    other = Instrument(symbol=SYMBOL, base="AAPL", quote="EUR")
    shop.take(m.ListInstrument(key="0", instrument=other, version=2))
    assert [letter.reason for letter in shop.letters()] == ["INVALID_PACKET"]
    assert shop.take(fill(1, 1)) == [
        (topics.ACCOUNT_UPDATES, ["BalanceChanged"] * 2),
        (topics.ORDER_REPORTS, ["OrderFilled"]),
    ]


@pytest.mark.parametrize("rebuilt", [False, True], ids=["kept", "rebuilt"])
def test_a_forged_report_halts_its_shard_until_it_is_resumed_and_what_came_meanwhile_is_settled(rebuilt: bool) -> None:
    shop = accounts_shop()
    shop.forgetful = rebuilt
    order = m.PlaceOrder(
        account="alice", request_id="4", created_ms=1_000, symbol=SYMBOL, side="buy", price=1, quantity=1
    )
    assert shop.take(fill(1, 1, source="FORGED")) == [(topics.DEAD_LETTERS, ["DeadLetter"])]
    assert [letter.reason for letter in shop.letters()] == ["BROKEN_INVARIANT"]
    assert shop.take(order) == [(topics.ORDER_REPORTS, ["OrderRejected"])]
    assert shop.take(fill(1, 1)) == []
    assert shop.take(m.Resume(key="0")) == [
        (topics.ACCOUNT_UPDATES, ["BalanceChanged"] * 2),
        (topics.ORDER_REPORTS, ["OrderFilled"]),
    ]
    assert dict(shop.take(order))[topics.BOOK_INBOX] == ["EnterOrder"]


def test_good_reports_around_a_forged_one_are_settled_after_the_halt() -> None:
    shop = accounts_shop()
    accepted = m.OrderAccepted(
        source=SYMBOL, seq=1, time_ms=0, account="alice", order_id=1, symbol=SYMBOL, side="buy", price=100, quantity=5
    )
    shop.take(accepted, fill(1, 1, source="FORGED"), fill(2, 1))
    assert dict(shop.take(m.Resume(key="0")))[topics.ORDER_REPORTS] == ["OrderAccepted", "OrderFilled"]


def test_an_order_that_is_on_the_book_already_halts_the_book_and_stays_on_it() -> None:
    shop, pit = book_shop()
    order = pit.order("alice", 1, "sell", 5, 100)
    shop.take(order)
    forged = m.EnterOrder(**{name: getattr(order, name) for name in order.__struct_fields__} | {"source": "FORGED"})
    assert shop.take(forged) == [(topics.DEAD_LETTERS, ["DeadLetter"])]
    assert shop.take(pit.order("bob", 2, "buy", 5, 100)) == [(topics.ACCOUNT_INBOX, ["OrderRejected"])]
    shop.take(m.Resume(key=SYMBOL))
    assert dict(shop.take(pit.order("bob", 3, "buy", 5, 100)))[topics.TRADES] == ["Trade"]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_an_operators_command_in_the_packet_that_breaks_is_no_way_to_get_stuck(before: bool) -> None:
    shop = accounts_shop()
    other = Instrument(symbol=SYMBOL, base="AAPL", quote="EUR")
    operator = (m.Resume(key="0"), m.ListInstrument(key="0", instrument=other, version=2))
    packet = (m.Resume(key="0"), fill(1, 9)) if before else (fill(1, 9), *operator)
    shop.take(*packet)
    assert [letter.reason for letter in shop.letters()] == ["BROKEN_INVARIANT"]
    assert shop.host.machines["0"].halted
    shop.take(m.Resume(key="0"))
    assert not shop.host.machines["0"].halted


def test_every_other_key_goes_on() -> None:
    host = book_host("live", SHARDS)
    halted, other = Shop(host, topics.BOOK_INBOX, SYMBOL), Shop(host, topics.BOOK_INBOX, "GOOGUSD")
    host.machine(SYMBOL, dict).halted = True
    google = Instrument(symbol="GOOGUSD", base="GOOG", quote="USD")
    other.take(m.ListInstrument(key="GOOGUSD", instrument=google))
    order = m.EnterOrder(
        source="0", seq=1, time_ms=0, account="a", order_id=1, symbol="GOOGUSD", side="buy", price=1, quantity=1
    )
    assert (topics.ACCOUNT_INBOX, ["OrderAccepted"]) in other.take(order)
    assert halted.take(m.Tick(key=SYMBOL)) == []


@pytest.mark.parametrize("inbox", topics.INBOXES)
def test_a_machine_rebuilt_after_any_packet_goes_on_byte_for_byte(inbox: str) -> None:
    make_host = book_host if inbox == topics.BOOK_INBOX else accounts_host
    world = World(11, "live", crashes=0.02)
    world.run(150)
    dice = random.Random(5)
    kept, rebuilt = (Shop(make_host("live", 3), inbox, "") for _ in range(2))
    states: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    count = 0
    for record in world.log.read(inbox):
        kept.entries, rebuilt.entries = states.setdefault(record.key, ({}, {}))
        if dice.random() < 0.9:
            rebuilt.host = make_host("live", 3)
        assert kept.process(record).records == rebuilt.process(record).records
        assert kept.entries == rebuilt.entries
        count += 1
    assert count > 100


def test_what_a_host_reads_it_refuses_or_understands() -> None:
    """Bytes of real packets, changed at random, never get anything but a machine's answer or a dead letter."""
    world = World(3, "live", crashes=0.0)
    world.run(60)
    dice = random.Random(9)
    for record in list(world.log.read(topics.ACCOUNT_INBOX)) * 4:
        value = bytearray(record.value)
        for _ in range(dice.randint(1, 4)):
            if value:
                value[dice.randrange(len(value))] = dice.randrange(256)
        shop = Shop(accounts_host("live", 3), topics.ACCOUNT_INBOX, record.key)
        shop.take_raw(bytes(value), record.key)
        try:
            decode_account_inbox(bytes(value))
        except InvalidPacket:
            assert [letter.reason for letter in shop.letters()] == ["INVALID_PACKET"]


def test_a_dead_letter_fits_into_a_record_whatever_the_key_and_the_error_say() -> None:
    host = book_host("live", 3)
    for key, value in (("\x01" * 800_000, b"x"), ("AAPLUSD", b'{"type":"' + b"\x7f" * 900_000 + b'"}')):
        outcome = host.process(Record("t", 0, 0, 0, key, value), dict)
        assert [len(letter) < topics.LARGE_RECORD_BYTES_MAX for _, _, letter in outcome.records] == [True]


def test_a_record_under_the_key_of_nobody_leaves_no_machine_behind() -> None:
    host = book_host("live", 3)
    host.process(Record("t", 0, 0, 0, "NOBODY", encode(m.Tick(key="AAPLUSD"))), dict)
    assert host.machines == {}


@pytest.mark.parametrize("changed", [{"quote_scale": 3}, {"quote": "EUR"}])
def test_a_book_refuses_to_be_listed_as_another_instrument(changed: dict[str, str]) -> None:
    host = book_host("live", 3)
    first = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD")
    other = msgspec.structs.replace(first, **changed)
    stored: dict[str, str] = {}
    for version, instrument in ((1, first), (2, other), (3, first)):
        command = m.ListInstrument(key="AAPLUSD", instrument=instrument, version=version)
        outcome = host.process(Record("t", 0, 0, 0, "AAPLUSD", encode(command)), lambda: stored)
        stored.update({name: text for name, text in outcome.changes.items() if text is not None})
        written = [topic for topic, _, _ in outcome.records]
        assert written == [topics.DEAD_LETTERS if instrument is other else topics.BOOK_SNAPSHOTS]
    book = host.machines["AAPLUSD"]
    assert isinstance(book, Book)
    assert (book.state.listing, book.state.instrument) == (3, first)


def test_a_host_that_is_closed_lets_go_of_every_order() -> None:
    host = book_host("live", 3)
    orders = [
        m.EnterOrder(
            source="@t", seq=number, time_ms=0, account=m.MARKET, order_id=-number, symbol="AAPLUSD", side="buy", price=5,
            quantity=1,
        )
        for number in (1, 2, 3)
    ]  # fmt: skip
    listed = m.ListInstrument(key="AAPLUSD", instrument=Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"))
    for message in (listed, orders):
        host.process(Record("t", 0, 0, 0, "AAPLUSD", encode(message)), dict)
    book = host.machines["AAPLUSD"]
    assert isinstance(book, Book)
    first, second, third = book.orders.values()
    assert (second.previous, second.next) == (first, third)
    host.close()
    assert host.machines == {}
    assert [(order.level, order.previous, order.next) for order in (first, second, third)] == [(None, None, None)] * 3


def test_what_is_too_long_for_a_record_leaves_as_several() -> None:
    long = [
        m.Deposit(account="a", request_id="r", created_ms=1, asset="USD", amount=number) for number in range(1, 400)
    ]

    class Wide:
        """A machine whose messages all go to one place."""

        def address(self, message: Any) -> tuple[str, str]:
            return topics.ALERTS, message.account

    size = len(encode(long[0]))
    assert len(records_of(Wide(), long)) == 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(host, "PACKET_BYTES_MAX", 10 * size)
        records = records_of(Wide(), long)
    assert max(len(packet) for _, _, packet in records) <= 10 * size
    assert [one for _, _, packet in records for one in decode_account_inbox(packet)] == long
