"""Profit that an account has realised with one asset, in minor units of the asset it pays with.

A buy of `s` units for `cash` with a fee costs `c = cash + fee`, a sale brings `p = cash - fee`. Of a sale of `s` units while `S`
are held that were bought here, `k = min(s, S)` are sold at a known cost; the rest was brought in from elsewhere, has no known
cost and makes neither profit nor loss. So a sale realises `floor(p * k / s) - cost(k)`, where

- by **average cost** all that is held cost `C` together, and `cost(k) = floor(C * k / S)`; then `S` and `C` become less by
  `k` and `cost(k)`;
- by **FIFO** what was bought first is sold first: the `k` units are taken from the oldest purchases `(s_i, c_i)` in turn, and
  `t` units of one cost `floor(c_i * t / s_i)`, by which that purchase becomes less.

Parts are rounded down, and what is left keeps the rest, so that nothing is lost: once all that was bought is sold, both
have counted the same cost, and their profits are equal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exchange.messages import Side


@dataclass(frozen=True, slots=True)
class Deal:
    """What one fill moved: `units` of the base asset for `cash` and a `fee` (below zero: a rebate) of the quote asset."""

    side: Side
    units: int
    cash: int
    fee: int = 0

    @property
    def money(self) -> int:
        """What it cost, or what it brought."""
        return self.cash + self.fee if self.side == "buy" else self.cash - self.fee


class AverageCost:
    """What is held that was bought here, at one cost for all."""

    __slots__ = ("cost", "units")

    def __init__(self) -> None:
        self.units = 0
        self.cost = 0

    def buy(self, units: int, cost: int) -> None:
        """Add what was bought."""
        self.units += units
        self.cost += cost

    def sell(self, units: int) -> int:
        """Take away at most what is held, and return what that has cost."""
        cost = self.cost * units // self.units if units else 0
        self.units -= units
        self.cost -= cost
        return cost


class FirstInFirstOut:
    """What is held that was bought here, purchase by purchase."""

    __slots__ = ("purchases", "units")

    def __init__(self) -> None:
        self.units = 0
        self.purchases: deque[tuple[int, int]] = deque()

    def buy(self, units: int, cost: int) -> None:
        """Add a purchase."""
        self.units += units
        self.purchases.append((units, cost))

    def sell(self, units: int) -> int:
        """Take away at most what is held, the oldest first, and return what that has cost."""
        self.units -= units
        total = 0
        while units:
            bought, cost = self.purchases.popleft()
            taken = min(units, bought)
            part = cost * taken // bought
            if taken < bought:
                self.purchases.appendleft((bought - taken, cost - part))
            units -= taken
            total += part
        return total


def average_cost(deals: Iterable[Deal]) -> int:
    """Return the profit (below zero: the loss) that deals have realised, in their order, by average cost.

    >>> average_cost([Deal("buy", 10, 1_000), Deal("buy", 10, 1_200), Deal("sell", 5, 600)])
    50
    """
    return _realised(deals, AverageCost)


def first_in_first_out(deals: Iterable[Deal]) -> int:
    """Return the profit (below zero: the loss) that deals have realised, in their order, by FIFO.

    >>> first_in_first_out([Deal("buy", 10, 1_000), Deal("buy", 10, 1_200), Deal("sell", 5, 600)])
    100
    """
    return _realised(deals, FirstInFirstOut)


def _realised(deals: Iterable[Deal], make: Callable[[], AverageCost | FirstInFirstOut]) -> int:
    held, profit = make(), 0
    for deal in deals:
        if deal.side == "buy":
            held.buy(deal.units, deal.money)
        else:
            known = min(deal.units, held.units)
            profit += deal.money * known // deal.units - held.sell(known)
    return profit
