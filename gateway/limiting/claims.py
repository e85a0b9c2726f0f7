"""What is claimed for what is asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.limiting.address import counted_as
from gateway.limiting.settings import DAY_S, MINUTE_S, LimitSettings
from gateway.limits import Claim


def request_claims(settings: LimitSettings, address: str, weight: int) -> list[Claim]:
    """Return the claims of a request: its weight, and that it is one."""
    of = counted_as(address)
    return [
        Claim(f"weight:{of}", weight, settings.weight_1m, MINUTE_S),
        Claim(f"raw:{of}", 1, settings.raw_5m, 5 * MINUTE_S),
    ]


def order_claims(settings: LimitSettings, account: str, orders: int) -> list[Claim]:
    """Return the claims of new orders, however many at once."""
    return [
        Claim(f"orders:{account}", orders, settings.orders_10s, 10),
        Claim(f"orders-day:{account}", orders, settings.orders_1d, DAY_S),
    ]


def socket_claims(settings: LimitSettings, address: str) -> list[Claim]:
    """Return the claims of a websocket that is opened."""
    return [Claim(f"sockets:{counted_as(address)}", 1, settings.sockets_5m, 5 * MINUTE_S)]


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
