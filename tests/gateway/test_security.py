"""Who may ask, for which host, and what a browser may do with the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from litestar.exceptions import WebSocketDisconnect

from gateway.security import HEADERS
from tests.gateway.adapters import Bench, running

FORM = {"side": "buy", "price": "1.00", "quantity": "1"}


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(
        redis_url, "security", allowed_hosts=("localhost", "127.0.0.1", "[::1]", "Exchange.Example")
    ) as started:
        yield started


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/market/AAPLUSD", 200),
        ("GET", "/market/NOPE", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/", 405),
        ("GET", "/api/native/markets", 200),
        ("GET", "/api/native/nothing", 404),
        ("POST", "/api/native/orders", 415),
        ("POST", "/market/AAPLUSD/orders", 415),
        ("GET", "/health", 200),
        ("GET", "/metrics", 200),
        ("GET", "/static/openbell.js", 200),
        ("GET", "/static/nothing.js", 404),
    ],
)
def test_every_answer_has_the_security_headers(bench: Bench, method: str, path: str, status: int) -> None:
    answer = bench.client.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:1", "[::1]", "[::1]:80", "exchange.example:443"]
)
def test_allowed_hosts_are_served(bench: Bench, host: str) -> None:
    assert bench.client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.example:localhost",
        "10.0.0.1",
        "[::2]",
        "localhost:x",
        "a\x00b",
    ],
)
def test_other_hosts_are_refused(bench: Bench, host: str) -> None:
    refused = bench.client.get("/health", headers={"host": host})
    assert (refused.status_code, refused.json()["error"]) == (400, "HOST_NOT_ALLOWED")
    assert {name: refused.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("hosts", [("evil.example", "localhost"), ("localhost", "evil.example")])
def test_a_request_that_names_two_hosts_is_refused_for_who_stands_between_may_take_the_other_one(
    bench: Bench, hosts: tuple[str, str]
) -> None:
    refused = bench.client.get("/health", headers=[("host", host) for host in hosts])
    assert (refused.status_code, refused.json()["error"]) == (400, "HOST_NOT_ALLOWED")


def test_a_star_allows_all_hosts(redis_url: str, venue: str) -> None:
    with running(redis_url, venue, allowed_hosts=("*",)) as open_to_all:
        assert open_to_all.client.get("/health", headers={"host": "any.example"}).status_code == 200


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "nonsense"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
    {"origin": "http://evil.example"},
    {"origin": "http://127.0.0.1.evil.example"},
    {"origin": "http://127.0.0.1:8001"},
    {"origin": "null"},
    {"origin": "http://["},
    {"origin": "http://127.0.0.1/x"},
    {"origin": ""},
]
OWN = [
    {},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://127.0.0.1"},
    {"origin": "https://127.0.0.1"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_what_another_site_sends_is_not_carried_out(bench: Bench, headers: dict[str, str]) -> None:
    assert bench.client.post("/market/AAPLUSD/orders", data=FORM, headers=headers).status_code == 403
    refused = bench.client.delete("/api/native/orders/16", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (403, "CROSS_SITE")
    with pytest.raises(WebSocketDisconnect), bench.client.websocket_connect("/live/markets", headers=headers):
        pass
    assert bench.commands.written == []
    assert bench.client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_what_our_own_pages_and_programs_send_is_carried_out(bench: Bench, headers: dict[str, str]) -> None:
    assert bench.client.post("/market/AAPLUSD/orders", data=FORM, headers=headers).status_code == 303
    bench.commands.written.clear()
    with bench.client.websocket_connect("/live/markets", headers=headers) as socket:
        assert 'id="' in socket.receive_text()


def test_a_websocket_for_another_host_is_refused(bench: Bench) -> None:
    with pytest.raises(WebSocketDisconnect), bench.client.websocket_connect("/live/markets", headers={"host": "evil"}):
        pass
