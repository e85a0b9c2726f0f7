"""What books report: checked against what the account knows, settled, and published then."""

from __future__ import annotations

from typing import Any

from exchange.account import BALANCE_MAX, Account
from exchange.accounts import groups
from exchange.accounts.shard import REPORTS, Shard
from exchange.messages import (
    FEES,
    BookReport,
    FeeCollected,
    FillBusted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    RequestRejected,
)
from exchange.open_orders import OpenOrder, with_fee


def settle(shard: Shard, report: Any, out: list[Any]) -> None:
    """Settle what a book reports, then publish it under the id of the request that it answers.

    Raises:
        AssertionError: if it contradicts what the account knows.
    """
    found = flaw(shard, report)
    assert found is None, found
    kind = type(report)
    if kind is OrderFilled:
        _filled(shard, report, out)
    elif kind is OrderAccepted or kind is OrderTriggered:
        shard.publish(report, _order(shard, report).request_id, out)
    elif kind is OrderAmended:
        _amended(shard, report, out)
    elif kind is RequestRejected:
        _request_rejected(shard, report, out)
    elif kind is FillBusted:
        _busted(shard, report, out)
    elif kind is FeeCollected:
        _fee_collected(shard, report, out)
    else:
        order = _order(shard, report)
        _ended(shard, order, report, out, swapped=kind is OrderCancelled and report.reason == "REPLACED")


def _order(shard: Shard, report: Any) -> OpenOrder:
    return shard.accounts[report.account].orders[report.order_id]


# Settling


def _filled(shard: Shard, report: OrderFilled, out: list[Any]) -> None:
    account = shard.accounts[report.account]
    order = account.orders[report.order_id]
    account.settle(order, report.price, report.quantity, report.fee)
    shard.balance_changed(order.account, order.listed.quote, out)
    shard.balance_changed(order.account, order.listed.base, out)
    if order.leaves:
        shard.touch(order)
    else:
        shard.close(order)
    shard.publish(report, order.request_id, out)
    if order.ties is not None and order.ties.exits and not order.leaves:
        groups.follow(shard, order, out)


def _ended(shard: Shard, order: OpenOrder, report: BookReport, out: list[Any], *, swapped: bool) -> None:
    """Close an order: what it holds goes to the order that needs it, and the rest is free."""
    account = shard.accounts[order.account]
    if order.ties is not None:
        heir = _heir(account, order, swapped=swapped)
        if heir is not None:
            _inherit(shard, heir, order)
    shard.close(order)
    account.release(order.asset, order.held)
    order.leaves = order.held = 0
    shard.balance_changed(order.account, order.asset, out)
    shard.publish(report, order.request_id, out)
    if order.ties is not None and order.ties.exits:
        groups.follow(shard, order, out)


def _heir(account: Account, order: OpenOrder, *, swapped: bool) -> OpenOrder | None:
    """Return the other leg of an order, or the one that takes its place."""
    ties = order.ties
    assert ties is not None, "only an order with ties has an heir"
    if ties.other:
        return account.orders[ties.other]
    return account.orders[ties.change.successor] if swapped and ties.change is not None else None


def _inherit(shard: Shard, heir: OpenOrder, order: OpenOrder) -> None:
    """Untie an order from one that goes, and give it what it lacks from what that one holds."""
    heir.tie(other=0, lender=0)
    lack = heir.target() - heir.held
    assert 0 <= lack <= order.held, "what two orders hold is enough for either"
    assert not lack or heir.asset == order.asset, "an order takes over what it needs"
    heir.held += lack
    order.held -= lack
    shard.touch(heir)


def _amended(shard: Shard, report: OrderAmended, out: list[Any]) -> None:
    order = _order(shard, report)
    order.price, order.leaves = report.price, report.leaves
    if report.amend_request_id is not None:
        order.tie(change=None)
    assert shard.rehold(order, out), "what an order becomes is paid for"
    shard.publish(report, order.request_id, out)


def _request_rejected(shard: Shard, report: RequestRejected, out: list[Any]) -> None:
    """Take back a change that the book refuses; that an order is gone already which no request has named is no news."""
    account = shard.accounts.get(report.account)
    order = account.orders.get(report.order_id) if account is not None else None
    if order is not None and order.ties is not None and order.ties.change is not None:
        change = order.ties.change
        if change.request_id == report.request_id:
            order.tie(change=None)
            assert shard.rehold(order, out), "what an order stays is paid for"
    if report.request_id is None:
        return
    request = shard.requests.find(report.account, report.request_id)
    if request is None or request.order_id:
        shard.publish(report, report.request_id, out)


def _busted(shard: Shard, report: FillBusted, out: list[Any]) -> None:
    """Undo a fill. What an operator has named wrongly, which no machine can know beforehand, is refused and halts nothing."""
    if _bust_flaw(shard, report) is not None:
        out.append(
            RequestRejected(
                source=shard.shard,
                seq=shard.outbound.next(REPORTS),
                time_ms=shard.clock.now_ms,
                account=report.account,
                reason="INVALID_BUST",
                order_id=report.order_id,
            )
        )
        return
    listed = shard.markets[report.symbol].versions[report.listing]
    shard.accounts[report.account].bust(report, listed)
    shard.balance_changed(report.account, listed.quote, out)
    shard.balance_changed(report.account, listed.base, out)
    shard.republish(report, out)


