"""Serves simulated venues, one after the other, under one address; the process goes on when a venue is made anew."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Self

import msgspec
import uvicorn
import uvloop
from litestar.types import Receive, Send

from gateway.identity.ports import Identities
from gateway.security import Guard
from gateway.server import configured
from gateway.sim.faults import Faults
from gateway.sim.network import Network
from gateway.tasks import stop
from openbell.sim.world import SimSettings, World

RESET_PATH: Final = "/sandbox/reset"
START_S: Final = 30.0
CALL_S: Final = 30.0
"""How long the venue's thread may take for what a test asks of it."""


class Simulator:
    """The application of a simulated venue, whichever it is now. `POST /sandbox/reset` makes the venue anew."""

    def __init__(
        self, settings: SimSettings, *, disconnect_s: float = 0.0, identities: Identities | None = None
    ) -> None:
        self.settings = settings
        self.faults = _faults(settings)
        self.world: World | None = None
        self._identities = identities
        self._disconnect_s = disconnect_s
        self._network = Network(self._pass_on, self.faults)
        self._control = Guard(self._reset_route, settings.allowed_hosts)
        self._changing = asyncio.Lock()
        self._disconnecting: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"] == RESET_PATH:
            await self._control(scope, receive, send)
        else:
            await self._network(scope, receive, send)

    async def reset(self) -> World:
        """End the venue, and begin another; what was to go wrong is forgotten, too."""
        async with self._changing:
            self.disconnect()
            await self._end()
            self.faults.__dict__.update(_faults(self.settings).__dict__)
            world = World(self.settings, self.faults, self._identities)
            await world.begin()
            self.world = world
            return world

    def disconnect(self) -> int:
        """Break all websockets, and return how many."""
        return self._network.disconnect()

    @property
    def sockets(self) -> int:
        """How many websockets are open."""
        return self._network.sockets

    async def _end(self) -> None:
        world, self.world = self.world, None
        if world is not None:
            await world.end()

    async def _lifespan(self, receive: Receive, send: Any) -> None:
        await receive()
        await self.reset()
        if self._disconnect_s:
            self._disconnecting = asyncio.create_task(self._disconnect_for_ever())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._disconnecting is not None:
            await stop([self._disconnecting])
        await self._end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _disconnect_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._disconnect_s)
            self.disconnect()

    async def _pass_on(self, scope: Any, receive: Receive, send: Send) -> None:
        if self.world is None:
            await _refuse(scope, receive, send)
        else:
            await self.world.app(scope, receive, send)

    async def _reset_route(self, scope: Any, _: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _answer(send, 405, {"code": "METHOD_NOT_ALLOWED", "message": f"Use POST {RESET_PATH}."})
            return
        await self.reset()
        await _answer(send, 200, {"reset": True})


class Serving:
    """A simulator behind a socket, in a thread with a loop of its own. Use it as a context manager."""

    def __init__(self, make: Callable[[], Simulator], listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._make = make
        self._listener = listener
        self._thread = threading.Thread(target=self._run, name="sim", daemon=True)
        self._failed: BaseException | None = None
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._simulator: Simulator | None = None

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        if not self._ready.wait(START_S) or self._failed:
            raise RuntimeError("the simulated venue did not start") from self._failed
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and leave nothing behind."""
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join()

    @property
    def simulator(self) -> Simulator:
        """What is served."""
        assert self._simulator is not None, "it serves"
        return self._simulator

    def call(self, what: Callable[[], Awaitable[Any]]) -> Any:
        """Do something in the loop that the venue lives in, and return what comes of it."""
        assert self._loop is not None, "it serves"

        async def do() -> Any:
            return await what()

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(CALL_S)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (whoever waits is told)
            self._failed = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._simulator = self._make()
        self._server = serving(self._simulator)
        task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started and not task.done():  # noqa: ASYNC110  (uvicorn tells it by no event)
            await asyncio.sleep(0.005)
        self._ready.set()
        await task


def serving(simulator: Simulator) -> uvicorn.Server:
    """Return what serves a simulator."""
    return uvicorn.Server(configured(simulator))


def _faults(settings: SimSettings) -> Faults:
    return Faults(
        seed=settings.seed,
        latency_ms=settings.latency_ms,
        jitter_ms=settings.jitter_ms,
        refused_share=settings.refused_share,
    )


async def _refuse(scope: Any, receive: Receive, send: Send) -> None:
    """Say that the venue is being made anew."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013, "reason": "the venue is being made anew"})
    else:
        problem = {"code": "UNAVAILABLE", "message": "The venue is being made anew: try again in a moment."}
        with suppress(OSError):
            await _answer(send, 503, problem, [(b"retry-after", b"1")])


async def _answer(send: Send, status: int, content: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = msgspec.json.encode(content)
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body, "more_body": False})
