"""Requests that are too large, too deep, too many or too slow: each gets a clear answer soon, and none a server error."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from gateway.limiting import bounds
from gateway.limiting.bounds import HEAD_BYTES_MAX, HEADERS_MAX, QUERY_BYTES_MAX, QUERY_FIELDS_MAX, BoundedHttp
from gateway.server import configured, listening
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import Bench, Floor, FloorCommands, app_over, running

DEADLINE_S = 30
SOON_S = 3.0
"""No answer may take longer, on a machine that is busy with other things too."""
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(redis_url, "bounds") as running_bench:
        yield running_bench


BODIES = {
    "arrays in arrays": b"[" * 60_000,
    "arrays in arrays, whole": b"[" * 900 + b"]" * 900,
    "objects in objects": b'{"symbol":' * 6_000,
    "nested deeper than is taken": b'{"symbol":' + b"[" * 20 + b"]" * 20 + b"}",
    "a number of many digits": b'{"quantity":' + b"9" * 60_000 + b"}",
    "a fraction of many digits": b'{"quantity":0.' + b"9" * 60_000 + b"}",
    "a number with a great exponent": b'{"quantity":1e999999999}',
    "a text of many digits": b'{"symbol":"AAPLUSD","quantity":"' + b"9" * 60_000 + b'"}',
    "a text with a great exponent": b'{"symbol":"AAPLUSD","side":"buy","quantity":"1e999999999","price":"1e-999999999"}',
    "a field many times": b'{"symbol":"AAPLUSD"' + b',"symbol":"AAPLUSD"' * 3_000 + b"}",
    "many fields": b"{" + b",".join(b'"%d":0' % number for number in range(6_000)) + b"}",
    "a long name of a field": b'{"' + b"x" * 60_000 + b'":0}',
    "no character": b'{"symbol":"\xff\xfe"}',
    "half a character": b'{"symbol":"\\ud800"}',
    "nulls": b'{"symbol":"' + b"\\u0000" * 9_000 + b'"}',
    "not a number": b'{"quantity":NaN}',
    "nothing": b"",
    "a number alone": b"1",
}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_nasty_body_is_refused_soon(bench: Bench, method: str, body: bytes) -> None:
    path = "/api/native/orders" if method == "POST" else "/api/native/orders/1"
    begun = time.monotonic()
    answer = bench.client.request(method, path, content=body, headers=JSON)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["message"]
    assert len(answer.content) < 16_384
    assert time.monotonic() - begun < SOON_S


def test_a_body_nested_as_deep_as_any_that_is_taken_is_read(bench: Bench) -> None:
    deep = b'{"symbol":' + b"[" * 14 + b'"AAPLUSD"' + b"]" * 14 + b"}"
    answer = bench.client.post("/api/native/orders", content=deep + b" " * 100, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (422, "INVALID_FIELDS")
    deeper = b'{"symbol":' + b"[" * 16 + b'"AAPLUSD"' + b"]" * 16 + b"}"
    answer = bench.client.post("/api/native/orders", content=deeper, headers=JSON)
    assert answer.json()["message"] == "The body is nested more than 16 deep."


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_its_size(bench: Bench) -> None:
    large = b" " * 65_537
    for content in (large, (large[:4_096] for _ in range(17))):
        answer = bench.client.post("/api/native/orders", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (413, "REQUEST_ENTITY_TOO_LARGE")


@pytest.mark.parametrize("path", ["/", "/api/native/trades/AAPLUSD", "/api/v3/depth", "/nothing"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("&".join(f"a{number}=1" for number in range(QUERY_FIELDS_MAX + 1)), 400),
        ("&" * 30_000, 400),
        ("a=" + "x" * QUERY_BYTES_MAX, 414),
    ],
    ids=["many", "empty", "long"],
)
def test_a_query_of_too_much_is_refused(bench: Bench, path: str, query: str, status: int) -> None:
    answer = bench.client.get(f"{path}?{query}")
    assert answer.status_code == status
    assert answer.json()["error"] in ("TOO_MANY_PARAMETERS", "QUERY_TOO_LONG")
    assert answer.headers["x-request-id"]


def test_too_many_headers_are_refused(bench: Bench) -> None:
    answer = bench.client.get("/health", headers={f"x-{number}": "1" for number in range(HEADERS_MAX + 1)})
    assert (answer.status_code, answer.json()["error"]) == (431, "TOO_MANY_HEADERS")


@contextmanager
def served(url: str, name: str) -> Iterator[tuple[str, int]]:
    """Serve the application in a thread, as the server does."""
    floor = Floor(url, name)
    config = configured(app_over(floor, FloorCommands(floor)))
    config.http = BoundedHttp
    server = uvicorn.Server(config)
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert wait_until(lambda: server.started, DEADLINE_S)
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
    assert not thread.is_alive()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, redis_url: str, venue: str) -> Iterator[tuple[str, int]]:
    """A server that gives slow clients up soon."""
    monkeypatch.setattr(bounds, "HEAD_S", 0.3)
    monkeypatch.setattr(bounds.Bounded.__init__, "__defaults__", (0.3,))
    with served(redis_url, venue) as address:
        yield address


def read_all(client: socket.socket) -> bytes:
    received = b""
    try:
        while more := client.recv(65_536):
            received += more
    except ConnectionResetError:  # the server has let go of what was still being sent
        pass
    return received


def test_a_head_is_bounded_in_size_and_time_and_other_requests_go_on(quick: tuple[str, int]) -> None:
    def connect() -> socket.socket:
        return socket.create_connection(quick, timeout=DEADLINE_S)

    with connect() as endless:
        endless.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        sent, most = 0, 500 * HEAD_BYTES_MAX  # more than the system keeps between the two of them
        try:
            while sent < most:
                sent += endless.send(b"x-%d: %s\r\n" % (sent, b"y" * 1_000))
        except OSError:
            pass
        told = read_all(endless)
        assert told.startswith(b"HTTP/1.1 431") or not told, told[:100]
        assert sent < most, "it was cut before it ended"
    with connect() as silent, connect() as slow:
        slow.sendall(b"GET /health HTT")
        assert read_all(silent) == read_all(slow) == b""
    with connect() as body:
        body.sendall(
            b"POST /api/native/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b"HTTP/1.1 408" in body.recv(65_536)
    with connect() as good:
        head = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        good.sendall(head + b"X-Long: " + b"x" * 8_000 + b"\r\n\r\n")
        assert b'{"alive":true}' in _answer(good)
        good.sendall(head + b"\r\n" + head + b"Connection: close\r\n\r\n")  # one behind the other
        assert read_all(good).count(b'{"alive":true}') == 2


def test_headers_behind_a_body_are_left_away(quick: tuple[str, int]) -> None:
    with socket.create_connection(quick, timeout=DEADLINE_S) as client:
        client.sendall(
            b"POST /csp-reports HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nTrailer: host\r\n\r\n"
            b"1\r\nx\r\n0\r\nHost: evil.example\r\n\r\n"
        )
        assert client.recv(65_536).startswith(b"HTTP/1.1 204")


def _answer(client: socket.socket) -> bytes:
    received = b""
    while b'{"alive":true}' not in received:
        more = client.recv(65_536)
        assert more, received
        received += more
    return received


def test_a_websocket_goes_through_the_bounds(quick: tuple[str, int]) -> None:
    with socket.create_connection(quick, timeout=DEADLINE_S) as client:
        client.sendall(
            b"GET /live/markets HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert client.recv(12) == b"HTTP/1.1 101"
        until = time.monotonic() + 3 * bounds.HEAD_S
        while time.monotonic() < until:
            assert client.recv(65_536), "it stays open longer than a head may take"
            client.settimeout(max(0.01, until - time.monotonic()))
            try:
                client.recv(1)
            except TimeoutError:
                break
