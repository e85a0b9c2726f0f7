"""One trader's money: what is free, what is reserved for open orders, and how a fill moves both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange.instruments import Instrument
from exchange.messages import Side

BALANCE_MAX = 2**63 - 1


class Balance:
    """What an account has of one asset, in minor units."""

    __slots__ = ("available", "reserved")

    def __init__(self, available: int = 0, reserved: int = 0) -> None:
        self.available = available
        self.reserved = reserved


class OpenOrder:
    """An order that the account has paid for; `leaves` is what may still trade.

    For each lot of that a buy has reserved its `price` in the quote asset, a sell a lot of the base asset.
    """

    __slots__ = ("account", "leaves", "order_id", "price", "request_id", "side", "symbol")

    def __init__(
        self, order_id: int, account: str, request_id: str, symbol: str, side: Side, price: int, leaves: int
    ) -> None:
        self.order_id = order_id
        self.account = account
        self.request_id = request_id
        self.symbol = symbol
        self.side: Side = side
        self.price = price
        self.leaves = leaves

    def row(self) -> tuple[Any, ...]:
        """Return the durable form: `__init__`'s arguments."""
        return (self.order_id, self.account, self.request_id, self.symbol, self.side, self.price, self.leaves)


class Account:
    """The balances of one trader. Every method keeps all of them at or above zero, or fails an assertion."""

    __slots__ = ("balances",)

    def __init__(self, rows: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.balances = {asset: Balance(*row) for asset, row in (rows or {}).items()}

    def row(self) -> dict[str, tuple[int, int]]:
        """Return the durable form."""
        return {asset: (balance.available, balance.reserved) for asset, balance in self.balances.items()}

    def balance(self, asset: str) -> Balance:
        """Return the balance of an asset, made on first use."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance

    def reserve(self, asset: str, amount: int) -> bool:
        """Set `amount` aside, or say that there is not enough."""
        balance = self.balances.get(asset)
        if balance is None or balance.available < amount:
            return False
        balance.available -= amount
        balance.reserved += amount
        return True

    def release(self, asset: str, amount: int) -> None:
        """Free `amount` of what was reserved."""
        balance = self.balances[asset]
        assert 0 <= amount <= balance.reserved, "no more is released than is reserved"
        balance.reserved -= amount
        balance.available += amount

    def settle(self, order: OpenOrder, instrument: Instrument, price: int, quantity: int) -> None:
        """Exchange cash and shares for one fill of `quantity` lots at `price` ticks; free what a better price saved."""
        shares, cash = quantity * instrument.lot_units, quantity * price * instrument.notional_units
        if order.side == "buy":
            assert price <= order.price, "a buy never pays more than its limit"
            spend, amount, gain, income = instrument.quote, cash, instrument.base, shares
            self.release(spend, quantity * (order.price - price) * instrument.notional_units)
        else:
            assert price >= order.price, "a sell never gets less than its limit"
            spend, amount, gain, income = instrument.base, shares, instrument.quote, cash
        paid = self.balances[spend]
        assert paid.reserved >= amount, "a fill is paid for"
        paid.reserved -= amount
        received = self.balance(gain)
        received.available += income
        assert received.available <= BALANCE_MAX, "a balance stays within 63 bits"


def reservation(order_side: Side, price: int, quantity: int, instrument: Instrument) -> tuple[str, int]:
    """Return the asset and the amount that an order reserves: cash at its limit for a buy, shares for a sell."""
    if order_side == "buy":
        return instrument.quote, quantity * price * instrument.notional_units
    return instrument.base, quantity * instrument.lot_units
