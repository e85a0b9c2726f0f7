"""Directories for tests: on one database, with a clock that stands still, cheap hashes, and all that they tell of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from gateway.identity.core import Origin
from gateway.identity.directory import Directory
from gateway.identity.events import SecurityEvent
from gateway.identity.secrets import SecretKey
from tests.identity import postgresql_server

PASSWORD = "staple-Battery-9"
OTHER = "another-Horse-17"
HOME = Origin("192.0.2.7", "Firefox")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
DATABASES = ("sqlite", "postgresql")

_numbers = count(1)


def new_database(request: pytest.FixtureRequest, folder: Path) -> str:
    """Return an empty database of the kind that a fixture is parametrized with."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{folder}/identity.db"
    return postgresql_server.new_database(request.getfixturevalue("postgresql"), f"test{next(_numbers)}")


class Clock:
    """The wall's clock of all directories of a test, in milliseconds."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def pass_s(self, seconds: float) -> None:
        self.ms += int(seconds * 1_000)


class World:
    """One database and the directories on it, as of several gateways."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock()
        self.secret = SecretKey.new()
        self.told: list[SecurityEvent] = []

    def directory(self, **settings: Any) -> Directory:
        async def tell(event: SecurityEvent) -> None:
            self.told.append(event)

        given = {"tell": tell, "now_ms": self.clock, "hasher": CHEAP} | settings
        return Directory(self.url, given.pop("secret", self.secret), **given)

    @asynccontextmanager
    async def directories(self, count: int, **settings: Any) -> AsyncIterator[list[Directory]]:
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.directory(**settings).running()) for _ in range(count)]

    def events(self) -> list[str]:
        return [event.what for event in self.told]


def played(world: World, scenario: Callable[..., Awaitable[Any]], *, directories: int = 1, **settings: Any) -> Any:
    """Play a scenario with so many directories, within a minute."""

    async def playing() -> Any:
        async with asyncio.timeout(60), world.directories(directories, **settings) as made:
            return await scenario(*made)

    return asyncio.run(playing())


async def until(asked: Callable[[], Awaitable[bool]], within_s: float) -> float:
    """Ask until it is so; return how long that took, and fail if it takes longer than `within_s`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await asked():
        assert loop.time() - began < within_s, f"not within {within_s} s"
        await asyncio.sleep(0.02)
    return loop.time() - began
