"""Messages leave in as few packets as the bounds allow."""

import msgspec

from exchange.messages import AdvanceClock
from wire.writer import PACKET_BYTES_MAX, packets


def test_messages_are_grouped_in_order() -> None:
    messages = [AdvanceClock(key="1", time_ms=number) for number in range(7)]
    written = list(packets(messages, 3))
    assert [len(msgspec.json.decode(packet)) for packet in written] == [3, 3, 1]
    assert [
        message for packet in written for message in msgspec.json.decode(packet, type=list[AdvanceClock])
    ] == messages


def test_nothing_makes_no_packet() -> None:
    assert list(packets([])) == []


def test_a_packet_stays_below_its_bound_in_bytes() -> None:
    written = list(packets(["x" * 200_000] * 7))
    assert [len(msgspec.json.decode(packet)) for packet in written] == [2, 2, 2, 1]
    assert max(map(len, written)) <= PACKET_BYTES_MAX


def test_a_message_above_the_bound_goes_alone() -> None:
    assert [len(msgspec.json.decode(packet)) for packet in packets(["a", "x" * PACKET_BYTES_MAX, "b"])] == [1, 1, 1]
