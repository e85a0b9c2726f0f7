"""The parts of a book, and what each of them needs of the others."""

from __future__ import annotations

from exchange.book.auction import Auction
from exchange.book.continuous import Continuous
from exchange.book.orders import Orders
from exchange.book.pairing import Pairing
from exchange.book.reports import Reports
from exchange.book.state import State
from exchange.book.trading import Trading
from exchange.book.triggers import Triggers
from exchange.channel import Outbound
from exchange.clock import Clock
from exchange.machine import Entries
from exchange.messages import STOP_KINDS


class Floor:
    """All that entering, amending and phases work on."""

    def __init__(self, symbol: str, shards: int, clock: Clock, outbound: Outbound, state: State) -> None:
        self.state = state
        self.clock = clock
        self.reports = Reports(symbol, shards, clock, outbound, state)
        self.orders = Orders(state, self.reports)
        self.triggers = Triggers()
        self.trading = Trading(state, self.reports, self.orders, self.triggers)
        self.continuous = Continuous(state, self.reports, self.orders, self.trading)
        self.pairing = Pairing(state, self.reports, self.orders, self.trading)
        self.auction = Auction(state, self.reports, self.orders, self.trading)

    def load(self, entries: Entries) -> None:
        """Take back the stored orders."""
        for order in self.orders.load(entries):
            if order.level is not None:
                if self.state.rules.pairs:
                    self.pairing.enter(order)
            elif order.special is not None and order.kind in STOP_KINDS:
                self.triggers.add(order)
