"""A network that is slow, and breaks, between clients and an application."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send

from gateway.sim.faults import Faults
from gateway.tasks import stop
from gateway.websockets.outbox import FRAMES

GONE: Final = 1012
"""What a websocket is closed with: the server is about to restart, come again."""
UNDER_WAY_MAX: Final = 1_000
"""How many messages of a websocket may be under way; who sends more waits."""


class Network:
    """Wraps an application: requests, and what websockets say, arrive late by `faults`; `disconnect` breaks all websockets."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._sockets: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a connection on."""
        delay_s = self._faults.delay_s()
        if delay_s:
            await asyncio.sleep(delay_s)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @property
    def sockets(self) -> int:
        """How many websockets are open."""
        return len(self._sockets)

    def disconnect(self) -> int:
        """Break all websockets that are open, and return how many."""
        for task in self._sockets:
            task.cancel()
        return len(self._sockets)

    async def _socket(self, scope: Any, receive: Receive, send: Send) -> None:
        # Frames would go past the line. Without them each message waits a while: see `PLAIN_MESSAGES_MAX`.
        extensions = {name: what for name, what in scope.get("extensions", {}).items() if name != FRAMES}
        scope = {**scope, "extensions": extensions}
        line = _Line(self._faults, send)
        delivering = asyncio.create_task(line.run())
        task: asyncio.Task[None] = asyncio.ensure_future(self._app(scope, receive, line.send))
        self._sockets.add(task)
        try:
            await asyncio.wait([task])
            if task.cancelled():
                with contextlib.suppress(OSError, RuntimeError):  # the client was faster
                    await send({"type": "websocket.close", "code": GONE, "reason": "disconnected on purpose"})
                return
            await line.arrived()
            task.result()
        finally:
            self._sockets.discard(task)
            await stop([task, delivering])


class _Line:
    """One websocket's way to its client: first in, first out, each message as late as chance has it."""

    def __init__(self, faults: Faults, send: Send) -> None:
        self._faults = faults
        self._send = send
        self._under_way: asyncio.Queue[tuple[float, Message]] = asyncio.Queue(UNDER_WAY_MAX)

    async def send(self, message: Message) -> None:
        """Send a message of the application."""
        delay_s = self._faults.delay_s()
        if not delay_s and self._under_way.empty():
            await self._send(message)
        else:
            await self._under_way.put((time.monotonic() + delay_s, message))

    async def run(self) -> None:
        """Deliver what is under way, for ever."""
        while True:
            due, message = await self._under_way.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError, RuntimeError):  # the client has gone, which the application hears
                await self._send(message)
            self._under_way.task_done()

    async def arrived(self) -> None:
        """Wait until all that was sent has arrived."""
        await self._under_way.join()
