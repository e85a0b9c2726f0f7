"""What one websocket of the API asks, and the accounts whose events it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final

import msgspec

from gateway.binance.callers import Caller, let_in
from gateway.binance.errors import BinanceError, binance_error
from gateway.binance.signing import SIGNING, read_signed_object
from gateway.binance.streams.outbox import Message, Outbox
from gateway.binance.streams.service import account_stream
from gateway.binance.ws_api.charges import Charges
from gateway.binance.ws_api.envelope import Call, Malformed, answer, call, refusal, texts
from gateway.binance.ws_api.events import terminated
from gateway.binance.ws_api.methods import MARKET, SIGNED, UNKNOWN, ask_market, counted_as, weight_of
from gateway.ports import GatewayError
from gateway.services import Services

SUBSCRIPTIONS_MAX: Final = 64
"""How many accounts one websocket may get the events of."""
IN_HAND_MAX: Final = 64
"""How many requests of one websocket are worked on at once; more are not read until some are answered."""
SUBSCRIBE_WEIGHT, OTHER_WEIGHT = 2, 1
_SUBSCRIBE: Final = "userDataStream.subscribe.signature"


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

    async def hear(self, text: str) -> None:
        """Take a request in hand; it is answered when it is done, which may be after later ones."""
        await self._room.acquire()
        task = asyncio.create_task(self._respond(text))
        self._in_hand.add(task)
        task.add_done_callback(self._done)

    def close(self) -> None:
        """Let go of all events. Requests in hand are carried out to their end, whoever may hear of it."""
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
        except Malformed as malformed:
            status = malformed.error.status
            message = refusal(malformed.request_id, malformed.error, charges.told if tells else None)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client must be answered)
            refused = binance_error(error)
            status = refused.status
            message = refusal(request_id, refused, charges.told if tells else None)
        self._services.metrics.ws_api_requests.labels(method, status).inc()
        self._outbox.offer(Message(message))

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
        await charges.weigh(SUBSCRIBE_WEIGHT if method == _SUBSCRIBE else OTHER_WEIGHT)
        match method:
            case "userDataStream.subscribe.signature":
                return await self._subscribe(asked.params)
            case "userDataStream.unsubscribe":
                return self._unsubscribe(asked.params)
            case "session.subscriptions":
                return [{"subscriptionId": number} for number in self._subscriptions]
            case "session.status":
                return self._status()
        raise BinanceError(-1020, text=f"Unknown method '{method[:60]}'.")

    async def _caller(self, params: Mapping[str, Any]) -> tuple[Caller, dict[str, str]]:
        """Return who has signed a request, and its parameters without those that only sign."""
        signed = read_signed_object(params)
        caller = await let_in(self._services, signed.params.get("apiKey"), signed, self._address, self._account)
        own = (*SIGNING, "returnRateLimits")
        return caller, {name: value for name, value in signed.params.items() if name not in own}

    # An account's events

    async def _subscribe(self, params: Mapping[str, Any]) -> dict[str, int]:
        caller, sent = await self._caller(params)
        caller.allow("see-account")
        if sent:
            raise BinanceError(-1103)
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise BinanceError(-1020, text=f"Too many subscriptions: a connection may have {SUBSCRIPTIONS_MAX}.")
        if any(one.account == caller.account for one in self._subscriptions.values()):
            raise BinanceError(-1020, text="This connection has a subscription of this account already.")
        number = next(self._numbers)
        subscription = self._subscriptions[number] = Subscription(number, caller.account, self._outbox)
        subscription.watching = asyncio.create_task(self._until_ended(number, subscription, caller))
        await self._services.streams.accounts.join([account_stream(caller.account)], subscription)
        if self._outbox.ended.done():
            self._drop(number)
        return {"subscriptionId": number}

    def _unsubscribe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        number = params.get("subscriptionId")
        if params.keys() - {"subscriptionId", "returnRateLimits"}:
            raise BinanceError(-1103)
        if number is not None and (type(number) is not int or number not in self._subscriptions):
            raise BinanceError(-1130, "subscriptionId")
        for each in list(self._subscriptions) if number is None else [number]:
            self._drop(each)
        return {}

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

    def _status(self) -> dict[str, Any]:
        return {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self._tells_limits,
            "serverTime": self._services.exchange.now_ms(),
            "userDataStream": bool(self._subscriptions),
        }


def _tells(params: Mapping[str, Any], *, otherwise: bool) -> bool:
    """Say whether an answer is to tell what was charged."""
    wanted = params.get("returnRateLimits", otherwise)
    if not isinstance(wanted, bool):
        raise BinanceError(-1130, "returnRateLimits")
    return wanted


def _named(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters for their weight, which asks only which are there."""
    return {name: str(value) for name, value in params.items()}
