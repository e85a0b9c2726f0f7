"""The stream sockets: `/ws`, `/ws/NAME/NAME` and `/stream?streams=NAME/NAME`."""

from __future__ import annotations

from typing import Final

from litestar import websocket

from gateway.binance.streams.names import Stream, stream_named
from gateway.binance.streams.requests import INVALID, Refused, Request, done, request
from gateway.identity.principal import Principal
from gateway.limiting.address import client_address
from gateway.limiting.claims import Messages
from gateway.ports import ViewsUnavailable
from gateway.services import Services
from gateway.websockets.closing import POLICY, TRY_LATER
from gateway.websockets.connection import Socket, converse
from gateway.websockets.outbox import Message, Outbox, line_of

STREAMS_MAX: Final = 1_024
"""How many streams one websocket may listen to."""
_UNAVAILABLE: Final = -1001


# Clients write all sorts of things behind `/ws/` to tell their connections apart (ccxt a number), which Binance passes over: a name without
# an @ is none of a stream. One with it that is not there is refused, so that nobody waits for what never comes.


@websocket(["/ws", "/ws/{names:path}"], opt={"needs": "see-market"})
async def raw_streams(socket: Socket, services: Services, principal: Principal, names: str | None = None) -> None:
    """Send streams as they are."""
    await _serve(socket, services, principal, (names or "").strip("/"), combined=False)


@websocket("/stream", opt={"needs": "see-market"})
async def combined_streams(socket: Socket, services: Services, principal: Principal) -> None:
    """Send streams, each message with its stream's name."""
    await _serve(socket, services, principal, socket.query_params.get("streams", "").strip("/"), combined=True)


async def _serve(socket: Socket, services: Services, principal: Principal, names: str, *, combined: bool) -> None:
    await socket.accept()
    address = client_address(socket.scope, services.settings.trusted_proxies)
    with services.streams.seats.take(address) as has_seat:
        if not has_seat:
            await socket.close(TRY_LATER, "too many websockets are open: connect again later")
        elif socket.query_params.get("timeUnit", "MILLISECOND").upper() not in ("MILLISECOND", ""):
            await socket.close(POLICY, "times are in milliseconds here: leave timeUnit away")
        else:
            await _listen(socket, services, principal, names, combined=combined)


async def _listen(socket: Socket, services: Services, principal: Principal, names: str, *, combined: bool) -> None:
    outbox = Outbox(
        line_of(socket), services.settings.send_s, combined=combined, slow=services.metrics.slow_clients.inc
    )
    subscriptions = Subscriptions(outbox, services)
    try:
        try:
            await subscriptions.subscribe([name for name in dict.fromkeys(names.split("/")) if "@" in name])
        except (Refused, ViewsUnavailable) as error:
            outbox.end(POLICY if isinstance(error, Refused) else TRY_LATER, str(error)[:120])
        await converse(socket, outbox, subscriptions.hear, _until_ended(services, principal, outbox))
    finally:
        subscriptions.leave()


async def _until_ended(services: Services, principal: Principal, outbox: Outbox) -> None:
    """End the connection of somebody who was let in by what is no longer valid."""
    if principal.grant != "visit" and services.identities is not None:
        await services.identities.ended(principal)
        outbox.end(POLICY, "the session or key has ended: sign in again")


class Subscriptions:
    """What one websocket listens to, and how it is changed."""

    def __init__(self, outbox: Outbox, services: Services) -> None:
        self._outbox, self._feeds, self._views = outbox, services.streams.markets, services.views
        self._names: dict[str, None] = {}
        self._pace = Messages(services.settings.limits)

    async def hear(self, text: str) -> None:
        """Carry a request out, and answer it."""
        if not self._pace.admit():
            self._outbox.end(POLICY, "too many messages: send fewer in a second")
            return
        try:
            asked = request(text)
            answer = await self._carry_out(asked)
        except Refused as refused:
            answer = refused.answer
        self._outbox.offer(Message(answer))

    async def _carry_out(self, asked: Request) -> bytes:
        match asked.method:
            case "SUBSCRIBE":
                try:
                    await self.subscribe(asked.names, asked.id)
                except ViewsUnavailable as error:
                    raise Refused(_UNAVAILABLE, str(error), asked.id) from error
            case "UNSUBSCRIBE":
                for name in asked.names:
                    self._drop(name)
            case "LIST_SUBSCRIPTIONS":
                return done(asked.id, list(self._names))
            case "SET_PROPERTY":
                self._outbox.combined = asked.combined
            case "GET_PROPERTY":
                return done(asked.id, self._outbox.combined)
        return done(asked.id)

    async def subscribe(self, names: list[str], request_id: int | str | None = None) -> None:
        """Listen to streams, all of them or none. Raises Refused, and ViewsUnavailable."""
        listed = {symbol.lower(): symbol for symbol in await self._views.instruments()} if names else {}
        streams: list[Stream] = []
        for name in names:
            stream = stream_named(name, listed)
            if stream is None:
                raise Refused(INVALID, f"Invalid request: unknown stream `{name[:60]}`", request_id)
            if name not in self._names:
                streams.append(stream)
        if len(self._names) + len(streams) > STREAMS_MAX:
            text = f"Invalid request: too many streams: a websocket may listen to {STREAMS_MAX}"
            raise Refused(INVALID, text, request_id)
        self._names.update((stream.name, None) for stream in streams)
        try:
            await self._feeds.join(streams, self._outbox)
        except ViewsUnavailable:
            for stream in streams:
                self._drop(stream.name)
            raise

    def leave(self) -> None:
        """Listen to nothing more."""
        for name in list(self._names):
            self._drop(name)

    def _drop(self, name: str) -> None:
        if name in self._names:
            del self._names[name]
            self._feeds.leave(name, self._outbox)
