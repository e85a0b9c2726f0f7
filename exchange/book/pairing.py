"""The matching rules of the seeds: whole orders of one size trade in pairs (docs/MATCHING.md, rules 62 and 63).

Theory of operation: resting orders are found by side and size (and price, under `exact`) in dicts that keep them by arrival. The book may stand crossed: a bid
and an ask that meet in price but not in size do not trade. Orders that have left are dropped when they are met, and all of them when they are many.
"""

from __future__ import annotations

from exchange.book.ladder import Order
from exchange.book.orders import Orders
from exchange.book.reports import Reports
from exchange.book.state import State
from exchange.book.trading import Trading

GONE_MAX = 1_000
"""How many orders that have left may pile up, besides as many as there are orders, before they are dropped."""


class Pairing:
    """Matches orders of equal size. `enter` must be told of every order that comes to rest; those that have left are passed over."""

    def __init__(self, state: State, reports: Reports, orders: Orders, trading: Trading) -> None:
        self.state = state
        self.reports = reports
        self.orders = orders
        self.trading = trading
        self._sizes: dict[tuple[str, int, int], dict[int, Order]] = {}
        self._kept = 0

    def enter(self, order: Order) -> None:
        """Take note of an order that rests."""
        if self._kept > 2 * len(self.orders.by_id) + GONE_MAX:
            self._drop_gone()
        self._sizes.setdefault(self._size(order, order.side), {})[order.number] = order
        self._kept += 1

    def _drop_gone(self) -> None:
        resting = {
            size: {number: order for number, order in makers.items() if order.level is not None}
            for size, makers in self._sizes.items()
        }
        self._sizes = {size: makers for size, makers in resting.items() if makers}
        self._kept = sum(map(len, self._sizes.values()))

    def _size(self, order: Order, side: str) -> tuple[str, int, int]:
        return side, order.leaves, order.price if self.state.rules.matching == "exact" else 0

    def match(self, taker: Order, now_ms: int) -> None:
        """Trade `taker` wholly, or leave it as it is."""
        maker = self._find(taker, now_ms)
        if maker is None:
            return
        side, level = maker.side, maker.level
        self.trading.trade(maker, taker, maker.price, maker.leaves)
        self.reports.level(side, maker.price, level)

    def _find(self, taker: Order, now_ms: int) -> Order | None:
        size = self._size(taker, "sell" if taker.side == "buy" else "buy")
        makers = self._sizes.get(size, {})
        found, gone = None, []
        window_ms = self.state.rules.window_ms
        for number, maker in makers.items():
            if maker.level is None or maker.number != number:
                gone.append(number)
            elif self._meets(taker, maker) and (not window_ms or now_ms - _entered_ms(maker) <= window_ms):
                found = maker
                break
        for number in gone:
            del makers[number]
        self._kept -= len(gone)
        if not makers:
            self._sizes.pop(size, None)
        return found

    def _meets(self, taker: Order, maker: Order) -> bool:
        return taker.price >= maker.price if taker.side == "buy" else taker.price <= maker.price


def _entered_ms(order: Order) -> int:
    return order.special.entered_ms if order.special is not None else 0
