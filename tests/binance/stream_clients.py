"""Gateways over one floor on real ports, and what their tests' clients do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import uvicorn
from litestar import Litestar
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.server import configured, listening
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import Floor, FloorCommands, app_over

DEADLINE_S = 20


class Gateway:
    """A gateway that serves on a free port."""

    def __init__(self, port: int, server: uvicorn.Server, commands: FloorCommands, app: Litestar) -> None:
        self.port, self.server, self.commands = port, server, commands
        self.services = app.dependencies["services"].dependency()

    def feeds(self) -> set[str]:
        """Return the streams of markets that are read."""
        return set(self.services.streams.markets.names())

    def listeners(self, name: str) -> int:
        """Return how many listen to a stream of a market."""
        feed = self.services.streams.markets.get(name)
        return 0 if feed is None else len(feed.listeners)

    def ready(self, name: str) -> bool:
        """Say whether what happens from now on is told."""
        feed = self.services.streams.markets.get(name)
        return feed is not None and feed.is_ready

    def accounts(self) -> set[str]:
        """Return the accounts whose events are read."""
        return set(self.services.streams.accounts.names())

    def figure(self, name: str, **labels: str) -> float:
        """Return one of the figures that `/metrics` tells."""
        of = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
        line = f"{name}{{{of}}} " if of else f"{name} "
        told = self.services.metrics.text().decode().splitlines()
        return sum(float(each.removeprefix(line)) for each in told if each.startswith(line))

    async def happens(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is so, within the deadline."""
        for _ in range(1_000):
            if condition():
                return True
            await asyncio.sleep(DEADLINE_S / 1_000)
        return False

    def connect(self, path: str, **options: Any) -> Any:
        """Open a websocket."""
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, compression=None, max_size=2**24, **options)


@contextmanager
def gateway(floor: Floor, *, over: Callable[[Any], Any] = lambda app: app, **settings: Any) -> Iterator[Gateway]:
    """Serve an application over a floor, as the server does it, in a thread; `over` returns what is served instead of it."""
    commands = FloorCommands(floor)
    app = app_over(floor, commands, **settings)
    server = uvicorn.Server(configured(over(app)))
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert wait_until(lambda: server.started, DEADLINE_S)
            yield Gateway(listener.getsockname()[1], server, commands, app)
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
    assert not thread.is_alive()


@contextmanager
def views_away(floor: Floor) -> Iterator[None]:
    """Let there be no views for a while."""
    redis, generation = floor.projected.store._redis, floor.projected.store.keys.generation
    shown = redis.get(generation)
    redis.delete(generation)
    try:
        yield
    finally:
        redis.set(generation, shown)


async def ask(live: ClientConnection, method: str, *params: Any, id: Any = 1) -> Any:  # noqa: A002
    """Send a request and return its answer; what streams tell meanwhile is passed over."""
    await live.send(msgspec.json.encode({"method": method, "params": list(params), "id": id}).decode())
    while True:
        answer = await receive(live)
        if "id" in answer and ("result" in answer or "error" in answer):
            return answer


async def receive(live: ClientConnection) -> Any:
    """Return the next message."""
    return msgspec.json.decode(await live.recv())


async def ending(served: Gateway, path: str, *frames: Any) -> tuple[int, str]:
    """Return with what a connection ends, after some frames."""
    async with served.connect(path) as live:
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  (any of them may find it closed)
            for frame in frames:
                await live.send(frame)
            while True:
                await receive(live)
    assert closed.value.rcvd, "the connection was cut"
    return closed.value.rcvd.code, closed.value.rcvd.reason
