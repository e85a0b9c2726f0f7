"""What may be asked for in a time, unless it is set otherwise. `docs/LIMITS.md` says why so much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

_UNITS_S: Final = {"SECOND": 1, "MINUTE": 60, "DAY": 86_400}


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


class Window(NamedTuple):
    """What is counted in a time: `number` of `unit`."""

    setting: str
    """The field of `LimitSettings` that says how much there may be."""
    unit: Literal["SECOND", "MINUTE", "DAY"]
    number: int
    rate_limit: str = ""
    """What Binance calls it; empty: its clients are not told of it."""
    header: str = ""
    """The header that tells how much was used; empty: that is not told."""

    @property
    def seconds(self) -> int:
        return self.number * _UNITS_S[self.unit]

    def shown(self, limit: int) -> dict[str, Any]:
        """Return a limit as the Binance-shaped API shows it."""
        return {
            "rateLimitType": self.rate_limit,
            "interval": self.unit,
            "intervalNum": self.number,
            "limit": limit,
        }


WINDOWS: Final = {
    "weight": Window("weight_1m", "MINUTE", 1, "REQUEST_WEIGHT", "x-mbx-used-weight-1m"),
    "orders": Window("orders_10s", "SECOND", 10, "ORDERS", "x-mbx-order-count-10s"),
    "orders-day": Window("orders_1d", "DAY", 1, "ORDERS", "x-mbx-order-count-1d"),
    "raw": Window("raw_5m", "MINUTE", 5, "RAW_REQUESTS"),
    "sockets": Window("sockets_5m", "MINUTE", 5),
}
"""All that is counted over all processes together, by what its buckets' names begin with."""


def rate_limits(settings: LimitSettings) -> list[dict[str, Any]]:
    """Return the limits of the Binance-shaped API as its exchangeInfo lists them: those that are enforced.

    >>> rate_limits(LimitSettings())[0]
    {'rateLimitType': 'REQUEST_WEIGHT', 'interval': 'MINUTE', 'intervalNum': 1, 'limit': 6000}
    """
    return [window.shown(getattr(settings, window.setting)) for window in WINDOWS.values() if window.rate_limit]
