"""What an operator changes about a book's listing, and undoes."""

from __future__ import annotations

from exchange.book.fees import FEE_MAX
from exchange.book.floor import Floor
from exchange.errors import InvalidPacket
from exchange.messages import CALL_PHASES, BustTrade, CancelReason, ListInstrument
from exchange.money import UNITS_MAX

BUSTED_MAX = 10_000
"""Greatest number of busted trades of a symbol."""


class Listing:
    """Lists, changes and takes off what a book trades."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.state = floor.state

    def list(self, command: ListInstrument) -> None:
        """List the instrument, or go over to another version of it.

        Raises:
            InvalidPacket: if it is another instrument under the same symbol, or a change that cannot be made now.
        """
        state, now, new = self.state, self.state.instrument, command.instrument
        if now is not None and not new.continues(now):
            raise InvalidPacket(f"{new.symbol} is listed as another instrument")
        if command.version <= state.listing:
            if command.version == state.listing and (now, state.rules) != (new, command.rules):
                raise InvalidPacket(
                    f"{new.symbol} is listed with other terms under version {command.version}: raise it"
                )
            return
        if command.rules.pairs and state.phase in CALL_PHASES:
            raise InvalidPacket(f"{new.symbol} cannot go over to {command.rules.matching} in phase {state.phase}")
        if now is not None and (now != new or not command.rules.keeps_orders_of(state.rules)):
            self.cancel_all("LISTING_CHANGED")
            state.last = state.auction_price = 0
        shows = command.rules.order_by_order and not state.rules.order_by_order
        state.listing, state.instrument, state.rules = command.version, new, command.rules
        state.delisted = False
        state.snapshot_due = 0
        if shows:
            for order in self.floor.orders.by_number():
                if order.level is not None:
                    self.floor.reports.order(order)

    def delist(self) -> None:
        """Take the symbol off the market."""
        if self.state.listing and not self.state.delisted:
            self.cancel_all("DELISTED")
            self.state.delisted = True
            self.state.snapshot_due = 0

    def cancel_all(self, reason: CancelReason) -> None:
        """Cancel every order, the oldest first."""
        for order in self.floor.orders.alive(self.floor.orders.by_number()):
            self.floor.trading.cancel(order, reason)

    def bust(self, command: BustTrade) -> None:
        """Undo a trade, once.

        Raises:
            InvalidPacket: if too many trades of the symbol are busted, or it says what no trade can have had.
        """
        state = self.state
        if command.trade > state.trades or command.trade in state.busted:
            return
        if command.listing > state.listing:
            raise InvalidPacket(f"there was no version {command.listing} of the listing")
        assert state.instrument is not None, "what was traded was listed"
        if command.price * command.quantity * state.instrument.notional_units > UNITS_MAX:
            raise InvalidPacket(f"trade {command.trade} was of no such amount")
        if max(abs(command.buy_fee), abs(command.sell_fee)) > FEE_MAX:
            raise InvalidPacket(f"trade {command.trade} paid no such fees")
        if len(state.busted) >= BUSTED_MAX:
            raise InvalidPacket(f"{BUSTED_MAX} trades are busted already")
        state.busted.append(command.trade)
        self.floor.reports.busted(command)
