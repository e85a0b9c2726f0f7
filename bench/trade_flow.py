"""The trades of the benchmarks of market analysis, encoded beforehand so that making them costs no time while it is measured.

All symbols trade alike: what is made of one is written for each of the others under its own name, which is as long. So a million trades are
made in a second, and a symbol's work differs from another's in nothing but its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import Final, NamedTuple

from bench import flow
from exchange import messages as m
from exchange.packets import encode

START_MS: Final = 1_735_689_600_000
"""When the first of them happens: 2025-01-01, midnight UTC."""
BUSY_MS: Final = 50
QUIET_MS: Final = 1_000
"""How long after a trade a symbol's next one comes, on average: 20 trades a second, and one. At twenty a packet of 100 lasts 5 s, at one 100 s."""
LEVELS: Final = 50
"""Prices on each side of a symbol's book."""

_MINUTE_MS: Final = 60_000
WARM_TRADES: Final = 60
_PATTERN: Final = "S00000USD"


def symbols(number: int) -> list[str]:
    """Return the names of some symbols."""
    return [f"S{place:05}USD" for place in range(number)]


class Phase(NamedTuple):
    """Some trades of each symbol, `packet` to a record, one every `gap_ms` on average."""

    trades: int
    packet: int
    gap_ms: int


class TradeFlow:
    """Endless trades of some symbols; each call goes on where the last one stopped."""

    def __init__(self, names: Sequence[str], *, seed: int = 1) -> None:
        self.names = names
        self.trades = 0
        self.time_ms = START_MS
        self._random = Random(seed)
        self._price = flow.REFERENCE_TICKS

    def listings(self) -> Iterator[tuple[str, bytes]]:
        """Yield (symbol, record value): a snapshot of each symbol's book, which tells what its ticks are worth."""
        for name in self.names:
            yield name, encode(snapshot(name))

    def warm(self) -> Iterator[tuple[str, bytes]]:
        """Yield an hour of one trade a minute, after which the indicators of minutes have all their values."""
        return self.packets(Phase(WARM_TRADES, WARM_TRADES, _MINUTE_MS))

    def book(self) -> Iterator[tuple[str, bytes]]:
        """Yield (symbol, record value): deltas that fill each symbol's book, `LEVELS` prices on each side."""
        for name in self.names:
            levels = [*_levels("buy"), *_levels("sell")]
            yield (
                name,
                encode(
                    [
                        m.BookDelta(symbol=name, seq=seq, time_ms=self.time_ms, side=side, price=price, quantity=100)
                        for seq, (side, price) in enumerate(levels, 1)
                    ]
                ),
            )

    def packets(self, phase: Phase) -> Iterator[tuple[str, bytes]]:
        """Yield (symbol, record value): the symbols take turns, a packet each."""
        trades = self._trades(phase.gap_ms)
        for _ in range(phase.trades // phase.packet):
            pattern = encode(list(islice(trades, phase.packet)))
            for name in self.names:
                yield name, pattern.replace(_PATTERN.encode(), name.encode())

    def _trades(self, gap_ms: int) -> Iterator[m.Trade]:
        random = self._random
        while True:
            self.trades += 1
            self.time_ms += random.randrange(2 * gap_ms + 1)
            self._price = max(1_000, self._price + random.randint(-5, 5))
            side: m.Side = "buy" if random.random() < 0.5 else "sell"
            yield m.Trade(
                symbol=_PATTERN, seq=self.trades, time_ms=self.time_ms, price=self._price, quantity=random.randint(1, 100),
                taker_side=side, maker_order=2 * self.trades - 1, taker_order=2 * self.trades,
            )  # fmt: skip


def _levels(side: m.Side) -> Iterator[tuple[m.Side, int]]:
    away = -1 if side == "buy" else 1
    return ((side, flow.REFERENCE_TICKS + away * level) for level in range(1, LEVELS + 1))


def snapshot(symbol: str) -> m.BookSnapshot:
    """Return the snapshot of a book that is empty yet."""
    return m.BookSnapshot(
        symbol=symbol, seq=1, time_ms=START_MS, delta=0, trade=0, listing=1, instrument=flow.instrument(symbol),
        bids=[], asks=[],
    )  # fmt: skip
