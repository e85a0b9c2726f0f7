"""A book that follows no rule but its contract with the accounts: it does to orders whatever a book may, when told to.

It knows no prices but limits: whoever drives it says which order trades how much at which price, and the other side of every
trade is outside. It remembers what it did, so that money can be counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

from exchange import messages as m
from exchange.open_orders import MILLION
from tests.exchange.pit import SYMBOL


@dataclass
class Resting:
    """An order on the book."""

    entered: m.EnterOrder
    price: int
    leaves: int
    filled: int = 0
    other: int = 0


@dataclass
class ModelBook:
    """Takes commands of the accounts, and keeps its reports until they are fetched."""

    dice: Random
    notional_units: dict[int, int]
    orders: dict[int, Resting] = field(default_factory=dict)
    reports: deque[Any] = field(default_factory=deque)
    fills: list[m.OrderFilled] = field(default_factory=list)
    listing_of: dict[int, int] = field(default_factory=dict)
    seq: int = 0
    trades: int = 0
    refuses: float = 0.1

    def take(self, command: Any) -> None:
        """Carry out a command, or refuse it by chance."""
        refused = self.dice.random() < self.refuses
        match command:
            case m.EnterOrder():
                self._enter(command, refused=refused)
            case m.EnterOco(first=first, second=second):
                self._enter(first, refused=refused, other=second.order_id)
                self._enter(second, refused=refused, other=first.order_id)
            case m.PullOrder():
                if command.order_id in self.orders:
                    self.cancel(command.order_id, command.reason, command.request_id)
                else:
                    self._refuse(command, "TOO_LATE")
            case m.ReviseOrder():
                self._revise(command, refused=refused)
            case m.SwapOrder():
                self._swap(command, refused=refused)

    def trade(self, order_id: int, quantity: int, price: int, *, maker: bool) -> None:
        """Fill some of an order; the other leg of its pair goes first."""
        order = self.orders[order_id]
        self._part(order)
        cash = quantity * price * self.notional_units[order.entered.listing]
        ppm = order.entered.maker_fee if maker else order.entered.taker_fee
        fee = cash * ppm // MILLION if ppm > 0 else -(cash * -ppm // MILLION)
        self.trades += 1
        order.leaves -= quantity
        order.filled += quantity
        fill = self._report(
            m.OrderFilled, order.entered, trade=self.trades, side=order.entered.side, price=price, quantity=quantity,
            leaves=order.leaves, liquidity="maker" if maker else "taker", fee=fee,
        )  # fmt: skip
        self.fills.append(fill)
        self.listing_of[self.trades] = order.entered.listing
        self._collect(self.trades, fee)
        if not order.leaves:
            del self.orders[order_id]

    def cancel(self, order_id: int, reason: m.CancelReason, by: str | None = None) -> None:
        """Take an order off; its other leg goes first."""
        order = self.orders.pop(order_id)
        self._part(order)
        self._report(m.OrderCancelled, order.entered, quantity=order.leaves, reason=reason, cancel_request_id=by)

    def expire(self, order_id: int) -> None:
        """Let an order's time come."""
        order = self.orders.pop(order_id)
        self._part(order)
        self._report(m.OrderExpired, order.entered, quantity=order.leaves)

    def shrink(self, order_id: int, quantity: int, price: int) -> None:
        """Make an order smaller, and its limit no worse."""
        order = self.orders[order_id]
        order.leaves -= quantity
        order.price = price
        self._amended(order)

    def bust(self, fill: m.OrderFilled) -> None:
        """Undo a fill."""
        self.fills.remove(fill)
        names = ("account", "order_id", "symbol", "trade", "side", "price", "quantity", "fee")
        self._send(m.FillBusted, **{name: getattr(fill, name) for name in names}, listing=self.listing_of[fill.trade])
        self._collect(fill.trade, -fill.fee)

    def _enter(self, entered: m.EnterOrder, *, refused: bool, other: int = 0) -> None:
        if refused:
            self._report(m.OrderRejected, entered, reason="PRICE_COLLAR")
            return
        self.orders[entered.order_id] = Resting(entered, entered.price, entered.quantity, other=other)
        shared = ("side", "price", "quantity", "listing", "kind", "time_in_force", "expires_ms", "conditions")
        self._report(m.OrderAccepted, entered, **{name: getattr(entered, name) for name in shared})

    def _revise(self, command: m.ReviseOrder, *, refused: bool) -> None:
        order = self.orders.get(command.order_id)
        if order is None:
            self._refuse(command, "TOO_LATE")
        elif command.quantity and command.quantity <= order.filled:
            self._refuse(command, "BELOW_FILLED")
        elif refused:
            self._refuse(command, "PRICE_COLLAR")
        else:
            order.price = command.price or order.price
            order.leaves = command.quantity - order.filled if command.quantity else order.leaves
            self._amended(order, command.request_id)

    def _swap(self, command: m.SwapOrder, *, refused: bool) -> None:
        order = self.orders.get(command.order_id)
        if order is None or order.leaves != command.leaves:
            self._refuse(command, "TOO_LATE")
            self._report(m.OrderRejected, command.order, reason="TOO_LATE")
        elif refused:
            self._report(m.OrderRejected, command.order, reason="PRICE_COLLAR")
            self._refuse(command, "PRICE_COLLAR")
        else:
            self.cancel(command.order_id, "REPLACED", command.request_id)
            self._enter(command.order, refused=False)

    def _part(self, order: Resting) -> None:
        """Take off the other leg of an order, if it is still there."""
        other_id, order.other = order.other, 0
        if other_id:
            self.orders[other_id].other = 0
            self.cancel(other_id, "OTHER_LEG")

    def _amended(self, order: Resting, by: str | None = None) -> None:
        quantity = order.filled + order.leaves
        fields = {"price": order.price, "quantity": quantity, "leaves": order.leaves, "amend_request_id": by}
        self._report(m.OrderAmended, order.entered, **fields)

    def _collect(self, trade: int, fee: int) -> None:
        if fee:
            self._send(m.FeeCollected, account=m.FEES, symbol=SYMBOL, trade=trade, asset="USD", amount=fee)

    def _refuse(self, command: Any, reason: m.RejectReason) -> None:
        named = {"account": command.account, "order_id": command.order_id, "request_id": command.request_id}
        self._send(m.RequestRejected, reason=reason, **named)

    def _report(self, kind: Any, entered: m.EnterOrder, /, **more: Any) -> Any:
        return self._send(kind, account=entered.account, order_id=entered.order_id, symbol=SYMBOL, **more)

    def _send(self, kind: Any, /, **fields: Any) -> Any:
        self.seq += 1
        report = kind(source=SYMBOL, seq=self.seq, time_ms=0, **fields)
        self.reports.append(report)
        return report
