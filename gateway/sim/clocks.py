"""The time of a venue in one process, which takes the broker's place: the wall's, or one that goes only as it is told."""

from __future__ import annotations

from typing import Final, Protocol

from wire.clock import wall_ms

BEGINNING_MS: Final = 1_704_207_600_000
"""Where a virtual clock begins unless told otherwise: 2 January 2024, 15:00 UTC, when New York trades."""


class Clock(Protocol):
    """Tells the time in milliseconds since the epoch."""

    @property
    def virtual(self) -> bool:
        """Whether it stands still unless it is advanced."""

    def now_ms(self) -> int:
        """Return the time."""


class WallClock:
    """The wall's clock; it is never told to go back."""

    virtual = False

    def __init__(self) -> None:
        self._last_ms = 0

    def now_ms(self) -> int:
        """Return the time."""
        self._last_ms = max(self._last_ms, wall_ms())
        return self._last_ms


class VirtualClock:
    """A clock that a test moves."""

    virtual = True

    def __init__(self, start_ms: int = BEGINNING_MS) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Return the time."""
        return self._now_ms

    def go_to(self, time_ms: int) -> None:
        """Let it be a later time."""
        assert time_ms >= self._now_ms, "time does not go back"
        self._now_ms = time_ms
