"""The databases that tests here run on, each on both; a database is one test's or one module's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.identity import postgresql_server
from tests.identity.directories import DATABASES, new_database


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """The folder of the socket of a PostgreSQL server."""
    with postgresql_server.running() as folder:
        yield folder


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return new_database(request, tmp_path)
