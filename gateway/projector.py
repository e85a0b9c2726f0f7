"""Keeps the views in Redis up to date with Kafka: `python -m gateway.projector --help`.

Theory of operation: of all projectors of a venue the one with the lease works; the others wait for it to fall silent. It goes on
where the stored views end, or, where there are none, rebuilds them under a new generation's prefix and lets readers go over
when it has caught up; until then nothing is published. Each batch is applied whole and in order, or refused (see `projecting.store`): then
the working forms are dropped and loaded anew. Whatever fails (Redis or Kafka is away) is said once, and tried again.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import redis

from exchange import topics
from exchange.channel import HOLE_ALERT_MS
from exchange.errors import ExchangeError
from exchange.topics import topic_name
from gateway.keys import Beat
from gateway.projecting.beginning import first_offsets, last_snapshots
from gateway.projecting.projection import TOPICS, Projection
from gateway.projecting.store import Displaced, Store, new_generation
from gateway.redis_url import with_password
from wire.clock import wall_ms
from wire.errors import NotReachableError, WireError
from wire.probe import listens
from wire.reader import Offsets, Reader
from wire.security import InvalidSecurityError, client_options

LOG = logging.getLogger("openbell.projector")

LINGER_MS: Final = 5
"""How long a batch waits for what comes with its first record: an order is told of in three or four topics."""
BATCH_MAX: Final = 5_000
"""Greatest number of records that a batch waits for."""
BEAT_S: Final = 0.5
RETRY_S: Final = 0.5
PROBE_MS: Final = 1_000
"""How long the broker may take to tell where its topics end before the log counts as unreadable."""
NAMED_MAX: Final = 5
UNREADABLE: Final = "the exchange's log cannot be read"


class Projector:
    """One projector of one venue."""

    def __init__(self, bootstrap_servers: str, redis_url: str, venue: str) -> None:
        self._servers = bootstrap_servers
        self._venue = venue
        self._store = Store(redis_url, venue)
        self._token = uuid4().hex
        self._complete_ms: int | None = None
        self._beaten_s = 0.0
        self._said = ""
        self._mismatches = 0
        self._rebuild = False
        self.stopped = False

    def run(self, *, rebuild: bool = False) -> None:
        """Work until `stopped`. `rebuild`: make the views anew even if there are good ones."""
        self._rebuild = rebuild
        while not self.stopped:
            try:
                self._try()
            except redis.RedisError as error:
                self._say(f"Redis: {error}")
            if not self.stopped:
                time.sleep(RETRY_S)
        self._let_go()

    def _try(self) -> None:
        """Work until something fails, and say what."""
        try:
            if self._store.lead(self._token):
                self._work()
            else:
                self._say("another projector is at work; waiting for it to fall silent")
        except Displaced as error:
            self._say(f"displaced: {error}; loading the views anew")
        except NotReachableError as error:
            self._say(str(error))
            self._beat(complete=False, reason=UNREADABLE)
        except WireError as error:
            self._say(f"{error}; rebuilding the views")
            self._rebuild = True

    def stop(self, *_: object) -> None:
        """End after the batch in hand. May handle a signal."""
        self.stopped = True

    # The work

    def _work(self) -> None:
        """Bring the views up to date and keep them so."""
        if not listens(self._servers):  # a client would try for long, and say so often
            raise NotReachableError(f"no Kafka broker answers at {self._servers}")
        generation = None if self._rebuild else self._store.generation()
        if generation is None:
            generation, projection, commit = self._make()
        else:
            projection, commit = self._store.load(self._venue, generation)
            LOG.info("going on with generation %s at batch %d", generation, commit)
        with Reader(self._servers, self._venue, TOPICS, projection.offsets) as reader:
            self._follow(reader, projection, generation, commit)

    def _make(self) -> tuple[str, Projection, int]:
        """Build a new generation from the log, up to the present end of it, and let readers go over."""
        generation, projection = new_generation(), Projection(self._venue)
        self._beat(complete=False, reason="the views are being rebuilt")
        begun_s = time.monotonic()
        newest, partitions, listings, read = last_snapshots(self._servers, self._venue, self._alive)
        for snapshot in listings:
            projection.note_listing(snapshot)
        for snapshot in newest.values():
            projection.begin(snapshot)
        projection.start_at(read | first_offsets(self._servers, self._venue, newest, partitions, self._alive))
        commit = 0
        with Reader(self._servers, self._venue, TOPICS, projection.offsets) as reader:
            projection.start_at(reader.offsets)
            ends = reader.end_offsets()
            while not _reached(reader.offsets, ends) and not self.stopped:
                commit = self._take(reader, projection, generation, commit, publish=False)
                self._alive(f"the views are being rebuilt: {_left(reader.offsets, ends):,} records to go")
        if not self.stopped:
            commit += 1
            self._store.apply(generation, commit, projection.changes(self._store.keys.of(generation)), publish=False)
            self._store.switch(generation, commit, self._token)
            self._rebuild = False
            seconds = time.monotonic() - begun_s
            LOG.info(
                "rebuilt the views from %d messages in %.1f s: generation %s", projection.messages, seconds, generation
            )
        return generation, projection, commit

    def _follow(self, reader: Reader, projection: Projection, generation: str, commit: int) -> None:
        """Apply what comes. While views are behind the log, nothing is published; once they are not, everything is."""
        ends = reader.end_offsets()
        complete = False
        while not self.stopped:
            commit = self._take(reader, projection, generation, commit, publish=complete)
            if not self._due():
                continue
            self._renew()
            if self._store.generation() != generation:
                raise Displaced("the views are gone, or others are read")
            before = complete
            complete, ends = self._look(reader, projection, ends)
            if complete and not before:
                self._store.tell_everything()

    def _look(self, reader: Reader, projection: Projection, ends: Offsets) -> tuple[bool, Offsets]:
        """Leave word on whether the views are complete: have all that was in the log at the last look, when it had these ends."""
        try:
            now = reader.end_offsets(PROBE_MS)
        except NotReachableError as error:
            self._say(str(error))
            self._beat(complete=False, reason=UNREADABLE, projection=projection)
            return False, ends
        reached = _reached(reader.offsets, ends)
        missing = projection.missing(wall_ms() - HOLE_ALERT_MS)
        reason = "" if reached else f"the views are behind: {_left(reader.offsets, ends):,} records to go"
        if missing:
            reason = f"messages of {', '.join(missing[:NAMED_MAX])} are missing in the log"
        self._say(reason if missing else "")
        if projection.mismatches > self._mismatches:
            LOG.warning("%d checksums were not those of the books as read", projection.mismatches - self._mismatches)
        self._mismatches = projection.mismatches
        self._beat(complete=not reason, reason=reason, projection=projection)
        return reached, now

    def _take(self, reader: Reader, projection: Projection, generation: str, commit: int, *, publish: bool) -> int:
        """Apply one batch, if anything comes, and return the number of the last one."""
        records = reader.poll()
        if not records:
            return commit
        if publish:
            records += reader.poll(LINGER_MS)
        while not publish and len(records) < BATCH_MAX:
            more = reader.poll(LINGER_MS)
            if not more:
                break
            records += more
        for record in records:
            projection.add(record)
        self._store.apply(generation, commit + 1, projection.changes(self._store.keys.of(generation)), publish=publish)
        return commit + 1

    # Word of itself

    def _due(self) -> bool:
        """Say whether it is time to leave word again."""
        return time.monotonic() - self._beaten_s >= BEAT_S

    def _alive(self, reason: str = "the views are being rebuilt") -> None:
        """Show, while views are made, that this projector is at work."""
        if self._due():
            self._renew()
            self._beat(complete=False, reason=reason)

    def _renew(self) -> None:
        if not self._store.lead(self._token):
            raise Displaced("another projector has the lease")

    def _beat(self, *, complete: bool, reason: str = "", projection: Projection | None = None) -> None:
        self._beaten_s = time.monotonic()
        now_ms = wall_ms()
        if complete:
            self._complete_ms = now_ms
        counts = (projection.messages, projection.refused, projection.mismatches) if projection else ()
        self._store.beat(Beat(now_ms, complete, self._complete_ms, reason, *counts))

    def _say(self, text: str) -> None:
        """Log what is wrong when it begins, and that it is over."""
        if text != self._said:
            LOG.warning("%s", text or "all is well again")
            self._said = text

    def _let_go(self) -> None:
        try:
            self._store.release(self._token)
        except redis.RedisError:
            LOG.info("Redis is away; the lease will expire by itself")


def _left(offsets: Offsets, ends: Offsets) -> int:
    return sum(max(0, end - offsets[name]) for name, end in ends.items())


def _reached(offsets: Offsets, ends: Offsets) -> bool:
    return not _left(offsets, ends)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a projector until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.projector",
        description="Keep a venue's views in Redis up to date with Kafka. Several may run: one works, the others wait.",
        epilog="example: python -m gateway.projector --bootstrap-servers localhost:9092 --redis redis://localhost:6379/0"
        " --venue replay",
    )
    parser.add_argument("--bootstrap-servers", required=True, help="the Kafka brokers, HOST:PORT[,HOST:PORT]")
    parser.add_argument("--redis", required=True, help="Redis, such as redis://localhost:6379/0")
    parser.add_argument("--venue", required=True, help="the venue's name, which its topics begin with")
    parser.add_argument("--rebuild", action="store_true", help="make the views anew, even if there are good ones")
    given = parser.parse_args(arguments)
    try:
        topic_name(given.venue, topics.TRADES)
        client_options()
        projector = Projector(given.bootstrap_servers, with_password(given.redis), given.venue)
    except (ExchangeError, ValueError, InvalidSecurityError) as error:
        parser.error(str(error))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    LOG.setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # the projector says itself, once, what keeps it waiting
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, projector.stop)
    projector.run(rebuild=given.rebuild)


if __name__ == "__main__":
    main()
