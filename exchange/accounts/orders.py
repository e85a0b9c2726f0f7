"""Commands that place single orders and cancel them."""

from __future__ import annotations

from typing import Any

from exchange import risk, terms
from exchange.account import Account, reservation
from exchange.accounts.shard import Shard
from exchange.listings import Listed, Market
from exchange.messages import CancelAll, CancelOrder, PlaceOrder, RejectReason, SetDeadMan
from exchange.open_orders import OpenOrder, Ties
from exchange.requests import Request

NO_FEES = (0, 0)


def place(shard: Shard, command: PlaceOrder, request: Request, out: list[Any]) -> RejectReason | None:
    """Reserve what an order needs and send it to its book, or say why not."""
    market = shard.markets.get(command.symbol)
    if market is None:
        return "UNKNOWN_SYMBOL"
    if market.delisted:
        return "DELISTED"
    reason = terms.flaw(command)
    if reason is not None:
        return reason
    account = shard.accounts[command.account]
    if account.control is not None:
        reason = barred(shard, account, (command,), market.current)
        if reason is not None:
            return reason
    return admit(shard, account, market, command, request, out)


def admit(
    shard: Shard,
    account: Account,
    market: Market,
    placed: PlaceOrder,
    request: Request,
    out: list[Any],
    ties: Ties | None = None,
) -> RejectReason | None:
    """Reserve what an order needs that nothing else is wrong with, and send it to its book."""
    fees, fee_ppm = NO_FEES, 0
    if market.tiers:
        fees = fees_of(account, market)
        fee_ppm = max(0, *fees)
    asset, amount = reservation(placed.side, placed.price, placed.quantity, market.current, fee_ppm)
    if not account.reserve(asset, amount):
        return "INSUFFICIENT_FUNDS"
    order = shard.open(placed, market.current, fee_ppm, amount, ties=ties)
    request.order_id = order.order_id
    if account.control is not None:
        count(shard, account, placed.account, 1)
    shard.balance_changed(placed.account, asset, out)
    out.append(shard.enter(placed, order, fees))
    return None


def barred(
    shard: Shard, account: Account, placed: tuple[PlaceOrder, ...], listed: Listed, replaced: OpenOrder | None = None
) -> RejectReason | None:
    """Say whether an account's kill switch or limits keep it from placing orders."""
    control = account.control
    if control is None:
        return None
    if control.off:
        return "ACCOUNT_OFF"
    held_units = account.holding(listed.base)
    return risk.refusal(control, account.orders, placed, listed, held_units, second_of(shard), replaced)


def fees_of(account: Account, market: Market) -> tuple[int, int]:
    """Return what an account pays as a maker and as a taker, in millionths."""
    return market.fees(account.control.limits.tier if account.control is not None else 0)


def count(shard: Shard, account: Account, name: str, orders: int) -> None:
    """Count orders that an account places against its limit a second."""
    if account.control is not None and account.control.count(second_of(shard), orders):
        shard.controls_changed.add(name)


def second_of(shard: Shard) -> int:
    """Return the whole second of the machine's clock."""
    return shard.clock.now_ms // 1_000


def cancel(shard: Shard, command: CancelOrder, request: Request, out: list[Any]) -> RejectReason | None:
    """Ask the book to take an order off."""
    order = shard.find(command.account, command.order_id, command.order_request_id)
    if order is None:
        return "UNKNOWN_ORDER"
    request.order_id = order.order_id
    shard.pull(order, out, by=command.request_id)
    return None


def cancel_all(shard: Shard, command: CancelAll, _: Request, out: list[Any]) -> RejectReason | None:
    """Ask the books to take all open orders off, or those of one symbol, oldest first."""
    going = [
        order
        for order in shard.accounts[command.account].orders.values()
        if command.symbol is None or order.symbol == command.symbol
    ]
    for order in going:
        shard.pull(order, out, by=command.request_id)
    shard.done(command.account, command.request_id, out, len(going))
    return None


def set_dead_man(shard: Shard, command: SetDeadMan, _: Request, out: list[Any]) -> RejectReason | None:
    """Set the time at which all open orders go, or call it off."""
    due_ms = shard.clock.now_ms + command.timeout_ms if command.timeout_ms else 0
    shard.control(command.account).dead_man_ms = due_ms
    shard.timers.set(command.account, due_ms)
    shard.done(command.account, command.request_id, out)
    return None


def let_dead_men_go(shard: Shard, out: list[Any]) -> None:
    """Take off all open orders of the accounts whose timer was not set anew in time."""
    for name in shard.timers.pop_due(shard.clock.now_ms):
        shard.control(name).dead_man_ms = 0
        for order in shard.accounts[name].orders.values():
            shard.pull(order, out, "DEAD_MAN")
