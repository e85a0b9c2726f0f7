"""Keeps a player from running further ahead of the exchange than a bound."""

from __future__ import annotations

import time
from typing import Final

from exchange.packets import decode_trades
from replay.pace import Stop
from wire.errors import NotReachableError
from wire.reader import Reader

IN_FLIGHT_MAX: Final = 8_000
"""Greatest number of trades that were asked for and have not come yet."""
STALL_S: Final = 120.0
"""After so long without a trade the exchange is taken to be down."""


class Flow:
    """Counts trades asked for (`sent`, by the player) against those that came, from the reader's position on.

    The count is a brake and no proof: trades of others, and repeats after a failure, count, too.
    """

    def __init__(self, trades: Reader) -> None:
        self._trades = trades
        self.sent = 0
        self.seen = 0

    def wait(self, stop: Stop) -> None:
        """Return when no more than `IN_FLIGHT_MAX` trades are missing, or `stop` is asked for.

        Raises:
            NotReachableError: if none comes for `STALL_S`.
        """
        heard = time.monotonic()
        while self.sent - self.seen > IN_FLIGHT_MAX and not stop.asked:
            records = self._trades.poll()
            self.seen += sum(len(decode_trades(record.value)) for record in records)
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > STALL_S:
                raise NotReachableError(
                    f"{self.sent - self.seen} trades are missing and none came for {STALL_S:.0f} s; do the jobs run?"
                )
