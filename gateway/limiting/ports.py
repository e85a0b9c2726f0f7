"""How much may be asked for in a time, and who counts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Claim(msgspec.Struct, frozen=True):
    """`amount` of what `bucket` may have: `limit` in each window of `window_s` seconds, windows beginning at multiples of it.

    A bucket names what is counted and of whom, such as `weight:127.0.0.1` or `orders:demo`.
    """

    bucket: str
    amount: int
    limit: int
    window_s: int


class Verdict(msgspec.Struct, frozen=True):
    """Whether all claims were granted: then all were counted, else none.

    `used` is what each bucket has had in its window, this time included where it was counted. `retry_after_s`: in how many seconds the first
    window that was full ends; 0 if all were granted.
    """

    granted: bool
    used: tuple[int, ...]
    retry_after_s: int = 0


class Limits(Protocol):
    """Counts, over all processes of a venue together."""

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """Grant all claims, or refuse. Never raises: where nothing can be counted together, each process counts by itself."""
