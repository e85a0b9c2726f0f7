"""A little market: in every symbol somebody quotes around a price that wanders, and somebody takes now and then.

All chance is of one seed, and each symbol has a chain of its own. Each round's quotes replace those before, so the book stays as deep as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from exchange.instruments import Instrument
from exchange.messages import Side
from gateway.sim.flow import Level, MarketFlow

LEVELS: Final = 10
START_TICKS: Final = 10_000
LEAST_TICKS: Final = 1_000
STEP_PPM: Final = 400
"""How far the price wanders in a round, at most."""
LOTS: Final = 50
TAKES: Final = 0.6
"""How likely it is that somebody takes in a round."""
ROUND_S: Final = 0.25
"""How long a round lasts."""


class Makers:
    """The makers and takers of one venue."""

    def __init__(self, flow: MarketFlow, instruments: Iterable[Instrument], seed: int) -> None:
        self._flow = flow
        self._symbols = {each.symbol: Random(f"{seed} {each.symbol}") for each in instruments}  # noqa: S311  (no secrets)
        self._price = dict.fromkeys(self._symbols, START_TICKS)

    def round(self) -> None:
        """Quote anew in every symbol, and take here and there."""
        for symbol, random in self._symbols.items():
            step = max(1, self._price[symbol] * STEP_PPM // 1_000_000)
            price = self._price[symbol] = max(LEAST_TICKS, self._price[symbol] + random.randint(-step, step))
            levels: list[Level] = []
            for away in range(1, LEVELS + 1):
                levels.append(("buy", price - away, random.randint(1, LOTS) * away))
                levels.append(("sell", price + away, random.randint(1, LOTS) * away))
            take: Level | None = None
            if random.random() < TAKES:
                side: Side = "buy" if random.random() < 0.5 else "sell"
                take = (side, price + 2 if side == "buy" else price - 2, random.randint(1, LOTS))
            self._flow.quote(symbol, 1, levels, take)
