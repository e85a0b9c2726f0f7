"""How fast the past goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exchange.candles import DAY_MS

GAP_MAX_MS: Final = DAY_MS
"""A longer pause in the data, such as a weekend, is played as one of this length."""
NAP_S: Final = 0.05
"""How soon a wait notices that it is to end."""


@dataclass
class Stop:
    """Set `asked` to end what is going on in good order; a signal handler may."""

    asked: bool = False


class Pace:
    """Plays data time at `speed` data seconds a wall second, or as fast as possible without one.

    `stop` ends every wait, present and future. `keeps_time` says whether there is a speed.
    """

    def __init__(
        self,
        speed: float | None,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.keeps_time = speed is not None
        self._speed = speed
        self._stop = stop
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None
        self._last_ms = 0

    def wait(self, time_ms: int) -> None:
        """Return when it is time for what happens at `time_ms`; the first call returns at once."""
        if self._speed is None:
            return
        now = self._clock()
        if self._due is not None:
            gap_ms = min(time_ms - self._last_ms, GAP_MAX_MS)
            self._due = max(self._due + gap_ms / 1000 / self._speed, now)
        else:
            self._due = now
        self._last_ms = time_ms
        while (left := self._due - self._clock()) > 0 and not self._stop.asked:
            self._sleep(min(left, NAP_S))
