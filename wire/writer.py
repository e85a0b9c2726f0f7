"""Writes messages to a venue's topics, in packets.

Theory of operation: a record is expensive and a message is cheap, so whatever a caller hands over at once for one key
leaves as few packets as the bounds allow. The producer is idempotent and waits for all replicas, so within one writer's
life a key's messages arrive once and in order; across lives the request ids and channel numbers see to that. `send` only
hands over; nothing counts as written until `flush` has returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from exchange.packets import PACKET_MAX, encode
from exchange.topics import RECORD_BYTES_MAX, topic_name
from wire.errors import DeliveryError, NotReachableError
from wire.security import client_options

PACKET_BYTES_MAX: Final = RECORD_BYTES_MAX // 2
"""Bound of a packet's JSON, in bytes: leaves room for the record's key and frame. A longer message goes alone."""
LINGER_MS: Final = 5
CONNECT_MS: Final = 10_000
DELIVERY_MS: Final = 60_000
"""How long a record is tried, a restart of the broker included, before it is given up."""
CLOSE_S: Final = 1.0
"""How long a writer that is given up may still take to deliver."""

UNACKNOWLEDGED_BYTES_MAX: Final = 33_554_432
"""How many bytes may wait for the broker before `send` itself waits for it."""


def packets(messages: Iterable[Any], packet_max: int = PACKET_MAX) -> Iterator[bytes]:
    """Encode messages of one key as JSON arrays of at most `packet_max` messages and `PACKET_BYTES_MAX` bytes each."""
    parts: list[bytes] = []
    size = 1
    for message in messages:
        part = encode(message)
        if parts and (len(parts) >= packet_max or size + len(part) + 1 > PACKET_BYTES_MAX):
            yield b"[" + b",".join(parts) + b"]"
            parts, size = [], 1
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield b"[" + b",".join(parts) + b"]"


class PacketWriter:
    """A writer to one venue, or, if that is None, to topics named in full. Use it as a context manager: leaving without an error flushes.

    Raises:
        NotReachableError: if no broker answers within `CONNECT_MS`.
    """

    def __init__(self, bootstrap_servers: str, venue: str | None, *, packet_max: int = PACKET_MAX) -> None:
        self.venue = venue
        self.packet_max = packet_max
        self._failed: list[Exception] = []
        self._unacknowledged = 0
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap_servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=LINGER_MS,
                batch_size=RECORD_BYTES_MAX // 4,
                max_request_size=RECORD_BYTES_MAX,
                bootstrap_timeout_ms=CONNECT_MS,
                max_block_ms=CONNECT_MS,
                request_timeout_ms=CONNECT_MS,
                delivery_timeout_ms=DELIVERY_MS,
                allow_auto_create_topics=False,
                **client_options(),
            )
        except KafkaError as error:
            raise NotReachableError(f"no Kafka broker answers at {bootstrap_servers}: {error}") from error

    def send(self, topic: str, key: str, messages: Iterable[Any], time_ms: int | None = None) -> int:
        """Hand over messages of one key, in order, and return the number of records that they make.

        `topic` is without its venue; `time_ms` is the records' timestamp (default: now).

        Raises:
            NotReachableError: if the venue has no such topic or the broker stays away.
            DeliveryError: as `flush`, which it calls when too much is waiting.
        """
        records = 0
        for packet in packets(messages, self.packet_max):
            self.send_raw(topic, key, packet, time_ms)
            records += 1
        return records

    def send_raw(self, topic: str, key: str, value: bytes, time_ms: int | None = None) -> None:
        """Hand over one record as it is; errors as in `send`."""
        name = topic if self.venue is None else topic_name(self.venue, topic)
        try:
            future = self._producer.send(name, value, key=key.encode(), timestamp_ms=time_ms)
        except KafkaError as error:
            raise NotReachableError(f"topic {name} cannot be written: {error}") from error
        future.add_errback(self._failed.append)
        self._unacknowledged += len(value)
        if self._unacknowledged > UNACKNOWLEDGED_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Wait until the broker has acknowledged all that was sent.

        Raises:
            DeliveryError: if it has not within `DELIVERY_MS`, or refused something.
        """
        try:
            self._producer.flush(timeout=DELIVERY_MS / 1000)
        except KafkaError as error:
            raise DeliveryError(f"Kafka did not acknowledge everything in {DELIVERY_MS // 1000} s: {error}") from error
        self._unacknowledged = 0
        if self._failed:
            failed, self._failed = self._failed, []
            raise DeliveryError(f"Kafka did not take {len(failed)} records; the first: {failed[0]!r}")

    def close(self) -> None:
        """Give the connection up; what is not acknowledged within `CLOSE_S` may be lost, which is no error here."""
        try:
            self._producer.close(timeout=CLOSE_S)
        except KafkaError:  # something is still on its way: give it up
            self._producer._sender.force_close()  # noqa: SLF001  (`close` leaves the thread alive when it gives up)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()
