"""The application over real machines, a real projection and a real Redis; only Kafka and Flink are left out.

A command is applied by the machines in memory at once and its outcome projected, unless a test holds it back.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from exchange.analysis import MarketData
from exchange.messages import AccountCommand, DeadLetter, shard_of
from exchange.topics import ACCOUNT_INBOX, DEAD_LETTERS, MARKET_DATA
from gateway.alerts.rules import AlertPorts, MemoryAlertRules
from gateway.app import create_app
from gateway.audit.event import Audit
from gateway.changes import RedisChanges
from gateway.identity.directory import Directory
from gateway.limiting.ports import Limits
from gateway.ports import NotTaken, UnknownOutcome
from gateway.services import GatewaySettings
from gateway.views import RedisViews
from tests.gateway.projected import AAPL, COIN, NOW_MS, SHARDS, Projected

ACCOUNT = "demo"
LOCAL = "http://127.0.0.1"
DEADLINE_S = 30
"""How long a test that is played may take."""


def played(scenario: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop."""

    @functools.wraps(scenario)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(scenario(*args, **kwargs), DEADLINE_S))

    return run


class Floor:
    """A venue with AAPLUSD and COINUSD listed, and a maker in AAPLUSD: bids at 99.00 and 98.00, asks at 101.00 and 102.00."""

    def __init__(self, url: str, name: str, *, funded: bool = True) -> None:
        self.projected = Projected(url, name)
        self.lock = threading.Lock()
        self.projected.list(AAPL, COIN)
        self.projected.fund("maker", USD=10**13, AAPL=10**6, COIN=10**9)
        for side, price in (("buy", 9_900), ("buy", 9_800), ("sell", 10_100), ("sell", 10_200)):
            self.projected.order("maker", side, price, 100)
        if funded:
            self.projected.fund(ACCOUNT, USD=10**12, AAPL=10_000, COIN=10**7)
        self.projected.show()

    def order(self, side: str, price: int, quantity: int, symbol: str = "AAPLUSD", account: str = "maker") -> None:
        """Place an order of another account, and let everybody see what comes of it."""
        with self.lock:
            self.projected.order(account, side, price, quantity, symbol)
            self.projected.project(publish=True)


class FloorCommands:
    """Writes commands to a floor. Implements `ports.Commands`, `ports.Outside` and `admin.operating.OperatorCommands`, and fails as a test asks."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.up = True
        self.shown = True
        """Whether the outcomes of commands reach the views."""
        self.confirmed = True
        """Whether whoever wrote a command is told that it is in the log."""
        self.written: list[AccountCommand] = []

    def available(self) -> bool:
        return self.up

    async def write(self, command: AccountCommand) -> None:
        await self.write_many([command])

    async def write_many(self, commands: Sequence[AccountCommand]) -> None:
        self.written += commands if self.up else []
        shards = {shard_of(command.account, SHARDS): None for command in commands}
        of = {shard: [one for one in commands if shard_of(one.account, SHARDS) == shard] for shard in shards}
        self._write(ACCOUNT_INBOX, of)

    shards = SHARDS

    async def operate(self, inbox: str, commands: Mapping[str, Sequence[Any]]) -> None:
        self._write(inbox, {key: list(some) for key, some in commands.items()})

    async def record(self, facts: Sequence[MarketData]) -> None:
        self._write(MARKET_DATA, {fact.symbol: [fact] for fact in facts})

    async def refuse(self, letter: DeadLetter) -> None:
        self._write(DEAD_LETTERS, {letter.topic: [letter]})

    def _write(self, topic: str, messages: Mapping[str, list[Any]]) -> None:
        if not self.up:
            raise NotTaken("the exchange cannot be reached now: nothing was sent")
        with self.floor.lock:
            for key, some in messages.items():
                self.floor.projected.venue.write(topic, key, some)
            if self.shown:
                self.floor.projected.project(publish=True)
        if not self.confirmed:
            raise UnknownOutcome("the request was sent, but the exchange has not confirmed that it has it")


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until something is so; the caller bounds the time."""
    while not condition():  # noqa: ASYNC110  (what is waited for is not told by events)
        await asyncio.sleep(0.001)


def app_over(
    floor: Floor,
    commands: Any,
    *,
    rules: MemoryAlertRules | None = None,
    directory: Directory | None = None,
    counted_by: Limits | None = None,
    audit: Audit | None = None,
    **settings: Any,
) -> Litestar:
    """Return the application over a floor, other keywords being fields of `GatewaySettings`.

    `rules` are its alerts, `directory` its users (it runs as long), `counted_by` its limits.
    """
    views = RedisViews(floor.projected.url, floor.projected.name, lambda: NOW_MS)
    changes = RedisChanges(floor.projected.url, floor.projected.name)

    @asynccontextmanager
    async def ports(_: Litestar) -> AsyncIterator[None]:
        await changes.start()
        try:
            async with nullcontext() if directory is None else directory.running():
                yield
        finally:
            await changes.close()
            await views.close()

    wanted = {"venue": floor.projected.name, "allowed_hosts": ("localhost", "127.0.0.1"), "demo_account": ACCOUNT}
    given = GatewaySettings(**{**wanted, **settings})
    rules = rules or MemoryAlertRules()
    alerts = AlertPorts(rules, rules)
    return create_app(
        given,
        commands,
        views,
        changes,
        now_ms=lambda: NOW_MS,
        lifespan=[ports],
        alerts=alerts,
        identities=directory,
        limits=counted_by,
        audit=audit,
    )


class Bench:
    """A running application with all that a test wants to reach of it."""

    def __init__(self, client: TestClient[Litestar], floor: Floor, commands: FloorCommands) -> None:
        self.client = client
        self.floor = floor
        self.commands = commands


@contextmanager
def running(url: str, name: str, **settings: Any) -> Iterator[Bench]:
    """Run the application in this process, its demo account funded."""
    floor = Floor(url, name)
    commands = FloorCommands(floor)
    with TestClient(app_over(floor, commands, **settings), base_url=LOCAL) as client:
        client.follow_redirects = False
        yield Bench(client, floor, commands)
