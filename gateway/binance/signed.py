"""The signed routes of the Binance-shaped REST API: each holds its request to its signature, and hands its parameters on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response, route
from litestar.enums import HttpMethod

from gateway.binance import account, order_lists, orders
from gateway.binance.callers import Caller, let_in
from gateway.binance.cancel_replace import cancel_replace
from gateway.binance.errors import PREFIX
from gateway.binance.parameters import Weight
from gateway.binance.signing import SIGNING, read_signed
from gateway.entry import ACCOUNT_HEADER
from gateway.identity.roles import Action
from gateway.limiting.address import client_address
from gateway.limiting.bounds import has_body
from gateway.limiting.charging import charge_orders, charge_weight
from gateway.limiting.claims import weight_of
from gateway.services import Services

KEY_HEADER: Final = "x-mbx-apikey"

Call: TypeAlias = Callable[[Caller, Mapping[str, str]], Awaitable[Any]]
"""What a route does: given who asks and what was sent, it returns what is answered."""
_Request = Request[Any, Any, Any]


class Signed(msgspec.Struct, frozen=True):
    """A signed route: what it does, the action that its key needs, its weight, and how many orders it places."""

    method: str
    path: str
    call: Call
    needs: Action
    weight: Weight = 1
    orders: int = 0


def _if_sent(name: str, with_it: int, without: int) -> Weight:
    return lambda params: with_it if name in params else without


def _if_true(name: str, with_it: int, without: int) -> Weight:
    return lambda params: with_it if params.get(name, "").lower() == "true" else without


ROUTES: Final = (
    Signed("POST", "/order", orders.place, "trade", orders=1),
    Signed("GET", "/order", orders.query, "see-account", 4),
    Signed("DELETE", "/order", orders.cancel, "trade"),
    Signed("POST", "/order/test", account.test_order, "trade", _if_true("computeCommissionRates", 20, 1)),
    Signed("POST", "/order/cancelReplace", cancel_replace, "trade", orders=1),
    Signed("GET", "/openOrders", account.open_orders, "see-account", _if_sent("symbol", 6, 80)),
    Signed("DELETE", "/openOrders", account.cancel_open, "trade"),
    Signed("GET", "/allOrders", account.all_orders, "see-account", 20),
    Signed("GET", "/myTrades", account.my_trades, "see-account", _if_sent("orderId", 5, 20)),
    Signed("GET", "/account", account.account, "see-account", 20),
    Signed("GET", "/account/commission", account.commission, "see-account", 20),
    Signed("POST", "/orderList/oco", order_lists.place_oco, "trade", orders=2),
    Signed("POST", "/order/oco", order_lists.place_legacy_oco, "trade", orders=2),
    Signed("GET", "/orderList", order_lists.query_list, "see-account", 4),
    Signed("GET", "/openOrderList", order_lists.open_lists, "see-account", 6),
    Signed("GET", "/allOrderList", order_lists.all_lists, "see-account", 20),
    Signed("GET", "/rateLimit/order", account.order_limits, "see-account", 40),
    Signed("DELETE", "/orderList", order_lists.cancel_list, "trade"),
)


async def let_request_in(request: _Request, services: Services) -> tuple[Caller, dict[str, str]]:
    """Return who has signed a request, and its parameters without those that only sign. Raises as `callers.let_in`."""
    body = await request.body() if has_body(request.scope) else b""
    signed = read_signed(request.scope["query_string"], body)
    headers, host = request.headers, client_address(request.scope, services.settings.trusted_proxies)
    caller = await let_in(services, headers.get(KEY_HEADER), signed, host, headers.get(ACCOUNT_HEADER))
    return caller, {name: value for name, value in signed.params.items() if name not in SIGNING}


def _handler(of: Signed) -> Any:
    async def handle(request: _Request, services: Services) -> Response[Any]:
        caller, params = await let_request_in(request, services)
        caller.allow(of.needs)
        more = weight_of(of.weight, params) - weight_of(of.weight, request.query_params)
        await charge_weight(services, request.scope, more)
        await charge_orders(services, request.scope, caller.account, of.orders)
        answer = await of.call(caller, params)
        return Response(answer, status_code=200, media_type="application/json", headers={"Cache-Control": "no-store"})

    handle.__doc__ = of.call.__doc__
    opt = {"needs": "enter", "signed": of.needs, "weight": of.weight}
    name = f"binance{of.method.title()}{of.path.title().replace('/', '')}"
    return route(
        PREFIX + of.path,
        http_method=HttpMethod(of.method),
        status_code=200,
        opt=opt,
        operation_id=name,
        summary=of.call.__doc__,
    )(handle)


HANDLERS: Final = tuple(map(_handler, ROUTES))
"""Their `needs` is what anybody may do, for who asks is known by the signature: `signed` names the action that the key needs."""
