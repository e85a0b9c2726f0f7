"""What requests are charged, and how those that ask too much are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest
import redis_server
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from gateway.limiting.local import LocalLimits
from gateway.limiting.redis_limits import RedisLimits
from gateway.limiting.settings import LimitSettings
from tests.gateway.adapters import LOCAL, Bench, Floor, FloorCommands, app_over

NOW_S = 999_999_990.0
"""The clock of the limits: 30 s before the end of a minute."""
ORDER = {"symbol": "AAPLUSD", "side": "buy", "kind": "limit", "price": "99.00", "quantity": "1"}

Bound = Callable[..., AbstractContextManager[Bench]]


@pytest.fixture
def bound(redis_url: str, venue: str) -> Bound:
    """Run the application with limits, those that are named in place of the usual ones."""

    @contextmanager
    def run(counted_by: Any = None, **limits: int) -> Iterator[Bench]:
        floor = Floor(redis_url, venue)
        commands = FloorCommands(floor)
        counting = counted_by or LocalLimits(now_s=lambda: NOW_S)
        app = app_over(floor, commands, counted_by=counting, limits=LimitSettings(**limits))
        with TestClient(app, base_url=LOCAL) as client:
            client.follow_redirects = False
            yield Bench(client, floor, commands)

    return run


def test_a_client_of_the_binance_shaped_api_is_told_what_it_has_used_and_refused_in_binances_words(
    bound: Bound,
) -> None:
    with bound(weight_1m=22) as bench:
        first = bench.client.get("/api/v3/exchangeInfo")
        assert (first.status_code, first.headers["x-mbx-used-weight-1m"]) == (200, "20")
        second = bench.client.get("/api/v3/ping")
        assert (second.status_code, second.headers["x-mbx-used-weight-1m"]) == (200, "21")
        refused = bench.client.get("/api/v3/exchangeInfo")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "30"
        assert refused.headers["x-mbx-used-weight-1m"] == "21"
        assert refused.json()["code"] == -1003
        assert "22 request weight per 1 MINUTE" in refused.json()["msg"]
        assert bench.client.get("/api/v3/ping").status_code == 200, "what still fits is granted"
        assert 'openbell_limits_refused_total{limit="weight"} 1.0' in bench.client.get("/metrics").text


def test_the_native_api_and_pages_refuse_in_their_own_forms(bound: Bound) -> None:
    with bound(weight_1m=1) as bench:
        assert bench.client.get("/api/native/instruments").status_code == 200
        refused = bench.client.get("/api/native/instruments")
        assert (refused.status_code, refused.json()["error"]) == (429, "TOO_MANY_REQUESTS")
        assert refused.json()["message"] == "Too many requests: at most 1 are taken in one minute. Try again in 30 s."
        assert refused.headers["retry-after"] == "30"
        page = bench.client.get("/")
        assert (page.status_code, page.headers["retry-after"]) == (429, "30")
        assert page.headers["content-type"].startswith("text/html")
        assert "Try again in 30 s" in page.text


def test_what_must_always_answer_is_not_counted(bound: Bound) -> None:
    with bound(weight_1m=1, raw_5m=1) as bench:
        for path in ("/health", "/metrics", "/static/openbell.css", "/health"):
            assert bench.client.get(path).status_code == 200, path
        assert bench.client.get("/ready").status_code in (200, 503)
        assert bench.client.get("/api/native/instruments").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/", 405), ("GET", "/api/native/nowhere", 404), ("PATCH", "/health", 405)],
)
def test_what_no_route_takes_weighs_1_and_is_refused_like_all_else(
    bound: Bound, method: str, path: str, status: int
) -> None:
    with bound(weight_1m=2) as bench:
        assert bench.client.request(method, path).status_code == status
        assert bench.client.get("/api/v3/ping").headers["x-mbx-used-weight-1m"] == "2"
        refused = bench.client.request(method, path)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        form = "application/json" if path.startswith("/api/") else "text/html"
        assert refused.headers["content-type"].startswith(form)
        assert "at most 2 are taken in one minute" in refused.text
        assert bench.client.get("/api/v3/ping").status_code == 429
        assert 'openbell_limits_refused_total{limit="weight"} 2.0' in bench.client.get("/metrics").text


def test_what_no_route_of_the_binance_shaped_api_takes_is_told_in_binances_words_with_what_it_has_used(
    bound: Bound,
) -> None:
    with bound(weight_1m=2) as bench:
        for used, (method, path, status) in enumerate((("GET", "nowhere", 404), ("DELETE", "ping", 405)), start=1):
            answer = bench.client.request(method, f"/api/v3/{path}")
            assert (answer.status_code, answer.json()["code"]) == (status, -5000)
            assert answer.headers["x-mbx-used-weight-1m"] == str(used)
        refused = bench.client.get("/api/v3/nowhere")
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, -1003, "30")


def test_a_routed_request_that_fails_is_charged_once(bound: Bound) -> None:
    with bound() as bench:
        assert bench.client.get("/market/NOSUCH").status_code == 404
        assert bench.client.get("/api/v3/ping").headers["x-mbx-used-weight-1m"] == "2"


def test_orders_are_charged_to_their_account_before_they_are_written(bound: Bound) -> None:
    with bound(orders_10s=3) as bench:
        taken = bench.client.post("/api/native/orders", json=ORDER)
        assert taken.status_code == 201
        legs = {"symbol": "AAPLUSD", "side": "sell", "quantity": "1", "first": {}, "second": {}}
        bench.client.post("/api/native/orders/oco", json=legs)  # of two orders, whatever becomes of them
        written = len(bench.commands.written)
        refused = bench.client.post("/api/native/orders", json=ORDER)
        assert (refused.status_code, refused.json()["error"]) == (429, "TOO_MANY_ORDERS")
        assert refused.headers["retry-after"] == "10"
        assert len(bench.commands.written) == written
        assert bench.client.delete("/api/native/orders").status_code == 200, "whoever may place none may still cancel"
        assert bench.client.get("/api/native/orders").status_code == 200


def test_with_redis_away_orders_are_still_taken(bound: Bound) -> None:
    away = RedisLimits(f"redis://127.0.0.1:{redis_server.free_port()}/0", "replay", gateways=4)
    with bound(counted_by=away, orders_10s=8) as bench:
        statuses = [bench.client.post("/api/native/orders", json=ORDER).status_code for _ in range(3)]
        assert statuses == [201, 201, 429], "as many as this gateway's share"
        assert "openbell_limits_together 0.0" in bench.client.get("/metrics").text


def test_too_many_websockets_of_an_address_are_refused_before_they_open(bound: Bound) -> None:
    with bound(sockets_5m=2) as bench:
        for _ in range(2):
            with bench.client.websocket_connect("/live/markets") as socket:
                socket.receive()
        with pytest.raises(WebSocketDisconnect) as refused, bench.client.websocket_connect("/live/markets") as socket:
            socket.receive()
        assert refused.value.code == 1013
        assert 'openbell_limits_refused_total{limit="sockets"} 1.0' in bench.client.get("/metrics").text


def test_clients_behind_a_trusted_proxy_are_counted_one_by_one(redis_url: str, venue: str) -> None:
    floor = Floor(redis_url, venue)
    app = app_over(
        floor,
        FloorCommands(floor),
        counted_by=LocalLimits(now_s=lambda: NOW_S),
        limits=LimitSettings(raw_5m=1),
        trusted_proxies=("10.0.0.0/8",),
    )

    async def ask(peer: str, *forwarded: str) -> int:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url=LOCAL) as client:
            headers = [("x-forwarded-for", each) for each in forwarded]
            return (await client.get("/api/v3/ping", headers=headers)).status_code

    async def scenario() -> list[int]:
        return [
            await ask("10.0.0.1", "203.0.113.1"),
            await ask("10.0.0.2", "203.0.113.2"),
            await ask("10.0.0.1", "198.51.100.1, 203.0.113.1"),  # what the client wrote itself does not help it
            await ask("192.0.2.1", "203.0.113.3"),
            await ask("192.0.2.1", "203.0.113.4"),
        ]

    assert asyncio.run(scenario()) == [200, 200, 429, 200, 429]
