"""The venue's topics in the broker: made once, and never changed behind anyone's back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openbell.errors import OpenbellError

_REQUEST_MS = 10_000


@dataclass(frozen=True)
class TopicState:
    """A topic as it stands. `records` counts offsets, so on a compacted or transactional topic it is an upper bound."""

    name: str
    partitions: int
    begin: dict[int, int]
    end: dict[int, int]

    @property
    def records(self) -> int:
        return sum(self.end.values()) - sum(self.begin.values())


@contextmanager
def _admin(bootstrap_servers: str) -> Iterator[Any]:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    from wire.errors import WireError
    from wire.security import client_options

    client = None
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers, request_timeout_ms=_REQUEST_MS, **client_options()
        )
        yield client
    except (KafkaError, WireError) as error:
        raise OpenbellError(f"Kafka at {bootstrap_servers} refused: {error}") from error
    finally:
        if client is not None:
            client.close()


def answers(bootstrap_servers: str) -> bool:
    """Say whether the broker takes requests."""
    try:
        with _admin(bootstrap_servers) as admin:
            admin.list_topics()
    except OpenbellError:
        return False
    return True


def create(bootstrap_servers: str, venue: str, partitions: int) -> list[str]:
    """Make the topics that are missing; those that exist are left alone. Returns the names of the new ones."""
    from kafka.admin import NewTopic

    from exchange.topics import topic_specs

    with _admin(bootstrap_servers) as admin:
        there = set(admin.list_topics())
        new = [spec for spec in topic_specs(venue, partitions) if spec.name not in there]
        if new:
            admin.create_topics(
                [
                    NewTopic(
                        name=spec.name,
                        num_partitions=spec.partitions,
                        replication_factor=-1,  # the broker's own default
                        topic_configs=dict(spec.config),
                    )
                    for spec in new
                ]
            )
    return [spec.name for spec in new]


def state(bootstrap_servers: str, venue: str) -> list[TopicState]:
    """The venue's topics with the first and the next offset of each partition."""
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    from wire.errors import WireError
    from wire.security import client_options

    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers, request_timeout_ms=_REQUEST_MS, **client_options()
        )
    except (KafkaError, WireError) as error:
        raise OpenbellError(f"Kafka at {bootstrap_servers} refused: {error}") from error
    try:
        names = sorted(name for name in consumer.topics() if name.startswith(f"{venue}."))
        found = []
        for name in names:
            partitions = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name) or ())]
            begin = consumer.beginning_offsets(partitions)
            end = consumer.end_offsets(partitions)
            found.append(
                TopicState(
                    name=name,
                    partitions=len(partitions),
                    begin={one.partition: begin[one] for one in partitions},
                    end={one.partition: end[one] for one in partitions},
                )
            )
    finally:
        consumer.close()
    return found
