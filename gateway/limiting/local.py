"""Counts in this process alone: for a venue of one process, and while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from gateway.limiting.ports import Claim, Verdict

BUCKETS_MAX: Final = 100_000
"""How many buckets are kept; beyond it the one that has gone longest without a claim is forgotten."""


class LocalLimits:
    """Implements `limiting.ports.Limits`. Of `gateways` processes that cannot count together each grants its share of every limit.

    So all together never grant more than the limit. A claim that is greater than the share, such as that of a bulk order, is still granted
    where nothing else was in its window.
    """

    def __init__(self, gateways: int = 1, now_s: Callable[[], float] = time.time) -> None:
        self._gateways = gateways
        self._now_s = now_s
        self._used: dict[tuple[str, int], tuple[int, int]] = {}

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """Grant all claims, or refuse."""
        return self.count(claims)

    def count(self, claims: Sequence[Claim]) -> Verdict:
        """Grant all claims, or refuse."""
        now = self._now_s()
        windows = [int(now // claim.window_s) for claim in claims]
        before = [self._before(claim, window) for claim, window in zip(claims, windows, strict=True)]
        full = [claim.window_s for claim, used in zip(claims, before, strict=True) if not self._fits(claim, used)]
        if full:
            return Verdict(False, tuple(before), min(_until_next(now, window_s) for window_s in full))
        for claim, window, used in zip(claims, windows, before, strict=True):
            bucket = (claim.bucket, claim.window_s)
            self._used.pop(bucket, None)
            self._used[bucket] = (window, used + claim.amount)
        while len(self._used) > BUCKETS_MAX:
            del self._used[next(iter(self._used))]
        return Verdict(True, tuple(used + claim.amount for claim, used in zip(claims, before, strict=True)))

    def _before(self, claim: Claim, window: int) -> int:
        at, used = self._used.get((claim.bucket, claim.window_s), (window, 0))
        return used if at == window else 0

    def _fits(self, claim: Claim, used: int) -> bool:
        share = max(1, claim.limit // self._gateways)
        return used + claim.amount <= (claim.limit if used == 0 else share)


def _until_next(now_s: float, window_s: int) -> int:
    """Return in how many whole seconds, rounded up, the next window begins."""
    return window_s - int(now_s % window_s)
