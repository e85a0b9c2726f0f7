"""What requests over websockets are charged: the same weights, to the same addresses and accounts, as over REST.

What is refused says when it may be tried again, as the header `Retry-After` does over REST: by `retryAfter`, in milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Any

from gateway.limiting.charging import take, too_much
from gateway.limiting.claims import order_claims, request_claims, window_of
from gateway.limiting.ports import Claim
from gateway.services import Services


class Charges:
    """What one request has been charged, as its answer tells it."""

    def __init__(self, services: Services, address: str) -> None:
        self._services = services
        self._address = address
        self.told: list[dict[str, Any]] = []
        self.weighed = False
        """Whether the request has been charged to its address, or refused for it."""

    async def weigh(self, weight: int) -> None:
        """Charge a request to its address. Raises BinanceError -1003."""
        self.weighed = True
        await self._take(request_claims(self._services.settings.limits, self._address, weight))

    async def count_orders(self, account: str, orders: int) -> None:
        """Charge new orders to their account. Raises BinanceError -1015."""
        if orders:
            await self._take(order_claims(self._services.settings.limits, account, orders))

    async def _take(self, claims: list[Claim]) -> None:
        taken = await take(self._services, claims)
        of = [(window_of(claim), claim.limit, count) for claim, count in taken.used]
        self.told += [{**window.shown(limit), "count": count} for window, limit, count in of if window.header]
        if taken.full is not None:
            error, now_ms = too_much(taken.full, taken.retry_s), self._services.exchange.now_ms()
            error.data = {"serverTime": now_ms, "retryAfter": now_ms + 1_000 * taken.retry_s}
            raise error
