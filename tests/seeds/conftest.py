"""A Redis for the tests of this folder; each venue name is one test's own."""

from collections.abc import Iterator
from itertools import count

import pytest
import redis_server

from tests.seeds.seed_port import SeedPort, seed_port

_numbers = count(1)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def port(redis_url: str) -> Iterator[SeedPort]:
    """The seeds' port over a venue of the test's own, served by real servers."""
    with seed_port(redis_url, f"v{next(_numbers)}") as served:
        yield served
