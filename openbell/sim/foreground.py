"""Serves in the foreground until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
import uvloop

LOOK_S = 0.005


def serve(begin: Callable[[], uvicorn.Server], listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve what `begin` makes in the event loop, and say when it is `ready`."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn stops for a signal, and then raises it once more

    async def run() -> None:
        server = begin()
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110  (uvicorn tells it by no event)
            await asyncio.sleep(LOOK_S)
        if not task.done():
            ready()
        await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
