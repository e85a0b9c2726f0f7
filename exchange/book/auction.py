"""Call auctions: one price for all (docs/MATCHING.md, rules 44 to 46).

Theory of operation: demand (bids at a price or above) and supply (asks at it or below) change only at prices where something rests, so between two such
prices all ticks are alike. `clearing` looks at these prices and at the gaps between them, which is the same as looking at every tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exchange.book.ladder import Ladder, Order
from exchange.book.orders import Orders
from exchange.book.reports import Reports
from exchange.book.state import State
from exchange.book.trading import Trading
from exchange.messages import Side


@dataclass(frozen=True, slots=True)
class Clearing:
    """What an auction does: its price in ticks, how many lots trade, and bids less asks that are willing at the price."""

    price: int
    volume: int
    imbalance: int


Lots = list[tuple[int, int]]
"""Prices with the lots that rest there, hidden ones included."""


def clearing(bids: Lots, asks: Lots, reference: int) -> Clearing | None:
    """Return what an auction of these orders does, or None if nothing trades. Bids come from the highest price, asks from the lowest.

    >>> clearing([(105, 10)], [(95, 10)], 100)
    Clearing(price=100, volume=10, imbalance=0)
    >>> clearing([(105, 10)], [(95, 10), (101, 5)], 0)
    Clearing(price=97, volume=10, imbalance=0)
    """
    if not bids or not asks or bids[0][0] < asks[0][0]:
        return None
    low, high = asks[0][0], bids[0][0]
    bids = [(price, lots) for price, lots in bids if price >= low]
    asks = [(price, lots) for price, lots in asks if price <= high]
    found: list[tuple[int, int, int, int]] = []
    most, least = 0, 0
    for first, last, demand, supply in _stretches(bids, asks):
        volume, imbalance = min(demand, supply), demand - supply
        if not volume or (volume, -abs(imbalance)) < (most, -least):
            continue
        if (volume, abs(imbalance)) != (most, least):
            most, least = volume, abs(imbalance)
            found.clear()
        found.append((first, last, volume, imbalance))
    if not found:
        return None
    near = reference or (found[0][0] + found[-1][1]) // 2
    near_by = [(min(max(near, first), last), volume, imbalance) for first, last, volume, imbalance in found]
    price, volume, imbalance = min(near_by, key=lambda place: (abs(place[0] - near), -place[0]))
    return Clearing(price, volume, imbalance)


def _stretches(bids: Lots, asks: Lots) -> Iterable[tuple[int, int, int, int]]:
    """Yield (first price, last price, demand, supply) of all ticks from the lowest price to the highest, those alike together."""
    bought, sold = dict(bids), dict(asks)
    demand, supply = sum(bought.values()), 0
    previous = 0
    for price in sorted({*bought, *sold}):
        if previous and price - previous > 1:
            yield previous + 1, price - 1, demand, supply
        supply += sold.get(price, 0)
        yield price, price, demand, supply
        demand -= bought.get(price, 0)
        previous = price


class Auction:
    """Holds auctions in a book, and says what one would do."""

    def __init__(self, state: State, reports: Reports, orders: Orders, trading: Trading) -> None:
        self.state = state
        self.reports = reports
        self.orders = orders
        self.trading = trading

    def preview(self) -> Clearing | None:
        """Return what an auction would do now."""
        bids, asks = self.orders.bids, self.orders.asks
        best_bid, best_ask = bids.best(), asks.best()
        if best_bid is None or best_ask is None or best_bid.price < best_ask.price:
            return None
        out = {order.order_id: order for order in self._left_out()}
        return clearing(
            _lots(bids, best_ask.price, out.values()), _lots(asks, best_bid.price, out.values()), self.state.reference
        )

    def _left_out(self) -> list[Order]:
        """Return the legs that take no part because the other leg of their group does, which has the better price or came before them."""
        best_bid, best_ask = self.orders.bids.best(), self.orders.asks.best()
        if not self.orders.legs or best_bid is None or best_ask is None:
            return []

        def crosses(order: Order) -> bool:
            return order.level is not None and (
                order.price >= best_ask.price if order.side == "buy" else order.price <= best_bid.price
            )

        out = []
        for order in self.orders.legs.values():
            assert order.special is not None
            other = self.orders.legs[order.special.other]
            sign = self.orders.side(order.side).sign
            ahead = (-other.price * sign, other.number) < (-order.price * sign, order.number)
            if ahead and crosses(order) and crosses(other):
                out.append(order)
        return out

    def hold(self) -> None:
        """Trade all that an auction trades."""
        found = self.preview()
        if found is None:
            return
        out = {order.order_id for order in self._left_out()}
        buys = self._row(self.orders.bids, found.price, out)
        sells = self._row(self.orders.asks, found.price, out)
        touched: dict[tuple[Side, int], None] = {}
        showing: dict[int, Order] = {}
        left = found.volume
        while left:
            buy, sell = buys[-1], sells[-1]
            maker, taker = (buy, sell) if buy.number < sell.number else (sell, buy)
            quantity = min(left, buy.leaves, sell.leaves)
            self._trade(maker, taker, found.price, quantity, showing)
            touched[buy.side, buy.price] = touched[sell.side, sell.price] = None
            left -= quantity
            for order, row in ((buy, buys), (sell, sells)):
                if not order.leaves:
                    row.pop()
        self.state.auction_price = found.price
        for order in sorted(showing.values(), key=lambda order: order.number):
            if order.leaves:
                self.orders.refresh(order)
        self._deltas(touched)

    def _row(self, ladder: Ladder, price: int, out: set[int]) -> list[Order]:
        """Return the orders of a side that may trade at a price, the first to trade last."""
        row = []
        for level in ladder:
            if level.rank < price * ladder.sign:
                break
            row += [order for order in level if order.order_id not in out]
        return row[::-1]

    def _trade(self, maker: Order, taker: Order, price: int, quantity: int, showing: dict[int, Order]) -> None:
        self.trading.cut(maker)
        self.trading.cut(taker)
        for order in (maker, taker):
            iceberg = order.special is not None and order.special.conditions.display
            if iceberg and order.leaves > order.hidden:
                showing[order.order_id] = order
            self.orders.reduce(order, quantity)
        self.trading.settle(maker, taker, price, quantity, auction=True)
        for order in (maker, taker):
            if not order.leaves:
                self.reports.order(order, gone=True)
                self.orders.side(order.side).remove(order)
                self.orders.forget(order)
            elif order.order_id not in showing:  # those are published when they show anew
                self.reports.order(order)

    def _deltas(self, touched: dict[tuple[Side, int], None]) -> None:
        """Publish what is seen at each price that has traded, bids from the highest, asks from the lowest."""
        for ladder, side in ((self.orders.bids, "buy"), (self.orders.asks, "sell")):
            prices = sorted((price for of, price in touched if of == side), key=lambda price: -price * ladder.sign)
            for price in prices:
                self.reports.level(side, price, ladder.levels.get(price * ladder.sign))  # type: ignore[arg-type]


def _lots(ladder: Ladder, other: int, out: Iterable[Order]) -> Lots:
    """Return the lots at each price of a ladder that meets the other side's best price, best first, without some orders."""
    lots: dict[int, int] = {}
    for level in ladder:
        if level.rank < other * ladder.sign:
            break
        lots[level.price] = level.total + level.hidden
    for order in out:
        if order.level is not None and order.level is ladder.levels.get(order.price * ladder.sign):
            lots[order.price] -= order.leaves
    return [(price, quantity) for price, quantity in lots.items() if quantity]
