"""How many websockets may be open at once, in all and of one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.health import Metrics
from gateway.limiting.address import network_of

SHARE: Final = 2
"""One address has at most a half of all seats."""


class Seats:
    """The seats of one kind of websockets; of one address at most a share of them are taken, and at least one may be."""

    def __init__(self, seats: int, metrics: Metrics) -> None:
        self._seats = seats
        self._seats_of_one = max(1, seats // SHARE)
        self._metrics = metrics
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, address: str) -> Iterator[bool]:
        """Count a websocket of a client's address while it is open, and say whether it is not one too many."""
        of = network_of(address)
        if self._taken.total() >= self._seats or self._taken[of] >= self._seats_of_one:
            self._metrics.refused_clients.inc()
            yield False
            return
        self._taken[of] += 1
        self._metrics.live_clients.inc()
        try:
            yield True
        finally:
            self._taken[of] -= 1
            if not self._taken[of]:
                del self._taken[of]
            self._metrics.live_clients.dec()
