"""Tells of an account as Binance's API does: balances, orders, trades and what it pays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, TypeVar
from zlib import crc32

from exchange.messages import CancelAll
from gateway.binance.callers import Caller
from gateway.binance.errors import BinanceError
from gateway.binance.order_refusals import NOT_CANCELLED, UNKNOWN, refused
from gateway.binance.order_shapes import cancelled, my_trade, queried
from gateway.binance.order_terms import PLACE, listed
from gateway.binance.orders import after_effect, prepare
from gateway.binance.parameters import Parameters
from gateway.identity.roles import may
from gateway.keys import ENDED_MAX, FILLS_MAX
from gateway.limiting.claims import order_claims
from gateway.limiting.settings import rate_limits
from gateway.ports import UnknownOutcome
from gateway.shown import FillShown, OrderShown
from gateway.tickets import new_request_id

LIMIT: Final = 500
LIMIT_MAX: Final = 1_000
DAY_MS: Final = 86_400_000
REREAD_S: Final = 0.02
"""How often orders that are to go are looked at."""
T = TypeVar("T")
_PPM: Final = Decimal("0.000001")
_NOTHING: Final = "0.000000"


async def account(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the account's balances, and what it may do and pays."""
    params = Parameters(sent.items(), ("omitZeroBalances",))
    some_only = params.flag("omitZeroBalances", default=False)
    shown = await caller.views.account(caller.account, 1)
    maker, taker = rates(await caller.views.fills(caller.account, FILLS_MAX))
    trades = may(caller.principal, "trade")
    return {
        "makerCommission": _basis_points(maker),
        "takerCommission": _basis_points(taker),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(maker, taker),
        "canTrade": trades,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": bool(caller.principal.accounts),
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": max((order.time_ms for order in (*shown.open_orders, *shown.ended_orders)), default=0),
        "accountType": "SPOT",
        "balances": [
            {"asset": balance.asset, "free": balance.available, "locked": balance.reserved}
            for balance in shown.balances
            if not some_only or Decimal(balance.total)
        ],
        "permissions": ["SPOT"],
        "uid": crc32(caller.account.encode()),
    }


