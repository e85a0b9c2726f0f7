"""The demo account is opened once, has something of everything, and gets what is missing and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from exchange.instruments import Instrument
from gateway.demo import DemoAccount
from gateway.endowment import endowment
from gateway.tasks import stop
from gateway.views import RedisViews
from tests.gateway.adapters import ACCOUNT, Floor, FloorCommands, until
from tests.gateway.projected import AAPL, COIN, NOW_MS

NEW = Instrument(symbol="NEWEUR", base="NEW", quote="EUR", tick="0.1", lot="0.5", base_scale=1)


def provided(
    floor: Floor, commands: FloorCommands, scenario: Callable[[DemoAccount, RedisViews], Awaitable[Any]]
) -> Any:
    async def played() -> Any:
        views = RedisViews(floor.projected.url, floor.projected.name, lambda: NOW_MS)
        try:
            return await scenario(DemoAccount(commands, views, ACCOUNT, lambda: NOW_MS), views)
        finally:
            await views.close()

    return asyncio.run(played())


def test_what_is_given_is_a_million_of_each_currency_and_ten_thousand_lots_of_each_share() -> None:
    assert endowment([AAPL, COIN, NEW]) == {
        "AAPL": 10_000,
        "COIN": 10_000,
        "NEW": 50_000,
        "USD": 10**6 * 10**5,
        "EUR": 10**6 * 100,
    }


def test_the_account_is_opened_and_funded_once_and_for_new_symbols_later(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.views.LISTED_S", 0.0)
    floor = Floor(redis_url, venue, funded=False)
    commands = FloorCommands(floor)

    async def scenario(demo: DemoAccount, views: RedisViews) -> list[dict[str, str]]:
        seen = []
        for listed in (None, NEW):
            if listed is not None:
                floor.projected.list(listed)
                floor.projected.project()
            await demo.provide()
            await demo.provide()
            account = await views.account(ACCOUNT)
            seen.append({balance.asset: balance.available for balance in account.balances})
        return seen

    first, second = provided(floor, commands, scenario)
    assert first == {"AAPL": "10000", "COIN": "10.000", "USD": "1000000.00000"}
    assert second == {**first, "NEW": "5000.0", "EUR": "1000000.00"}
    requests = [command.request_id for command in commands.written]
    assert requests == [
        "demo-open",
        "demo-fund-AAPL",
        "demo-fund-COIN",
        "demo-fund-USD",
        "demo-fund-EUR",
        "demo-fund-NEW",
    ]


def test_sending_it_twice_gives_nothing_twice(redis_url: str, venue: str) -> None:
    floor = Floor(redis_url, venue, funded=False)
    commands = FloorCommands(floor)

    async def scenario(demo: DemoAccount, views: RedisViews) -> str:
        commands.shown = False
        await demo.provide()
        await demo.provide()
        floor.projected.project()
        [usd] = [balance for balance in (await views.account(ACCOUNT)).balances if balance.asset == "USD"]
        return usd.total

    assert provided(floor, commands, scenario) == "1000000.00000"


@pytest.mark.parametrize("away", ["views", "commands"])
def test_nothing_is_sent_while_something_is_away(redis_url: str, venue: str, away: str) -> None:
    floor = Floor(redis_url, venue, funded=False)
    commands = FloorCommands(floor)
    if away == "views":
        floor.projected.store._redis.delete(floor.projected.store.keys.beat)
    else:
        commands.up = False

    async def scenario(demo: DemoAccount, _: RedisViews) -> None:
        await demo.provide()

    provided(floor, commands, scenario)
    assert commands.written == []


def test_what_it_waits_for_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("gateway.demo.CHECK_S", 0.001)
    views = RedisViews("redis://127.0.0.1:1", "none")
    demo = DemoAccount(cast(Any, None), views, ACCOUNT, lambda: NOW_MS)

    async def scenario() -> None:
        looks = 0

        async def provide() -> None:
            nonlocal looks
            looks += 1
            await views.instruments()

        monkeypatch.setattr(demo, "provide", provide)
        running = asyncio.create_task(demo.run())
        async with asyncio.timeout(20):
            await until(lambda: looks > 3)
        await stop([running])
        await views.close()

    with caplog.at_level("INFO", "openbell"), caplog.at_level("INFO", "gateway"):
        asyncio.run(scenario())
    assert len([record for record in caplog.records if "the demo account waits" in record.message]) == 1
