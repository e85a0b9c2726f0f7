"""Projectors that are killed, doubled and paused, and a Redis that is wiped and killed: the views are those of the whole log.

The log is in a real broker; its records are those that the machines give in memory for a random flow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
import redis_server
from venue import Venue

from exchange import topics
from gateway.keys import Beat
from gateway.projecting.beginning import first_offsets, last_snapshots
from gateway.projecting.projection import TOPICS
from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from tests.gateway.projected import market
from wire.writer import PacketWriter

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
STEP = 600
"""Orders between two looks at the views."""


class Feed:
    """A venue in the broker that is fed with what the machines say, and a Redis that projectors fill with it."""

    def __init__(self, stack: Stack, folder: Path, name: str) -> None:
        self.venue = Venue(stack, name, "replay")
        self.port = redis_server.free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.server = ExitStack()
        self.start_redis()
        self.expected = market(self.url, f"{name}-expected")
        self.fed = dict.fromkeys(TOPICS, 0)
        self.seed = 0

    def start_redis(self) -> None:
        self.server.enter_context(redis_server.running(self.folder, self.port))

    def feed(self, orders: int = STEP) -> None:
        """Let the market go on and write what comes of it to the broker."""
        self.seed += 1
        self.expected.trade_about(self.seed, orders)
        self.expected.watch.write()
        memory = self.expected.venue
        with PacketWriter(self.venue.servers, self.venue.name) as writer:
            for topic in TOPICS:
                new = slice(self.fed[topic], None)
                for key, value in zip(memory.keys[topic][new], memory.written[topic][new], strict=True):
                    writer.send_raw(topic, key, value)
                self.fed[topic] = len(memory.written[topic])

    def projector(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gateway.projector", "--bootstrap-servers", self.venue.servers]
        command += ["--redis", self.url, "--venue", self.venue.name]
        with (self.folder / "projector.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def contents(self) -> dict[str, Any]:
        """Return what readers would read, or nothing while there is none."""
        client = self.expected.store._redis
        generation = client.get(f"openbell:{self.venue.name}:generation")
        if generation is None:
            return {}
        prefix = f"openbell:{self.venue.name}:{generation.decode()}:"
        return self.expected.contents(prefix=prefix)

    def settled(self, seconds: float = 60) -> None:
        """Wait until the views are those of the whole log, made in one go from its beginning."""
        expected = self.expected
        expected.rebuild()
        wanted = expected.contents()
        found: dict[str, Any] = {}

        def equal() -> bool:
            nonlocal found
            try:
                found = self.contents()
            except (redis.RedisError, KeyError):
                return False
            return found == wanted

        if not wait_until(equal, seconds, every=0.1):
            differing = [name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)]
            log = (self.folder / "projector.log").read_text()
            pytest.fail(f"the views differ in {sorted(differing)[:10]}\n{log[-3_000:]}")

    def beat(self) -> Beat:
        stored = self.expected.store._redis.get(f"openbell:{self.venue.name}:beat")
        return msgspec.json.decode(stored, type=Beat)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.server.close()


@pytest.fixture
def open_feed(bare_stack: Stack, tmp_path: Path) -> Iterator[Callable[[str], Feed]]:
    opened: list[Feed] = []

    def opening(name: str) -> Feed:
        feed = Feed(bare_stack, tmp_path, name)
        opened.append(feed)
        return feed

    yield opening
    for feed in opened:
        feed.close()


def test_a_projector_that_is_killed_in_the_middle_loses_nothing_and_counts_nothing_twice(
    open_feed: Callable[[str], Feed],
) -> None:
    feed = open_feed("views-killed")
    feed.feed()
    process = feed.projector()
    feed.settled()
    for _ in range(3):
        feed.feed()
        process.kill()
        process.wait()
        feed.feed(50)
        process = feed.projector()
    feed.settled()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_of_two_projectors_one_works_and_a_paused_one_that_wakes_up_changes_nothing(
    open_feed: Callable[[str], Feed],
) -> None:
    feed = open_feed("views-doubled")
    feed.feed()
    first, _ = feed.projector(), feed.projector()
    feed.settled()
    os.kill(first.pid, signal.SIGSTOP)
    feed.feed()
    feed.settled()
    os.kill(first.pid, signal.SIGCONT)
    feed.feed()
    feed.settled()
    first.kill()
    first.wait()
    feed.feed()
    feed.settled()


def test_a_redis_that_is_wiped_or_killed_is_filled_anew_from_the_last_snapshots(
    open_feed: Callable[[str], Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.book.reports.SNAPSHOT_EVERY", 100)
    monkeypatch.setattr("gateway.projecting.beginning.FIRST_STEP", 50)
    feed = open_feed("views-wiped")
    feed.projector()
    feed.feed(3 * STEP)
    feed.settled()
    client = feed.expected.store._redis
    client.flushall()
    feed.settled()  # although nothing happens in the market
    client.flushall()
    feed.feed()
    feed.settled()
    feed.server.close()
    feed.feed()
    feed.start_redis()
    feed.settled()
    servers, name = feed.venue.servers, feed.venue.name
    newest, partitions, *_ = last_snapshots(servers, name)
    begin = first_offsets(servers, name, newest, partitions)
    assert all(snapshot.delta > 100 for snapshot in newest.values())
    assert sum(begin.values()) > len(feed.expected.venue.written[topics.BOOK_DELTAS]) / 2
    assert wait_until(lambda: feed.beat().complete, 30)
    assert feed.beat().refused == 0


def test_records_that_are_no_packets_are_passed_over_and_counted_at_a_rebuild_too(
    open_feed: Callable[[str], Feed],
) -> None:
    feed = open_feed("views-refused")
    feed.feed()
    with PacketWriter(feed.venue.servers, feed.venue.name) as writer:
        for topic in TOPICS:
            writer.send_raw(topic, "AAPLUSD", b"")
    feed.projector()
    feed.settled()
    assert wait_until(lambda: feed.beat().complete, 30)
    assert feed.beat().refused >= len(TOPICS) - 2
