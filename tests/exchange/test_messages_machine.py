"""Every message of the protocol survives the wire, alone and in packets, and nothing that the protocol does not know does."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange import messages as m
from exchange import packets
from exchange.errors import InvalidPacket
from exchange.packets import PacketDecoder, encode
from tests.exchange.made import message

CARRIERS: tuple[tuple[PacketDecoder[Any], tuple[Any, ...]], ...] = (
    (packets.decode_account_inbox, get_args(m.AccountsInput)),
    (packets.decode_book_inbox, get_args(m.BookCommand)),
    (packets.decode_order_reports, get_args(m.OrderReport)),
    (packets.decode_account_updates, get_args(m.AccountUpdate)),
    (packets.decode_trades, (m.Trade,)),
    (packets.decode_book_deltas, get_args(m.BookEvent)),
    (packets.decode_book_orders, (m.OrderDelta,)),
    (packets.decode_book_snapshots, (m.BookSnapshot,)),
    (packets.decode_market_data, (m.Bar, m.Resume)),
    (packets.decode_dead_letters, (m.DeadLetter,)),
)
KINDS = [
    kind for kind in vars(m).values() if inspect.isclass(kind) and issubclass(kind, m.Message) and kind is not m.Message
]
QUIET = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def carriers(kind: Any) -> list[PacketDecoder[Any]]:
    return [decode for decode, carried in CARRIERS if kind in carried]


def test_every_message_has_a_topic_that_carries_it() -> None:
    assert [kind.__name__ for kind in KINDS if not carriers(kind)] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_message_survives_the_wire_and_no_other_topic_takes_it(kind: Any) -> None:
    @settings(QUIET, max_examples=25)
    @given(message(kind))
    def survives(made: m.Message) -> None:
        raw = encode(made)
        for decode, carried in CARRIERS:
            if kind in carried:
                assert decode(raw) == [made]
                assert encode(decode(raw)) == b"[" + raw + b"]"
            else:
                with pytest.raises(InvalidPacket):
                    decode(raw)

    survives()


def with_unknown_fields(tree: Any) -> Iterator[Any]:
    """Yield a decoded message once for each object in it, with a field in there that nobody knows."""
    if isinstance(tree, dict):
        yield tree | {"colour": "red"}
        for name, value in tree.items():
            yield from (tree | {name: spoilt} for spoilt in with_unknown_fields(value))
    elif isinstance(tree, list):
        for at, value in enumerate(tree):
            yield from ([*tree[:at], spoilt, *tree[at + 1 :]] for spoilt in with_unknown_fields(value))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_unknown_field_is_refused_however_deep(kind: Any) -> None:
    @settings(QUIET, max_examples=5)
    @given(message(kind))
    def refused(made: m.Message) -> None:
        for spoilt in with_unknown_fields(msgspec.json.decode(encode(made))):
            for decode in carriers(kind):
                with pytest.raises(InvalidPacket, match="unknown field"):
                    decode(msgspec.json.encode(spoilt))

    refused()


class Packets(RuleBasedStateMachine):
    """A packet that grows, is cut and is joined: what is read is what was written, in its order, wherever the cuts are."""

    @initialize(carrier=st.sampled_from(CARRIERS))
    def choose(self, carrier: tuple[PacketDecoder[Any], tuple[Any, ...]]) -> None:
        self.decode, self.kinds = carrier
        self.written: list[m.Message] = []
        self.records: list[bytes] = []

    @rule(data=st.data())
    def write_alone(self, data: st.DataObject) -> None:
        made = data.draw(message(data.draw(st.sampled_from(self.kinds))))
        self.written.append(made)
        self.records.append(encode(made))

    @rule(data=st.data(), count=st.integers(1, 3))
    def write_a_packet(self, data: st.DataObject, count: int) -> None:
        made = [data.draw(message(data.draw(st.sampled_from(self.kinds)))) for _ in range(count)]
        self.written += made
        self.records.append(encode(made))

    @rule()
    def join(self) -> None:
        self.records = [encode([one for raw in self.records for one in self.decode(raw)])] if self.records else []

    @rule(at=st.integers(0, 10))
    def cut(self, at: int) -> None:
        read = [one for raw in self.records for one in self.decode(raw)]
        self.records = [encode(part) for part in (read[:at], read[at:]) if part]

    @invariant()
    def nothing_is_lost_or_changed(self) -> None:
        assert [one for raw in self.records for one in self.decode(raw)] == self.written


Packets.TestCase.settings = settings(QUIET, max_examples=40, stateful_step_count=12)
TestPackets = Packets.TestCase
