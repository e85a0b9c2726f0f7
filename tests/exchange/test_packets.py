"""Packets in and out, and everything that is no packet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange import messages as m
from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from exchange.packets import (
    decode_account_inbox,
    decode_account_updates,
    decode_book_inbox,
    decode_dead_letters,
    decode_market_data,
    decode_order_reports,
    encode,
)

ENTER = {
    "type": "EnterOrder",
    "source": "0",
    "seq": 1,
    "time_ms": 0,
    "account": "alice",
    "order_id": 16,
    "symbol": "AAPLUSD",
    "side": "buy",
    "price": 100,
    "quantity": 5,
}
OPEN = {"type": "OpenAccount", "account": "a", "request_id": "1", "created_ms": 0}
BAR = {
    "type": "Bar",
    "source": "s",
    "seq": 1,
    "symbol": "X",
    "start_ms": 0,
    "span_ms": 1,
    "open": 10,
    "close": 11,
    "volume": 0,
}
LIST = {"type": "ListInstrument", "key": "X", "instrument": {"symbol": "X", "base": "X", "quote": "USD"}}


def raw(message: dict[str, Any], **change: Any) -> bytes:
    return json.dumps(message | change).encode()


def test_a_lone_object_is_a_packet_of_one() -> None:
    assert decode_book_inbox(raw(ENTER)) == decode_book_inbox(b"[" + raw(ENTER) + b"]")


def test_a_packet_keeps_its_order() -> None:
    messages = [m.Tick(key=str(number)) for number in range(1_000)]
    assert decode_book_inbox(encode(messages)) == messages


BAD = {
    "nothing": b"",
    "blank": b" ",
    "an empty packet": b"[]",
    "null": b"null",
    "a number": b"7",
    "a string": b'"Tick"',
    "malformed": b'{"type":"Tick","key":}',
    "truncated": raw(ENTER)[:-1],
    "truncated packet": b"[" + raw(ENTER) + b",",
    "two objects": raw(ENTER) + raw(ENTER),
    "a packet of packets": b"[[" + raw(ENTER) + b"]]",
    "a null in a packet": b"[" + raw(ENTER) + b",null]",
    "one bad message in a packet": b"[" + raw(ENTER) + b"," + raw(ENTER, price=0) + b"]",
    "no type": b'{"key":"A"}',
    "an unknown type": b'{"type":"Nothing"}',
    "a type that is no string": b'{"type":7}',
    "a message of another topic": encode(m.Tick(key="A")).replace(b"Tick", b"Trade"),
    "an unknown field": raw(ENTER, colour="red"),
    "a missing field": b'{"type":"Tick"}',
    "a price as text": raw(ENTER, price="100"),
    "a price as a fraction": raw(ENTER, price=1.5),
    "a price as a whole float": raw(ENTER, price=1.0),
    "a price as a bool": raw(ENTER, price=True),
    "a price of null": raw(ENTER, price=None),
    "NaN": raw(ENTER, price=float("nan")),
    "Infinity": raw(ENTER, price=float("inf")),
    "minus Infinity": raw(ENTER, price=float("-inf")),
    "1e999": raw(ENTER).replace(b"100", b"1e999"),
    "1e3": raw(ENTER).replace(b"100", b"1e3"),
    "a leading zero": raw(ENTER).replace(b"100", b"0100"),
    "a negative price": raw(ENTER, price=-1),
    "a zero price": raw(ENTER, price=0),
    "a negative quantity": raw(ENTER, quantity=-5),
    "a zero quantity": raw(ENTER, quantity=0),
    "a price of 2^40 and one": raw(ENTER, price=2**40 + 1),
    "2^63": raw(ENTER, quantity=2**63),
    "2^64": raw(ENTER, quantity=2**64),
    "a number of 5,000 digits": raw(ENTER).replace(b"100", b"9" * 5_000),
    "an order id of 2^53": raw(ENTER, order_id=2**53),
    "a seq of 0": raw(ENTER, seq=0),
    "a side that is none": raw(ENTER, side="hold"),
    "an empty account": raw(ENTER, account=""),
    "an account of 65 letters": raw(ENTER, account="a" * 65),
    "a 1 MB account": raw(ENTER, account="a" * 1_048_576),
    "1 MB of brackets": b"[" * 1_048_576,
    "1 MB of deep objects": b'{"a":' * 200_000,
    "deep nesting in a field": b'{"type":"Tick","key":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep nesting in an unknown field": b'{"type":"Tick","key":"A","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "1 MB of zero bytes": b"\0" * 1_048_576,
    "invalid UTF-8": b'{"type":"Tick","key":"\xff"}',
    "invalid UTF-8 outside a string": b"\xff\xfe",
    "half of a surrogate pair": b'{"type":"Tick","key":"\\ud800"}',
    "halves the wrong way round": b'{"type":"Tick","key":"\\udc00\\ud800"}',
    "a byte order mark": b"\xef\xbb\xbf" + raw(ENTER),
    "an instrument that pays itself": raw(LIST, instrument={"symbol": "X", "base": "X", "quote": "X"}),
    "an instrument without a tick": raw(LIST, instrument={"symbol": "X", "base": "X", "quote": "USD", "tick": "0"}),
    "an instrument with a wrong name": raw(LIST, instrument={"symbol": "x y", "base": "X", "quote": "USD"}),
    "an instrument with a newline": raw(LIST, instrument={"symbol": "X\n", "base": "X", "quote": "USD"}),
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_is_no_packet_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidPacket):
        decode_book_inbox(value)


@pytest.mark.parametrize("account", ["", "@market", "a b", "a/b", "ü", "alice\n", "a" * 65])
def test_a_new_account_needs_a_plain_name(account: str) -> None:
    with pytest.raises(InvalidPacket):
        decode_account_inbox(raw(OPEN, account=account))


@pytest.mark.parametrize("amount", [0, -1, 2**53, 1.5, "1", None])
def test_a_deposit_is_a_whole_amount_within_bounds(amount: Any) -> None:
    with pytest.raises(InvalidPacket):
        decode_account_inbox(raw(OPEN, type="Deposit", asset="USD", amount=amount))


@pytest.mark.parametrize(
    ("low", "high", "fits"), [(9, 12, True), (10, 11, True), (11, 12, False), (9, 10, False), (12, 9, False)]
)
def test_a_bar_holds_its_open_and_close(low: int, high: int, fits: bool) -> None:
    bar = raw(BAR, low=low, high=high)
    if fits:
        assert decode_market_data(bar)[0].high == high
    else:
        with pytest.raises(InvalidPacket):
            decode_market_data(bar)


COMMON: dict[str, Any] = {"source": "AAPLUSD", "seq": 1, "time_ms": 2, "account": "alice", "order_id": 16}
ORDER: dict[str, Any] = {"symbol": "AAPLUSD", "side": "sell", "price": 3, "quantity": 4}
EXTERNAL: dict[str, Any] = {"account": "alice", "request_id": "r", "created_ms": 1}
ROUND_TRIPS = [
    (decode_account_inbox, m.OpenAccount(**EXTERNAL)),
    (decode_account_inbox, m.Deposit(**EXTERNAL, asset="USD", amount=2**53 - 1)),
    (decode_account_inbox, m.PlaceOrder(**EXTERNAL, **ORDER, kind="market", time_in_force="FOK")),
    (decode_account_inbox, m.CancelOrder(**EXTERNAL, order_request_id="r0")),
    (decode_account_inbox, m.AdvanceClock(key="0", time_ms=0)),
    (decode_account_inbox, m.Resume(key="0")),
    (decode_book_inbox, m.ListInstrument(key="X", instrument=Instrument(symbol="X", base="X", quote="USD"), version=2)),
    (decode_book_inbox, m.Tick(key="X")),
    (decode_book_inbox, m.EnterOrder(**COMMON, **ORDER, time_in_force="GTD", expires_ms=9)),
    (decode_book_inbox, m.PullOrder(**COMMON, symbol="AAPLUSD")),
    (decode_account_inbox, m.OrderAccepted(**COMMON, **ORDER)),
    (decode_order_reports, m.OrderFilled(**COMMON, **ORDER, trade=1, leaves=0, liquidity="maker", request_id="r")),
    (decode_order_reports, m.OrderCancelled(**COMMON, symbol="AAPLUSD", quantity=1, reason="IOC_REMAINDER")),
    (decode_order_reports, m.OrderExpired(**COMMON, symbol="AAPLUSD", quantity=1)),
    (decode_order_reports, m.OrderRejected(**COMMON, symbol="AAPLUSD", reason="HALTED")),
    (decode_order_reports, m.RequestRejected(**COMMON, reason="TOO_LATE")),
    (decode_order_reports, m.RequestRepeated(source="0", seq=1, time_ms=0, account="ünïcode", request_id="💥")),
    (decode_account_updates, m.BalanceChanged(source="0", seq=1, time_ms=0, account="a", asset="X", available=2**63 - 1, reserved=0)),
    (decode_account_updates, m.AccountOpened(source="0", seq=1, time_ms=0, account="a", request_id="r")),
    (
        decode_dead_letters,
        m.DeadLetter(topic="t", partition=0, offset=0, key="", reason="INVALID_PACKET", detail="", raw=bytes(range(256))),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("decode", "message"), ROUND_TRIPS, ids=lambda value: type(value).__name__)
def test_a_message_survives_the_wire(decode: Any, message: m.Message) -> None:
    assert decode(encode(message)) == [message]
    assert encode(decode(encode(message))) == b"[" + encode(message) + b"]"


def test_a_trade_has_an_id_for_the_whole_venue() -> None:
    trade = m.Trade(
        symbol="AAPLUSD", seq=1842, time_ms=0, price=1, quantity=1, taker_side="buy", maker_order=1, taker_order=2
    )
    assert trade.trade_id == "AAPLUSD-1842"


def test_accounts_spread_over_all_shards() -> None:
    assert {m.shard_of(f"account-{number}", 16) for number in range(200)} == {str(shard) for shard in range(16)}
