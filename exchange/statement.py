"""What the owner of an account sees of orders, requests, money and profit, as folds over order reports and account updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from exchange.instruments import Instrument
from exchange.messages import (
    AccountOpened,
    BalanceChanged,
    CancelReason,
    Conditions,
    FillBusted,
    Kind,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    RejectReason,
    RequestDone,
    RequestRejected,
    RequestRepeated,
    Side,
    TimeInForce,
)
from exchange.profit import Deal, average_cost, first_in_first_out

OrderState: TypeAlias = Literal["OPEN", "FILLED", "CANCELLED", "EXPIRED"]


class OrderLine(msgspec.Struct, array_like=True):
    """An order that has reached its book, by the terms it has now.

    `value` sums price times quantity of its fills, in ticks times lots of its `listing`; `fees` what they paid, in minor units of
    the quote asset; `stop` is the price that triggers it (0: none), and `conditions` are those it came with; `amended`: price, quantity or
    stop were changed. An undone fill still counts: the order has used it up.
    """

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
    listing: int = 1
    conditions: Conditions | None = None
    stop: int = 0
    triggered: bool = False
    fees: int = 0
    amended: bool = False

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
            listing=report.listing,
            conditions=report.conditions,
            stop=report.conditions.stop if report.conditions is not None else 0,
        )

    def add(self, report: OrderAmended | OrderTriggered | OrderFilled | OrderCancelled | OrderExpired) -> None:
        """Take in the order's next report."""
        self.time_ms, self.seq = report.time_ms, report.seq
        if isinstance(report, OrderFilled):
            self.leaves = report.leaves
            self.value += report.price * report.quantity
            self.fees += report.fee
            if not report.leaves:
                self.state = "FILLED"
        elif isinstance(report, OrderAmended):
            self.price, self.quantity, self.leaves = report.price, report.quantity, report.leaves
            self.stop, self.amended = report.stop, True
        elif isinstance(report, OrderTriggered):
            self.triggered = True
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

    A cancelled order tells of the request that cancelled it, an amended one of the request that changed it; an order's own request
    was told of when it was accepted, and a request to replace an order is when the new one is.
    """
    kind = type(event)
    reason: RejectReason | None = None
    request_id, order_id, repeat = None, 0, False
    if kind is OrderAccepted or kind is BalanceChanged or kind is AccountOpened or kind is RequestDone:
        request_id, order_id = event.request_id, getattr(event, "order_id", 0)
    elif kind is OrderCancelled and event.reason != "REPLACED":
        request_id, order_id = event.cancel_request_id, event.order_id
    elif kind is OrderAmended:
        request_id, order_id = event.amend_request_id, event.order_id
    elif kind is OrderRejected or kind is RequestRejected:
        request_id, order_id, reason = event.request_id, event.order_id, event.reason
        repeat = reason == "DUPLICATE"
    elif kind is RequestRepeated:
        request_id, order_id, reason, repeat = event.request_id, event.order_id, event.reason, True
    if request_id is None:
        return None, False
    return RequestLine(request_id, order_id, reason, event.time_ms, event.seq), repeat


class Traded(msgspec.Struct):
    """What an account has traded of a symbol, undone trades left out.

    `bought` and `sold` are minor units of the base asset; the rest is minor units of the quote asset: `cash` the worth of all
    fills, `fees` what was paid for them less rebates, and the profit realised, by average cost and by FIFO (see `profit`).
    """

    fills: int = 0
    bought: int = 0
    sold: int = 0
    cash: int = 0
    fees: int = 0
    profit_average: int = 0
    profit_fifo: int = 0


class Statement:
    """One account's balances, orders and trades, from its order reports and account updates, each in their order.

    `instruments` are by symbol and version of the listing. Every fill is kept, so that one that is undone long after can be left
    out as if it had never been.
    """

    def __init__(self, instruments: Mapping[tuple[str, int], Instrument]) -> None:
        self.instruments = instruments
        self.balances: dict[str, tuple[int, int, int]] = {}
        self.orders_ended = 0
        self.orders_refused = 0
        self._listings: dict[int, int] = {}
        self._deals: dict[str, dict[tuple[int, int], Deal]] = {}

    @property
    def orders_open(self) -> int:
        """How many orders are on a book."""
        return len(self._listings)

    def take(self, event: Any) -> None:
        """Take the account's next report or update."""
        match event:
            case BalanceChanged():
                self.balances[event.asset] = (event.available, event.reserved, event.owed)
            case OrderAccepted():
                self._listings[event.order_id] = event.listing
            case OrderRejected():
                self.orders_refused += 1
            case OrderFilled():
                self._fill(event)
                if not event.leaves:
                    self._end(event.order_id)
            case OrderCancelled() | OrderExpired():
                self._end(event.order_id)
            case FillBusted():
                del self._deals[event.symbol][event.trade, event.order_id]

    def traded(self, symbol: str) -> Traded:
        """Return what was traded of a symbol."""
        deals = list(self._deals.get(symbol, {}).values())
        return Traded(
            fills=len(deals),
            bought=sum(deal.units for deal in deals if deal.side == "buy"),
            sold=sum(deal.units for deal in deals if deal.side == "sell"),
            cash=sum(deal.cash for deal in deals),
            fees=sum(deal.fee for deal in deals),
            profit_average=average_cost(deals),
            profit_fifo=first_in_first_out(deals),
        )

    @property
    def symbols(self) -> list[str]:
        """The symbols that were traded, in the order of their first fills."""
        return [symbol for symbol, deals in self._deals.items() if deals]

    def _fill(self, fill: OrderFilled) -> None:
        instrument = self.instruments[fill.symbol, self._listings[fill.order_id]]
        cash = fill.quantity * fill.price * instrument.notional_units
        deal = Deal(fill.side, fill.quantity * instrument.lot_units, cash, fill.fee)
        self._deals.setdefault(fill.symbol, {})[fill.trade, fill.order_id] = deal

    def _end(self, order_id: int) -> None:
        del self._listings[order_id]
        self.orders_ended += 1
