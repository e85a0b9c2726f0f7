"""The newest entries of the audit log, for a page: kept in Redis beside the log, so that no page reads Kafka.

Theory of operation: the log in Kafka is the truth and has everything. What it has taken is also put at the head of a bounded list; that may
fail without harm, for then the list lacks entries and the log does not. An entry that was sent twice is shown once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import redis
import redis.asyncio
from redis.exceptions import RedisError

from exchange.audit_log import AuditEntry
from gateway.audit.log import Sink
from gateway.keys import Keys
from gateway.ports import ViewsUnavailable

NEWEST_MAX: Final = 1_000
TIMEOUT_S: Final = 2.0
_LOG = logging.getLogger(__name__)
_entry = msgspec.json.Decoder(AuditEntry).decode


def newest_key(venue: str) -> str:
    """Return the name of the list in Redis."""
    return f"{Keys(venue).prefix}audit-newest"


class ShowingSink:
    """Writes entries to another sink, and then to the list. Implements `audit.log.Sink`; one thread calls it."""

    def __init__(self, sink: Sink, redis_url: str, venue: str) -> None:
        self._sink = sink
        self._key = newest_key(venue)
        self._redis: Any = redis.Redis.from_url(redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Return when the log has entries of one source. Raises WireError."""
        self._sink.write(entries)
        try:
            with self._redis.pipeline(transaction=True) as together:
                together.lpush(self._key, *(msgspec.json.encode(entry) for entry in entries))
                together.ltrim(self._key, 0, NEWEST_MAX - 1)
                together.execute()
        except RedisError as error:
            _LOG.warning("entries that the audit log has are not among those a page shows: %s", error)

    def close(self) -> None:
        """Give both connections up."""
        self._sink.close()
        self._redis.close()


class NewestAudit:
    """Reads the list."""

    def __init__(self, redis_url: str, venue: str) -> None:
        self._key = newest_key(venue)
        self._redis: Any = redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )

    async def newest(self) -> list[AuditEntry]:
        """Return the newest entries of all gateways, the newest first, each once. Raises ViewsUnavailable."""
        try:
            stored = await self._redis.lrange(self._key, 0, -1)
        except RedisError as error:
            raise ViewsUnavailable("Redis does not answer") from error
        once = {(entry.source, entry.seq, entry.hash): entry for entry in map(_entry, stored)}
        return sorted(once.values(), key=lambda entry: (entry.time_ms, entry.source, entry.seq), reverse=True)

    async def close(self) -> None:
        """Give the connection up."""
        await self._redis.aclose()
