"""A Redis for the tests of this folder; each venue name is one test's own."""

from collections.abc import Iterator
from itertools import count

import pytest
import redis_server

_numbers = count(1)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def venue() -> str:
    """A venue's name that no other test has."""
    return f"v{next(_numbers)}"
