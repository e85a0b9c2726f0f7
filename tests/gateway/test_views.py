"""What is shown where the stored rows alone do not say it."""

from __future__ import annotations

import asyncio

from gateway.keys import TOP_LEVELS
from gateway.shown import Depth, Market
from gateway.views import RedisViews
from tests.gateway.projected import NOW_MS, Projected, market

DAY_MS = 86_400_000
MIDNIGHT_MS = (NOW_MS // DAY_MS + 1) * DAY_MS


def shown(projected: Projected) -> tuple[Market, Depth]:
    async def read() -> tuple[Market, Depth]:
        views = RedisViews(projected.url, projected.name, lambda: NOW_MS)
        try:
            found, depth = await views.market("AAPLUSD", "1d"), await views.depth("AAPLUSD", 10**6)
        finally:
            await views.close()
        assert found is not None
        assert depth is not None
        return found, depth

    return asyncio.run(read())


def trade(projected: Projected, price: int) -> None:
    projected.order("ann", "sell", price, 5)
    projected.order("bob", "buy", price, 5)


def test_a_day_begins_at_midnight_and_not_with_its_first_trade(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    trade(projected, 100)
    projected.advance(NOW_MS + DAY_MS)
    trade(projected, 110)
    projected.show()
    before = shown(projected)[0].summary
    assert (before.last, before.change, before.change_percent) == ("1.10", "0.10", "10.00")
    assert (before.open, before.high, before.low, before.volume) == ("1.10", "1.10", "1.10", "5")
    projected.advance(MIDNIGHT_MS + DAY_MS)
    projected.order("ann", "sell", 200, 5)  # the book hears of the new day
    projected.project()
    after = shown(projected)[0].summary
    assert after.time_ms >= MIDNIGHT_MS + DAY_MS
    assert (after.last, after.change, after.change_percent) == ("1.10", "0.00", "0.00")
    assert (after.open, after.high, after.low, after.volume) == (None, None, None, "0")
    trade(projected, 99)
    projected.project()
    first = shown(projected)[0].summary
    assert (first.open, first.change, first.change_percent) == ("0.99", "-0.11", "-10.00")


def test_no_more_than_the_best_levels_are_ever_shown(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    for price in range(1, TOP_LEVELS + 10):
        projected.order("ann", "buy", price, 1)
    projected.show()
    depth = shown(projected)[1]
    assert len(depth.bids) == TOP_LEVELS
    assert depth.bids[0].price == f"{(TOP_LEVELS + 9) / 100:.2f}"
