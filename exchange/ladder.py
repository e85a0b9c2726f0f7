"""One side of a book: price levels, best first, and within a level the orders in the order of their arrival.

Theory of operation: levels are found by price in a dict; their prices stand in a sorted list, the best last, so that the
best level is `[-1]` and leaves by `pop`. Both sides sort alike by keeping `rank`, the price for bids and minus the price
for asks: a greater rank is a better price. Orders of a level are a linked list: an order leaves its middle in O(1).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any

from exchange.messages import Side


class Order:
    """A resting order; `number` is its arrival number in the book."""

    __slots__ = ("account", "expires_ms", "leaves", "level", "next", "number", "order_id", "previous", "price", "side")

    level: Level
    previous: Order | None
    next: Order | None

    def __init__(
        self, number: int, order_id: int, account: str, side: Side, price: int, leaves: int, expires_ms: int
    ) -> None:
        self.number = number
        self.order_id = order_id
        self.account = account
        self.side: Side = side
        self.price = price
        self.leaves = leaves
        self.expires_ms = expires_ms

    def row(self) -> tuple[Any, ...]:
        """Return the durable form: `__init__`'s arguments after `number`."""
        return (self.order_id, self.account, self.side, self.price, self.leaves, self.expires_ms)


class Level:
    """All orders at one price; `total` is the sum of their leaves."""

    __slots__ = ("head", "price", "rank", "tail", "total")

    def __init__(self, price: int, rank: int) -> None:
        self.price = price
        self.rank = rank
        self.total = 0
        self.head: Order | None = None
        self.tail: Order | None = None


class Ladder:
    """One side of a book; `sign` is 1 for bids and -1 for asks."""

    __slots__ = ("levels", "ranks", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.ranks: list[int] = []
        self.levels: dict[int, Level] = {}

    def best(self) -> Level | None:
        """Return the level with the best price, or None if the side is empty."""
        ranks = self.ranks
        return self.levels[ranks[-1]] if ranks else None

    def add(self, order: Order) -> Level:
        """Put an order at the end of its level."""
        rank = order.price * self.sign
        level = self.levels.get(rank)
        if level is None:
            level = self.levels[rank] = Level(order.price, rank)
            insort(self.ranks, rank)
        order.level = level
        order.next = None
        order.previous = last = level.tail
        if last is None:
            level.head = order
        else:
            last.next = order
        level.tail = order
        level.total += order.leaves
        return level

    def remove(self, order: Order) -> Level:
        """Take an order off its level, and the level off the ladder when it is empty."""
        level, previous, following = order.level, order.previous, order.next
        if previous is None:
            level.head = following
        else:
            previous.next = following
        if following is None:
            level.tail = previous
        else:
            following.previous = previous
        order.previous = order.next = None
        level.total -= order.leaves
        if level.head is None:
            assert level.total == 0, "an empty level has no quantity"
            ranks = self.ranks
            if ranks[-1] == level.rank:
                ranks.pop()
            else:
                del ranks[bisect_left(ranks, level.rank)]
            del self.levels[level.rank]
        return level

    def totals(self) -> list[tuple[int, int]]:
        """Return each price with its total, best first."""
        levels = self.levels
        return [(levels[rank].price, levels[rank].total) for rank in reversed(self.ranks)]

    def fillable(self, price: int, quantity: int) -> bool:
        """Say whether `quantity` can be traded at `price` or better."""
        limit = price * self.sign
        for rank in reversed(self.ranks):
            if rank < limit:
                return False
            quantity -= self.levels[rank].total
            if quantity <= 0:
                return True
        return False
