"""Stop orders that wait for a price.

Theory of operation: stops of buys stand in a heap by price, the lowest first, those of sells by minus the price, so that a trade looks only at those
that it triggers. An entry whose order has left, or has another stop or number by now, is passed over, and so that such entries do not pile
up, they are dropped when they are many. The stops of trailing orders move with the trades, so these are looked at one by one; there are
at most `WAITING_MAX` of them. But while prices only rise, or only fall, and none is met, just the last of the prices matters to
them: such a run is taken note of, and `follow` moves the stops when it is over.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from exchange.messages import PRICE_MAX

if TYPE_CHECKING:
    from exchange.book.ladder import Order

WAITING_MAX = 1_000
"""Greatest number of orders of each sort that wait or follow: trailing stops, all-or-none, pegged."""
STOPS_SLACK_MAX = 1_000
"""How many entries of stops that have left may pile up, besides as many as there are stops, before they are dropped."""


class Triggers:
    """The stop orders of a book that have not been triggered."""

    def __init__(self) -> None:
        self.waiting: dict[int, Order] = {}
        self.trailing: dict[int, Order] = {}
        self._rising: list[tuple[int, int, int]] = []
        self._falling: list[tuple[int, int, int]] = []
        self._compared = self._ahead = 0
        self._lowest, self._highest = 0, PRICE_MAX

    def add(self, order: Order) -> None:
        """Let an order wait, or take note that its stop or number has changed."""
        special = order.special
        assert special is not None
        if special.kind == "trailing-stop":
            self.trailing[order.order_id] = order
            self._compared = 0
            return
        self.waiting[order.order_id] = order
        heap, sign = (self._rising, 1) if order.side == "buy" else (self._falling, -1)
        heappush(heap, (special.stop * sign, order.number, order.order_id))
        if len(heap) > 2 * len(self.waiting) + STOPS_SLACK_MAX:
            heap[:] = [entry for entry in heap if self._stands(entry, sign) is not None]
            heapify(heap)

    def remove(self, order: Order) -> None:
        """Let an order wait no more."""
        self.waiting.pop(order.order_id, None)
        self.trailing.pop(order.order_id, None)

    def __bool__(self) -> bool:
        """Whether any order waits."""
        return bool(self.waiting or self.trailing)

    def __contains__(self, order: Order) -> bool:
        """Whether an order waits here."""
        return order.order_id in self.waiting or order.order_id in self.trailing

    def passed(self, price: int) -> tuple[list[Order], list[Order]]:
        """Take out and return, by arrival number, the orders that a trade at `price` triggers; and those whose stop it moves."""
        fired = [*self._due(self._rising, price, 1), *self._due(self._falling, -price, -1)]
        moved: list[Order] = []
        if self.trailing and not self._runs_on(price):
            moved = self.follow()
            for order in self.trailing.values():
                if is_met(order, price):
                    fired.append(order)
                elif trail(order, price):
                    moved.append(order)
        fired.sort(key=lambda order: order.number)
        for order in fired:
            self.remove(order)
        if not self._compared:
            self._begin_run(price)
        return fired, moved

    def _runs_on(self, price: int) -> bool:
        """Say whether a trade goes on with a run of prices, and only makes stops follow it; if not, the run is over."""
        before, ahead = self._compared, self._ahead or price
        one_way = before <= ahead <= price or before >= ahead >= price
        if before and one_way and self._lowest < price < self._highest:
            self._ahead = price
            return True
        self._compared = 0
        return False

    def _begin_run(self, price: int) -> None:
        """Take note of the price that all trailing stops have been compared with, and of those that can be met next."""
        stops = [(order.side, order.special.stop) for order in self.trailing.values() if order.special is not None]
        self._compared = price
        self._highest = min((stop for side, stop in stops if side == "buy"), default=PRICE_MAX + 1)
        self._lowest = max((stop for side, stop in stops if side == "sell"), default=0)

    def follow(self) -> list[Order]:
        """Move the stops of trailing orders after a run of prices, and return those that were moved."""
        ahead, self._ahead = self._ahead, 0
        if not ahead:
            return []
        self._compared = 0
        return [order for order in self.trailing.values() if trail(order, ahead)]

    def _due(self, heap: list[tuple[int, int, int]], limit: int, sign: int) -> list[Order]:
        due = []
        while heap and heap[0][0] <= limit:
            order = self._stands(heappop(heap), sign)
            if order is not None:
                due.append(order)
        return due

    def _stands(self, entry: tuple[int, int, int], sign: int) -> Order | None:
        """Return the order of a heap's entry, if it still waits under these terms."""
        stop, number, order_id = entry
        order = self.waiting.get(order_id)
        if order is None or order.number != number or (order.side == "buy") != (sign == 1):
            return None
        return order if order.special is not None and order.special.stop == stop * sign else None


def is_met(order: Order, price: int) -> bool:
    """Say whether a trade at `price` triggers a stop order."""
    assert order.special is not None
    stop = order.special.stop
    return bool(stop) and (price >= stop if order.side == "buy" else price <= stop)


def trail(order: Order, price: int) -> bool:
    """Let a trailing stop follow a trade, and say whether it moved."""
    special = order.special
    assert special is not None
    distance = special.conditions.trail
    if order.side == "buy":
        stop = min(price + distance, PRICE_MAX)
        better = not special.stop or stop < special.stop
    else:
        stop = max(1, price - distance)
        better = stop > special.stop
    if better:
        special.stop = stop
    return better
