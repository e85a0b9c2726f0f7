"""Messages leave in as few packets as the bounds allow, and a writer ends whatever the broker does."""

import socket
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.protocol.metadata import MetadataResponse

from exchange.messages import AdvanceClock
from wire.errors import DeliveryError
from wire.writer import PACKET_BYTES_MAX, PacketWriter, packets

DEADLINE_S = 30
_Topic = partial(MetadataResponse.MetadataResponseTopic, version=8, error_code=0, is_internal=False)
_Partition = partial(_Topic.func.MetadataResponsePartition, version=8, error_code=0, leader_epoch=0)
_Broker = partial(MetadataResponse.MetadataResponseBroker, version=8, rack=None)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[PacketWriter]:
    """A writer whose broker has told of one partition of the topic `t`, and says nothing any more."""
    monkeypatch.setattr("wire.writer.KafkaProducer", partial(KafkaProducer, api_version=(3, 9)))
    monkeypatch.setattr("wire.writer.CLOSE_S", 0.1)
    monkeypatch.setattr("wire.writer.CONNECT_MS", 50)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        made = PacketWriter(f"127.0.0.1:{port}", None)
        monkeypatch.setattr("wire.writer.DELIVERY_MS", 100)
        partition = _Partition(partition_index=0, leader_id=1, replica_nodes=[1], isr_nodes=[1], offline_replicas=[])
        told = MetadataResponse(
            version=8,
            throttle_time_ms=0,
            brokers=[_Broker(node_id=1, host="127.0.0.1", port=port)],
            cluster_id="c",
            controller_id=1,
            topics=[_Topic(name="t", partitions=[partition])],
        )
        made._producer._metadata.update_metadata(told)
        yield made
        made._producer._sender.force_close()


def test_what_the_broker_does_not_acknowledge_is_told_and_the_writer_ends(writer: PacketWriter) -> None:
    with pytest.raises(DeliveryError, match="did not acknowledge everything"), writer:
        writer.send("t", "k", ["x"])
    writer._producer._sender.join(DEADLINE_S)
    assert not writer._producer._sender.is_alive()


def test_what_went_wrong_is_told_though_something_is_on_its_way(writer: PacketWriter) -> None:
    def fail() -> None:
        with writer:
            writer.send("t", "k", ["x"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    writer._producer._sender.join(DEADLINE_S)
    assert not writer._producer._sender.is_alive()


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
