"""What the two sides of a trade pay (docs/MATCHING.md, rule 70)."""

from __future__ import annotations

from exchange.money import UNITS_MAX

MILLION = 1_000_000
FEE_MAX = UNITS_MAX // 2
"""The greatest fee of a fill, so that what both sides of a trade pay together still fits into a report."""


def fees(cash: int, maker_ppm: int, taker_ppm: int) -> tuple[int, int]:
    """Return the fees of maker and taker for a trade of `cash` minor units; below zero: a rebate, never more than the other pays.

    Neither is more than `FEE_MAX`.

    >>> fees(10_000, 100, 250), fees(10_000, -100, 250), fees(10_000, -300, 250), fees(999, 100, 100)
    ((1, 2), (-1, 2), (-2, 2), (0, 0))
    """
    maker, taker = _fee(cash, maker_ppm), _fee(cash, taker_ppm)
    return max(maker, -max(taker, 0)), max(taker, -max(maker, 0))


def _fee(cash: int, ppm: int) -> int:
    size = min(cash * abs(ppm) // MILLION, FEE_MAX)
    return size if ppm >= 0 else -size
