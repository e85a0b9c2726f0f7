"""Reads a venue's topics, from where one says, up to their present end or for ever.

Theory of operation: a reader is told its partitions and offsets and belongs to no consumer group, so nothing about it is
kept in the broker: whoever must go on where it stopped keeps the offsets next to what it made of the records. An offset
that is not there is an error, never a silent jump. Topics are written at least once; `fresh` drops the repeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from exchange.channel import Inbound
from exchange.host import Record
from exchange.messages import Bar, BookEvent, BookSnapshot, OrderDelta, Trade
from exchange.topics import topic_name
from wire.errors import NoTopicError, NotReachableError, WireError
from wire.security import KafkaSecurity, process_security

Offsets: TypeAlias = dict[tuple[str, int], int]
"""The next offset to read, by full topic name and partition."""
Progress: TypeAlias = Callable[[int, int], None]
"""Told the records read and the records to read."""

CONNECT_MS: Final = 10_000
POLL_MS: Final = 250
STALL_S: Final = 30.0
"""A reader on its way to an end that it knows gives up after so long without a record."""
POLL_RECORDS_MAX: Final = 5_000


class Reader:
    """A reader of one or more topics of a venue; `topics` are without the venue, `Record.topic` is the full name.

    `venue` None: the topics are nobody's, such as those of other systems, and named in full.

    `start` says where to begin; a partition that it does not name is read from its beginning. `offsets` moves on with what
    has been handed out. `security` says how the brokers are reached; None: as this process' environment says. Use it as a context manager.

    Raises:
        NotReachableError: if no broker answers.
        NoTopicError: if a topic does not exist.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        venue: str | None,
        topics: Sequence[str],
        start: Mapping[tuple[str, int], int] | None = None,
        security: KafkaSecurity | None = None,
    ) -> None:
        self._consumer = _connect(bootstrap_servers, security or process_security())
        try:
            names = topics if venue is None else [topic_name(venue, topic) for topic in topics]
            partitions = self._partitions(names, bootstrap_servers)
            self._consumer.assign(partitions)
            begin = self._consumer.beginning_offsets(partitions, timeout_ms=CONNECT_MS)
            self.offsets: Offsets = {}
            for partition in partitions:
                self.seek(tuple(partition), (start or {}).get(tuple(partition), begin[partition]))
        except KafkaError as error:
            self.close()
            raise NotReachableError(f"Kafka at {bootstrap_servers} cannot be read: {error}") from error
        except BaseException:
            self.close()
            raise

    def end_offsets(self, timeout_ms: int = CONNECT_MS) -> Offsets:
        """Return the offset after the last record of each partition, as of now.

        Raises:
            NotReachableError: if the broker does not answer within `timeout_ms`.
        """
        partitions = [TopicPartition(*name) for name in self.offsets]
        try:
            ends = self._consumer.end_offsets(partitions, timeout_ms=timeout_ms)
        except KafkaError as error:
            raise NotReachableError(f"Kafka does not tell where its topics end: {error}") from error
        return {tuple(partition): offset for partition, offset in ends.items()}

    def skip_to_end(self) -> None:
        """Go on behind the last records there are now."""
        for name, end in self.end_offsets().items():
            self.seek(name, end)

    def to_end(self, progress: Progress | None = None) -> Iterator[Record]:
        """Yield the records up to the ends as they are at the call; else as `to`."""
        return self.to(self.end_offsets(), progress)

    def to(self, ends: Offsets, progress: Progress | None = None) -> Iterator[Record]:
        """Yield the records up to some ends, in order within a partition. What came in behind an end is left for the next read.

        Raises:
            NotReachableError: if nothing comes for `STALL_S` although the ends are not reached.
            WireError: as `poll`.
        """
        total = sum(max(0, end - self.offsets[name]) for name, end in ends.items())
        heard = time.monotonic()
        done = 0
        if progress:
            progress(0, total)
        while any(self.offsets[name] < end for name, end in ends.items()):
            for record in self.poll():
                if record.offset < ends[record.topic, record.partition]:
                    done += 1
                    yield record
                heard = time.monotonic()
            if progress:
                progress(done, total)
            if time.monotonic() - heard > STALL_S:
                raise NotReachableError(
                    f"Kafka sent nothing for {STALL_S:.0f} s, {total - done} records before the end"
                )
        for name, end in ends.items():
            if self.offsets[name] > end:
                self.seek(name, end)

    def live(self) -> Iterator[list[Record]]:
        """Yield what comes, for ever, about every `POLL_MS`; an empty list says that nothing came."""
        while True:
            yield self.poll()

    def poll(self, timeout_ms: int = POLL_MS) -> list[Record]:
        """Return the next records, waiting up to `timeout_ms` for the first of them.

        Raises:
            WireError: if an offset is no longer (or not yet) there.
        """
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=POLL_RECORDS_MAX)
        except KafkaError as error:
            raise WireError(f"Kafka refused a read: {error!r}") from error
        found = []
        for partition, records in polled.items():
            found += [_record(record) for record in records]
            self.offsets[tuple(partition)] = records[-1].offset + 1
        return found

    def seek(self, name: tuple[str, int], offset: int) -> None:
        """Go on at an offset of a partition, named by its topic's full name and its number."""
        self.offsets[name] = offset
        self._consumer.seek(TopicPartition(*name), offset)

    def only(self, name: tuple[str, int], offset: int) -> None:
        """Read this one partition from now on, from an offset."""
        self._consumer.assign([TopicPartition(*name)])
        self.offsets = {}
        self.seek(name, offset)

    def close(self) -> None:
        """Give the connection up."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _partitions(self, names: Iterable[str], bootstrap_servers: str) -> list[Any]:
        there = self._consumer.topics()
        found = []
        for name in names:
            if name not in there:
                raise NoTopicError(f"Kafka at {bootstrap_servers} has no topic {name}")
            found += [TopicPartition(name, number) for number in sorted(self._consumer.partitions_for_topic(name))]
        return found


def fresh(inbound: Inbound, records: Iterable[Record], decode: Callable[[bytes], Iterable[Any]]) -> Iterator[Any]:
    """Yield each message of one topic's records once, in its channel's order; `inbound` remembers what has been seen.

    `decode` returns a record's messages, all of them numbered by their channel.
    """
    for record in records:
        for message in decode(record.value):
            if inbound.admit(_channel(message), message.seq, record.time_ms):
                yield message


def _channel(message: Any) -> str:
    """Name the channel that numbers a message of a public topic."""
    if isinstance(message, Trade | BookEvent | BookSnapshot | OrderDelta):
        return message.symbol
    source: str = message.source
    return f"{source} {message.symbol}" if isinstance(message, Bar) else source


def _connect(bootstrap_servers: str, security: KafkaSecurity) -> Any:
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=CONNECT_MS,
            max_partition_fetch_bytes=4_194_304,
            fetch_max_wait_ms=100,
            **security.options(),
            check_crcs=False,  # in Python, it would take most of the time; the broker has checked them
        )
        consumer.bootstrap(timeout_ms=CONNECT_MS)
    except KafkaError as error:
        raise NotReachableError(f"no Kafka broker answers at {bootstrap_servers}: {error}") from error
    return consumer


def _record(record: Any) -> Record:
    key = (record.key or b"").decode("latin-1")  # as the jobs read it; a good key is ASCII
    return Record(record.topic, record.partition, record.offset, record.timestamp, key, record.value or b"")
