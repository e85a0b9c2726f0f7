"""The notifier's log in Kafka. What blocks runs in a thread of its own, so that deliveries never wait for the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from exchange import topics
from exchange.host import Record
from exchange.messages import DeadLetter
from exchange.topics import topic_name
from wire.errors import NotReachableError, WireError
from wire.probe import listens
from wire.reader import Offsets, Reader
from wire.writer import PacketWriter

T = TypeVar("T")


class KafkaLog:
    """Implements `ports.AlertLog` for a venue."""

    def __init__(self, bootstrap_servers: str, venue: str) -> None:
        self.alerts = topic_name(venue, topics.ALERTS)
        self.rules = topic_name(venue, topics.ALERT_RULES)
        self._servers = bootstrap_servers
        self._venue = venue
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alert-log")
        self._reader: Reader | None = None

    async def open(self, position: Mapping[tuple[str, int], int]) -> bool:
        """Begin as the port says."""
        return await self._in_thread(lambda: self._open(position))

    async def poll(self) -> list[Record]:
        """Return the next records, after `wire.reader.POLL_MS` at most."""
        return await self._in_thread(lambda: self._opened().poll())

    async def ends(self) -> Offsets:
        """Return the offsets after the last records there are now."""
        return await self._in_thread(lambda: self._opened().end_offsets())

    @property
    def offsets(self) -> Offsets:
        """The next offset of each partition."""
        return dict(self._opened().offsets)

    async def close(self) -> None:
        """Give the connection up."""
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    def _open(self, position: Mapping[tuple[str, int], int]) -> bool:
        self._close()
        if not listens(self._servers):  # a client would try for long, and say so often
            raise NotReachableError(f"no Kafka broker answers at {self._servers}")
        self._reader = reader = Reader(self._servers, self._venue, [topics.ALERTS, topics.ALERT_RULES])
        begin, ends = dict(reader.offsets), reader.end_offsets()
        known = {name: at for name, at in position.items() if name in begin and begin[name] <= at <= ends[name]}
        anew = any(name not in known for name in begin if name[0] == self.rules)
        for name in begin:
            if name[0] == self.alerts:
                reader.seek(name, known.get(name, ends[name]))
            elif not anew:
                reader.seek(name, known[name])
        return anew

    def _opened(self) -> Reader:
        if self._reader is None:
            raise WireError("the log is not open")
        return self._reader

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


class KafkaLetters:
    """Writes dead letters to a venue's topic. Implements `ports.Letters`; it connects when there is something to write."""

    def __init__(self, bootstrap_servers: str, venue: str) -> None:
        self._servers = bootstrap_servers
        self._venue = venue
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dead-letters")
        self._writer: PacketWriter | None = None

    async def write(self, letter: DeadLetter) -> None:
        """Return when the letter is in the log. Raises WireError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, letter)

    async def close(self) -> None:
        """Give the connection up."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _write(self, letter: DeadLetter) -> None:
        if self._writer is None:
            self._writer = PacketWriter(self._servers, self._venue)
        try:
            self._writer.send(topics.DEAD_LETTERS, letter.topic, [letter])
            self._writer.flush()
        except WireError:
            self._close()
            raise

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
