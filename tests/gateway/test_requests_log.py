"""What is logged of requests, in which form, and that nothing from outside can write lines of its own."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.audit.event import event_of
from gateway.logs import JsonLines, TextLines
from gateway.request_ids import REQUEST_ID
from gateway.requests_log import LINES_PER_S, LOG, RequestLog
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import Bench, running

GIVEN = "balancer-0123456789.abc_DEF"
NASTY = "x\r\nERROR forged\n\x1b[31m\u2028y"


@pytest.fixture
def bench(redis_url: str, venue: str) -> Iterator[Bench]:
    with running(redis_url, venue) as running_bench:
        yield running_bench


@pytest.fixture
def everything(redis_url: str, venue: str) -> Iterator[Bench]:
    with running(redis_url, venue, access_log="all") as running_bench:
        yield running_bench


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.fields for record in caplog.records if record.name == LOG.name and hasattr(record, "fields")]


def test_every_answer_bears_an_id_and_takes_over_one_that_is_sane(bench: Bench) -> None:
    made = [bench.client.get(path).headers["x-request-id"] for path in ("/health", "/health", "/nothing", "/")]
    assert len(set(made)) == 4
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in made)
    assert bench.client.get("/health", headers={"x-request-id": GIVEN}).headers["x-request-id"] == GIVEN
    refused = bench.client.get("/health", headers={"host": "evil.example", "x-request-id": GIVEN})
    assert (refused.status_code, refused.headers["x-request-id"]) == (400, GIVEN)
    for insane in ("short", "x" * 65, "with space 12", "semi;colon12", "new\tline1234", "ümlaut-1234"):
        answer = bench.client.get("/health", headers={"x-request-id": insane.encode()})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"]), insane
    twice = bench.client.get("/health", headers=[("x-request-id", GIVEN), ("x-request-id", GIVEN)])
    assert twice.headers["x-request-id"] != GIVEN


def test_a_websocket_bears_one_too(bench: Bench) -> None:
    with bench.client.websocket_connect("/live/markets", headers={"x-request-id": GIVEN}) as socket:
        assert (b"x-request-id", GIVEN.encode()) in [tuple(each) for each in socket.extra_headers or []]


def test_usual_requests_are_not_logged_and_refused_ones_are(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for path in ("/health", "/api/native/markets", "/api/native/markets/NOPE", "/market/NOPE"):
        bench.client.get(path)
    assert lines(caplog) == []
    bench.client.get("/health", headers={"host": "evil.example"})
    bench.client.post("/api/native/orders", json={}, headers={"sec-fetch-site": "cross-site"})
    told = lines(caplog)
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("GET", "none", 400),
        ("POST", "none", 403),
    ]
    assert all(set(line) == {"method", "route", "status", "ms", "address"} for line in told)


def test_a_failure_of_the_server_is_logged_with_the_id_that_the_client_has(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("gateway.views.RedisViews.summaries", broken)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    try:
        answer = bench.client.get("/api/native/markets", headers={"x-request-id": GIVEN})
    finally:
        logging.getLogger().removeHandler(handler)
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, GIVEN)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    error, request = [line for line in told if line["logger"] in ("gateway.problems", "openbell.requests")]
    assert (error["request_id"], error["level"], error["message"]) == (GIVEN, "ERROR", "a request failed")
    assert "RuntimeError: a bug" in error["error"]
    assert (request["request_id"], request["route"], request["status"]) == (GIVEN, "/api/native/markets", 500)
    assert lines(caplog)[0]["status"] == 500


def test_all_requests_are_logged_where_that_is_asked_for_and_none_where_that_is(
    everything: Bench, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    everything.client.get("/market/AAPLUSD?password=hunter2")
    everything.client.get("/hunter2")
    with everything.client.websocket_connect("/live/markets"):
        pass
    assert wait_until(lambda: len(lines(caplog)) == 3, 30)
    told = [(line["method"], line["route"], line["status"]) for line in lines(caplog)]
    assert told == [
        ("GET", "/market/{symbol}", 200),
        ("GET", "none", 404),
        ("WEBSOCKET", "/live/markets", 101),
    ]
    assert not any("hunter2" in record.getMessage() for record in caplog.records if record.name == LOG.name)
    caplog.clear()
    with running(redis_url, "log-off", access_log="off") as off:
        off.client.get("/health", headers={"host": "evil.example"})
    assert lines(caplog) == []


def test_nonsense_in_any_number_does_not_fill_the_disk(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        del receive
        await send({"type": "http.response.start", "status": scope["status"]})

    log = RequestLog(refusing, "notable", clock_s=lambda: now[0])

    async def ask(status: int, times: int) -> None:
        async def sent(message: Any) -> None:
            assert message["status"] == status

        for _ in range(times):
            await log({"type": "http", "headers": [], "method": "GET", "status": status}, None, sent)  # type: ignore[arg-type]

    asyncio.run(ask(400, LINES_PER_S + 7))
    asyncio.run(ask(500, 2))
    assert [line["status"] for line in lines(caplog)] == [400] * LINES_PER_S + [500] * 2
    now[0] = 101.0
    asyncio.run(ask(400, 1))
    assert "more requests were answered with 400 than are logged: 7" in caplog.text
    assert len(lines(caplog)) == LINES_PER_S + 3


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()], ids=["json", "text"])
def test_nothing_from_outside_begins_a_line(formatter: logging.Formatter) -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "a browser says %s", (NASTY,), None)
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert "forged" in line
    record.exc_info = (ValueError, ValueError(NASTY), None)
    told = formatter.format(record).split("\n")
    assert all(line.startswith("    ") for line in told[1:])
    assert "\x1b" not in "".join(told)


def test_a_line_has_the_id_of_the_request_that_it_is_of() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "done", (), None)
    record.fields = {"status": 200}
    told = REQUEST_ID.set(GIVEN)
    try:
        line = json.loads(JsonLines().format(record))
        assert (line["request_id"], line["status"], line["level"], line["message"]) == (GIVEN, 200, "INFO", "done")
        assert TextLines().format(record).endswith(f"INFO done request_id={GIVEN}")
    finally:
        REQUEST_ID.reset(told)
    assert "request_id" not in json.loads(JsonLines().format(record))


def test_an_event_of_a_request_has_its_id_and_address() -> None:
    scope = {
        "client": ("10.0.0.1", 1),
        "headers": [(b"x-forwarded-for", b"203.0.113.1")],
        "state": {"openbell_request_id": GIVEN},
    }
    event = event_of(scope, "halted", actor="ann", subject="AAPLUSD", trusted_proxies=("10.0.0.0/8",), reason="news")
    assert (event.request_id, event.address, event.details) == (GIVEN, "203.0.113.1", {"reason": "news"})
