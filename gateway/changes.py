"""Word of changes, from the projector by Redis to whoever in this process listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import redis
from redis.asyncio import Redis

from gateway.keys import Keys
from gateway.ports import Changed
from gateway.tasks import stop

LOG = logging.getLogger("openbell.changes")

RETRY_S: Final = 0.5
TIMEOUT_S: Final = 2.0

_decode = msgspec.json.Decoder(Changed).decode


class RedisChanges:
    """Subscribes to a venue's changes. Implements `ports.Changes`.

    A listener never waits for another: while it is busy, what comes is put together into one word.
    """

    def __init__(self, url: str, venue: str) -> None:
        self._redis: Any = Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, health_check_interval=5)
        self._channel = Keys(venue).changed
        self._listeners: set[_Listener] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; needed once, before `listen`."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            await stop([self._task])
        await self._redis.aclose()

    async def listen(self) -> AsyncIterator[Changed]:
        """Yield word of changes for ever."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.next()
        finally:
            self._listeners.discard(listener)

    async def _run(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(self._channel)
                    self._tell(Changed(everything=True))
                    while True:
                        message = await pubsub.get_message(timeout=1.0)
                        if message is not None:
                            self._tell(_decode(message["data"]))
            except redis.RedisError as error:
                LOG.info("Redis: %s; changes are listened for again in %.1f s", error, RETRY_S)
            except msgspec.MsgspecError as error:
                LOG.warning("not a word of changes: %s", error)
            await asyncio.sleep(RETRY_S)

    def _tell(self, changed: Changed) -> None:
        for listener in self._listeners:
            listener.add(changed)


class _Listener:
    """What one listener has not heard yet."""

    def __init__(self) -> None:
        self._symbols: dict[str, None] = {}
        self._accounts: dict[str, None] = {}
        self._everything = True
        self._woken = asyncio.Event()
        self._woken.set()

    def add(self, changed: Changed) -> None:
        self._symbols.update(dict.fromkeys(changed.symbols))
        self._accounts.update(dict.fromkeys(changed.accounts))
        self._everything = self._everything or changed.everything
        self._woken.set()

    async def next(self) -> Changed:
        await self._woken.wait()
        self._woken.clear()
        changed = Changed(list(self._symbols), list(self._accounts), self._everything)
        self._symbols, self._accounts, self._everything = {}, {}, False
        return changed
