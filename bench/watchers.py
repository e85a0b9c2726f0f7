"""Many websockets that watch one stream, read by a process that does as little as it can with what comes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from base64 import b64encode
from typing import Any, Self, cast

import uvloop

OPEN_AT_ONCE = 50
OPEN_S = 60


class _Watcher(asyncio.Protocol):
    """One websocket: notes the wall's time at which each whole message of text has come."""

    def __init__(self, path: str, opened: list[int], came: list[tuple[int, float]], name: bytes) -> None:
        self._path = path
        self._opened = opened
        self._came = came
        self._name = name
        self._buffer = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = b64encode(os.urandom(16)).decode()
        lines = (
            f"GET {self._path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
        )  # fmt: skip
        self._transport.write("\r\n".join(lines).encode())

    def data_received(self, data: bytes) -> None:
        now_ms = time.time() * 1_000
        buffer = self._buffer + data
        if not self._open:
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._open = True
            self._opened.append(1)
        while len(buffer) >= 2:
            size, start = buffer[1] & 127, 2
            if size == 126:
                size, start = int.from_bytes(buffer[2:4]), 4
            elif size == 127:
                size, start = int.from_bytes(buffer[2:10]), 10
            if len(buffer) < start + size:
                break
            message, kind = buffer[start : start + size], buffer[0] & 15
            buffer = buffer[start + size :]
            if kind == 1:
                place = message.find(self._name)
                number = message[place + len(self._name) : message.index(b",", place + len(self._name))]
                self._came.append((int(number), now_ms))
            elif kind == 9:
                self._transport.write(b"\x8a\x80\0\0\0\0" if not size else _pong(message))
            elif kind == 8:
                raise ConnectionError(f"the server closed: {message!r}")
        self._buffer = buffer


def _pong(message: bytes) -> bytes:
    return bytes((0x8A, 0x80 | len(message))) + b"\0\0\0\0" + message


class Watchers:
    """Websockets at a path of a port, in a process of their own; use it as a context manager. `name` is what stands before a message's number."""

    def __init__(self, port: int, path: str, number: int, name: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self._started, self._done = context.Event(), context.Event()
        self._queue: Any = context.Queue()
        given = (port, path, number, name, self._started, self._done, self._queue)
        self._process = context.Process(target=_watch, args=given)

    def __enter__(self) -> Self:
        """Return once all are open."""
        self._process.start()
        if not self._started.wait(OPEN_S):
            raise TimeoutError(f"not all websockets were open within {OPEN_S} s")
        return self

    def __exit__(self, *_: object) -> None:
        """Close all."""
        self._done.set()
        self._process.join()

    def came(self) -> list[tuple[int, float]]:
        """Close all, and return the number of each message that came to each, with when it came."""
        self._done.set()
        found: list[tuple[int, float]] = self._queue.get(timeout=OPEN_S)
        return found


def _watch(port: int, path: str, number: int, name: bytes, started: Any, done: Any, queue: Any) -> None:
    opened: list[int] = []
    came: list[tuple[int, float]] = []

    async def everyone() -> None:
        loop = asyncio.get_running_loop()
        for begin in range(0, number, OPEN_AT_ONCE):
            some = range(begin, min(begin + OPEN_AT_ONCE, number))
            await asyncio.gather(
                *(loop.create_connection(lambda: _Watcher(path, opened, came, name), "127.0.0.1", port) for _ in some)
            )
        while not done.is_set():
            if len(opened) == number:
                started.set()
            await asyncio.sleep(0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(everyone())
    queue.put(came)
