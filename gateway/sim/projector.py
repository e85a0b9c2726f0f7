"""Keeps the views in step with a log in memory, with the projection and the store that a venue of many processes has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exchange.host import Record
from gateway.changes import RedisChanges
from gateway.keys import Beat
from gateway.projecting.projection import Projection
from gateway.projecting.store import Store, new_generation
from gateway.sim.clocks import Clock
from gateway.sim.memory_redis import MemoryRedis
from gateway.views import RedisViews

_TOKEN: Final = "sim"  # noqa: S105  (it names the one projector that there is)


class MemoryProjector:
    """The views of one venue."""

    def __init__(self, venue: str, clock: Clock) -> None:
        self._venue = venue
        self._clock = clock
        self._redis = MemoryRedis()
        self._store = Store(self._redis.client, venue)
        self._projection = Projection(venue)
        self._generation = new_generation()
        self._commit = 0
        self._apply(publish=False)
        assert self._store.lead(_TOKEN), "there is no other projector"
        self._store.switch(self._generation, self._commit, _TOKEN)
        self.beat()

    def add(self, records: Sequence[Record]) -> None:
        """Apply records as one batch, and tell readers."""
        for record in records:
            self._projection.add(record)
        self._apply(publish=True)

    def beat(self) -> None:
        """Leave word that the views are those of now."""
        now_ms, projection = self._clock.now_ms(), self._projection
        counts = (projection.messages, projection.refused, projection.mismatches)
        self._store.beat(Beat(now_ms, True, now_ms, "", *counts))

    def views(self) -> RedisViews:
        """Return a reader of the views."""
        return RedisViews(self._redis.async_client(), self._venue, self._clock.now_ms)

    def changes(self) -> RedisChanges:
        """Return what tells of changes."""
        return RedisChanges(self._redis.async_client(), self._venue)

    def _apply(self, *, publish: bool) -> None:
        self._commit += 1
        changes = self._projection.changes(self._store.keys.of(self._generation))
        self._store.apply(self._generation, self._commit, changes, publish=publish)
