"""The wall's clock, by which commands are stamped and the broker's append times go."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Return the time now, in milliseconds since the epoch in UTC."""
    return time.time_ns() // 1_000_000
