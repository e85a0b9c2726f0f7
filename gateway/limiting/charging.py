"""Charges requests to who makes them, before anything is done for them.

A route says what it weighs by `opt={"weight": ...}`: a whole number (1 unless it says so; 0: it is not counted) or a function of the query's
parameters, and by `opt={"orders": ...}` how many orders it places; one that knows only later how many, or for whom, charges them itself
with `charge_orders`, and one whose body makes it weigh more charges the rest with `charge_weight`. What no route takes weighs 1: an application has `charge_unrouted` among its `after_exception`, and answers by `unless_refused`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from gateway.binance.errors import PREFIX as BINANCE
from gateway.binance.errors import BinanceError, Handler, too_many_orders, too_much_weight
from gateway.identity.principal import Principal
from gateway.limiting.address import client_address
from gateway.limiting.claims import (
    first_full,
    kind_of,
    order_claims,
    request_claims,
    socket_claims,
    weight_claims,
    weight_of,
    window_of,
)
from gateway.limiting.ports import Claim
from gateway.problems import Problem
from gateway.services import Services
from gateway.websockets.closing import TRY_LATER

USED: Final = "openbell_used"
"""Where a connection's state has the headers that tell what has been used."""
_REFUSED: Final = "openbell_refused"
"""Where a connection's state has what a request that no route takes is refused with."""
_Connection = ASGIConnection[Any, Any, Any, Any]


class Taken(msgspec.Struct, frozen=True):
    """What became of claims: what the bucket of each has had in its window, and if they were refused the first one that was too much."""

    used: list[tuple[Claim, int]]
    full: Claim | None = None
    retry_s: int = 0
    """In how many seconds it may be tried again: at least 1 if they were refused."""


async def take(services: Services, claims: Sequence[Claim]) -> Taken:
    """Take claims, all or none, and count a refusal among the figures. Where nothing is limited all are granted."""
    if services.limits is None:
        return Taken([])
    verdict = await services.limits.take(claims)
    used = list(zip(claims, verdict.used, strict=True))
    if verdict.granted:
        return Taken(used)
    full = first_full(claims, verdict.used)
    services.metrics.limits_refused.labels(kind_of(full)).inc()
    return Taken(used, full, max(1, verdict.retry_after_s))


def too_much(claim: Claim, retry_s: int) -> BinanceError:
    """Return what the Binance-shaped API refuses a claim with: -1015 one of orders, -1003 any other."""
    window = window_of(claim)
    error = too_many_orders if _is_of_orders(claim) else too_much_weight
    return error(claim.limit, f"{window.number} {window.unit}", retry_s)


class Charging:
    """Guards that charge. `who` says who asks, once that is known to be so."""

    def __init__(self, services: Services, who: Callable[[Scope], Awaitable[Principal]]) -> None:
        self._services = services
        self._who = who

    async def guard(self, connection: _Connection, handler: BaseRouteHandler) -> None:
        """Charge a request or a websocket to its address, or raise what it is refused with; stands before all other guards."""
        services = self._services
        if services.limits is None:
            return
        address = client_address(connection.scope, services.settings.trusted_proxies)
        if connection.scope["type"] == ScopeType.WEBSOCKET:
            if (await take(services, socket_claims(services.settings.limits, address))).full is not None:
                raise WebSocketException(detail="too many connections: try again later", code=TRY_LATER)
            return
        weight = weight_of(handler.opt.get("weight", 1), connection.query_params)
        if weight:
            await _charge(services, connection.scope, request_claims(services.settings.limits, address, weight))

    async def guard_orders(self, connection: _Connection, handler: BaseRouteHandler) -> None:
        """Charge the orders that a route places to the account of who asks; stands behind the guard that knows who does."""
        orders = handler.opt.get("orders", 0)
        if orders and self._services.limits is not None:
            account = (await self._who(connection.scope)).account
            if account is not None:
                await charge_orders(self._services, connection.scope, account, orders)

    async def charge_unrouted(self, _: Exception, scope: Scope) -> None:
        """Charge a request that no route takes to its address; stands in `after_exception`, so what routes take never waits for it.

        What it is refused with is not raised, which nothing would handle there, but is for `unless_refused` to answer.
        """
        services = self._services
        if services.limits is None or scope["type"] != ScopeType.HTTP or "route_handler" in scope:
            return
        claims = request_claims(services.settings.limits, client_address(scope, services.settings.trusted_proxies), 1)
        try:
            await _charge(services, scope, claims)
        except (BinanceError, Problem) as refused:
            scope["state"][_REFUSED] = refused


def unless_refused(handler: Handler) -> Handler:
    """Return what handles exceptions as `handler` does, and answers what `Charging.charge_unrouted` has refused with the refusal."""

    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        return handler(request, request.scope["state"].get(_REFUSED, error))

    return handle


async def charge_orders(services: Services, scope: Any, account: str, orders: int = 1) -> None:
    """Charge new orders to their account. Raises what the request is refused with."""
    if services.limits is not None and orders:
        await _charge(services, scope, order_claims(services.settings.limits, account, orders))


async def charge_weight(services: Services, scope: Any, weight: int) -> None:
    """Charge to its address what a request weighs more than it has been charged, if anything. Raises what it is refused with."""
    if services.limits is not None and weight > 0:
        address = client_address(scope, services.settings.trusted_proxies)
        await _charge(services, scope, weight_claims(services.settings.limits, address, weight))


async def _charge(services: Services, scope: Any, claims: Sequence[Claim]) -> None:
    taken = await take(services, claims)
    headers: dict[bytes, bytes] = scope.setdefault("state", {}).setdefault(USED, {})
    for claim, count in taken.used:
        header = window_of(claim).header
        if header:
            headers[header.encode()] = str(count).encode()
    if taken.full is not None:
        raise _refusal(taken.full, taken.retry_s, scope["path"])


def _refusal(claim: Claim, retry_s: int, path: str) -> Exception:
    """Return what a request to a path is refused with: in Binance's form where that is spoken, else ours."""
    if path == BINANCE or path.startswith(f"{BINANCE}/"):
        return too_much(claim, retry_s)
    code, what = ("TOO_MANY_ORDERS", "orders") if _is_of_orders(claim) else ("TOO_MANY_REQUESTS", "requests")
    number, unit = window_of(claim).number, window_of(claim).unit.lower()
    interval = f"{number} {unit}s" if number > 1 else f"one {unit}"
    sentence = f"Too many {what}: at most {claim.limit} are taken in {interval}. Try again in {retry_s} s."
    return Problem(429, code, sentence, headers={"Retry-After": str(retry_s)})


class UsedShown:
    """Wraps an application and tells clients of the Binance-shaped API what they have used."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, and mark its answer."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{BINANCE}/"):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *state.get(USED, {}).items()]
            await send(message)

        await self._app(scope, receive, send_marked)


def _is_of_orders(claim: Claim) -> bool:
    return window_of(claim).rate_limit == "ORDERS"