def _fee_collected(shard: Shard, report: FeeCollected, out: list[Any]) -> None:
    account = shard.accounts.setdefault(FEES, Account())
    if report.amount >= 0:
        account.balance(report.asset).credit(report.amount)
    else:
        account.balance(report.asset).debit(-report.amount)
    shard.balance_changed(FEES, report.asset, out)
    shard.republish(report, out)


# What cannot be


def flaw(shard: Shard, report: Any) -> str | None:
    """Say how a report contradicts what the account knows, or None if it does not."""
    kind = type(report)
    if kind is RequestRejected:
        return None
    if kind is FillBusted or kind is FeeCollected:
        return _money_flaw(shard, report)
    account = shard.accounts.get(report.account)
    order = account.orders.get(report.order_id) if account is not None else None
    if order is None or order.symbol != report.symbol or order.symbol != report.source:
        return f"{report.source} reports on order {report.order_id}, which is not open or of another account or symbol"
    found = _tie_flaw(shard, order, report) if order.ties is not None else None
    return found or _order_flaw(order, report)


def _order_flaw(order: OpenOrder, report: Any) -> str | None:
    kind = type(report)
    if kind is OrderFilled:
        return _fill_flaw(order, report)
    if kind is OrderAmended:
        return _amendment_flaw(order, report)
    if kind is OrderCancelled and report.reason == "REPLACED" and order.ties is None:
        return _unasked(order)
    if (kind is OrderCancelled or kind is OrderExpired) and report.quantity != order.leaves:
        return _disagreed(order)
    return None


def _fill_flaw(order: OpenOrder, report: OrderFilled) -> str | None:
    if order.side != report.side or order.leaves != report.leaves + report.quantity:
        return _disagreed(order)
    if report.price > order.price if order.side == "buy" else report.price < order.price:
        return f"order {order.order_id} is filled beyond its limit"
    if report.fee:
        cash = report.quantity * report.price * order.listed.notional_units
        if not -cash <= report.fee <= with_fee(cash, order.fee_ppm) - cash:
            return f"order {order.order_id} pays a fee of {report.fee}, which it was not admitted under"
    return None


def _amendment_flaw(order: OpenOrder, report: OrderAmended) -> str | None:
    price, leaves = order.price, order.leaves
    asked = report.amend_request_id is not None
    if asked:
        change = order.ties.change if order.ties is not None else None
        if change is None or change.successor or change.request_id != report.amend_request_id:
            return _unasked(order)
        price, leaves = order.changed(change)
    if report.price > price if order.side == "buy" else report.price < price:
        return f"order {order.order_id} is amended beyond its limit"
    agreed = report.leaves == leaves if asked else report.leaves <= leaves
    return None if agreed and report.quantity == order.filled + report.leaves else _disagreed(order)


def _tie_flaw(shard: Shard, order: OpenOrder, report: Any) -> str | None:
    """Say how a report contradicts what ties its order to others."""
    ties, kind = order.ties, type(report)
    assert ties is not None, "the order is tied"
    if ties.replaces and kind is not OrderRejected:
        return f"order {order.order_id} is on the book before the one that it replaces is gone"
    if ties.other and kind is OrderFilled:
        return f"order {order.order_id} is filled before its other leg is gone"
    if kind is OrderCancelled and report.reason == "REPLACED":
        successor = ties.change.successor if ties.change is not None else 0
        return None if successor in shard.accounts[order.account].orders else _unasked(order)
    return None


def _money_flaw(shard: Shard, report: FillBusted | FeeCollected) -> str | None:
    """Say why money cannot move as a report of a trade says."""
    market = shard.markets.get(report.symbol)
    if market is None or report.source != report.symbol:
        return f"{report.source} reports on a trade of {report.symbol}"
    if isinstance(report, FeeCollected):
        fits = report.account == FEES and report.asset == market.current.quote
        return None if fits else f"a fee of {report.symbol} does not go to {report.account} in {report.asset}"
    return None


def _bust_flaw(shard: Shard, report: FillBusted) -> str | None:
    """Say why a fill cannot have been what it is undone as, as far as the account can tell."""
    market = shard.markets[report.symbol]
    listed, account = market.versions.get(report.listing), shard.accounts.get(report.account)
    if listed is None or account is None:
        return f"trade {report.trade} of {report.symbol} was not of this account and listing"
    cash, shares = report.quantity * report.price * listed.notional_units, report.quantity * listed.lot_units
    if not -cash <= report.fee <= cash:
        return f"trade {report.trade} of {report.symbol} paid no fee of {report.fee}"
    balances = [account.balances[asset] for asset in (listed.base, listed.quote) if asset in account.balances]
    there = max((max(balance.available, balance.owed) for balance in balances), default=0)
    most = there + max(cash + abs(report.fee), shares)
    return f"trade {report.trade} of {report.symbol} was of more than there can be" if most > BALANCE_MAX else None


def _disagreed(order: OpenOrder) -> str:
    return f"book and account disagree on what is left of order {order.order_id}"


def _unasked(order: OpenOrder) -> str:
    return f"order {order.order_id} is changed, which nobody has asked for"
