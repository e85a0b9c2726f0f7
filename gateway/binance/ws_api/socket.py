"""The socket of the websocket API: `/ws-api/v3`."""

from __future__ import annotations

from litestar import websocket

from gateway.binance.ws_api.session import Session
from gateway.entry import ACCOUNT_HEADER
from gateway.limiting.address import client_address
from gateway.services import Services
from gateway.websockets.closing import TRY_LATER
from gateway.websockets.connection import Socket, converse
from gateway.websockets.outbox import Outbox, line_of


@websocket("/ws-api/v3", opt={"needs": "enter"})
async def ws_api(socket: Socket, services: Services) -> None:
    """Answer requests; who asks is known by their signatures."""
    await socket.accept()
    address = client_address(socket.scope, services.settings.trusted_proxies)
    with services.streams.seats.take(address) as has_seat:
        if not has_seat:
            await socket.close(TRY_LATER, "too many websockets are open: connect again later")
            return
        outbox = Outbox(line_of(socket), services.settings.send_s, slow=services.metrics.slow_clients.inc)
        tells_limits = socket.query_params.get("returnRateLimits", "true").lower() != "false"
        account = socket.headers.get(ACCOUNT_HEADER)
        session = Session(services, outbox, address, account, tells_limits=tells_limits)
        try:
            with services.metrics.ws_api_connections.track_inprogress():
                await converse(socket, outbox, session.hear)
        finally:
            session.close()
