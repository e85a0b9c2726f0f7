"""All orders that are with a book, resting or waiting, and their durable form.

Theory of operation: `orders` has every order by its id, `pages` every order by its arrival number, from which the book is rebuilt: in the order of
these numbers orders rest again, which gives every level its order back. So whatever loses its priority gets a new number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush

from exchange.book.ladder import Ladder, Order
from exchange.book.reports import Reports
from exchange.book.state import State
from exchange.machine import Entries
from exchange.messages import Side
from exchange.pages import Pages

DEADLINES_SLACK_MAX = 1_000
"""How many deadlines of orders that have left may pile up, besides as many as there are orders, before they are dropped."""


class Orders:
    """Both sides of the book, and the orders that wait for something.

    `whole` are the all-or-none orders and `pegged` the pegged ones, by arrival number; `legs` those whose other leg is alive, by id.
    """

    def __init__(self, state: State, reports: Reports) -> None:
        self.state = state
        self.reports = reports
        self.bids, self.asks = Ladder(1), Ladder(-1)
        self.by_id: dict[int, Order] = {}
        self.pages: Pages[Order] = Pages("o")
        self.deadlines: list[tuple[int, int]] = []
        self.whole: dict[int, Order] = {}
        self.pegged: dict[int, Order] = {}
        self.legs: dict[int, Order] = {}

    def load(self, entries: Entries) -> Iterator[Order]:
        """Take back the stored orders and yield them by arrival number."""
        for number, row in self.pages.load(entries):
            order = Order.of_row(number, row)
            self._register(order)
            if order.special is None or not order.special.waiting:
                self.side(order.side).add(order)
            yield order
        self.pages.dirty.clear()

    def side(self, side: Side) -> Ladder:
        """Return the ladder on which orders of a side rest."""
        return self.bids if side == "buy" else self.asks

    def opposite(self, side: Side) -> Ladder:
        """Return the ladder that orders of a side trade with."""
        return self.asks if side == "buy" else self.bids

    # Coming and going

    def arrival(self) -> int:
        """Return the next arrival number."""
        self.state.arrivals += 1
        return self.state.arrivals

    def _register(self, order: Order) -> None:
        self.by_id[order.order_id] = order
        self.pages.add(order.number, order)
        if order.expires_ms:
            heappush(self.deadlines, (order.expires_ms, order.order_id))
        special = order.special
        if special is not None:
            if special.conditions.all_or_none:
                self.whole[order.number] = order
            elif special.kind == "pegged":
                self.pegged[order.number] = order
            if special.other:
                self.legs[order.order_id] = order

    def rest(self, order: Order) -> None:
        """Let an order come to rest at its price. One that is with the book already must have a number of its own time."""
        if order.order_id not in self.by_id:
            self._register(order)
        else:
            self.pages.touch(order.number)
        if order.special is not None:
            self._show(order)
        level = self.side(order.side).add(order)
        self.reports.order(order)
        self.reports.delta(order.side, level)

    def wait(self, order: Order) -> None:
        """Keep an order that cannot be traded with."""
        assert order.special is not None, "a plain order never waits"
        order.special.waiting = True
        self._register(order)

    def _show(self, order: Order) -> None:
        """Let what an iceberg shows come up; what rests waits no more."""
        special = order.special
        assert special is not None
        special.waiting = False
        display = special.conditions.display
        special.hidden = max(0, order.leaves - display) if display else 0

    def leave(self, order: Order) -> None:
        """Take an order that rests off its price, and say so; it is still with the book."""
        self.reports.order(order, gone=True)
        self.reports.delta(order.side, self.side(order.side).remove(order))

    def set_aside(self, order: Order) -> None:
        """Let an order that rests wait, off its price."""
        assert order.special is not None, "a plain order never waits"
        self.leave(order)
        order.special.waiting = True
        self.pages.touch(order.number)

    def alive(self, orders: Iterable[Order]) -> Iterator[Order]:
        """Yield those of some orders that are still with the book when their turn comes: others may go meanwhile, as legs do."""
        return (order for order in orders if self.by_id.get(order.order_id) is order)

    def forget(self, order: Order) -> None:
        """Drop an order, which rests no more, from all that knows it."""
        del self.by_id[order.order_id]
        self.pages.remove(order.number)
        special = order.special
        if special is not None:
            self.whole.pop(order.number, None)
            self.pegged.pop(order.number, None)
            self.legs.pop(order.order_id, None)

    def drop(self, order: Order) -> None:
        """Take an order out of the book, wherever it is."""
        if order.level is not None:
            self.leave(order)
        if order.order_id in self.by_id:
            self.forget(order)

    def renumber(self, order: Order) -> None:
        """Give an order that is with the book a new arrival number; one that rests must go to the back of its price then."""
        self.pages.remove(order.number)
        whole, pegged = self.whole.pop(order.number, None), self.pegged.pop(order.number, None)
        order.number = self.arrival()
        self.pages.add(order.number, order)
        if whole is not None:
            self.whole[order.number] = order
        if pegged is not None:
            self.pegged[order.number] = order

    # What trading does to makers

    def reduce(self, maker: Order, quantity: int, *, hidden_first: bool = False) -> None:
        """Take lots off a resting order, from what is seen, or from what is hidden, first; one that has none left leaves its level."""
        level, special = maker.level, maker.special
        assert level is not None, "what is made smaller rests"
        if special is not None and special.hidden:
            shown = maker.leaves - special.hidden
            unseen = min(quantity, special.hidden) if hidden_first else max(0, quantity - shown)
            special.hidden -= unseen
            level.hidden -= unseen
            level.total -= quantity - unseen
        else:
            level.total -= quantity
        maker.leaves -= quantity
        self.pages.touch(maker.number)

    def refresh(self, maker: Order) -> None:
        """Let the next lots of an iceberg come up, at the back of its price."""
        assert maker.special is not None
        self.reports.order(maker, gone=True)
        self.renumber(maker)
        self.side(maker.side).to_back(maker, max(0, maker.leaves - maker.special.conditions.display))
        self.reports.order(maker)

    # Deadlines

    def next_deadline(self) -> tuple[int, Order] | None:
        """Return the order that expires next and when, or None."""
        if len(self.deadlines) > 2 * len(self.by_id) + DEADLINES_SLACK_MAX:
            self.deadlines = [(order.expires_ms, order.order_id) for order in self.by_id.values() if order.expires_ms]
            heapify(self.deadlines)
        while self.deadlines:
            expires_ms, order_id = self.deadlines[0]
            order = self.by_id.get(order_id)
            if order is not None and order.expires_ms == expires_ms:  # another one may have come under its id since
                return expires_ms, order
            heappop(self.deadlines)
        return None

    def by_number(self) -> list[Order]:
        """Return all orders by arrival number."""
        return sorted(self.by_id.values(), key=lambda order: order.number)
