"""A client's book, kept by the recipe that Binance publishes, against snapshots: on random flow, over a gateway's restart and over two gateways."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from exchange import messages as m
from gateway.keys import STEPS_MAX
from gateway.views import RedisViews
from tests.binance.stream_clients import DEADLINE_S, Gateway, gateway, receive
from tests.gateway.adapters import Floor
from tests.gateway.projected import NOW_MS

BOOKS, ROUNDS = 10, 100
COMPARED = BOOKS * ROUNDS
STREAM = "/ws/aaplusd@depth@100ms"
SEED = 7
MAKERS = ("m1", "m2", "m3", "m4", "m5", "m6")


class LocalBook:
    """A book as a client keeps it: a snapshot of the server `rest`, brought up to date by events from a stream of maybe another."""

    def __init__(self, live: ClientConnection, rest: httpx.AsyncClient) -> None:
        self._live, self._rest = live, rest
        self.id = -1
        self.sides: dict[str, dict[str, str]] = {}
        self._applied = False

    async def begin(self) -> None:
        snapshot = await shown(self._rest)
        self.id = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self._applied = False

    async def follow(self, until: int) -> None:
        """Apply events until one ends at or after an event of the book."""
        while self.id < until:
            event = await receive(self._live)
            if event["u"] <= self.id:
                continue
            if self._applied:
                assert event["U"] == self.id + 1, "a gap between two events"
            elif event["U"] > self.id + 1:
                await self.begin()
                continue
            self._applied = True
            for side in "ba":
                for price, quantity in event[side]:
                    if float(quantity):
                        self.sides[side][price] = quantity
                    else:
                        self.sides[side].pop(price, None)
            self.id = event["u"]

    def top(self) -> dict[str, Any]:
        bids = sorted(self.sides["b"].items(), key=lambda level: -float(level[0]))
        asks = sorted(self.sides["a"].items(), key=lambda level: float(level[0]))
        return {"lastUpdateId": self.id, "bids": list(map(list, bids)), "asks": list(map(list, asks))}


async def shown(rest: httpx.AsyncClient) -> Any:
    answer = await rest.get("/api/v3/depth", params={"symbol": "AAPLUSD", "limit": 5_000})
    return answer.raise_for_status().json()


class Flow:
    """Orders at random, on a book of more prices than are shown, in batches that hide much of what goes on between them."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.dice = random.Random(SEED)
        self._placed: list[tuple[str, str]] = []
        for account in MAKERS:
            floor.projected.fund(account, USD=10**13, AAPL=10**6)
        for side, low, high in (("buy", 9_600, 9_900), ("sell", 10_100, 10_400)):
            for price in range(low, high):
                self._place(side, price)
        floor.projected.project(publish=True)

    def _place(self, side: str, price: int) -> None:
        quantity = self.dice.randint(1, 20)
        account = self.dice.choice(MAKERS)
        self._placed.append((account, self.floor.projected.order(account, side, price, quantity)))

    def step(self) -> None:
        """Let some orders come and go, in one batch or some."""
        with self.floor.lock:
            for _ in range(self.dice.randint(1, 3)):
                for _ in range(self.dice.randint(1, 6)):
                    if self._placed and self.dice.random() < 0.45:
                        account, gone = self._placed.pop(self.dice.randrange(len(self._placed)))
                        self.floor.projected.send(m.CancelOrder, account, order_request_id=gone)
                    else:
                        side = self.dice.choice(("buy", "sell"))
                        around = 9_950 if side == "buy" else 10_050
                        self._place(side, around + self.dice.randint(-80, 80))
                self.floor.projected.project(publish=True)


@pytest.mark.slow
def test_a_book_kept_by_the_published_recipe_equals_the_snapshot_each_time(redis_url: str, venue: str) -> None:
    print(f"seed {SEED}")
    flow = Flow(Floor(redis_url, venue))

    async def compare(gateways: list[Gateway], rounds: int) -> list[bool]:
        """Follow the streams of gateways with books that begin at moments of their own, with snapshots of either gateway; compare all each time."""
        equal: list[bool] = []
        async with AsyncExitStack() as stack:
            bases = [f"http://127.0.0.1:{each.port}" for each in gateways]
            rests = [await stack.enter_async_context(httpx.AsyncClient(base_url=base)) for base in bases]
            books = []
            for number in range(BOOKS):
                flow.step()
                live = await stack.enter_async_context(gateways[number % len(gateways)].connect(STREAM))
                flow.step()
                books.append(LocalBook(live, flow.dice.choice(rests)))
                await books[-1].begin()
            for _ in range(rounds):
                for _ in range(flow.dice.randint(1, 3)):
                    flow.step()
                snapshot = await shown(flow.dice.choice(rests))
                for book in books:
                    await book.follow(snapshot["lastUpdateId"])
                    equal.append(book.top() == snapshot)
                anew = flow.dice.choice(books)  # as somebody who comes in the middle of it all
                flow.step()
                await anew.begin()
        return equal

    async def scenario() -> list[bool]:
        async with asyncio.timeout(6 * DEADLINE_S):
            with ExitStack() as open_to_the_end:
                second = open_to_the_end.enter_context(gateway(flow.floor))
                with gateway(flow.floor) as first:
                    equal = await compare([first, second], ROUNDS // 2)
                with gateway(flow.floor) as restarted:
                    return equal + await compare([restarted, second], ROUNDS - ROUNDS // 2)

    equal = asyncio.run(scenario())
    assert (len(equal), sum(equal)) == (COMPARED, COMPARED)


def test_a_change_between_two_readings_that_was_undone_is_told_and_one_too_old_is_said_to_be_gone(
    redis_url: str, venue: str
) -> None:
    floor = Floor(redis_url, venue)

    async def scenario() -> None:
        views = RedisViews(redis_url, venue, lambda: NOW_MS)
        first = await views.depth("AAPLUSD", 200)
        assert first
        floor.order("buy", 9_950, 5)
        between = await views.depth("AAPLUSD", 200)
        assert between
        floor.order("sell", 9_950, 5)
        change = await views.book_change("AAPLUSD", first.seq)
        assert change
        assert (change.complete, change.bids, change.asks) == (True, [("99.50", "0")], [])
        assert await views.book_change("NOPE", 1) is None
        now = await views.book_change("AAPLUSD", change.seq)
        assert now
        assert (now.complete, now.seq, now.bids, now.asks) == (True, change.seq, [], [])
        for number in range(STEPS_MAX + 1):
            floor.order("buy", 9_000 + number % 2, 1)
        gone = await views.book_change("AAPLUSD", change.seq)
        assert gone
        assert not gone.complete
        await views.close()

    asyncio.run(scenario())
