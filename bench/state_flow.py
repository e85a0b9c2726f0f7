"""The order flow of `bench state`: it fills a book, then trades on it without changing how many orders rest or where.

Theory of operation: half of the orders come to rest, at the best price or up to 19 ticks behind it. What came to rest at the best price
is matched by an order that takes as many lots there, from those who wait longest; what came to rest behind it by a cancel of some order of
that price. So each price keeps about the orders that it was filled with, which is what makes layouts differ: a level that is rewritten has them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from random import Random
from typing import Final, Self, TypeAlias

from bench import flow
from exchange import messages as m
from exchange.packets import encode

Command: TypeAlias = m.EnterOrder | m.PullOrder

SYMBOL: Final = flow.SYMBOLS[0]
LEVELS: Final = 1_000
"""Prices on each side over which the orders that rest beforehand are spread."""
SIDES: Final[tuple[m.Side, ...]] = ("buy", "sell")
NEAR: Final = 20
"""Prices on each side at which orders come and go."""
FILL_PACKET: Final = 5_000
"""Orders a record of the filling, which just fits."""


class StateFlow:
    """An endless flow on a book with `resting` orders; a copy goes on as the original would."""

    def __init__(self, resting: int) -> None:
        self.resting = resting
        self.random = Random(f"state {resting}")
        self.seq = 0
        self.open: dict[tuple[m.Side, int], list[int]] = {(side, level): [] for side in SIDES for level in range(NEAR)}

    def copy(self) -> Self:
        """Return a flow of its own that stands where this one does."""
        return deepcopy(self)

    def filling(self) -> Iterator[bytes]:
        """Yield the records that list the symbol and fill the book."""
        yield encode(m.ListInstrument(key=SYMBOL, instrument=flow.instrument(SYMBOL)))
        orders = (
            self._rest("sell" if number % 2 else "buy", self.random.randrange(LEVELS)) for number in range(self.resting)
        )
        while packet := list(islice(orders, FILL_PACKET)):
            yield encode(packet)

    def packets(self, size: int) -> Iterator[bytes]:
        """Yield endless records of `size` commands each."""
        commands = self._commands()
        while True:
            yield encode(list(islice(commands, size)))

    def _commands(self) -> Iterator[Command]:
        random = self.random
        while True:
            side: m.Side = "buy" if random.random() < 0.5 else "sell"
            level = 0 if random.random() < 0.5 else random.randrange(1, NEAR)
            resting = self._rest(side, level)
            yield resting
            yield self._take(resting) if level == 0 else self._cancel(self.open[side, level])

    def _rest(self, side: m.Side, level: int) -> m.EnterOrder:
        away = -1 - level if side == "buy" else 1 + level
        order = self._order(side, flow.REFERENCE_TICKS + away, self.random.randint(1, flow.QUANTITY_MAX))
        if 0 < level < NEAR:
            self.open[side, level].append(order.order_id)
        return order

    def _take(self, resting: m.EnterOrder) -> m.EnterOrder:
        return self._order("sell" if resting.side == "buy" else "buy", resting.price, resting.quantity)

    def _order(self, side: m.Side, price: int, quantity: int) -> m.EnterOrder:
        self.seq += 1
        return m.EnterOrder(
            source="@bench", seq=self.seq, time_ms=0, account=m.MARKET, order_id=-self.seq, symbol=SYMBOL, side=side, price=price,
            quantity=quantity,
        )  # fmt: skip

    def _cancel(self, orders: list[int]) -> m.PullOrder:
        self.seq += 1
        place = self.random.randrange(len(orders))
        orders[place], orders[-1] = orders[-1], orders[place]
        return m.PullOrder(
            source="@bench", seq=self.seq, time_ms=0, account=m.MARKET, order_id=orders.pop(), symbol=SYMBOL
        )
