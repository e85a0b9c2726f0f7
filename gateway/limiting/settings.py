"""What may be asked for in a time, unless it is set otherwise. `docs/LIMITS.md` says why so much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MINUTE_S = 60
DAY_S = 86_400


@dataclass(frozen=True)
class LimitSettings:
    """Greatest amounts by window. Windows begin at multiples of their length since the epoch."""

    weight_1m: int = 6_000
    """Weight of an address's requests in a minute; most requests weigh 1."""
    raw_5m: int = 61_000
    """An address's requests in 5 minutes, whatever they weigh."""
    orders_10s: int = 1_000
    orders_1d: int = 200_000
    """An account's new orders, in 10 seconds and in a day."""
    sockets_5m: int = 3_000
    """Websockets that an address opens in 5 minutes."""
    messages_1s: int = 50
    """Messages that one websocket sends in a second."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"limit {name} is {value}: write a whole number from 1")


def rate_limits(settings: LimitSettings) -> list[dict[str, Any]]:
    """Return the limits of the Binance-shaped API as its exchangeInfo lists them: those that are enforced.

    >>> rate_limits(LimitSettings())[0]
    {'rateLimitType': 'REQUEST_WEIGHT', 'interval': 'MINUTE', 'intervalNum': 1, 'limit': 6000}
    """
    rows = (
        ("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_1m),
        ("ORDERS", "SECOND", 10, settings.orders_10s),
        ("ORDERS", "DAY", 1, settings.orders_1d),
        ("RAW_REQUESTS", "MINUTE", 5, settings.raw_5m),
    )
    return [
        {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
        for kind, interval, number, limit in rows
    ]
