"""One trader's money: what is free, what is reserved for open orders, what is owed, and how a fill moves all three.

Theory of operation: an undone trade may have to take back what is already spent. What is not there to be taken is owed, and
whatever comes in of that asset, from wherever, pays it first. So no balance is ever below zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exchange.instruments import Instrument
from exchange.listings import Listed
from exchange.messages import FillBusted, Side
from exchange.open_orders import OpenOrder, with_fee
from exchange.risk import Control

BALANCE_MAX = 2**127 - 1
"""Beyond what all orders of a venue's life can add up to; messages and state carry integers of any size."""


class Balance:
    """What an account has of one asset, in minor units: free, reserved, and owed. Where something is owed, nothing is free."""

    __slots__ = ("available", "owed", "reserved")

    def __init__(self, available: int = 0, reserved: int = 0, owed: int = 0) -> None:
        self.available = available
        self.reserved = reserved
        self.owed = owed

    def row(self) -> tuple[int, ...]:
        """Return the durable form: `__init__`'s arguments."""
        return (self.available, self.reserved, self.owed) if self.owed else (self.available, self.reserved)

    def credit(self, amount: int) -> None:
        """Take in `amount`: it pays what is owed, the rest is free."""
        if self.owed:
            paid = min(self.owed, amount)
            self.owed -= paid
            amount -= paid
        self.available += amount
        assert self.available <= BALANCE_MAX, "a balance stays within 127 bits"

    def debit(self, amount: int) -> None:
        """Take `amount` away, whether or not it is there: the rest is owed."""
        taken = min(self.available, amount)
        self.available -= taken
        self.owed += amount - taken
        assert self.owed <= BALANCE_MAX, "a balance stays within 127 bits"


class Account:
    """The balances and open orders of one trader. Every method keeps all amounts at or above zero, or fails an assertion."""

    __slots__ = ("balances", "control", "orders")

    def __init__(self, rows: Mapping[str, Sequence[int]] | None = None, control: Control | None = None) -> None:
        self.balances = {asset: Balance(*row) for asset, row in (rows or {}).items()}
        self.control = control
        self.orders: dict[int, OpenOrder] = {}

    def row(self) -> dict[str, tuple[int, ...]]:
        """Return the durable form of the balances."""
        return {asset: balance.row() for asset, balance in self.balances.items()}

    def balance(self, asset: str) -> Balance:
        """Return the balance of an asset, made on first use."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance

    def holding(self, asset: str) -> int:
        """Return what there is of an asset, reserved or not."""
        balance = self.balances.get(asset)
        return balance.available + balance.reserved if balance is not None else 0

    def withdraw(self, asset: str, amount: int) -> bool:
        """Take out `amount` of what is free, or say that there is not enough."""
        balance = self.balances.get(asset)
        if balance is None or balance.available < amount:
            return False
        balance.available -= amount
        return True

    def reserve(self, asset: str, amount: int) -> bool:
        """Set `amount` aside, or say that there is not enough."""
        balance = self.balances.get(asset)
        if balance is None or balance.available < amount:
            return not amount
        balance.available -= amount
        balance.reserved += amount
        return True

    def release(self, asset: str, amount: int) -> None:
        """Free `amount` of what was reserved."""
        balance = self.balances[asset]
        assert 0 <= amount <= balance.reserved, "no more is released than is reserved"
        balance.reserved -= amount
        balance.credit(amount)

    def rehold(self, order: OpenOrder) -> bool:
        """Have an order, and its other leg, hold just what they need, or say that there is not enough and change nothing.

        Not for one that is still to replace another: what it lacks comes from that one, at the moment it does.
        """
        pair = [order]
        if order.ties is not None and order.ties.other:
            pair.append(self.orders[order.ties.other])
        holds = [self._share(one) for one in pair]
        more = sum(holds) - sum(one.held for one in pair)
        if more > 0 and not self.reserve(order.asset, more):
            return False
        if more < 0:
            self.release(order.asset, -more)
        for one, hold in zip(pair, holds, strict=True):
            one.held = hold
        return True

    def _share(self, order: OpenOrder) -> int:
        """Return what an order has to hold itself: of two legs the second one holds what it needs beyond the first."""
        if order.ties is None or not order.ties.lender:
            return order.target()
        return max(0, order.target() - self.orders[order.ties.lender].target())

    def settle(self, order: OpenOrder, price: int, quantity: int, fee: int = 0) -> None:
        """Exchange cash and shares for one fill of `quantity` lots at `price` ticks; free what is no longer needed."""
        listed = order.listed
        shares, cash = quantity * listed.lot_units, quantity * price * listed.notional_units
        order.leaves -= quantity
        order.filled += quantity
        keep = order.target() if order.leaves else 0
        if order.side == "buy":
            assert price <= order.price, "a buy never pays more than its limit"
            asset, spent, gain, income = listed.quote, cash + fee, listed.base, shares
        else:
            assert price >= order.price, "a sell never gets less than its limit"
            assert fee <= cash, "a fee is paid from the cash of its fill"
            asset, spent, gain, income = listed.base, shares, listed.quote, cash - fee
        paid = self.balances[asset]
        freed = order.held - spent - keep
        assert freed >= 0, "a fill is paid for"
        assert paid.reserved >= spent + freed, "a fill is paid for"
        paid.reserved -= spent + freed
        if freed:
            paid.credit(freed)
        order.held = keep
        self.balance(gain).credit(income)

    def bust(self, fill: FillBusted, listed: Listed) -> None:
        """Undo a fill: take back what it brought, give back what it took."""
        shares, cash = fill.quantity * listed.lot_units, fill.quantity * fill.price * listed.notional_units
        if fill.side == "buy":
            self.balance(listed.quote).credit(cash + fill.fee)
            self.balance(listed.base).debit(shares)
        else:
            self.balance(listed.quote).debit(cash - fill.fee)
            self.balance(listed.base).credit(shares)


def reservation(
    order_side: Side, price: int, quantity: int, instrument: Instrument | Listed, fee_ppm: int = 0
) -> tuple[str, int]:
    """Return the asset and the amount that an order reserves: cash at its limit and the fee for a buy, shares for a sell."""
    if order_side == "buy":
        cash = quantity * price * instrument.notional_units
        return instrument.quote, with_fee(cash, fee_ppm) if fee_ppm else cash
    return instrument.base, quantity * instrument.lot_units