async def commission(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return what the account pays for trades of a symbol."""
    params = Parameters(sent.items(), ("symbol",))
    symbol = listed(params, await caller.views.instruments()).symbol
    standard = await _paid(caller, symbol)
    nothing = _rates(_NOTHING, _NOTHING)
    return {
        "symbol": symbol,
        "standardCommission": standard,
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": _discount(),
    }


async def test_order(caller: Caller, sent: Mapping[str, str]) -> dict[str, Any]:
    """Check an order without placing it."""
    name = "computeCommissionRates"
    compute = Parameters(sent.items(), (*PLACE, name)).flag(name, default=False)
    terms, _ = await prepare(caller, {each: value for each, value in sent.items() if each != name})
    if not compute:
        return {}
    paid = await _paid(caller, terms.instrument.symbol)
    nothing = {"maker": _NOTHING, "taker": _NOTHING}
    return {
        "standardCommissionForOrder": {"maker": paid["maker"], "taker": paid["taker"]},
        "specialCommissionForOrder": nothing,
        "taxCommissionForOrder": nothing,
        "discount": _discount(),
    }


async def order_limits(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return how many orders the account has placed, of those that it may place; none where nothing is counted."""
    Parameters(sent.items(), ())
    services = caller.services
    if services.limits is None:
        return []
    used = (await services.limits.take(order_claims(services.settings.limits, caller.account, 0))).used
    bounds = [row for row in rate_limits(services.settings.limits) if row["rateLimitType"] == "ORDERS"]
    return [{**row, "count": count} for row, count in zip(bounds, used, strict=True)]


async def open_orders(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the open orders of a symbol or of all, oldest first."""
    params = Parameters(sent.items(), ("symbol",))
    symbol = listed(params, await caller.views.instruments()).symbol if params.has("symbol") else None
    return [queried(order) for order in await _open(caller, symbol)]


async def all_orders(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a symbol's orders, open and ended, oldest first."""
    params = Parameters(sent.items(), ("symbol", "orderId", "startTime", "endTime", "limit"))
    symbol = listed(params, await caller.views.instruments()).symbol
    first, start_ms, end_ms = params.whole("orderId"), *times(params)
    limit = params.limit(LIMIT, LIMIT_MAX)
    shown = await caller.views.account(caller.account, ENDED_MAX)
    found = {order.order_id: order for order in (*shown.ended_orders, *shown.open_orders) if order.symbol == symbol}
    orders = [found[order_id] for order_id in sorted(found) if first is None or order_id >= first]
    timely = [order for order in orders if within(order.placed_ms, start_ms, end_ms)]
    return [queried(order) for order in some(timely, limit, from_first=first is not None or start_ms is not None)]


async def my_trades(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the account's trades of a symbol, oldest first, without those that were undone."""
    params = Parameters(sent.items(), ("symbol", "orderId", "startTime", "endTime", "fromId", "limit"))
    symbol = listed(params, await caller.views.instruments()).symbol
    order_id, first, start_ms, end_ms = params.whole("orderId"), params.whole("fromId"), *times(params)
    if first is not None and (start_ms is not None or end_ms is not None):
        raise BinanceError(-1128)
    limit = params.limit(LIMIT, LIMIT_MAX)
    fills = [
        fill
        for fill in reversed(await caller.views.fills(caller.account, FILLS_MAX, symbol))
        if not fill.busted
        and order_id in (None, fill.order_id)
        and (first is None or fill.trade >= first)
        and within(fill.time_ms, start_ms, end_ms)
    ]
    return [my_trade(fill) for fill in some(fills, limit, from_first=first is not None or start_ms is not None)]


async def cancel_open(caller: Caller, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """Cancel all open orders of a symbol, and return those that were cancelled."""
    params = Parameters(sent.items(), ("symbol",))
    symbol = listed(params, await caller.views.instruments()).symbol
    going = await _open(caller, symbol)
    command = CancelAll(
        account=caller.account, request_id=new_request_id(), created_ms=caller.trading.now_ms(), symbol=symbol
    )  # also where none is seen: the views may be behind
    answer, _ = await caller.services.exchange.ask(command, new_id=True)
    if answer.refusal is not None:
        raise refused(answer.refusal, NOT_CANCELLED)
    if not going:
        raise BinanceError(NOT_CANCELLED, text=UNKNOWN)
    with after_effect():
        ended = await _ended(caller, [order.order_id for order in going])
    return [cancelled(order, command.request_id) for order in ended if order.state == "CANCELLED"]


def rates(fills: Iterable[FillShown]) -> tuple[str, str]:
    """Return what a maker and a taker paid, as parts of a trade's worth: what the greatest fills did, for small ones are rounded most.

    Zero of what has not happened yet. A rebate is below zero.
    """
    greatest: dict[bool, tuple[Decimal, Decimal]] = {}
    for fill in fills:
        amount, fee = Decimal(fill.amount), Decimal(fill.fee)
        if amount > greatest.get(fill.maker, (Decimal(0), Decimal(0)))[0]:
            greatest[fill.maker] = amount, fee
    return _rate(greatest.get(True)), _rate(greatest.get(False))


def times(params: Parameters) -> tuple[int | None, int | None]:
    """Return the span of time that is asked about, which is at most a day if it has both ends."""
    start_ms, end_ms = params.whole("startTime"), params.whole("endTime")
    if start_ms is not None and end_ms is not None:
        if end_ms < start_ms:
            raise BinanceError(-1130, "endTime")
        if end_ms - start_ms > DAY_MS:
            raise BinanceError(-1127, 24)
    return start_ms, end_ms


async def _open(caller: Caller, symbol: str | None) -> list[OrderShown]:
    shown = await caller.views.account(caller.account, 1)
    return [order for order in reversed(shown.open_orders) if symbol in (None, order.symbol)]


async def _ended(caller: Caller, order_ids: list[int]) -> list[OrderShown]:
    """Return orders once none of them is open. Raises UnknownOutcome if that takes too long."""
    try:
        async with asyncio.timeout(caller.services.settings.answer_s):
            while not {order.order_id for order in await _open(caller, None)}.isdisjoint(order_ids):  # noqa: ASYNC110
                await asyncio.sleep(REREAD_S)  # the views tell of no single order
    except TimeoutError:
        raise UnknownOutcome("the orders are asked to go, but some have not gone yet") from None
    shown = [await caller.views.order(caller.account, order_id) for order_id in order_ids]
    return [order for order in shown if order is not None]


async def _paid(caller: Caller, symbol: str) -> dict[str, str]:
    return _rates(*rates(await caller.views.fills(caller.account, FILLS_MAX, symbol)))


def within(time_ms: int, start_ms: int | None, end_ms: int | None) -> bool:
    """Say whether a time lies in a span; an end that is None is open."""
    return (start_ms is None or time_ms >= start_ms) and (end_ms is None or time_ms <= end_ms)


def some(found: list[T], limit: int, *, from_first: bool) -> list[T]:
    """Return the first or the last of what was found."""
    return found[:limit] if from_first else found[-limit:]


def _rate(paid: tuple[Decimal, Decimal] | None) -> str:
    """Return the least rate in millionths whose fee, rounded down, is what was paid."""
    if paid is None:
        return _NOTHING
    amount, fee = paid
    size = (abs(fee) / amount).quantize(_PPM, ROUND_CEILING)
    return str(-size if fee < 0 else size)


def _rates(maker: str, taker: str) -> dict[str, str]:
    return {"maker": maker, "taker": taker, "buyer": _NOTHING, "seller": _NOTHING}


def _basis_points(rate: str) -> int:
    return int(Decimal(rate) * 10_000)


def _discount() -> dict[str, Any]:
    return {"enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "", "discount": "0.00000000"}
