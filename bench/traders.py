"""Clients that ask as fast as they are answered, in a process of their own, and cost as little of the processor as they can."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import uvloop
from websockets.asyncio.client import connect

Make = Callable[[int], bytes]
"""Makes request number so-and-so: of REST the whole of it, of a websocket one message."""


class Asked(NamedTuple):
    """What came of it: when it began and ended (wall milliseconds), how many were answered, and how long each took, in milliseconds."""

    begin_ms: float
    end_ms: float
    answered: int
    took_ms: list[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / (self.end_ms - self.begin_ms) * 1_000


def ask(work: Callable[..., Asked], *arguments: Any) -> Asked:
    """Run `rest` or `sockets` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    process = context.Process(target=_run, args=(queue, work, arguments))
    process.start()
    told: Asked | str = queue.get(timeout=300)
    process.join()
    if isinstance(told, str):
        raise RuntimeError(told)  # noqa: TRY004  (it is the other process's error)
    return told


def _run(queue: Any, work: Callable[..., Asked], arguments: tuple[Any, ...]) -> None:
    try:
        queue.put(work(*arguments))
    except Exception as error:  # noqa: BLE001  (told to who waits, whatever it is)
        queue.put(f"{type(error).__name__}: {error}")


def rest(port: int, factory: Callable[..., Make], given: tuple[Any, ...], connections: int, seconds: float) -> Asked:
    """Send requests over kept connections, one at a time over each. An answer that is not 200 ends it with an error."""
    return _timed(lambda clock: _rest(port, factory(*given), connections, clock), seconds)


def sockets(url: str, factory: Callable[..., Make], given: tuple[Any, ...], connections: int, seconds: float) -> Asked:
    """Send messages over websockets, one at a time over each."""
    return _timed(lambda clock: _sockets(url, factory(*given), connections, clock), seconds)


class _Clock:
    """Notes answers after a warm-up of a fifth of the time."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.time() + seconds / 5
        self.end = self.begin + seconds
        self.took_ms: list[float] = []
        self.numbers: Iterator[int] = iter(range(1 << 60))

    def note(self, sent: float) -> bool:
        """Note an answer, and say whether to go on."""
        now = time.time()
        if self.begin <= now < self.end:
            self.took_ms.append((now - sent) * 1_000)
        return now < self.end


def _timed(play: Callable[[_Clock], Any], seconds: float) -> Asked:
    clock = _Clock(seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play(clock))
    return Asked(clock.begin * 1_000, clock.end * 1_000, len(clock.took_ms), clock.took_ms)


async def _rest(port: int, make: Make, connections: int, clock: _Clock) -> None:
    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        going = True
        while going:
            sent = time.time()
            writer.write(make(next(clock.numbers)))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{head[:40]!r} {body[:300]!r}")
            going = clock.note(sent)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))


async def _sockets(url: str, make: Make, connections: int, clock: _Clock) -> None:
    async def one() -> None:
        async with connect(url, compression=None) as socket:
            going = True
            while going:
                sent = time.time()
                await socket.send(make(next(clock.numbers)), text=True)
                answer = await socket.recv(decode=False)
                if b'"status":200' not in answer:
                    raise RuntimeError(repr(answer[:300]))
                going = clock.note(sent)

    await asyncio.gather(*(one() for _ in range(connections)))
