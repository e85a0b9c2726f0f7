"""One side of a book: price levels, best first, and within a level the orders in the order of their arrival.

Theory of operation: levels are found by price in a dict; their prices stand in a sorted list, the best last, so that the
best level is `[-1]` and leaves by `pop`. Both sides sort alike by keeping `rank`, the price for bids and minus the price
for asks: a greater rank is a better price. Orders of a level are a linked list: an order leaves its middle in O(1).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

import msgspec

from exchange.messages import Conditions, Kind, Side, TimeInForce


class Special(msgspec.Struct, eq=False, omit_defaults=True, gc=False):
    """What a plain limit order has not.

    `hidden` lots of its leaves are not seen. `waiting`: it is with the book but cannot be traded with. `limit` is a pegged order's own
    price, `stop` the price that triggers it (0: none, or none any more), `other` the other leg of its group, `entered_ms` when it came.
    """

    kind: Kind = "limit"
    conditions: Conditions = Conditions()
    hidden: int = 0
    waiting: bool = False
    limit: int = 0
    stop: int = 0
    other: int = 0
    entered_ms: int = 0


class Order(msgspec.Struct, eq=False, gc=False):
    """An order in the book; `number` is its arrival number, `leaves` all that may still trade, `fees` its rates as maker and taker.

    Not tracked by the garbage collector, which would walk through all of a deep book again and again; so an order that leaves its
    level lets go of its neighbours.
    """

    number: int
    order_id: int
    account: str
    side: Side
    price: int
    leaves: int
    expires_ms: int = 0
    filled: int = 0
    time_in_force: TimeInForce = "GTC"
    fees: tuple[int, int] | None = None
    special: Special | None = None
    level: Level | None = None
    previous: Order | None = None
    next: Order | None = None

    def __repr__(self) -> str:
        """Say what it is without its neighbours."""
        return f"Order({self.row()})"

    @property
    def hidden(self) -> int:
        """The lots of `leaves` that are not seen while it rests."""
        return 0 if self.special is None else self.special.hidden

    @property
    def kind(self) -> Kind:
        """What kind of order it is now; a triggered stop is a market or a limit order."""
        return "limit" if self.special is None else self.special.kind

    @property
    def limit(self) -> int:
        """The price beyond which it never trades."""
        return self.special.limit if self.special is not None and self.special.limit else self.price

    def row(self) -> tuple[Any, ...]:
        """Return the durable form: `__init__`'s arguments after `number`, those at the end left out that have their defaults."""
        row = (self.order_id, self.account, self.side, self.price, self.leaves, self.expires_ms)
        if self.special is not None or self.fees is not None:
            return (*row, self.filled, self.time_in_force, self.fees, self.special)
        if self.time_in_force != "GTC":
            return (*row, self.filled, self.time_in_force)
        return (*row, self.filled) if self.filled else row

    @classmethod
    def of_row(cls, number: int, row: list[Any]) -> Order:
        """Return the order of a durable form."""
        order = cls(number, *row)
        if order.fees is not None:
            order.fees = (order.fees[0], order.fees[1])
        if order.special is not None:
            order.special = msgspec.convert(order.special, Special)
        return order


class Level:
    """All orders at one price; `total` is the sum of what is seen of them, `hidden` of what is not."""

    __slots__ = ("head", "hidden", "price", "rank", "tail", "total")

    def __init__(self, price: int, rank: int) -> None:
        self.price = price
        self.rank = rank
        self.total = 0
        self.hidden = 0
        self.head: Order | None = None
        self.tail: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        """Yield the orders by priority; the one that was yielded last may leave meanwhile."""
        order = self.head
        while order is not None:
            following = order.next
            yield order
            order = following


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

    def __iter__(self) -> Iterator[Level]:
        """Yield the levels, best first."""
        levels = self.levels
        for rank in reversed(self.ranks):
            yield levels[rank]

    def add(self, order: Order) -> Level:
        """Put an order at the end of its level."""
        rank = order.price * self.sign
        level = self.levels.get(rank)
        if level is None:
            level = self.levels[rank] = Level(order.price, rank)
            ranks = self.ranks
            if not ranks or rank > ranks[-1]:
                ranks.append(rank)
            else:
                insort(ranks, rank)
        order.level = level
        last = level.tail
        if last is None:
            level.head = order
        else:
            order.previous = last
            last.next = order
        level.tail = order
        level.total += order.leaves
        if order.special is not None:
            level.total -= order.special.hidden
            level.hidden += order.special.hidden
        return level

    def remove(self, order: Order) -> Level:
        """Take an order off its level, and the level off the ladder when it is empty."""
        level = self._unlink(order)
        order.level = None
        if level.head is None:
            assert level.total == 0 == level.hidden, "an empty level has no quantity"
            ranks = self.ranks
            if ranks[-1] == level.rank:
                ranks.pop()
            else:
                del ranks[bisect_left(ranks, level.rank)]
            del self.levels[level.rank]
        return level

    def to_back(self, order: Order, hidden: int) -> None:
        """Put an iceberg at the end of its own level, with so many lots hidden."""
        level = self._unlink(order)
        assert order.special is not None, "only an iceberg goes to the back"
        order.special.hidden = hidden
        assert self.add(order) is level, "a level stays where it is"

    def _unlink(self, order: Order) -> Level:
        level, previous, following = order.level, order.previous, order.next
        assert level is not None, "an order that rests has a level"
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
        if order.special is not None:
            level.total += order.special.hidden
            level.hidden -= order.special.hidden
        return level

    def totals(self) -> list[tuple[int, int]]:
        """Return each price with what is seen there, best first."""
        levels = self.levels
        return [(levels[rank].price, levels[rank].total) for rank in reversed(self.ranks)]


class Reach:
    """What rests on a ladder, hidden lots included, summed up from the best price as far as anybody has asked.

    So that many orders can be asked about for the price of one walk; of no use any more once the ladder changes.
    """

    __slots__ = ("_behind", "_ladder", "_lots")

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._behind: list[int] = []
        self._lots: list[int] = []

    def holds(self, lots: int, rank: int) -> bool:
        """Say whether at least `lots` rest at prices of this rank or a better one."""
        ranks, levels = self._ladder.ranks, self._ladder.levels
        seen = len(self._lots)
        total = self._lots[-1] if seen else 0
        while total < lots and seen < len(ranks) and ranks[-1 - seen] >= rank:
            level = levels[ranks[-1 - seen]]
            seen, total = seen + 1, total + level.total + level.hidden
            self._behind.append(-level.rank)
            self._lots.append(total)
        met = bisect_right(self._behind, -rank)
        return met > 0 and self._lots[met - 1] >= lots
