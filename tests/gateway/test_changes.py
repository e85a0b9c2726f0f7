"""Word of changes comes through, or its loss is noticed, however quietly a connection dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from gateway.changes import RedisChanges
from gateway.keys import Keys
from gateway.ports import Changed
from gateway.tasks import stop

DEADLINE_S = 20


class Wire:
    """Passes connections on to a server; a cut one stays open, and nothing comes through it any more."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing = asyncio.Event()
        passing.set()
        self._open.append(passing)
        up, down = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink in ((reader, down), (up, writer)):
            task = asyncio.create_task(self._pump(source, sink, passing))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, passing: asyncio.Event) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65_536):
                    await passing.wait()
                    sink.write(data)
        finally:
            sink.close()

    def cut(self) -> None:
        """Let nothing more through the connections of now."""
        for passing in self._open:
            passing.clear()

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._open)

    async def close(self) -> None:
        await stop(self._tasks)


def hearing(url: str, venue: str, scenario: Callable[[Wire, list[Changed], Redis], Awaitable[None]]) -> None:
    """Play a scenario with a wire to Redis, what has been heard over it, and a client for telling of changes."""

    async def played() -> None:
        wire = Wire(urlsplit(url).port or 0)
        server = await asyncio.start_server(wire.take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        changes, teller = RedisChanges(f"redis://127.0.0.1:{port}/0", venue), Redis.from_url(url)
        heard: list[Changed] = []

        async def listen() -> None:
            async for changed in changes.listen():
                heard.append(changed)  # noqa: PERF401  (it is looked at meanwhile)

        await changes.start()
        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(wire, heard, teller)
        finally:
            await stop([listening])
            await changes.close()
            await teller.aclose()
            await wire.close()
            server.close()

    asyncio.run(played())


def test_a_connection_that_is_dead_without_a_word_is_replaced_and_everything_is_told(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "openbell.changes")
    monkeypatch.setattr("gateway.changes.SILENT_S", 0.5)
    monkeypatch.setattr("gateway.changes.RETRY_S", 0.05)

    async def scenario(wire: Wire, heard: list[Changed], teller: Redis) -> None:
        async def told_until(condition: Callable[[], bool]) -> None:
            while not condition():
                await teller.publish(Keys(venue).changed, b'{"symbols":["A"]}')
                await asyncio.sleep(0.05)

        await told_until(lambda: any("A" in changed.symbols for changed in heard))
        heard.clear()
        wire.cut()
        await told_until(lambda: any(changed.everything for changed in heard))
        await told_until(lambda: any("A" in changed.symbols for changed in heard))
        assert wire.connections > 1

    hearing(redis_url, venue, scenario)
    assert [record.message for record in caplog.records[:2]] == [
        "no word of changes; changes are listened for again and again",
        "changes are heard again",
    ]


def test_words_that_say_nothing_keep_a_connection(redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.changes.SILENT_S", 1.0)

    async def scenario(wire: Wire, heard: list[Changed], teller: Redis) -> None:
        del heard
        end = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < end:
            await teller.publish(Keys(venue).changed, b"{}")
            await asyncio.sleep(0.02)
        assert wire.connections == 1

    hearing(redis_url, venue, scenario)


def test_silence_is_told_to_the_log_once(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.changes.SILENT_S", 0.05)
    monkeypatch.setattr("gateway.changes.RETRY_S", 0.01)

    async def scenario(wire: Wire, heard: list[Changed], teller: Redis) -> None:
        del heard, teller
        while wire.connections < 4:  # noqa: ASYNC110  (what is waited for is not told by events)
            await asyncio.sleep(0.01)

    hearing(redis_url, venue, scenario)
    assert len(caplog.records) == 1
