"""An order that an account has paid for, and how much it must hold for it.

Theory of operation: an order holds the most that it can still cost by the terms that its book may know. Those are the ones that
the book has reported last, and, while a change of them is on its way, the new ones, too: some of the order may be filled
before the change reaches the book and the rest after it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exchange.listings import Listed
from exchange.messages import Leg, Side

MILLION = 1_000_000


class Change(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """What an order was asked to become and its book has not answered yet; 0: as it is.

    `successor` is the order that is to take its place; then nothing else changes.
    """

    request_id: str
    price: int = 0
    quantity: int = 0
    successor: int = 0


class Ties(msgspec.Struct, array_like=True, frozen=True):
    """What ties an order to others.

    `other` is the leg that goes when this one does, `lender` the order that holds a part of what this one needs: of a second
    leg the first, of an order that is to replace another one that one. `exits` are placed when the order has ended with a fill.
    """

    change: Change | None = None
    other: int = 0
    lender: int = 0
    exits: tuple[Leg, Leg] | None = None

    @property
    def replaces(self) -> bool:
        """Whether the order is still to replace another one."""
        return bool(self.lender and not self.other)


NO_TIES = Ties()


class OpenOrder:
    """An order that the account has paid for: `leaves` may still trade, `filled` has.

    Of the quote asset (a buy) or the base asset (a sell) it has `held` minor units reserved. `fee_ppm` is the greatest fee that
    it may pay, in millionths of the cash of a fill.
    """

    __slots__ = (
        "account", "fee_ppm", "filled", "held", "leaves", "listed", "order_id", "price", "request_id", "side", "symbol", "ties",
    )  # fmt: skip

    def __init__(
        self,
        listed: Listed,
        order_id: int,
        account: str,
        request_id: str,
        symbol: str,
        side: Side,
        price: int,
        leaves: int,
        listing: int = 0,
        fee_ppm: int = 0,
        filled: int = 0,
        held: int | None = None,
        ties: Ties | None = None,
    ) -> None:
        """Take `row`'s fields; `listed` is the listing of that version. Stored rows of versions before 0.3.0 end at `leaves`."""
        del listing
        self.listed = listed
        self.order_id = order_id
        self.account = account
        self.request_id = request_id
        self.symbol = symbol
        self.side: Side = side
        self.price = price
        self.leaves = leaves
        self.fee_ppm = fee_ppm
        self.filled = filled
        self.ties = ties
        self.held = self.need() if held is None else held

    def row(self) -> tuple[Any, ...]:
        """Return the durable form: `__init__`'s arguments after the first."""
        row = (
            self.order_id, self.account, self.request_id, self.symbol, self.side, self.price, self.leaves,
            self.listed.version, self.fee_ppm, self.filled, self.held,
        )  # fmt: skip
        return row if self.ties is None else (*row, self.ties)

    @property
    def asset(self) -> str:
        """The asset of which it holds some."""
        return self.listed.quote if self.side == "buy" else self.listed.base

    @property
    def pending(self) -> bool:
        """Whether a change of it is on its way to the book."""
        return self.ties is not None and (self.ties.change is not None or self.ties.replaces)

    def need(self) -> int:
        """Return what it can cost by the terms that it has."""
        if self.side == "buy":
            return with_fee(self.leaves * self.price * self.listed.notional_units, self.fee_ppm)
        return self.leaves * self.listed.lot_units

    def target(self) -> int:
        """Return what it can cost, whenever a change on its way takes place."""
        if self.ties is None or self.ties.change is None:
            return self.need()
        price, leaves = self.changed(self.ties.change)
        if self.side == "sell":
            return max(self.leaves, leaves) * self.listed.lot_units
        value = max(self.leaves * self.price, leaves * price)
        if leaves > self.leaves and price < self.price:  # all of it may be filled before it gets more at a lower price
            value = self.leaves * self.price + (leaves - self.leaves) * price
        return with_fee(value * self.listed.notional_units, self.fee_ppm)

    def changed(self, change: Change) -> tuple[int, int]:
        """Return the price and the `leaves` that it would have after a change."""
        leaves = max(0, change.quantity - self.filled) if change.quantity else self.leaves
        return change.price or self.price, leaves

    def lots(self) -> int:
        """Return the lots that it may still trade, whenever a change on its way takes place."""
        if self.ties is None or self.ties.change is None:
            return self.leaves
        return max(self.leaves, self.changed(self.ties.change)[1])

    def tie(self, **changes: Any) -> None:
        """Change what ties the order to others."""
        ties = msgspec.structs.replace(self.ties or NO_TIES, **changes)
        self.ties = None if ties == NO_TIES else ties


def with_fee(cash: int, fee_ppm: int) -> int:
    """Return an amount of cash and the greatest fee on it, rounded down: parts of it pay no more fee than the whole."""
    return cash + cash * fee_ppm // MILLION if fee_ppm else cash


def load_ties(row: list[Any]) -> list[Any]:
    """Return a stored row, its ties (if it has any) made into what they were."""
    return [*row[:_TIES], msgspec.convert(row[_TIES], Ties)] if len(row) > _TIES else row


_TIES = 11
"""The place of an order's ties in its row."""
