"""Commands that change an open order or replace it; one at a time is on its way for an order."""

from __future__ import annotations

from typing import Any

from exchange import risk, terms
from exchange.account import Account, reservation
from exchange.accounts.orders import barred, count, fees_of
from exchange.accounts.shard import Shard
from exchange.listings import Market
from exchange.messages import AmendOrder, EnterOrder, PlaceOrder, RejectReason, ReplaceOrder, ReviseOrder, SwapOrder
from exchange.open_orders import Change, OpenOrder, Ties
from exchange.requests import Request


def amend(shard: Shard, command: AmendOrder, request: Request, out: list[Any]) -> RejectReason | None:
    """Reserve the most that an order can cost before and after a change, and send the change to its book."""
    order = shard.find(command.account, command.order_id, command.order_request_id)
    if order is None:
        return "UNKNOWN_ORDER"
    request.order_id = order.order_id
    account = shard.accounts[command.account]
    change = Change(command.request_id, command.price, command.quantity)
    reason = _unchangeable(account, order) or _amendment_flaw(account, order, command, change)
    if reason is not None:
        return reason
    order.tie(change=change)
    if not shard.rehold(order, out):
        order.tie(change=None)
        return "INSUFFICIENT_FUNDS"
    out.append(
        ReviseOrder(
            source=shard.shard,
            seq=shard.outbound.next(order.symbol),
            time_ms=shard.clock.now_ms,
            account=command.account,
            order_id=order.order_id,
            symbol=order.symbol,
            price=command.price,
            quantity=command.quantity,
            stop=command.stop,
            request_id=command.request_id,
        )
    )
    return None


def _unchangeable(account: Account, order: OpenOrder) -> RejectReason | None:
    if account.control is not None and account.control.off:
        return "ACCOUNT_OFF"
    return "AMENDMENT_PENDING" if order.pending else None


def _amendment_flaw(account: Account, order: OpenOrder, command: AmendOrder, change: Change) -> RejectReason | None:
    if not (command.price or command.quantity or command.stop):
        return "INVALID_AMENDMENT"
    if account.control is not None:
        reason = _limit_exceeded(account, order, change)
        if reason is not None:
            return reason
    return "BELOW_FILLED" if command.quantity and command.quantity <= order.filled else None


def _limit_exceeded(account: Account, order: OpenOrder, change: Change) -> RejectReason | None:
    assert account.control is not None, "only a controlled account has limits"
    limits = account.control.limits
    price, leaves = order.changed(change)
    reason = risk.order_refusal(limits, price, leaves + order.filled, order.listed)
    if reason is not None or order.side == "sell" or leaves <= order.leaves:
        return reason
    other = account.orders.get(order.ties.other) if order.ties is not None else None
    lots = leaves if other is None else max(leaves, other.lots())
    others = (one for one in account.orders.values() if one is not order and one is not other)
    held_units = account.holding(order.listed.base)
    exceeded = risk.position_exceeded(limits, others, order.symbol, lots, order.listed, held_units)
    return "POSITION_LIMIT" if exceeded else None


def replace(shard: Shard, command: ReplaceOrder, request: Request, out: list[Any]) -> RejectReason | None:
    """Reserve what a new order needs beyond the one that it replaces, and have the book swap them."""
    order = shard.find(command.account, command.order_id, command.order_request_id)
    if order is None:
        return "UNKNOWN_ORDER"
    request.order_id = order.order_id
    account, market = shard.accounts[command.account], shard.markets[order.symbol]
    placed = PlaceOrder(
        account=command.account,
        request_id=command.request_id,
        created_ms=command.created_ms,
        symbol=order.symbol,
        side=command.side,
        price=command.price,
        quantity=command.quantity,
        kind=command.kind,
        time_in_force=command.time_in_force,
        expires_ms=command.expires_ms,
        conditions=command.conditions,
    )
    reason = _unchangeable(account, order)
    if reason is None and order.ties is not None:
        reason = "INVALID_AMENDMENT"  # an order of a group stays in it
    reason = reason or ("DELISTED" if market.delisted else terms.flaw(placed))
    reason = reason or barred(shard, account, (placed,), market.current, order)
    return reason or _swap(shard, account, market, order, placed, request, out)


def _swap(
    shard: Shard,
    account: Account,
    market: Market,
    order: OpenOrder,
    placed: PlaceOrder,
    request: Request,
    out: list[Any],
) -> RejectReason | None:
    fees = fees_of(account, market)
    fee_ppm = max(0, *fees)
    asset, amount = reservation(placed.side, placed.price, placed.quantity, market.current, fee_ppm)
    held = max(0, amount - order.held) if asset == order.asset else amount
    if not account.reserve(asset, held):
        return "INSUFFICIENT_FUNDS"
    new = shard.open(placed, market.current, fee_ppm, held, ties=Ties(lender=order.order_id))
    order.tie(change=Change(placed.request_id, successor=new.order_id))
    shard.touch(order)
    request.order_id = new.order_id
    count(shard, account, placed.account, 1)
    shard.balance_changed(placed.account, asset, out)
    seq = shard.outbound.next(order.symbol)
    entered: EnterOrder = shard.enter(placed, new, fees, seq)
    out.append(
        SwapOrder(
            source=shard.shard,
            seq=seq,
            time_ms=shard.clock.now_ms,
            account=placed.account,
            order_id=order.order_id,
            symbol=order.symbol,
            leaves=order.leaves,
            order=entered,
            request_id=placed.request_id,
        )
    )
    return None
