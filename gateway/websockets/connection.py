"""One websocket from its acceptance to its end: what comes is heard in order, what goes waits in an outbox, and the first end counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from gateway.websockets.closing import POLICY
from gateway.websockets.outbox import Outbox

Socket: TypeAlias = WebSocket[Any, Any, Any]
Hear: TypeAlias = Callable[[str], Awaitable[None]]
_GONE: Final = (OSError, WebSocketDisconnect)


async def converse(socket: Socket, outbox: Outbox, hear: Hear, *besides: Coroutine[Any, Any, None]) -> None:
    """Hear all that comes, until either side ends the connection; `besides` run meanwhile, and end nothing.

    A connection whose outbox has ended is closed with that code and reason.
    """
    hearing = asyncio.create_task(_hear(socket, outbox, hear))
    tasks = [hearing, *map(asyncio.create_task, besides)]
    try:
        either: list[asyncio.Future[Any]] = [hearing, outbox.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if outbox.ended.done():
            outbox.close()
            code, reason = outbox.ended.result()
            try:
                await socket.close(code, reason)
            except (*_GONE, RuntimeError):
                pass  # it has closed itself meanwhile
    finally:
        outbox.close()
        for task in tasks:
            task.cancel()
    (ended, *_) = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(ended, Exception) and not isinstance(ended, _GONE):
        raise ended


async def _hear(socket: Socket, outbox: Outbox, hear: Hear) -> None:
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return
        text = message.get("text")
        if text is None:
            outbox.end(POLICY, "only text is read here: send JSON in text frames")
            return
        await hear(text)
