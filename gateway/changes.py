"""Word of changes, from the projector by Redis to whoever in this process listens."""

from __future__ import annotations

import asyncio
import logging
import time
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
SILENT_S: Final = 3.0
"""A connection that brings no word for so long is given up; a projector at work sends one with each of its beats, much more often."""

_decode = msgspec.json.Decoder(Changed).decode


class RedisChanges:
    """Subscribes to a venue's changes. Implements `ports.Changes`.

    A listener never waits for another: while it is busy, what comes is put together into one word. A connection may die without
    a word, and then the projector goes unheard too, so silence alone is reason to connect anew.
    """

    def __init__(self, server: str | Redis, venue: str) -> None:
        """`server` is Redis's URL, or a client of it."""
        self._redis: Any = (
            Redis.from_url(server, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
            if isinstance(server, str)
            else server
        )
        self._channel = Keys(venue).changed
        self._listeners: set[_Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._heard: bool | None = None
        """Whether changes are being heard, as the log was told last."""

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
                await self._hear()
                lost = "no word of changes"
            except (redis.RedisError, OSError) as error:
                lost = f"Redis: {error}"
            except msgspec.MsgspecError as error:
                lost = f"not a word of changes: {error}"
            if self._heard is not False:
                LOG.warning("%s; changes are listened for again and again", lost)
            self._heard = False
            await asyncio.sleep(RETRY_S)

    async def _hear(self) -> None:
        """Pass on what comes, until nothing has come for `SILENT_S`."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel)
            self._tell(Changed(everything=True))
            silent_at = time.monotonic() + SILENT_S
            while (left_s := silent_at - time.monotonic()) > 0:
                message = await pubsub.get_message(timeout=left_s)
                if message is not None:
                    silent_at = time.monotonic() + SILENT_S
                    self._tell(_decode(message["data"]))
                    if self._heard is False:
                        LOG.info("changes are heard again")
                    self._heard = True

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
