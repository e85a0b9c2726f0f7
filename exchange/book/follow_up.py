"""What a command has caused: stops that its trades trigger, all-or-none orders that can be filled now, pegged orders that must move.

docs/MATCHING.md, rules 21 to 25 and 31.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.book.ladder import Reach
from exchange.book.pegs import best_unpegged, peg_price

if TYPE_CHECKING:
    from exchange.book.entry import Entry
    from exchange.book.floor import Floor
    from exchange.book.ladder import Order


class FollowUp:
    """Does what is to be done, the first thing first, until nothing is."""

    def __init__(self, floor: Floor, entry: Entry) -> None:
        self.floor = floor
        self.state = floor.state
        self.entry = entry

    def run(self) -> None:
        """Follow up the last command."""
        floor, state = self.floor, self.state
        while True:
            if floor.trading.path:
                self._compare(floor.trading.path.popleft())
            elif state.phase != "continuous":
                return
            elif state.fired:
                self.entry.turn(floor.orders.by_id[state.fired.pop(0)])
            elif not (self._fill_whole() or self._move_pegged()):
                return

    def _compare(self, price: int) -> None:
        """Compare a trade with the stops."""
        fired, moved = self.floor.triggers.passed(price)
        if not self.floor.trading.path:
            moved += self.floor.triggers.follow()
        for order in moved:
            self.floor.orders.pages.touch(order.number)
        for order in self.floor.orders.alive(fired):
            fire(self.floor, order, price)
            self.state.fired.append(order.order_id)

    def _fill_whole(self) -> bool:
        """Fill the first all-or-none order that can be."""
        floor, orders = self.floor, self.floor.orders
        reaches = {"buy": Reach(orders.asks), "sell": Reach(orders.bids)}
        for order in orders.whole.values():
            rank = order.price * orders.opposite(order.side).sign
            if reaches[order.side].holds(order.leaves, rank) and floor.continuous.fillable(order, order.leaves):
                floor.orders.renumber(order)
                floor.continuous.match(order)
                assert not order.leaves, "what can be filled is filled"
                floor.orders.forget(order)
                return True
        return False

    def _move_pegged(self) -> bool:
        """Move the first pegged order that stands where it should not."""
        orders = self.floor.orders
        if not orders.pegged:
            return False
        bid, ask = best_unpegged(orders.bids), best_unpegged(orders.asks)
        for order in orders.pegged.values():
            price = peg_price(order, bid, ask)
            if price == (order.price if order.level is not None else None):
                continue
            if order.level is not None:
                orders.set_aside(order)
            if price is not None:
                order.price = price
                self.entry.turn(order)
            return True
        return False


def fire(floor: Floor, order: Order, price: int) -> None:
    """Let a stop order be triggered by a trade at `price`; from now on it is a market or a limit order."""
    special = order.special
    assert special is not None
    floor.trading.cut(order)
    floor.reports.triggered(order, price)
    special.stop = 0
    if special.kind == "stop-limit":
        special.kind = "limit"
    else:
        special.kind, order.time_in_force, order.expires_ms = "market", "IOC", 0
    floor.orders.pages.touch(order.number)
