"""The topics of a design that is not ours: named in full, one partition each, made if they are not there."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from exchange.seed_formats import SeedFormat
from wire.errors import NotReachableError
from wire.security import client_options

REQUEST_MS: Final = 10_000
CONFIG: Final = {"retention.ms": "-1", "retention.bytes": "-1"}
"""A bridge finds its numbers by reading the orders from the first, so they are kept for ever."""


def foreign_topics(seed: SeedFormat) -> tuple[str, ...]:
    """Return all topics of a design, the one with the orders first."""
    return (seed.orders, seed.trades, *seed.sides.values())


def make_topics(bootstrap_servers: str, seed: SeedFormat) -> None:
    """Make the topics that are missing; those that are there stay as they are.

    Raises:
        NotReachableError: if the broker does not answer, or does not make them.
    """
    admin = None
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers,
            request_timeout_ms=REQUEST_MS,
            bootstrap_timeout_ms=REQUEST_MS,
            **client_options(),
        )
        there = set(admin.list_topics())
        wanted = {"num_partitions": 1, "configs": dict(CONFIG)}
        new = {name: wanted for name in foreign_topics(seed) if name not in there}
        if new:
            with suppress(TopicAlreadyExistsError):  # somebody else was quicker
                admin.create_topics(new)
            admin.wait_for_topics(list(new))
    except KafkaError as error:
        raise NotReachableError(f"Kafka at {bootstrap_servers} refused: {error}") from error
    finally:
        if admin is not None:
            admin.close()
