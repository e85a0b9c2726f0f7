"""Serves several applications in one event loop, since they share their services."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn


class _Beside(uvicorn.Server):
    """A server that takes no signals: they are the first one's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the first server."""
        yield


async def serve_together(
    first: uvicorn.Server, listener: socket.socket, beside: Sequence[tuple[uvicorn.Config, socket.socket]] = ()
) -> None:
    """Serve until the first server ends, as it does for a signal, or another one fails; then all of them end."""
    others = [(_Beside(config), other) for config, other in beside]
    servers = [(first, listener), *others]
    serving = [asyncio.create_task(server.serve(sockets=[on])) for server, on in servers]
    await asyncio.wait(serving, return_when=asyncio.FIRST_COMPLETED)
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*serving)
