"""Takes in what is posted to `/ingest`: good messages go to `market-data`, bad ones to `dead-letters`, so nothing is lost."""

from __future__ import annotations

import time
from typing import Final

from exchange.instruments import Instrument
from exchange.messages import DeadLetter
from gateway.ports import Outside, Views
from gateway.seeds.ingest import InvalidIngest, read
from gateway.seeds.names import find

TOPIC: Final = "/ingest"
"""Where a dead letter says that its body stood; its offset is the time at which it came, in microseconds since the epoch."""
UNLISTED_MAX: Final = 1_000
"""How many symbols that are not listed are taken, as long as the process lives: each costs the analysis memory for ever."""
DETAIL_MAX: Final = 300


class Feed:
    """What is brought in from outside."""

    def __init__(self, outside: Outside, views: Views) -> None:
        self._outside = outside
        self._views = views
        self._unlisted: set[str] = set()
        self._last = 0

    async def take(self, body: bytes) -> None:
        """Record one message.

        Raises:
            InvalidIngest: if it is none; then it has become a dead letter.
            NotTaken, UnknownOutcome, ViewsUnavailable: if it is not, or perhaps not, recorded.
        """
        instruments = await self._views.instruments()

        def rename(name: str) -> str:
            return self._symbol(name, find(name, instruments))

        try:
            message = read(body, rename)
        except InvalidIngest as error:
            await self._outside.refuse(self._letter(body, str(error)))
            raise
        await self._outside.record([message])

    def _symbol(self, name: str, instrument: Instrument | None) -> str:
        if instrument is not None:
            return instrument.symbol
        if name not in self._unlisted:
            if len(self._unlisted) >= UNLISTED_MAX:
                raise InvalidIngest(f"stock_symbol: more than {UNLISTED_MAX} symbols that are not listed")
            self._unlisted.add(name)
        return name

    def _letter(self, body: bytes, detail: str) -> DeadLetter:
        self._last = max(time.time_ns() // 1_000, self._last + 1)  # no two have the same
        return DeadLetter(
            topic=TOPIC,
            partition=0,
            offset=self._last,
            key="",
            reason="INVALID_PACKET",
            detail=detail[:DETAIL_MAX],
            raw=body,
        )
