"""What is shown where the stored rows alone do not say it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
import redis
import redis_server

from gateway.keys import TOP_LEVELS
from gateway.ports import ViewsUnavailable
from gateway.shown import Depth, Market
from gateway.views import TIMEOUT_S, RedisViews
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


def test_a_redis_that_says_nothing_is_waited_for_once_and_read_again_when_it_is_back(tmp_path: Path) -> None:
    with redis_server.running(tmp_path) as url, redis.Redis.from_url(url) as client:
        projected = market(url, "frozen")
        projected.show()
        process = client.info("server")["process_id"]

        async def scenario() -> float:
            views = RedisViews(url, "frozen", lambda: NOW_MS)
            listed = await views.instruments()
            os.kill(process, signal.SIGSTOP)
            try:
                with pytest.raises(ViewsUnavailable):
                    await views.depth("AAPLUSD", 1)
                begun = time.monotonic()
                for _ in range(10):
                    with pytest.raises(ViewsUnavailable):
                        await views.answers("ann", ["one"])
                    assert await views.instruments() == listed
                took = time.monotonic() - begun
            finally:
                os.kill(process, signal.SIGCONT)
            async with asyncio.timeout(20):
                while not await _readable(views):  # noqa: ASYNC110  (what is waited for is not told by events)
                    await asyncio.sleep(0.05)
            await views.close()
            return took

        took = asyncio.run(scenario())
    print(f"20 reads: {took:.3f} s")
    assert took < 4 * TIMEOUT_S, "not each of them waited for Redis"


async def _readable(views: RedisViews) -> bool:
    try:
        return await views.depth("AAPLUSD", 1) is not None
    except ViewsUnavailable:
        return False
