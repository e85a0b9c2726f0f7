"""A trade between two orders, and all that hangs on it: fills, fees, the other leg of a group, what an iceberg shows next."""

from __future__ import annotations

from collections import deque

from exchange.book.fees import fees
from exchange.book.ladder import Order
from exchange.book.orders import Orders
from exchange.book.reports import Reports
from exchange.book.state import State
from exchange.book.triggers import Triggers
from exchange.messages import MARKET, CancelReason

_FREE = (0, 0)


class Trading:
    """Makes trades. `path` collects the prices that stops have not been compared with yet."""

    def __init__(self, state: State, reports: Reports, orders: Orders, triggers: Triggers) -> None:
        self.state = state
        self.reports = reports
        self.orders = orders
        self.triggers = triggers
        self.path: deque[int] = deque()

    def trade(self, maker: Order, taker: Order, price: int, quantity: int) -> None:
        """Let a taker trade `quantity`, which is seen, with a resting maker in continuous trading."""
        if maker.special is not None or taker.special is not None:
            self.cut(maker)
            self.cut(taker)
        self.orders.reduce(maker, quantity)
        taker.leaves -= quantity
        self.settle(maker, taker, price, quantity, auction=False)
        if self.triggers and (not self.path or self.path[-1] != price):
            self.path.append(price)
        special = maker.special
        if not maker.leaves:
            self.reports.order(maker, gone=True)
            self.orders.side(maker.side).remove(maker)
            self.orders.forget(maker)
        elif special is not None and special.hidden and special.hidden == maker.leaves:
            self.orders.refresh(maker)
        else:
            self.reports.order(maker)

    def settle(self, maker: Order, taker: Order, price: int, quantity: int, *, auction: bool) -> None:
        """Publish a trade and report its fills; the lots are off the leaves of both already."""
        state, reports = self.state, self.reports
        maker.filled += quantity
        taker.filled += quantity
        reports.trade(maker, taker, price, quantity, auction=auction)
        state.last = price
        made = taken = 0
        if maker.fees is not None or taker.fees is not None:
            assert state.instrument is not None, "what is traded is listed"
            cash = quantity * price * state.instrument.notional_units
            made, taken = fees(cash, (maker.fees or _FREE)[0], (taker.fees or _FREE)[1])
        if maker.account != MARKET:
            reports.filled(maker, "maker", price, quantity, made)
        if taker.account != MARKET:
            reports.filled(taker, "taker", price, quantity, taken)
        if made + taken:
            reports.fee(state.trades, made + taken)

    # Ends

    def cut(self, order: Order) -> None:
        """Let the other leg of an order's group go, if it is alive."""
        special = order.special
        if special is None or not special.other:
            return
        other = self.orders.by_id[special.other]
        for leg in (order, other):
            assert leg.special is not None
            leg.special.other = 0
            self.orders.legs.pop(leg.order_id, None)
        self.orders.pages.touch(order.number)
        self._go(other)
        self.reports.cancelled(other, "OTHER_LEG")

    def cancel(self, order: Order, reason: CancelReason, request: str | None = None) -> None:
        """Take an order out of the book."""
        self.cut(order)
        self._go(order)
        self.reports.cancelled(order, reason, request)

    def expire(self, order: Order) -> None:
        """Take an order out of the book because its time has come."""
        self.cut(order)
        self._go(order)
        self.reports.expired(order)

    def _go(self, order: Order) -> None:
        if order.special is not None and order.special.waiting:
            self.triggers.remove(order)
            if order.order_id in self.state.fired:
                self.state.fired.remove(order.order_id)
        self.orders.drop(order)
