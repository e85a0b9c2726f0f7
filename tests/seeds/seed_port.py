"""The gateway and its seeds' port, served by real servers over real machines, a real projection and a real Redis; only Kafka is left out."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import uvicorn
from litestar import Litestar

from exchange.listing_file import StockDetails
from gateway.seeds.app import create_seed_app
from gateway.seeds.serving import serve_together
from gateway.server import configured, listening
from openbell.listings import load
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import ACCOUNT, Floor, FloorCommands, app_over

DEADLINE_S = 20


class SeedPort:
    """A served seeds' port, and what stands behind it."""

    def __init__(self, url: str, floor: Floor, commands: FloorCommands, app: Litestar) -> None:
        self.url = url
        self.floor = floor
        self.commands = commands
        self.app = app

    def ask(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None) -> tuple[int, Any]:
        """Ask by a new connection, as a small client does; return the status and the JSON."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def written(self, topic: str, decode: Any) -> list[Any]:
        with self.floor.lock:
            return list(self.floor.projected.venue.read(topic, decode))


@cache
def known() -> dict[str, StockDetails]:
    """Return what the listing file says of companies."""
    return {symbol: listing.details for symbol, listing in load().items()}


@contextmanager
def seed_port(redis_url: str, venue: str, account: str | None = ACCOUNT) -> Iterator[SeedPort]:
    """Serve a venue; `account` trades by the seeds' port."""
    floor = Floor(redis_url, venue)
    commands = FloorCommands(floor)
    main = app_over(floor, commands)
    services = main.dependencies["services"].dependency()
    app = create_seed_app(services, commands, account, known())
    listeners = [listening("127.0.0.1", 0) for _ in range(2)]
    first = uvicorn.Server(configured(main))
    beside = [(configured(app), listeners[1])]
    thread = threading.Thread(target=lambda: asyncio.run(serve_together(first, listeners[0], beside)))
    thread.start()
    try:
        port = SeedPort(f"http://127.0.0.1:{listeners[1].getsockname()[1]}", floor, commands, app)
        assert wait_until(lambda: first.started and port.ask("GET", "/health")[0] == 200, DEADLINE_S, every=0.02)
        yield port
    finally:
        first.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
