"""How many websockets may be open at once: in all, and of one address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from gateway.health import Metrics
from gateway.websockets.seats import Seats
from tests.binance.stream_clients import DEADLINE_S, Gateway, gateway
from tests.gateway.adapters import Floor

KINDS = [["/live/markets", "/live/market/AAPLUSD"], ["/ws", "/stream", "/ws-api/v3"]]
PROXY = ("127.0.0.0/8",)


class House:
    """A gateway behind a proxy, and websockets from any address that are open until the end."""

    def __init__(self, served: Gateway, stack: AsyncExitStack) -> None:
        self._served, self._stack = served, stack

    async def is_let_in(self, path: str, address: str) -> bool:
        """Open a websocket, and say whether it is let in: else it is told at once to come later."""
        before = self.counted()
        opened = self._served.connect(path, additional_headers={"X-Forwarded-For": address})
        live = await self._stack.enter_async_context(opened)
        assert await self._served.happens(lambda: self.counted() != before)
        if self.counted() == (before[0], before[1] + 1):
            return True
        assert self.counted() == (before[0] + 1, before[1])
        with pytest.raises(ConnectionClosed) as closed:
            await live.recv()
        assert closed.value.rcvd
        assert (closed.value.rcvd.code, "too many" in closed.value.rcvd.reason) == (1013, True)
        return False

    async def leave(self) -> None:
        """Close all."""
        await self._stack.aclose()
        assert await self._served.happens(lambda: self.counted()[1] == 0)

    def counted(self) -> tuple[float, float]:
        """Return how many the gateway says that it has refused, and how many are open."""
        text = httpx.get(f"http://127.0.0.1:{self._served.port}/metrics", trust_env=False).text
        figures = dict(line.rsplit(" ", 1) for line in text.splitlines())
        return float(figures["openbell_refused_clients_total"]), float(figures["openbell_live_clients"])


def on(url: str, venue: str, scenario: Callable[[House], Awaitable[None]], seats: int) -> None:
    async def played(served: Gateway) -> None:
        async with asyncio.timeout(DEADLINE_S), AsyncExitStack() as stack:
            await scenario(House(served, stack))

    with gateway(Floor(url, venue), clients_max=seats, trusted_proxies=PROXY) as served:
        asyncio.run(played(served))


@pytest.mark.parametrize("paths", KINDS, ids=lambda paths: paths[0])
def test_one_address_has_half_of_a_kinds_seats_and_others_have_the_rest(
    redis_url: str, venue: str, paths: list[str]
) -> None:
    async def scenario(house: House) -> None:
        for path in (paths[0], paths[-1]):
            assert await house.is_let_in(path, "192.0.2.1")
        for path in paths:
            assert not await house.is_let_in(path, "192.0.2.1")
            assert not await house.is_let_in(path, "203.0.113.9, 192.0.2.1"), "what no proxy wrote is not looked at"
        assert await house.is_let_in(paths[0], "2001:db8::1")
        assert await house.is_let_in(paths[-1], "2001:db8::ffff:2")
        assert not await house.is_let_in(paths[-1], "192.0.2.3"), "no seat is left"
        await house.leave()
        for _ in range(2):
            assert await house.is_let_in(paths[0], "192.0.2.1")

    on(redis_url, venue, scenario, 4)


def test_addresses_of_one_ipv6_network_have_the_seats_of_one(redis_url: str, venue: str) -> None:
    async def scenario(house: House) -> None:
        assert await house.is_let_in("/ws", "2001:db8::1")
        assert not await house.is_let_in("/ws", "2001:db8::ffff:2")
        assert await house.is_let_in("/ws", "2001:db8:0:1::1")

    on(redis_url, venue, scenario, 2)


def test_websockets_of_pages_and_others_are_counted_apart(redis_url: str, venue: str) -> None:
    async def scenario(house: House) -> None:
        for [first, *_] in KINDS:
            assert await house.is_let_in(first, "192.0.2.1")
            assert not await house.is_let_in(first, "192.0.2.1")

    on(redis_url, venue, scenario, 2)


@pytest.mark.parametrize(("seats", "of_one"), [(1, 1), (2, 1), (3, 1), (2_000, 1_000)])
def test_one_address_has_half_of_the_seats_and_at_least_one(seats: int, of_one: int) -> None:
    every = Seats(seats, Metrics())
    with ExitStack() as stack:
        taken = [stack.enter_context(every.take("192.0.2.1")) for _ in range(of_one + 1)]
    assert taken == [True] * of_one + [False]


def test_nothing_is_remembered_of_who_has_left() -> None:
    every = Seats(2, Metrics())
    with pytest.raises(RuntimeError), every.take("192.0.2.1"):
        raise RuntimeError
    assert not every._taken
