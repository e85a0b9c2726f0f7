"""What requests over websockets are charged: the same weights, to the same addresses and accounts, as over REST."""

from __future__ import annotations

from typing import Any, Final

from gateway.binance.errors import BinanceError, too_many_orders, too_much_weight
from gateway.limiting.claims import order_claims, request_claims
from gateway.limits import Claim, Verdict
from gateway.services import Services

_INTERVALS: Final = {10: ("SECOND", 10), 60: ("MINUTE", 1), 300: ("MINUTE", 5), 86_400: ("DAY", 1)}
_KINDS: Final = {
    "weight": "REQUEST_WEIGHT",
    "raw": "RAW_REQUESTS",
    "orders": "ORDERS",
    "orders-day": "ORDERS",
}
_TOLD: Final = ("weight", "orders", "orders-day")


class Charges:
    """What one request has been charged, as its answer tells it."""

    def __init__(self, services: Services, address: str) -> None:
        self._services = services
        self._address = address
        self.told: list[dict[str, Any]] = []

    async def weigh(self, weight: int) -> None:
        """Charge a request to its address. Raises BinanceError -1003."""
        await self._take(request_claims(self._services.settings.limits, self._address, weight))

    async def count_orders(self, account: str, orders: int) -> None:
        """Charge new orders to their account. Raises BinanceError -1015."""
        if orders:
            await self._take(order_claims(self._services.settings.limits, account, orders))

    async def _take(self, claims: list[Claim]) -> None:
        if self._services.limits is None:
            return
        verdict = await self._services.limits.take(claims)
        self.told += [
            _told(claim, used) for claim, used in zip(claims, verdict.used, strict=True) if _kind(claim) in _TOLD
        ]
        if not verdict.granted:
            raise self._refusal(claims, verdict)

    def _refusal(self, claims: list[Claim], verdict: Verdict) -> BinanceError:
        full = [claim for claim, used in zip(claims, verdict.used, strict=True) if used + claim.amount > claim.limit]
        claim = full[0] if full else claims[0]
        self._services.metrics.limits_refused.labels(_kind(claim)).inc()
        name, number = _INTERVALS[claim.window_s]
        refused = too_many_orders if _kind(claim).startswith("orders") else too_much_weight
        return refused(claim.limit, f"{number} {name}", verdict.retry_after_s)


def _told(claim: Claim, used: int) -> dict[str, Any]:
    name, number = _INTERVALS[claim.window_s]
    return {
        "rateLimitType": _KINDS[_kind(claim)],
        "interval": name,
        "intervalNum": number,
        "limit": claim.limit,
        "count": used,
    }


def _kind(claim: Claim) -> str:
    return claim.bucket.partition(":")[0]
