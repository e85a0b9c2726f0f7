"""What the owner of an account sees of orders and requests, as a fold over order reports and account updates."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from exchange.messages import (
    AccountOpened,
    BalanceChanged,
    CancelReason,
    Kind,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    RejectReason,
    RequestRejected,
    RequestRepeated,
    Side,
    TimeInForce,
)

OrderState: TypeAlias = Literal["OPEN", "FILLED", "CANCELLED", "EXPIRED"]


class OrderLine(msgspec.Struct, array_like=True):
    """An order that has reached its book. `value` sums price times quantity of its fills, in ticks times lots."""

    order_id: int
    account: str
    request_id: str
    symbol: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    expires_ms: int
    price: int
    quantity: int
    leaves: int
    placed_ms: int
    time_ms: int
    seq: int
    value: int = 0
    state: OrderState = "OPEN"
    reason: CancelReason | None = None

    @classmethod
    def opened(cls, report: OrderAccepted) -> OrderLine:
        """Begin with the book's acceptance."""
        return cls(
            order_id=report.order_id,
            account=report.account,
            request_id=report.request_id or "",
            symbol=report.symbol,
            side=report.side,
            kind=report.kind,
            time_in_force=report.time_in_force,
            expires_ms=report.expires_ms,
            price=report.price,
            quantity=report.quantity,
            leaves=report.quantity,
            placed_ms=report.time_ms,
            time_ms=report.time_ms,
            seq=report.seq,
        )

    def add(self, report: OrderFilled | OrderCancelled | OrderExpired) -> None:
        """Take in the order's next report."""
        self.time_ms, self.seq = report.time_ms, report.seq
        if isinstance(report, OrderFilled):
            self.leaves = report.leaves
            self.value += report.price * report.quantity
            if not report.leaves:
                self.state = "FILLED"
        elif isinstance(report, OrderCancelled):
            self.state, self.reason = "CANCELLED", report.reason
        else:
            self.state = "EXPIRED"


class RequestLine(msgspec.Struct, array_like=True, frozen=True):
    """How a request ended, or what its last repeat was told. `reason` None: it was accepted."""

    request_id: str
    order_id: int
    reason: RejectReason | None
    time_ms: int
    seq: int


def answered(event: Any) -> tuple[RequestLine | None, bool]:
    """Return what an event says of a request, if anything, and whether it only answers a repeat.

    A cancelled order tells of the request that cancelled it; an order's own request was told of when it was accepted.
    """
    kind = type(event)
    reason: RejectReason | None = None
    request_id, order_id, repeat = None, 0, False
    if kind is OrderAccepted or kind is BalanceChanged or kind is AccountOpened:
        request_id, order_id = event.request_id, getattr(event, "order_id", 0)
    elif kind is OrderCancelled:
        request_id, order_id = event.cancel_request_id, event.order_id
    elif kind is OrderRejected or kind is RequestRejected:
        request_id, order_id, reason = event.request_id, event.order_id, event.reason
        repeat = reason == "DUPLICATE"
    elif kind is RequestRepeated:
        request_id, order_id, reason, repeat = event.request_id, event.order_id, event.reason, True
    if request_id is None:
        return None, False
    return RequestLine(request_id, order_id, reason, event.time_ms, event.seq), repeat
