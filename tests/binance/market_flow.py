"""A floor on which the maker has traded with itself at prices that wander, for days if a test wants."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

from litestar.testing import TestClient

from tests.gateway.adapters import LOCAL, Bench, Floor, FloorCommands, app_over
from tests.gateway.projected import NOW_MS

SEED = 7
PRICES = (9_910, 10_090)
"""The prices, in ticks, between which nothing but what is traded stands in the book of AAPLUSD."""


def wander(floor: Floor, seed: int, trades: int, step_ms: int, symbol: str = "AAPLUSD") -> int:
    """Let the maker trade with itself, on average every `step_ms`, and return when it ended."""
    dice, time_ms, price = random.Random(seed), NOW_MS, 10_000
    with floor.lock:
        for _ in range(trades):
            time_ms += dice.randint(0, 2 * step_ms)
            floor.projected.advance(time_ms)
            price = min(PRICES[1], max(PRICES[0], price + dice.randint(-15, 15)))
            taker = dice.choice(("buy", "sell"))
            for side in ("sell" if taker == "buy" else "buy", taker):
                floor.projected.order("maker", side, price, 2 * (side == taker) + 5, symbol)
                floor.projected.order("maker", side, price, 2, symbol) if side != taker else None
        floor.projected.project(publish=True)
    return time_ms


@contextmanager
def traded(url: str, name: str, trades: int = 400, step_ms: int = 600_000) -> Iterator[Bench]:
    """Run the application over a market that has traded for some days."""
    floor = Floor(url, name)
    wander(floor, SEED, trades, step_ms)
    commands = FloorCommands(floor)
    with TestClient(app_over(floor, commands), base_url=LOCAL) as client:
        client.follow_redirects = False
        yield Bench(client, floor, commands)
