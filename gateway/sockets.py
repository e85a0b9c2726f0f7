"""Websockets: the routes that watch topics, and the protocol under them, which lets go of whoever does not read."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final, get_args

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.alert_cookie import alerts_read
from gateway.live import Client, TooManyClients, Topic
from gateway.ports import ViewsUnavailable
from gateway.services import Services
from gateway.shown import Span

FLUSH_S: Final = 1.0
"""How long a connection that is done with may take for what is on its way."""
POLICY: Final = 1008
TRY_LATER: Final = 1013

_LOG = logging.getLogger(__name__)
_Socket = WebSocket[Any, Any, Any]


@websocket("/live/markets")
async def live_markets(socket: _Socket, services: Services) -> None:
    """Push the list of markets."""
    await _serve(socket, services, services.hub.markets_topics(alerts_read(socket)))


@websocket("/live/market/{symbol:str}")
async def live_market(socket: _Socket, services: Services, symbol: str) -> None:
    """Push a symbol's market, and the account's orders and balances."""
    span = socket.query_params.get("span", services.settings.span)
    with suppress(ViewsUnavailable):  # then it is told whether there is one later
        if symbol not in await services.views.instruments():
            await socket.close(POLICY, "no such symbol")
            return
    if span not in get_args(Span):
        await socket.close(POLICY, "no such span")
        return
    await _serve(socket, services, services.hub.market_topics(symbol, span, alerts_read(socket)))


@websocket("/live/alerts")
async def live_alerts(socket: _Socket, services: Services) -> None:
    """Push the account's inbox."""
    if services.settings.demo_account is None:
        await socket.close(POLICY, "no account")
        return
    await _serve(socket, services, services.hub.alerts_topics(alerts_read(socket)))


async def _serve(socket: _Socket, services: Services, topics: list[Topic]) -> None:
    """Send a client its topics until either side ends it."""
    await socket.accept()
    try:
        client = services.hub.join(topics)
    except TooManyClients:
        await socket.close(TRY_LATER, "too many")
        return
    tasks = [asyncio.create_task(_send(socket, client, services)), asyncio.create_task(_hear(socket))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        services.hub.leave(client)
        for task in tasks:
            task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception) and not isinstance(
            ended, OSError | WebSocketDisconnect
        ):  # else the client has gone
            raise ended


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

    A closing frame does not wait behind what the peer leaves unread; a connection that is done with is cut after `FLUSH_S`, whether
    or not the peer has taken the rest; and pings are not answered without bound.
    """

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    async def run_asgi(self) -> None:
        """Run the application, and see to it that the connection ends after it."""
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
