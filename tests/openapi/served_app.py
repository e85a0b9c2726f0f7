"""A real server over real machines, a real projection, a real Redis and real users, with a market in which much has happened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar

from gateway.identity.directory import Directory
from gateway.server import configured, listening
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import Floor, FloorCommands, app_over

DEADLINE_S = 20


def app_with(redis_url: str, venue: str, directory: Directory | None) -> tuple[Litestar, Floor]:
    """Return the application over a venue that has traded."""
    floor = Floor(redis_url, venue)
    floor.projected.fund("bob", USD=10**12, AAPL=10_000)
    floor.projected.trade_about(seed=7, orders=60)
    for price in (10_100, 10_200):
        floor.projected.order("demo", "buy", price, 3)
    floor.projected.order("demo", "buy", 5_000, 1)
    floor.projected.project(publish=True)
    return app_over(floor, FloorCommands(floor), directory=directory, access_log="off"), floor


@contextmanager
def served(app: Litestar) -> Iterator[str]:
    """Serve an application, and return its URL."""
    listener = listening("127.0.0.1", 0)
    server = uvicorn.Server(configured(app))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        assert wait_until(lambda: server.started, DEADLINE_S, every=0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
