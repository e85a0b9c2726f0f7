"""How pro-rata shares a taker among the orders of one price (docs/MATCHING.md, rule 61)."""

from __future__ import annotations

from collections.abc import Sequence


def shares(lots: int, seen: Sequence[int], *, top_order: bool, minimum_lots: int) -> list[int]:
    """Return how many of `lots` each order trades; `seen` are their seen lots by arrival number.

    >>> shares(10, [6, 3, 11], top_order=False, minimum_lots=0)
    [4, 1, 5]
    >>> shares(10, [4, 3, 9], top_order=True, minimum_lots=0)
    [4, 2, 4]
    >>> shares(10, [1, 20, 29], top_order=False, minimum_lots=2)
    [1, 4, 5]
    """
    given = [0] * len(seen)
    if top_order and seen:
        given[0] = min(lots, seen[0])
    left = lots - sum(given)
    first = 1 if top_order else 0
    whole = sum(seen[first:])
    if left >= whole:
        return [*given[:first], *seen[first:]]
    for index in range(first, len(seen)):
        share = left * seen[index] // whole
        given[index] = share if share >= minimum_lots else 0
    left = lots - sum(given)
    for index in range(len(seen)):
        more = min(left, seen[index] - given[index])
        given[index] += more
        left -= more
    return given
