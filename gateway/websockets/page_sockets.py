"""Websockets: the routes that watch topics, and the protocol under them, which lets go of whoever does not read."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final, cast, get_args

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.alerts.cookie import alerts_read
from gateway.identity.principal import Principal
from gateway.limiting.address import client_address
from gateway.ports import ViewsUnavailable
from gateway.services import Services
from gateway.shown import Span
from gateway.websockets.closing import POLICY, TRY_LATER
from gateway.websockets.live import Client, Hub, Topic
from gateway.websockets.outbox import FRAMES

FLUSH_S: Final = 1.0
"""How long a connection that is done with may take for what is on its way."""

_LOG = logging.getLogger(__name__)
_Socket = WebSocket[Any, Any, Any]


@websocket("/live/markets", opt={"needs": "see-market"})
async def live_markets(socket: _Socket, services: Services, principal: Principal) -> None:
    """Push the list of markets."""
    await _serve(socket, services, principal, Hub.markets_topics(principal.account, alerts_read(socket, principal)))


@websocket("/live/market/{symbol:str}", opt={"needs": "see-market"})
async def live_market(socket: _Socket, services: Services, principal: Principal, symbol: str) -> None:
    """Push a symbol's market, and the account's orders and balances."""
    span = socket.query_params.get("span", services.settings.span)
    with suppress(ViewsUnavailable):  # then it is told whether there is one later
        if symbol not in await services.views.instruments():
            await socket.close(POLICY, "no such symbol")
            return
    if span not in get_args(Span):
        await socket.close(POLICY, "no such span")
        return
    topics = Hub.market_topics(symbol, span, principal.account, alerts_read(socket, principal))
    await _serve(socket, services, principal, topics)


@websocket("/live/alerts", opt={"needs": "see-account"})
async def live_alerts(socket: _Socket, services: Services, principal: Principal) -> None:
    """Push the account's inbox."""
    if principal.account is None:
        await socket.close(POLICY, "no account")
        return
    await _serve(socket, services, principal, Hub.alerts_topics(principal.account, alerts_read(socket, principal)))


async def _serve(socket: _Socket, services: Services, principal: Principal, topics: list[Topic]) -> None:
    """Send a client its topics, unless there are too many already."""
    await socket.accept()
    address = client_address(socket.scope, services.settings.trusted_proxies)
    with services.hub.seats.take(address) as has_seat:
        if has_seat:
            await _push(socket, services, principal, topics)
        else:
            await socket.close(TRY_LATER, "too many")


async def _push(socket: _Socket, services: Services, principal: Principal, topics: list[Topic]) -> None:
    """Send a client its topics until either side ends it, or what it was let in by is no longer valid."""
    client = services.hub.join(topics)
    tasks = [asyncio.create_task(_send(socket, client, services)), asyncio.create_task(_hear(socket))]
    ended = asyncio.create_task(_ended(services, principal))
    try:
        await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        services.hub.leave(client)
        for task in (*tasks, ended):
            task.cancel()
    results = await asyncio.gather(*tasks, ended, return_exceptions=True)
    if not ended.cancelled():
        with suppress(OSError, WebSocketDisconnect):
            await socket.close(POLICY, "your session has ended: sign in again")
    for result in results:
        if isinstance(result, Exception) and not isinstance(
            result, OSError | WebSocketDisconnect
        ):  # else the client has gone
            raise result


async def _ended(services: Services, principal: Principal) -> None:
    """Return once somebody is no longer to be shown anything; of visitors never."""
    if services.identities is None or principal.grant == "visit":
        await asyncio.Event().wait()
    else:
        await services.identities.ended(principal)


async def _send(socket: _Socket, client: Client, services: Services) -> None:
    while True:
        html = await client.fetch()
        try:
            async with asyncio.timeout(services.settings.send_s):
                await socket.send_text(html)
        except TimeoutError:
            services.metrics.slow_clients.inc()
            _LOG.warning("a websocket did not read for %s s and is closed", services.settings.send_s)
            await socket.close(TRY_LATER, "too slow")
            return


async def _hear(socket: _Socket) -> None:
    """Wait for the end of the connection; there is nothing that a client may send."""
    message = await socket.receive()
    if message["type"] == "websocket.receive":
        await socket.close(POLICY, "nothing is read here")


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's websocket, of which `send` waits while the peer does not read, with what it lacks for peers that never do.

    The ASGI extension `FRAMES` is the protocol itself: by `write_frame` an application sends what it has framed once for many.

    A closing frame does not wait behind what the peer leaves unread; a connection that is done with is cut after `FLUSH_S`, whether
    or not the peer has taken the rest; and pings are not answered without bound.
    """

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def write_frame(self, frame: bytes) -> bool:
        """Write a frame now, and say whether that could be: not while the peer does not read, nor once the connection ends."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True

    async def run_asgi(self) -> None:
        """Run the application, and see to it that the connection ends after it."""
        cast("Any", self.scope)["extensions"][FRAMES] = self
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(FLUSH_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Cut a connection whose peer has not answered a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    def handle_ping(self) -> None:
        """Answer a ping, unless the peer does not read the answers."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()
