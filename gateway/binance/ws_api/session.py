"""What one websocket of the API asks, and the accounts whose events it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec

from gateway.binance.callers import Caller, let_in
from gateway.binance.errors import BinanceError, binance_error
from gateway.binance.signing import SIGNING, read_signed_object
from gateway.binance.streams.service import account_stream
from gateway.binance.ws_api.charges import Charges
from gateway.binance.ws_api.envelope import Call, Malformed, answer, call, refusal, texts
from gateway.binance.ws_api.events import terminated
from gateway.binance.ws_api.methods import MARKET, SIGNED, ask_market
from gateway.limiting.claims import Messages, weight_of
from gateway.ports import GatewayError, ViewsUnavailable
from gateway.services import Services
from gateway.websockets.closing import POLICY
from gateway.websockets.outbox import Message, Outbox

SUBSCRIPTIONS_MAX: Final = 64
"""How many accounts one websocket may get the events of."""
IN_HAND_MAX: Final = 64
"""How many requests of one websocket are worked on at once; more are not read until some are answered."""
TOO_MANY: Final = 429
"""The status of what a limit refuses."""
UNKNOWN: Final = "none"
"""What a request is counted as that names no method of the API, or cannot be read."""


class Subscription:
    """One account's events on their way to a websocket, each wrapped with the subscription's number."""

    combined = False

    def __init__(self, number: int, account: str, outbox: Outbox) -> None:
        self.account = account
        self._head = b'{"subscriptionId":%d,"event":' % number
        self._outbox = outbox
        self.watching: asyncio.Task[None] | None = None

    def offer(self, message: Message, key: str = "") -> None:
        """Send an event."""
        self._outbox.offer(Message(self._head + message.payload + b"}"), key)

    def end(self, code: int, reason: str) -> None:
        """Have the connection end: events would be missing."""
        self._outbox.end(code, reason)


class Session:
    """One websocket of the API. `address` is the client's; `account` names another account than the keys' own."""

    def __init__(
        self, services: Services, outbox: Outbox, address: str, account: str | None, *, tells_limits: bool
    ) -> None:
        self._services = services
        self._outbox = outbox
        self._address = address
        self._account = account
        self._tells_limits = tells_limits
        self._connected_ms = services.exchange.now_ms()
        self._subscriptions: dict[int, Subscription] = {}
        self._numbers = count()
        self._in_hand: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(IN_HAND_MAX)
        self._failures = Messages(services.settings.limits)
        self._closed = False

    async def hear(self, text: str) -> None:
        """Take a request in hand; it is answered when it is done, which may be after later ones."""
        await self._room.acquire()
        task = asyncio.create_task(self._respond(text))
        self._in_hand.add(task)
        task.add_done_callback(self._done)

    def close(self) -> None:
        """Let go of all events. Requests in hand are carried out to their end, whoever may hear of it."""
        self._closed = True
        for number in list(self._subscriptions):
            self._drop(number)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        self._room.release()

    async def _respond(self, text: str) -> None:
        charges = Charges(self._services, self._address)
        request_id: int | str | None = None
        method, status = UNKNOWN, 200
        tells = self._tells_limits
        try:
            asked = call(text)
            request_id, method = asked.id, counted_as(asked.method)
            tells = _tells(asked.params, otherwise=tells)
            result = await self._carry_out(asked, charges)
            message = answer(request_id, result, charges.told if tells else None)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client must be answered)
            refused = await self._refused(error, charges)
            if isinstance(error, Malformed):
                request_id = error.request_id
            status = refused.status
            message = refusal(request_id, refused, charges.told if tells else None)
        self._services.metrics.ws_api_requests.labels(method, status).inc()
        self._outbox.offer(Message(message))

    async def _refused(self, error: Exception, charges: Charges) -> BinanceError:
        """Return what a request is answered with that has failed. What cannot be read has cost nothing until then, and costs 1.

        Who sends too much of that, or too much that a limit refuses, is disconnected.
        """
        refused, read = binance_error(error), charges.weighed
        if not read:
            try:
                await charges.weigh(1)
            except BinanceError as too_much:
                refused = too_much
        if (not read or refused.status == TOO_MANY) and not self._failures.admit():
            self._outbox.end(
                POLICY, "too many messages that cannot be read, or that a limit refuses: send fewer in a second"
            )
        return refused

    async def _carry_out(self, asked: Call, charges: Charges) -> Any:
        method = asked.method
        if method in MARKET:
            params = texts({name: value for name, value in asked.params.items() if name != "returnRateLimits"})
            await charges.weigh(weight_of(MARKET[method].opt.get("weight", 1), params))
            return await ask_market(MARKET[method], self._services, params)
        if method in SIGNED:
            route = SIGNED[method]
            await charges.weigh(weight_of(route.weight, _named(asked.params)))
            caller, sent = await self._caller(asked.params)
            caller.allow(route.needs)
            await charges.count_orders(caller.account, route.orders)
            return await route.call(caller, sent)
        own = OWN.get(method, _NOTHING)
        await charges.weigh(own.weight)
        return await own.call(self, asked)

    async def _caller(self, params: Mapping[str, Any]) -> tuple[Caller, dict[str, str]]:
        """Return who has signed a request, and its parameters without those that only sign."""
        signed = read_signed_object(params)
        caller = await let_in(self._services, signed.params.get("apiKey"), signed, self._address, self._account)
        own = (*SIGNING, "returnRateLimits")
        return caller, {name: value for name, value in signed.params.items() if name not in own}

    # An account's events

    async def subscribe(self, asked: Call) -> dict[str, int]:
        """Send the events of the account whose key has signed, until that key ends."""
        caller, sent = await self._caller(asked.params)
        caller.allow("see-account")
        if sent:
            raise BinanceError(-1103)
        if self._closed:
            raise BinanceError(-1020, text="The connection is gone.")
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise BinanceError(-1020, text=f"Too many subscriptions: a connection may have {SUBSCRIPTIONS_MAX}.")
        if any(one.account == caller.account for one in self._subscriptions.values()):
            raise BinanceError(-1020, text="This connection has a subscription of this account already.")
        number = next(self._numbers)
        subscription = self._subscriptions[number] = Subscription(number, caller.account, self._outbox)
        subscription.watching = asyncio.create_task(self._until_ended(number, subscription, caller))
        try:
            await self._services.streams.accounts.join([account_stream(caller.account)], subscription)
        except ViewsUnavailable:
            self._drop(number)
            raise
        if self._closed or self._outbox.ended.done():
            self._drop(number)
        return {"subscriptionId": number}

    async def unsubscribe(self, asked: Call) -> dict[str, Any]:
        """Send no events any more, of one subscription or of all."""
        number = asked.params.get("subscriptionId")
        if asked.params.keys() - {"subscriptionId", "returnRateLimits"}:
            raise BinanceError(-1103)
        if number is not None and (type(number) is not int or number not in self._subscriptions):
            raise BinanceError(-1130, "subscriptionId")
        for each in list(self._subscriptions) if number is None else [number]:
            self._drop(each)
        return {}

    async def subscriptions(self, asked: Call) -> list[dict[str, int]]:
        """Return whose events are sent."""
        del asked
        return [{"subscriptionId": number} for number in self._subscriptions]

    async def status(self, asked: Call) -> dict[str, Any]:
        """Return what this websocket is. It is never logged on: each request is signed."""
        del asked
        return {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self._tells_limits,
            "serverTime": self._services.exchange.now_ms(),
            "userDataStream": bool(self._subscriptions),
        }

    async def _until_ended(self, number: int, subscription: Subscription, caller: Caller) -> None:
        """End a subscription once the key that it was asked for with is no longer valid."""
        identities = self._services.identities
        assert identities is not None, "a key has let the caller in"
        with suppress(GatewayError):  # then nobody can say that it is still valid
            await identities.ended(caller.principal)
        subscription.watching = None
        self._drop(number)
        subscription.offer(Message(msgspec.json.encode(terminated(self._services.exchange.now_ms()))))

    def _drop(self, number: int) -> None:
        subscription = self._subscriptions.pop(number, None)
        if subscription is None:
            return
        self._services.streams.accounts.leave(subscription.account, subscription)
        if subscription.watching is not None:
            subscription.watching.cancel()


async def _refuse(session: Session, asked: Call) -> Any:
    del session
    raise BinanceError(-1020, text=f"Unknown method '{asked.method[:60]}'.")


class _Own(NamedTuple):
    """What is about the websocket itself and has no route: what it weighs and what does it."""

    weight: int
    call: Callable[[Session, Call], Awaitable[Any]]


OWN: Final = {
    "userDataStream.subscribe.signature": _Own(2, Session.subscribe),
    "userDataStream.unsubscribe": _Own(1, Session.unsubscribe),
    "session.subscriptions": _Own(1, Session.subscriptions),
    "session.status": _Own(1, Session.status),
}
_NOTHING: Final = _Own(1, _refuse)


def counted_as(method: str) -> str:
    """Return the method that a request is counted as, of a closed list: what is no method of the API is `UNKNOWN`.

    >>> counted_as("depth"), counted_as("session.status"), counted_as("depth ")
    ('depth', 'session.status', 'none')
    """
    return method if method in MARKET or method in SIGNED or method in OWN else UNKNOWN


def _tells(params: Mapping[str, Any], *, otherwise: bool) -> bool:
    """Say whether an answer is to tell what was charged."""
    wanted = params.get("returnRateLimits", otherwise)
    if not isinstance(wanted, bool):
        raise BinanceError(-1130, "returnRateLimits")
    return wanted


def _named(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters for their weight, before it is known whether they are right."""
    return {name: str(value) for name, value in params.items()}
