"""Users in a database, made once, a real Redis, and the application with what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis_server
from litestar.testing import TestClient

from tests.binance.trading_desk import Desk, Users
from tests.gateway.adapters import LOCAL, FloorCommands
from tests.openapi.served_app import app_with


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    """A database of users, made once."""
    return Users(tmp_path_factory.mktemp("users"))


@pytest.fixture(scope="module")
def desk(redis_url: str, users: Users, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """The application, with a venue of the module's own."""
    app, floor = app_with(redis_url, request.module.__name__.rpartition("_")[2], users.directory())
    with TestClient(app, base_url=LOCAL) as client:
        client.follow_redirects = False
        yield Desk(client, floor, FloorCommands(floor), users.keys)


@pytest.fixture(scope="module")
def document(desk: Desk) -> dict[str, Any]:
    """The description of the interfaces."""
    made: dict[str, Any] = desk.client.get("/openapi.json").json()
    return made
