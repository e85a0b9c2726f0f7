"""The way of a book's shown prices from one state of the views to the next, so that who follows a book misses none of it.

Theory of operation: readers see a book only as it is after a batch. Somebody may take a copy of it in any of these states, and must then be
brought to a later one by the differences alone. The difference of two states that a server happens to read is not enough for that: a
price that went away and came back between them is not in it, though the copy may be from between. So each batch leaves the prices
that it changed among those shown, as a step from one number of the book's events to another; the steps from one state to a
later one, put together, hold every price in which any state between differs from the later one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from exchange.views import MarketView
from gateway.keys import TOP_LEVELS

Levels: TypeAlias = list[tuple[int, int]]
"""Prices with their quantities, in ticks and lots."""


class Shown(NamedTuple):
    """What is shown of a book at one moment: after how many events, and since which listing it has been counted so."""

    deltas: int
    since: int
    bids: Levels
    asks: Levels


class StepRow(msgspec.Struct, array_like=True, frozen=True):
    """What took a book from after event `after` to after event `seq`: the prices that are others now, quantity 0 where nothing is shown any more.

    `after` is -1 where the step goes on from nothing, such as from a listing that counted in other ticks.
    """

    seq: int
    after: int
    time_ms: int
    listing: int
    bids: Levels
    asks: Levels


def shown(view: MarketView) -> Shown:
    """Return what is shown of a market's book now."""
    return Shown(view.deltas, view.since, view.book.bids.top(TOP_LEVELS), view.book.asks.top(TOP_LEVELS))


def step(before: Shown, view: MarketView) -> StepRow | None:
    """Return the step from `before` to now; None if the book has had no event."""
    if before.deltas == view.deltas:
        return None
    now = shown(view)
    goes_on = before.since == now.since and before.deltas < now.deltas
    bids, asks = _changed(before.bids, now.bids), _changed(before.asks, now.asks)
    return StepRow(now.deltas, before.deltas if goes_on else -1, view.time_ms, view.listing, bids, asks)


def _changed(before: Levels, now: Levels) -> Levels:
    left = dict(before)
    changed = [(price, quantity) for price, quantity in now if left.pop(price, 0) != quantity]
    return [*changed, *((price, 0) for price in left)]


def put_together(steps: Iterable[StepRow], after: int) -> tuple[dict[int, int], dict[int, int]] | None:
    """Return the bids and asks that lead from after event `after` to the end of the last step, in order; None if the steps do not.

    >>> steps = [StepRow(7, 3, 0, 1, [(99, 5)], []), StepRow(9, 7, 0, 1, [(99, 0), (98, 1)], [(101, 2)])]
    >>> put_together(steps, 3), put_together(steps, 4)
    (({99: 0, 98: 1}, {101: 2}), None)
    """
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for each in steps:
        if each.after != after:
            return None
        after = each.seq
        bids.update(each.bids)
        asks.update(each.asks)
    return bids, asks
