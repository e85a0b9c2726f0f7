"""Every parameter of the market routes, wrong in every way, is refused with Binance's code and text, and nothing of the server is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.binance import market, market_tickers
from gateway.binance.errors import STATUSES, TEXTS, BinanceError, binance_error
from gateway.ports import NotTaken, UnknownOutcome, ViewsUnavailable
from gateway.problems import Problem
from tests.gateway.adapters import Bench, running

API = "/api/v3"
ROUTES: dict[str, tuple[str, ...]] = {
    "ping": (),
    "time": (),
    "exchangeInfo": ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"),
    "depth": ("symbol", "limit"),
    "trades": ("symbol", "limit"),
    "historicalTrades": ("symbol", "limit", "fromId"),
    "aggTrades": ("symbol", "fromId", "startTime", "endTime", "limit"),
    "klines": ("symbol", "interval", "startTime", "endTime", "timeZone", "limit"),
    "uiKlines": ("symbol", "interval", "startTime", "endTime", "timeZone", "limit"),
    "avgPrice": ("symbol",),
    "ticker/24hr": ("symbol", "symbols", "type"),
    "ticker": ("symbol", "symbols", "windowSize", "type"),
    "ticker/price": ("symbol", "symbols"),
    "ticker/bookTicker": ("symbol", "symbols"),
}
"""All parameters of each route."""
NEEDED = {
    **{route: {"symbol": "AAPLUSD"} for route in ("depth", "trades", "historicalTrades", "aggTrades", "avgPrice", "ticker")},
    **{route: {"symbol": "AAPLUSD", "interval": "1h"} for route in ("klines", "uiKlines")},
}  # fmt: skip
"""Parameters with which each route answers that needs any."""
ILLEGAL_WHOLE = ("-1", "x", "1.5", "1e3", "%D9%A1", "%00", "9" * 21, "+1", " 1")
WHOLE: list[tuple[str, int]] = [
    ("", -1105),
    *((value, -1100) for value in ILLEGAL_WHOLE),
    ("9007199254740992", -1108),
]
WRONG: dict[str, list[tuple[str, int]]] = {
    "symbol": [
        ("", -1105),
        *((value, -1100) for value in ("aaplusd", "A" * 33, "%FF", "%00", "%C3%89", "AAPLUSD%0A", "A,B", "[]", "%20")),
        ("NOPE", -1121),
    ],
    "symbols": [
        ("", -1105),
        *((value, -1100) for value in ("AAPLUSD", "[]", "[1]", '["aapl"]', '["A"', '["A",]', '["A", "B"]', "{}", "%00", "[" * 5_000)),
        ('["AAPLUSD","AAPLUSD"]', -1151),
        ('["AAPLUSD","NOPE"]', -1121),
        ("[" + ",".join(f'"S{number}"' for number in range(501)) + "]", -1101),
    ],
    "limit": [*WHOLE, ("0", -1130)],
    "fromId": WHOLE,
    "startTime": WHOLE,
    "endTime": WHOLE,
    "interval": [("", -1105), *((value, -1120) for value in ("1y", "1H", "2m", "60", "%00", "1d,1w"))],
    "timeZone": [("", -1105), *((value, -1130) for value in ("UTC", "15", "-12:30", "1:60", "0:0", "%00", "+", "14:01"))],
    "type": [("", -1105), *((value, -1139) for value in ("full", "MAXI", "%00"))],
    "windowSize": [("", -1105), *((value, -1130) for value in ("0m", "60m", "24h", "8d", "1w", "1D", "5", "%00"))],
    "permissions": [("", -1105)],
    "showPermissionSets": [("", -1105), *((value, -1130) for value in ("yes", "TRUE", "1", "%00"))],
    "symbolStatus": [("", -1105), *((value, -1122) for value in ("trading", "OPEN", "%00"))],
}  # fmt: skip
ALONE = ("symbols", "permissions", "symbolStatus")
"""Parameters that cannot be sent with `symbol`."""


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(redis_url, "binance-wrong") as started:
        yield started


def refusal(bench: Bench, path: str, method: str = "GET") -> tuple[int, int, str]:
    response = bench.client.request(method, f"{API}/{path}")
    body = response.json()
    assert set(body) == {"code", "msg"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, body["code"], body["msg"]


def query(route: str, **sent: str) -> str:
    together = {**NEEDED.get(route, {}), **sent}
    if set(sent) & set(ALONE):
        together.pop("symbol", None)
    return f"{route}?{'&'.join(f'{name}={value}' for name, value in together.items())}"


def test_every_route_is_tried() -> None:
    served = {path.strip("/") for one in (*market.HANDLERS, *market_tickers.HANDLERS) for path in one.paths}
    assert served == set(ROUTES)
    assert {name for names in ROUTES.values() for name in names} == set(WRONG)


@pytest.mark.parametrize(
    ("route", "name", "value", "code"),
    [(route, name, value, code) for route, names in ROUTES.items() for name in names for value, code in WRONG[name]],
    ids=lambda value: ascii(value)[:40],
)
def test_a_wrong_parameter_is_refused_with_its_code(bench: Bench, route: str, name: str, value: str, code: int) -> None:
    status, found, message = refusal(bench, query(route, **{name: value}))
    assert (status, found) == (400, code)
    assert "Traceback" not in message
    if code in (-1100, -1105, -1108, -1130):
        assert f"'{name}'" in message


@pytest.mark.parametrize(("route", "name"), [(route, name) for route, needed in NEEDED.items() for name in needed])
def test_a_parameter_that_is_needed_is_missed(bench: Bench, route: str, name: str) -> None:
    sent = "&".join(f"{other}={value}" for other, value in NEEDED[route].items() if other != name)
    missed = refusal(bench, f"{route}?{sent}")
    if route == "ticker":
        assert missed == (400, -1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!")
    else:
        assert missed == (400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


@pytest.mark.parametrize("route", ROUTES)
def test_parameters_that_are_unknown_or_sent_twice_are_refused(bench: Bench, route: str) -> None:
    known, needed = len(ROUTES[route]), NEEDED.get(route, {})
    unknown = refusal(bench, query(route, foo="1"))
    if known > len(needed):
        counts = f"read '{len(needed)}' parameter(s) but was sent '{len(needed) + 1}'"
        assert unknown == (400, -1104, f"Not all sent parameters were read; {counts}.")
    many = "&".join(f"p{number}=1" for number in range(known + 1))
    assert refusal(bench, f"{route}?{many}") == (
        400,
        -1101,
        f"Too many parameters; expected '{known}' and received '{known + 1}'.",
    )
    twice = refusal(bench, f"{route}?limit=1&limit=1")
    assert twice == (400, -1101, "Duplicate values for a parameter detected.")


@pytest.mark.parametrize(
    "path",
    [
        'ticker/24hr?symbol=AAPLUSD&symbols=["COINUSD"]',
        'exchangeInfo?symbol=AAPLUSD&symbols=["COINUSD"]',
        "exchangeInfo?symbol=AAPLUSD&permissions=SPOT",
        "exchangeInfo?symbol=AAPLUSD&symbolStatus=TRADING",
        "aggTrades?symbol=AAPLUSD&fromId=1&startTime=1",
    ],
)
def test_parameters_that_do_not_go_together_are_refused(bench: Bench, path: str) -> None:
    assert refusal(bench, path) == (400, -1128, "Combination of optional parameters invalid.")


@pytest.mark.parametrize("value", ["9007199254740991", "1", "0"])
@pytest.mark.parametrize("interval", ["1s", "12h", "1w", "1M"])
def test_times_far_away_are_answered(bench: Bench, interval: str, value: str) -> None:
    for sent in (f"startTime={value}", f"endTime={value}", f"startTime={value}&endTime={value}"):
        assert bench.client.get(f"{API}/klines?symbol=AAPLUSD&interval={interval}&timeZone=14&{sent}").json() == []


def test_more_than_there_can_be_is_the_most_there_is(bench: Bench) -> None:
    for path in (
        "depth?symbol=AAPLUSD&limit=9999",
        "trades?symbol=AAPLUSD&limit=5000",
        "klines?symbol=AAPLUSD&interval=1d&limit=1001",
    ):
        assert bench.client.get(f"{API}/{path}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "", 404),
        ("GET", "ticker/1", 404),
        ("POST", "depth", 405),
        ("DELETE", "ping", 405),
    ],
)
def test_what_no_route_takes_is_told_in_binances_form(bench: Bench, method: str, path: str, status: int) -> None:
    found = refusal(bench, path, method)
    assert found[:2] == (status, -5000)
    assert found[2].endswith(f"Method {method} is invalid")
    assert bench.client.get("/api/native/nothing").json()["error"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ViewsUnavailable("secret"), 503, -1001),
        (NotTaken("secret"), 503, -1008),
        (UnknownOutcome("secret"), 504, -1007),
        (RuntimeError("secret"), 500, -1000),
        (Problem(401, "X", "secret"), 401, -2015),
        (Problem(403, "X", "secret"), 403, -2015),
        (Problem(429, "X", "secret", headers={"Retry-After": "7"}), 429, -1003),
        (Problem(500, "X", "secret"), 500, -1000),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_goes_wrong_in_the_server_is_told_by_a_code_and_nothing_internal(
    error: Exception, status: int, code: int
) -> None:
    told = binance_error(error)
    assert (told.status, told.code) == (status, code)
    assert "secret" not in str(told.body)
    assert told.headers.get("Retry-After") == {503: "1", 429: "7"}.get(status)


def test_every_code_has_a_text_and_fills_what_it_names() -> None:
    assert set(STATUSES) <= set(TEXTS)
    for code, text in TEXTS.items():
        named: tuple[Any, ...] = ("x",) * text.count("%s")
        told = BinanceError(code, *named)
        assert "%s" not in told.text
        assert told.body == {"code": code, "msg": told.text}
