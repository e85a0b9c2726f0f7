"""A machine's clock, which is the log's.

In a live venue it is the greatest time at which the broker appended a record that the machine has read: nobody can push
a book into the future. In a replay venue it is the data's own time, which enters by `AdvanceClock` at the account
shards, or with `@market` flow, and travels on with the messages between machines; the broker's time plays no part.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

VenueClock: TypeAlias = Literal["live", "replay"]


class Clock:
    """The time in milliseconds since the epoch; never goes back."""

    __slots__ = ("live", "now_ms")

    def __init__(self, kind: VenueClock, now_ms: int = 0) -> None:
        self.live = kind == "live"
        self.now_ms = now_ms

    def appended(self, time_ms: int) -> None:
        """Take note of the time at which the broker appended a record."""
        if self.live and time_ms > self.now_ms:
            self.now_ms = time_ms

    def told(self, time_ms: int) -> None:
        """Take note of the time that a message carries."""
        if time_ms > self.now_ms and not self.live:
            self.now_ms = time_ms
