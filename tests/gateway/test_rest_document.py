"""docs/REST.md names the routes, parameters, fields and errors that there are."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alerts.reading import CONDITIONS
from gateway.alerts.reading import FIELDS as ALERT_FIELDS
from gateway.analytics import native as analytics_native
from gateway.groups import BRACKET_FIELDS, OCO_FIELDS
from gateway.native import routes as native
from gateway.tickets import AMENDMENT_FIELDS, FIELDS
from tests.gateway.adapters import Bench, running

BODIES = {
    "POST /api/native/orders": FIELDS,
    "POST /api/native/orders/oco": OCO_FIELDS,
    "POST /api/native/orders/bracket": BRACKET_FIELDS,
    "PATCH /api/native/orders/{order_id}": AMENDMENT_FIELDS,
    "PUT /api/native/dead-man": ("timeout_ms",),
    "PUT /api/native/alerts/{name}": ALERT_FIELDS,
}
DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "REST.md").read_text()


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading."""
    section = DOCUMENT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(redis_url, "document") as started:
        yield started


def test_the_table_of_routes_is_that_of_the_application(bench: Bench) -> None:
    served = {
        f"{method} {route.path_format}"
        for route in bench.client.app.routes
        if route.path_format.startswith("/api/native/")
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    assert {row[0].strip("`") for row in table("Routes")} == served


def test_the_table_of_fields_is_that_of_a_ticket() -> None:
    assert {row[0].strip("`") for row in table("An order")} == set(FIELDS)


def test_the_tables_of_alerts_are_those_of_the_code() -> None:
    named = [(row[0].strip("`"), set(re.findall(r"`(\w+)`", row[1]))) for row in table("An alert")]
    conditions = {name: set(readers) for name, (_, readers) in CONDITIONS.items()}
    assert {name for name, _ in named if name in ALERT_FIELDS} == set(ALERT_FIELDS)
    assert {name: fields for name, fields in named if name in conditions} == conditions


def test_the_table_of_groups_has_all_fields() -> None:
    named = {field for row in table("Groups of orders") for field in re.findall(r"`(\w+)`", row[0])}
    assert named == {*OCO_FIELDS, *BRACKET_FIELDS}


def test_the_bounds_in_the_table_are_those_of_the_code() -> None:
    text = {row[0].strip("`").removeprefix("GET /api/native/"): row[1] for row in table("Routes")}
    for route, (default, greatest) in {
        "depth/{symbol}": native.LEVELS,
        "trades/{symbol}": native.TRADES,
        "candles/{symbol}": native.CANDLES,
        "leaders": analytics_native.LEADERS,
        "markets/{symbol}/indicators": analytics_native.INDICATORS,
        "markets/{symbol}/averages": analytics_native.WINDOWS,
        "markets/{symbol}/profits": analytics_native.WINDOWS,
        "markets/{symbol}/signals": analytics_native.SIGNALS,
        "markets/{symbol}/late": analytics_native.LATE,
        "inbox": analytics_native.ALERTS,
    }.items():
        assert f"1 to {greatest}, default {default}" in text[route]


@pytest.mark.parametrize("row", table("Routes"), ids=lambda row: row[0])
def test_each_example_does_what_its_row_says(bench: Bench, row: list[str]) -> None:
    words = shlex.split(row[4].strip("`"))
    assert words.pop(0) == "curl"
    url, data = words.pop().removeprefix("http://localhost:8000"), None
    options = dict(zip(words[::2], words[1::2], strict=True))
    data = options.get("-d")
    method = options.get("-X", "POST" if data else "GET")
    route = re.sub(r"\{\w+\}", "[^/?]+", row[0].strip("`"))
    assert re.fullmatch(rf"{route}(\?.*)?", f"{method} {url}")
    headers = dict([options["-H"].split(": ")]) if "-H" in options else {}
    answer = bench.client.request(method, url, content=data, headers=headers)
    allowed = {int(word) for word in re.findall(r"\b\d{3}\b", f"{row[2].split(',')[0]} {row[3]}")}
    assert answer.status_code in allowed
    assert isinstance(answer.json(), dict | list)
    if data:
        assert set(json.loads(data)) <= set(BODIES[row[0].strip("`")])


def test_the_codes_of_errors_are_those_of_the_code() -> None:
    documented = {code for row in table("Errors") for code in re.findall(r"`([A-Z_]+)`", row[1])}
    seeds = (DOCS / "SEEDS.md").read_text()
    folder = Path(native.__file__).parent
    for path in folder.rglob("*.py"):
        part = path.relative_to(folder).parts[0]
        if part in ("admin", "sign_in"):  # pages, which say it in words
            continue
        raised = set(re.findall(r'Problem\(\s*\d+,\s*"([A-Z_]+)"', path.read_text()))
        missing = {code for code in raised - documented if part != "seeds" or f"`{code}`" not in seeds}
        assert missing == set(), path
