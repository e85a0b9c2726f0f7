"""Users in a database, made once, and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis_server

from tests.binance.trading_desk import Users


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    """A database of users, made once."""
    return Users(tmp_path_factory.mktemp("users"))
