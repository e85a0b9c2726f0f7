"""Health, readiness, figures, reports of broken policies, and the files that pages need."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.assets import read_assets
from tests.gateway.adapters import Bench, running


@pytest.fixture
def bench(redis_url: str, venue: str) -> Iterator[Bench]:
    with running(redis_url, venue) as started:
        yield started


def test_a_server_is_ready_while_views_are_live_and_commands_are_taken(bench: Bench) -> None:
    assert bench.client.get("/ready").json() == {"ready": True, "reasons": []}
    bench.commands.up = False
    store = bench.floor.projected.store
    store._redis.delete(store.keys.beat)
    unready = bench.client.get("/ready")
    assert unready.status_code == 503
    assert [reason.partition(":")[0] for reason in unready.json()["reasons"]] == ["views", "commands"]
    assert bench.client.get("/health").status_code == 200


def test_requests_are_counted_by_route_and_never_by_address(bench: Bench) -> None:
    for path in ("/market/AAPLUSD", "/market/NOPE", "/nowhere/1", "/nowhere/2"):
        bench.client.get(path)
    bench.client.post("/market/AAPLUSD/orders", data={"side": "buy", "price": "1", "quantity": "1"})
    figures = bench.client.get("/metrics").text
    assert 'openbell_requests_total{method="GET",route="/market/{symbol}",status="200"} 1.0' in figures
    assert 'openbell_requests_total{method="GET",route="/market/{symbol}",status="404"} 1.0' in figures
    assert 'openbell_requests_total{method="GET",route="none",status="404"} 2.0' in figures
    assert 'openbell_orders_total{outcome="ACCEPTED"} 1.0' in figures
    assert "openbell_view_age_seconds 0.0" in figures
    assert "nowhere" not in figures


def test_reports_of_a_broken_policy_are_all_counted_but_logged_in_bounds(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gateway.operations")
    for _ in range(5):
        answer = bench.client.post("/csp-reports", content=b"\n\x1b[31m" + b"x" * 5_000)
        assert answer.status_code == 204
    assert "openbell_csp_reports_total 5.0" in bench.client.get("/metrics").text
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.operations"]
    assert 1 <= len(lines) < 5
    assert all(line.isprintable() and len(line) < 300 for line in lines)
    assert bench.client.post("/csp-reports", content=b"x" * 70_000).status_code == 413


def test_a_file_is_sent_once_and_then_only_asked_for(bench: Bench) -> None:
    first = bench.client.get("/static/openbell.js")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    again = bench.client.get("/static/openbell.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


@pytest.mark.parametrize(
    "name", ["nothing.js", "../app.py", "%2e%2e/app.py", "..%2fapp.py", "vendor", "", "/etc/passwd"]
)
def test_nothing_but_the_files_is_served(bench: Bench, name: str) -> None:
    assert bench.client.get(f"/static/{name}").status_code == 404


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("p {}")
    (tmp_path / "b.css").symlink_to("/etc/hostname")
    assert list(read_assets(tmp_path)) == ["a.css"]


def test_an_error_of_our_own_is_logged_and_answered_without_a_word_of_it(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("gateway.trading.Exchange.answer", broken)
    for path in ("/market/AAPLUSD?request=x", "/api/native/requests/x"):
        answer = bench.client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
    assert "secret" in caplog.text
