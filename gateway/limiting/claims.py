"""What is claimed for what is asked, and what a claim is of. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.limiting.address import network_of
from gateway.limiting.ports import Claim
from gateway.limiting.settings import WINDOWS, LimitSettings, Window


def weight_of(weight: Any, params: Mapping[str, str]) -> int:
    """Return what a request weighs: `weight` is a whole number, or a function of the request's parameters."""
    return int(weight(params)) if callable(weight) else int(weight)


def request_claims(settings: LimitSettings, address: str, weight: int) -> list[Claim]:
    """Return the claims of a request: its weight, and that it is one."""
    return [*weight_claims(settings, address, weight), _claim(settings, "raw", network_of(address), 1)]


def weight_claims(settings: LimitSettings, address: str, weight: int) -> list[Claim]:
    """Return the claims of weight alone, for a request that has been claimed and turns out to weigh more."""
    return [_claim(settings, "weight", network_of(address), weight)]


def order_claims(settings: LimitSettings, account: str, orders: int) -> list[Claim]:
    """Return the claims of new orders, however many at once."""
    return [_claim(settings, kind, account, orders) for kind in ("orders", "orders-day")]


def socket_claims(settings: LimitSettings, address: str) -> list[Claim]:
    """Return the claims of a websocket that is opened."""
    return [_claim(settings, "sockets", network_of(address), 1)]


def kind_of(claim: Claim) -> str:
    """Return what a claim is of: a key of `WINDOWS`."""
    return claim.bucket.partition(":")[0]


def window_of(claim: Claim) -> Window:
    """Return what a claim is of, and in which time."""
    return WINDOWS[kind_of(claim)]


def first_full(claims: Sequence[Claim], used: Sequence[int]) -> Claim:
    """Return the claim for which claims were refused, given what each bucket had had."""
    full = (claim for claim, count in zip(claims, used, strict=True) if count + claim.amount > claim.limit)
    return next(full, claims[0])  # none: a process that counts by itself has given out its share


def _claim(settings: LimitSettings, kind: str, of: str, amount: int) -> Claim:
    window = WINDOWS[kind]
    return Claim(f"{kind}:{of}", amount, getattr(settings, window.setting), window.seconds)


class Messages:
    """Counts one websocket's messages by seconds. A socket lives in one process, so nobody else need be asked."""

    def __init__(self, settings: LimitSettings, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._limit = settings.messages_1s
        self._clock_s = clock_s
        self._second = -1
        self._count = 0

    def admit(self) -> bool:
        """Count a message, and say whether it may be read."""
        second = int(self._clock_s())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._limit
