"""docs/BINANCE.md names the market routes that there are, with their parameters and weights; docs/UDF.md those of the feed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.binance import market, market_tickers
from gateway.binance.errors import PREFIX, STATUSES
from gateway.binance.exchange_info import STATUSES as PHASES
from gateway.binance.intervals import INTERVALS
from gateway.udf import routes as udf
from gateway.udf.shapes import RESOLUTIONS
from tests.binance.market_forms import FILTERS
from tests.binance.test_market_parameters import ROUTES

DOCS = Path(__file__).parent.parent.parent / "docs"
BINANCE, UDF = (DOCS / "BINANCE.md").read_text(), (DOCS / "UDF.md").read_text()
WEIGHTS: dict[str, tuple[Any, ...]] = {
    "depth": ({}, {"limit": "5000"}),
    "ticker/24hr": ({"symbol": "A"}, {}),
    "ticker": ({"symbol": "A"}, {"symbols": "," * 99}),
    "ticker/price": ({"symbol": "A"}, {}),
    "ticker/bookTicker": ({"symbol": "A"}, {}),
}
"""The cheapest and the dearest requests of the routes whose weight depends on them."""


def rows(text: str, first: str) -> list[list[str]]:
    """Return the rows of the table whose first column has a heading."""
    lines = text.split(f"| {first} |")[1].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def handlers() -> dict[str, Any]:
    return {path.strip("/"): one for one in (*market.HANDLERS, *market_tickers.HANDLERS) for path in one.paths}


def test_the_table_of_routes_is_that_of_the_code() -> None:
    table = {
        row[0].strip("`").removeprefix(f"{PREFIX}/"): re.findall(r"`(\w+)`", row[2]) for row in rows(BINANCE, "Route")
    }
    assert table == {route: list(names) for route, names in ROUTES.items()}
    assert set(table) == set(handlers())


@pytest.mark.parametrize("row", rows(BINANCE, "Route"), ids=lambda row: row[0])
def test_the_weights_are_those_of_the_code(row: list[str]) -> None:
    name = row[0].strip("`").removeprefix(f"{PREFIX}/")
    weight = handlers()[name].opt["weight"]
    found = {weight(sent) for sent in WEIGHTS[name]} if callable(weight) else {weight}
    assert {int(number) for number in re.findall(r"\d+", row[1])} == found


@pytest.mark.parametrize(
    ("route", "sent", "weight"),
    [
        ("depth", {"limit": "100"}, 5),
        ("depth", {"limit": "101"}, 25),
        ("depth", {"limit": "501"}, 50),
        ("depth", {"limit": "1001"}, 250),
        ("depth", {"limit": "x"}, 250),
        ("depth", {"limit": "9" * 5_000}, 250),
        ("ticker/24hr", {"symbols": "," * 19}, 2),
        ("ticker/24hr", {"symbols": "," * 20}, 40),
        ("ticker/24hr", {"symbols": "," * 100}, 80),
        ("ticker/price", {"symbols": ","}, 4),
        ("ticker", {"symbols": "," * 9}, 40),
    ],
)
def test_a_weight_grows_with_what_is_asked_for(route: str, sent: dict[str, str], weight: int) -> None:
    assert handlers()[route].opt["weight"](sent) == weight


def test_filters_intervals_statuses_and_codes_are_those_of_the_code() -> None:
    assert {name for row in rows(BINANCE, "Filter") for name in re.findall(r"`([A-Z_]+)`", row[0])} == set(FILTERS)
    assert set(INTERVALS) <= set(re.findall(r"`(\d+\w)`", BINANCE))
    assert {*PHASES.values(), "BREAK"} <= set(re.findall(r"`([A-Z_]+)`", BINANCE))
    for row in rows(BINANCE, "Code"):
        for code in map(int, row[0].split(", ")):
            assert str(STATUSES[code]) in row[1]


def test_the_feeds_routes_and_resolutions_are_those_of_the_code() -> None:
    served = {f"GET {path}" for route in udf.router().routes for path in [route.path]}
    assert {row[0].strip("`") for row in rows(UDF, "Route")} == served
    assert {row[0].strip("`"): row[1].strip("`") for row in rows(UDF, "Resolution")} == RESOLUTIONS
    for default, greatest in [udf.FOUND]:
        assert f"default {default}, at most {greatest}" in UDF
