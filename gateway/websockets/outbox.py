"""What waits to be sent to one websocket: bounded, and never with a silent gap.

Theory of operation: a message is framed once, for all who get it, and written straight to a connection whose peer reads. Only
where the peer does not, messages wait: those with a key as the newest of their key, all others one by one. When more waits than may, or
nothing is taken for long, the connection ends with a reason; so who is still connected has missed nothing but what newer
messages stand for, and a slow reader costs a bounded number of references.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from itertools import count
from typing import Any, Final, Protocol, TypeAlias

from litestar.exceptions import WebSocketDisconnect

from gateway.websockets.closing import POLICY, TRY_LATER

MESSAGES_MAX: Final = 512
BYTES_MAX: Final = 1_048_576
"""How much may wait for one websocket; nearly all of it is shared with others who get the same."""
PLAIN_MESSAGES_MAX: Final = 16 * MESSAGES_MAX
"""How many messages may wait where each one waits, even if the peer reads: all that some streams tell at once."""
FRAMES: Final = "openbell.frames"
"""The ASGI extension of a server that writes frames that are made already: its value has `write_frame` (see `gateway.websockets.page_sockets`)."""
_TEXT: Final = 0x81
_SHORT, _MIDDLE = 125, 65_535

Ending: TypeAlias = tuple[int, str]
"""A closing code and its reason."""


class Message:
    """A text for websockets, and the frame that carries it."""

    __slots__ = ("frame", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.frame = _head(len(payload)) + payload


def _head(length: int) -> bytes:
    """Return what goes before an unmasked text of so many bytes (RFC 6455, section 5.2)."""
    if length <= _SHORT:
        return bytes((_TEXT, length))
    if length <= _MIDDLE:
        return struct.pack("!BBH", _TEXT, 126, length)
    return struct.pack("!BBQ", _TEXT, 127, length)


class Line(Protocol):
    """A connection to a peer."""

    messages_max: int
    """How many messages may wait for it."""

    def write(self, message: Message) -> bool:
        """Write a message now, if the peer reads what is written; else say False."""

    async def send(self, message: Message) -> None:
        """Write a message as soon as the peer reads. Raises WebSocketDisconnect or OSError if it is gone."""


class FrameLine:
    """A connection whose server takes frames as they are."""

    messages_max = MESSAGES_MAX

    def __init__(self, protocol: Any) -> None:
        self.write_frame = protocol.write_frame
        self._writable: asyncio.Event = protocol.writable

    def write(self, message: Message) -> bool:
        """Write a message now, if the peer reads."""
        return bool(self.write_frame(message.frame))

    async def send(self, message: Message) -> None:
        """Write a message as soon as the peer reads."""
        while True:
            await self._writable.wait()
            if self.write_frame(message.frame):
                return
            if self._writable.is_set():
                raise WebSocketDisconnect(detail="the connection is gone")


class PlainLine:
    """A connection of any other ASGI server."""

    messages_max = PLAIN_MESSAGES_MAX

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def write(self, _: Message) -> bool:
        """Nothing can be written without waiting."""
        return False

    async def send(self, message: Message) -> None:
        """Write a message as soon as the peer reads."""
        await self._socket.send_text(message.payload.decode())


def line_of(socket: Any) -> Line:
    """Return how to write to a websocket."""
    protocol = socket.scope.get("extensions", {}).get(FRAMES)
    return PlainLine(socket) if protocol is None else FrameLine(protocol)


class Outbox:
    """What waits for one websocket. `combined`: its streams' messages are wrapped with their names; `slow` is told of a peer that does not read.

    `messages_max` and `bytes_max` are how much may wait; None: as many messages as the line says.
    """

    def __init__(
        self,
        line: Line,
        send_s: float,
        *,
        combined: bool = False,
        slow: Callable[[], None] = lambda: None,
        messages_max: int | None = None,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self.combined = combined
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        """Done when the connection must end; cancelled once it has ended otherwise."""
        self._line = line
        self._send_s = send_s
        self._slow = slow
        self._messages_max = line.messages_max if messages_max is None else messages_max
        self._bytes_max = bytes_max
        self._waiting: dict[str | int, Message] = {}
        self._bytes = 0
        self._numbers = count()
        self._draining: asyncio.Task[None] | None = None

    def offer(self, message: Message, key: str = "") -> None:
        """Send a message, now or when the peer reads; of those with one key only the newest. One too many ends the connection."""
        if self.ended.done():
            return
        if self._draining is None and self._line.write(message):
            return
        name: str | int = key or next(self._numbers)
        before = self._waiting.get(name)
        self._bytes += len(message.payload) - (len(before.payload) if before else 0)
        self._waiting[name] = message
        if len(self._waiting) > self._messages_max or self._bytes > self._bytes_max:
            self._slow()
            self.end(POLICY, "too slow: too much waits to be read; connect again and read faster")
        elif self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    def end(self, code: int, reason: str) -> None:
        """Have the connection end; nothing more is sent."""
        if not self.ended.done():
            self.ended.set_result((code, reason))
            self._waiting.clear()

    def close(self) -> None:
        """Let go of what waits; nothing more is sent."""
        self.ended.cancel()
        self._waiting.clear()
        if self._draining is not None:
            self._draining.cancel()

    async def _drain(self) -> None:
        try:
            while self._waiting and not self.ended.done():
                name = next(iter(self._waiting))
                message = self._waiting.pop(name)
                self._bytes -= len(message.payload)
                async with asyncio.timeout(self._send_s):
                    await self._line.send(message)
        except TimeoutError:
            self._slow()
            self.end(TRY_LATER, f"too slow: nothing was read for {self._send_s:g} s; connect again and read faster")
        except (OSError, WebSocketDisconnect):
            self.end(TRY_LATER, "the connection is gone")
        finally:
            self._draining = None
