"""The life of an order as its reports tell it: accepted once, within its terms while it lasts, ended once."""

from __future__ import annotations

from typing import Any, Final

from exchange.messages import (
    STOP_KINDS,
    Conditions,
    EnterOrder,
    Kind,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    Side,
    TimeInForce,
)

_NO_REMAINDER: Final[frozenset[Kind]] = frozenset(("market", "market-to-limit", "stop", "trailing-stop"))
_TIMED: Final[frozenset[TimeInForce]] = frozenset(("GTD", "DAY", "OPG", "CLS"))
_PLAIN: Final = Conditions()


class Flaw(Exception):
    """What a message breaks, in a sentence."""


class Open:
    """An order, what of it has traded and what still may."""

    __slots__ = (
        "account", "asked", "filled", "kind", "leaves", "listing", "price", "quantity", "side", "stop", "symbol",
        "time_in_force", "triggered",
    )  # fmt: skip

    def __init__(self, order: OrderAccepted | EnterOrder) -> None:
        self.account = order.account
        self.symbol = order.symbol
        self.side: Side = order.side
        self.price = order.price
        self.quantity = self.leaves = order.quantity
        self.filled = 0
        self.listing = order.listing
        self.kind: Kind = order.kind
        self.time_in_force: TimeInForce = order.time_in_force
        self.asked = order.conditions or _PLAIN
        self.stop = self.asked.stop
        self.triggered = order.kind not in STOP_KINDS

    def fill(self, price: int, quantity: int) -> None:
        """Trade some of it."""
        if price > self.price if self.side == "buy" else price < self.price:
            raise Flaw(f"an order to {self.side} at {self.price} trades at {price}")
        if quantity > self.leaves:
            raise Flaw(f"an order trades {quantity} lots where {self.leaves} are left")
        if not self.triggered:
            raise Flaw("a stop trades that nothing has triggered")
        self.leaves -= quantity
        self.filled += quantity

    def amend(self, report: OrderAmended) -> None:
        """Take its new terms; its quantity counts what is filled, too."""
        if report.leaves != report.quantity - self.filled:
            raise Flaw(f"an order of {report.quantity} lots with {self.filled} filled has not {report.leaves} left")
        if report.stop and self.kind not in STOP_KINDS:
            raise Flaw("an order that is no stop has one")
        self.price, self.quantity, self.leaves = report.price, report.quantity, report.leaves
        self.stop = report.stop

    def trigger(self, price: int) -> None:
        """Let a trade at `price` set it off."""
        if self.triggered:
            raise Flaw("an order is triggered that is no waiting stop")
        if self.kind != "trailing-stop" and (price < self.stop if self.side == "buy" else price > self.stop):
            raise Flaw(f"a trade at {price} does not trigger a stop to {self.side} at {self.stop}")
        self.triggered = True

    def end(self, report: OrderCancelled | OrderExpired) -> None:
        """Check that its terms allow this end."""
        if isinstance(report, OrderExpired):
            if self.time_in_force not in _TIMED:
                raise Flaw(f"an order that is {self.time_in_force} expires")
            return
        allowed = {
            "IOC_REMAINDER": self.time_in_force == "IOC",
            "FOK_UNFILLED": self.time_in_force == "FOK" and not self.filled,
            "MARKET_REMAINDER": self.kind in _NO_REMAINDER,
            "MINIMUM_UNFILLED": bool(self.asked.min_quantity) and not self.filled,
        }
        if not allowed.get(report.reason, True):
            what = f"{self.kind} order that is {self.time_in_force}"
            raise Flaw(f"a {what} with {self.filled} filled does not end as {report.reason}")
        if self.filled and self.time_in_force == "FOK" and report.reason != "SELF_TRADE":
            raise Flaw(f"an order that is FOK has traded {self.filled} of {self.quantity}")
        if self.filled < self.asked.min_quantity and report.reason not in ("MINIMUM_UNFILLED", "SELF_TRADE"):
            raise Flaw(f"an order whose minimum is {self.asked.min_quantity} ends with {self.filled} filled")


class OrderAudit:
    """Folds reports on orders: accepted, as amended = filled + open + cancelled + expired, and one end of each order.

    Orders of an account reach a book in the order of their ids, so one that comes again is known without keeping it.
    """

    def __init__(self) -> None:
        self.open: dict[int, Open] = {}
        self._last: dict[tuple[str, str], int] = {}

    def take(self, report: Any) -> None:
        """Take the next report; of what is no report on an order, none is made."""
        kind = type(report)
        if kind is OrderAccepted or (kind is OrderRejected and report.order_id):
            self._new(report)
            if kind is OrderAccepted:
                self.open[report.order_id] = Open(report)
            return
        if kind not in (OrderFilled, OrderCancelled, OrderExpired, OrderAmended, OrderTriggered):
            return
        order = self.open.get(report.order_id)
        if order is None or (order.account, order.symbol) != (report.account, report.symbol):
            raise Flaw(f"order {report.order_id} is not open")
        if kind is OrderAmended:
            order.amend(report)
        elif kind is OrderTriggered:
            order.trigger(report.price)
        elif kind is OrderFilled:
            order.fill(report.price, report.quantity)
            if order.side != report.side:
                raise Flaw(f"order {report.order_id} has the other side")
            self._left(report.order_id, order, report.leaves)
            if not report.leaves:
                del self.open[report.order_id]
        else:
            self._left(report.order_id, order, report.quantity)
            order.end(report)
            del self.open[report.order_id]

    def _left(self, order_id: int, order: Open, left: int) -> None:
        if left != order.leaves:
            raise Flaw(f"order {order_id} has {order.leaves} lots left, not {left}")

    def _new(self, report: OrderAccepted | OrderRejected) -> None:
        channel = (report.account, report.symbol)
        if report.order_id <= self._last.get(channel, 0):
            raise Flaw(f"order {report.order_id} is answered a second time")
        self._last[channel] = report.order_id
