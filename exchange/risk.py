"""What the operator and the account's owner have set for an account, and which orders that refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from exchange.listings import Listed
from exchange.messages import Limits, PlaceOrder, RejectReason
from exchange.open_orders import OpenOrder


class Control(msgspec.Struct, omit_defaults=True):
    """An account's limits and switches; also the durable form of them.

    `dead_man_ms` is when all its orders go (0: never), `placed` how many orders it has placed in `second` of the machine's clock.
    """

    limits: Limits = Limits()
    off: bool = False
    dead_man_ms: int = 0
    second: int = 0
    placed: int = 0

    def placed_in(self, second: int) -> int:
        """Return how many orders the account has placed in a second."""
        return self.placed if self.second == second else 0

    def count(self, second: int, orders: int) -> bool:
        """Note orders that are placed in a second, if there is a limit of them, and say so."""
        if not self.limits.orders_per_s:
            return False
        self.second, self.placed = second, self.placed_in(second) + orders
        return True


def order_refusal(limits: Limits, price: int, quantity: int, listed: Listed) -> RejectReason | None:
    """Say which limit an order's size exceeds, or None."""
    if limits.order_lots and quantity > limits.order_lots:
        return "ORDER_SIZE_LIMIT"
    if limits.order_notional and price * quantity * listed.notional_units > limits.order_notional:
        return "NOTIONAL_LIMIT"
    return None


def refusal(
    control: Control,
    orders: Mapping[int, OpenOrder],
    placed: tuple[PlaceOrder, ...],
    listed: Listed,
    held_units: int,
    second: int,
    replaced: OpenOrder | None = None,
) -> RejectReason | None:
    """Say which limit new orders exceed, or None. Of several, which cancel each other, only one can trade.

    `orders` are the account's open ones, `held_units` what it has of the base asset, `replaced` the order that is to go for
    the new one.
    """
    limits = control.limits
    for order in placed:
        reason = order_refusal(limits, order.price, order.quantity, listed)
        if reason is not None:
            return reason
    if limits.open_orders and len(orders) - (replaced is not None) + len(placed) > limits.open_orders:
        return "OPEN_ORDERS_LIMIT"
    if limits.orders_per_s and control.placed_in(second) + len(placed) > limits.orders_per_s:
        return "RATE_LIMIT"
    first = placed[0]
    others = (order for order in orders.values() if order is not replaced)
    if first.side == "buy" and position_exceeded(limits, others, first.symbol, first.quantity, listed, held_units):
        return "POSITION_LIMIT"
    return None


def position_exceeded(
    limits: Limits, orders: Iterable[OpenOrder], symbol: str, quantity: int, listed: Listed, held_units: int
) -> bool:
    """Say whether `quantity` lots more to buy would exceed the position limit; `orders` are those that may buy, too."""
    if not limits.position_lots:
        return False
    bought = held_units + quantity * listed.lot_units
    buys = {order.order_id: order for order in orders if order.side == "buy" and order.symbol == symbol}
    for order in buys.values():
        lots = order.lots()
        if order.ties is not None and order.ties.lender in buys:  # it trades only if the other one does not
            lots = max(0, lots - buys[order.ties.lender].lots())
        bought += lots * order.listed.lot_units
    return bought > limits.position_lots * listed.lot_units
