"""Feeds: what one stream tells, read and encoded once for all who listen.

Theory of operation: a stream that somebody listens to has one feed. Word of a change makes it ask its source for what is to be told
since the last time, at once if it was quiet, else `push_s` after the last time; what there is goes to all outboxes as the same
messages, with the stream's name around them or without. A source that cannot go on without a gap says so, and then all who
listen are disconnected with that reason. Who comes later gets from streams that show a state the last one told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from gateway.binance.streams.names import Stream
from gateway.ports import Changed, ViewsUnavailable
from gateway.tasks import stop
from gateway.websockets.closing import TRY_LATER
from gateway.websockets.outbox import Message

RETRY_S: Final = 0.5
READY_S: Final = 2.0
"""How long somebody who subscribes waits until the stream is known to go on from here."""
NOT_READY: Final = "the streams cannot begin, for the market data cannot be read now: try again"
_LOG = logging.getLogger(__name__)

Told: TypeAlias = list[tuple[str, Any]]
"""What is told, with keys: of what waits under one key, who reads slowly gets only the newest. An empty key: gets each."""


class Lost(Exception):
    """A stream cannot go on without a gap. The sentence is the reason that listeners are disconnected with."""


class Listener(Protocol):
    """Somebody who listens: an outbox, or what wraps messages for one."""

    combined: bool

    def offer(self, message: Message, key: str = "") -> None:
        """Take a message."""

    def end(self, code: int, reason: str) -> None:
        """Take word that nothing more comes."""


class Source(Protocol):
    """Where a feed gets what it tells."""

    shows_state: bool
    """Whether what was told last is news for somebody who comes later."""

    async def read(self) -> Told:
        """Return what is to be told since the last time; of the first time on, if it shows no state. Raises ViewsUnavailable, Lost."""


class Telling:
    """One message in both forms, each made when it is first asked for."""

    __slots__ = ("_combined", "_name", "_raw", "key")

    def __init__(self, name: str, key: str, payload: Any) -> None:
        self.key = f"{name} {key}" if key else ""
        self._name = name
        self._raw = Message(msgspec.json.encode(payload))
        self._combined: Message | None = None

    def to(self, listener: Listener) -> None:
        """Send it in the form that a listener wants."""
        if not listener.combined:
            listener.offer(self._raw, self.key)
            return
        if self._combined is None:
            name = msgspec.json.encode(self._name)
            self._combined = Message(b'{"stream":%b,"data":%b}' % (name, self._raw.payload))
        listener.offer(self._combined, self.key)


class Feed:
    """One stream that somebody listens to."""

    def __init__(self, stream: Stream, source: Source) -> None:
        self.stream = stream
        self.listeners: set[Listener] = set()
        self._source = source
        self._last: list[Telling] = []
        self._ready = asyncio.Event()
        self._touched = asyncio.Event()
        self._touched.set()
        self._task = asyncio.create_task(self._run())

    def touch(self) -> None:
        """Have it read what there is."""
        self._touched.set()

    def join(self, listener: Listener) -> None:
        """Let somebody listen."""
        self.listeners.add(listener)
        for telling in self._last:
            telling.to(listener)

    @property
    def is_ready(self) -> bool:
        """Whether what happens from now on is told."""
        return self._ready.is_set()

    async def ready(self) -> None:
        """Return once that is so."""
        await self._ready.wait()

    def close(self) -> asyncio.Task[None]:
        """Stop reading; return what then ends."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        while True:
            await self._touched.wait()
            self._touched.clear()
            try:
                told = await self._source.read()
            except Lost as lost:
                self._end(str(lost))
                continue
            except Exception as error:  # noqa: BLE001  (whatever it is, the feed must go on)
                if not isinstance(error, ViewsUnavailable):
                    _LOG.exception("the stream %s could not be read", self.stream.name)
                await asyncio.sleep(RETRY_S)
                self.touch()
                continue
            self._tell(told)
            self._ready.set()
            await asyncio.sleep(self.stream.push_s)

    def _tell(self, told: Told) -> None:
        tellings = [Telling(self.stream.name, key, payload) for key, payload in told]
        for listener in tuple(self.listeners):
            for telling in tellings:
                telling.to(listener)
        if tellings and self._source.shows_state:
            self._last = tellings[-1:]

    def _end(self, reason: str) -> None:
        _LOG.warning("the stream %s ends for its %d listeners: %s", self.stream.name, len(self.listeners), reason)
        for listener in self.listeners:
            listener.end(TRY_LATER, reason)
        self._ready.clear()
        self.touch()


class Feeds:
    """All streams of one sort that somebody listens to. `source` makes what a stream reads from; `concerns` says which changes it is read anew for."""

    def __init__(self, source: Callable[[Stream], Source], concerns: Callable[[Changed, Stream], bool]) -> None:
        self._source = source
        self._concerns = concerns
        self._feeds: dict[str, Feed] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop reading anything."""
        await stop([*self._ending, *(feed.close() for feed in self._feeds.values())])
        self._feeds.clear()

    def names(self) -> list[str]:
        """Return the streams that somebody listens to."""
        return list(self._feeds)

    def get(self, name: str) -> Feed | None:
        """Return the feed of a stream that somebody listens to."""
        return self._feeds.get(name)

    async def join(self, streams: Collection[Stream], listener: Listener) -> None:
        """Let somebody listen to streams; returns once what happens from now on is told.

        Raises:
            ViewsUnavailable: if that is not so within `READY_S`; then they listen to none of these streams.
        """
        feeds = []
        for stream in streams:
            feed = self._feeds.get(stream.name)
            if feed is None:
                feed = self._feeds[stream.name] = Feed(stream, self._source(stream))
            feed.join(listener)
            feeds.append(feed)
        try:
            async with asyncio.timeout(READY_S):
                for feed in feeds:
                    await feed.ready()
        except TimeoutError:
            for stream in streams:
                self.leave(stream.name, listener)
            raise ViewsUnavailable(NOT_READY) from None

    def leave(self, name: str, listener: Listener) -> None:
        """Let somebody listen no more, and drop a feed that nobody listens to."""
        feed = self._feeds.get(name)
        if feed is None:
            return
        feed.listeners.discard(listener)
        if not feed.listeners:
            del self._feeds[name]
            task = feed.close()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def hear(self, changed: Changed) -> None:
        """Touch the feeds that a change is about."""
        for feed in self._feeds.values():
            if changed.everything or self._concerns(changed, feed.stream):
                feed.touch()
