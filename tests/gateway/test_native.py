"""Openbell's own REST API: what it answers, and how it refuses everything that is wrong, with the field named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from gateway.tickets import FIELDS
from tests.gateway.adapters import ACCOUNT, LOCAL, Bench, Floor, FloorCommands, app_over, running
from tests.gateway.projected import NOW_MS

GOOD = {"symbol": "AAPLUSD", "side": "buy", "price": "50.25", "quantity": "3"}
API = "/api/native"
LATIN_X = "x" * 65


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(redis_url, "native") as started:
        yield started


@pytest.fixture
def fresh(redis_url: str, venue: str) -> Iterator[Bench]:
    """An application of the test's own."""
    with running(redis_url, venue, answer_s=3.0) as started:
        yield started


def problem(response: Any) -> tuple[int, str, set[str]]:
    body = response.json()
    assert set(body) == {"error", "message", "fields"}
    assert response.headers["content-type"] == "application/json"
    assert body["message"]
    return response.status_code, body["error"], set(body["fields"])


# Orders that are wrong in one field


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


WRONG: list[tuple[str, dict[str, Any]]] = [
    *(("symbol", {**GOOD, "symbol": symbol}) for symbol in ("", "NOPE", "aaplusd", " AAPLUSD", "AAPLUSD\x00", 5, None, [], "é" * 40)),
    ("symbol", without("symbol")),
    *(("side", {**GOOD, "side": side}) for side in ("", "BUY", "hold", 1, None, ["buy"], "buy\n")),
    ("side", without("side")),
    *(("kind", {**GOOD, "kind": kind}) for kind in ("LIMIT", "stopp", 0, True, {}, "limit ")),
    *(
        ("price", {**GOOD, "price": price})
        for price in (
            "", "0", "0.00", "-1", "+1", "-0", "abc", "NaN", "Infinity", "1e5", "1E2", "0x10", "1,000.00", "1_000", " 1", "1 ", "1.",
            ".5", "1.005", "1.0000000000000000001", "10995116277.77", "9" * 31, "١٢", "\uff11", "1\x00", "1\n", 50.25, 50, None, True, [], {},
        )
    ),
    ("price", without("price")),
    *(
        ("quantity", {**GOOD, "quantity": quantity})
        for quantity in (
            "", "0", "-3", "0.5", "three", "nan", "1e2", "1099511627777", "3 ", "3\t", "\uff13", 3, 3.0, None, False, ["3"],
        )
    ),
    ("quantity", without("quantity")),
    ("quantity", {**GOOD, "price": "10995116277.76", "quantity": "1099511627776"}),
    *(("time_in_force", {**GOOD, "time_in_force": value}) for value in ("DAYS", "gtc", 1, [], "GTC\x00")),
    ("time_in_force", {**GOOD, "kind": "market", "time_in_force": "GTC"}),
    ("time_in_force", {**GOOD, "kind": "stop", "stop": "51.00", "time_in_force": "IOC"}),
    ("time_in_force", {**GOOD, "kind": "market-to-limit", "time_in_force": "OPG"}),
    *(("stop", {**GOOD, "kind": "stop-limit", "stop": stop}) for stop in (None, "", "0", "-1", "1.005", "x", 51, True, [], {})),
    ("stop", {**GOOD, "stop": "51.00"}),
    *(("trail", {**GOOD, "kind": "trailing-stop", "trail": trail}) for trail in (None, "", "0", "1.005", "near", 1, {})),
    ("trail", {**GOOD, "trail": "1.00"}),
    *(("peg", {**GOOD, "kind": "pegged", "peg": peg}) for peg in (None, "", "best", "BID", 1, True, ["bid"])),
    ("peg", {**GOOD, "peg": "bid"}),
    *(
        ("offset", {**GOOD, "kind": "pegged", "peg": "bid", "offset": offset})
        for offset in ("x", "-", "--1", "+1", "0.005", "-0.005", "-10995116277.77", "1e2", 1, -1, True, [])
    ),
    ("offset", {**GOOD, "offset": "-0.01"}),
    *(("display", {**GOOD, "display": display}) for display in ("0", "4", "0.5", "-1", "few", 1, True, [])),
    ("display", {**GOOD, "display": "1", "time_in_force": "IOC"}),
    ("display", {**GOOD, "kind": "pegged", "peg": "bid", "display": "1"}),
    *(("post_only", {**GOOD, "post_only": value}) for value in ("yes", True, 1, "Reject", [])),
    ("post_only", {**GOOD, "post_only": "slide", "time_in_force": "FOK"}),
    *(("min_quantity", {**GOOD, "min_quantity": value}) for value in ("0", "4", "0.5", "few", 2, [])),
    ("min_quantity", {**GOOD, "min_quantity": "2", "time_in_force": "FOK"}),
    ("min_quantity", {**GOOD, "min_quantity": "2", "post_only": "reject"}),
    *(("all_or_none", {**GOOD, "all_or_none": value}) for value in ("yes", 1, 0, [], {}, "TRUE")),
    ("all_or_none", {**GOOD, "all_or_none": True, "time_in_force": "IOC"}),
    ("all_or_none", {**GOOD, "all_or_none": True, "min_quantity": "2"}),
    *(("self_trade", {**GOOD, "self_trade": value}) for value in ("cancel", "NONE", True, 1, [])),
    *(
        ("expires_ms", {**GOOD, "time_in_force": "GTD", "expires_ms": value})
        for value in (None, 0, -1, "1700000000000", 1.5, True, 2**53, 10**400, [])
    ),
    ("expires_ms", {**GOOD, "time_in_force": "GTD"}),
    ("expires_ms", {**GOOD, "time_in_force": "GTD", "display": "1"}),
    ("expires_ms", {**GOOD, "expires_ms": NOW_MS}),
    *(("request_id", {**GOOD, "request_id": value}) for value in (LATIN_X, "a b", "é", "a\x00", "a\n", "\x7f", 7, [], {})),
    ("price", {"symbol": "COINUSD", "side": "sell", "price": "1.01", "quantity": "1"}),
    ("quantity", {"symbol": "COINUSD", "side": "sell", "price": "1.05", "quantity": "0.0005"}),
    ("price", {"symbol": "COINUSD", "side": "buy", "kind": "market", "quantity": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "order"), WRONG, ids=lambda value: ascii(value)[:60])
def test_an_order_that_is_wrong_in_one_field_is_refused_with_the_field_named(
    bench: Bench, field: str, order: dict[str, Any]
) -> None:
    written = len(bench.commands.written)
    assert problem(bench.client.post(f"{API}/orders", json=order)) == (422, "INVALID_FIELDS", {field})
    assert len(bench.commands.written) == written


def test_all_wrong_fields_are_named_at_once(bench: Bench) -> None:
    wrong = {
        "symbol": "AAPLUSD",
        "side": "x",
        "kind": "y",
        "price": "0",
        "quantity": "",
        "time_in_force": "z",
        "request_id": "é",
    }
    refused = bench.client.post(f"{API}/orders", json=wrong)
    assert problem(refused) == (422, "INVALID_FIELDS", set(wrong) - {"symbol"})
    assert refused.json()["fields"]["price"] == (
        "This is out of range: write a multiple of the tick 0.01, from 0.01 to 10995116277.76."
    )


BAD_BODIES = {
    "empty": b"",
    "no JSON": b"{",
    "text": b"buy",
    "an array": b"[]",
    "null": b"null",
    "a number": b"1",
    "trailing": b"{} {}",
    "NaN": b'{"price": NaN}',
    "no UTF-8": b'{"symbol": "\xff"}',
    "null bytes": b"\x00" * 10,
    "deep": b"[" * 60_000,
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_no_json_object_is_refused(bench: Bench, name: str) -> None:
    headers = {"content-type": "application/json"}
    refused = bench.client.post(f"{API}/orders", content=BAD_BODIES[name], headers=headers)
    assert problem(refused) == (400, "INVALID_JSON", set())


def test_an_unknown_field_is_refused_by_name(bench: Bench) -> None:
    refused = bench.client.post(f"{API}/orders", json={**GOOD, "qty": "3", "account": "maker"})
    assert problem(refused) == (400, "UNKNOWN_FIELD", {"account", "qty"})


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_another_content_type_is_refused(bench: Bench, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    refused = bench.client.post(f"{API}/orders", content=json.dumps(GOOD), headers=headers)
    assert problem(refused) == (415, "UNSUPPORTED_MEDIA_TYPE", set())


def test_a_huge_body_is_refused(bench: Bench) -> None:
    refused = bench.client.post(f"{API}/orders", json={**GOOD, "price": "9" * 70_000})
    assert problem(refused)[:2] == (413, "REQUEST_ENTITY_TOO_LARGE")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{route}?{name}={value}", name)
        for route, name, greatest in (
            ("depth/AAPLUSD", "levels", 5_000),
            ("trades/AAPLUSD", "limit", 1_000),
            ("trades/AAPLUSD", "before", 2**53 - 1),
            ("candles/AAPLUSD", "limit", 5_000),
            ("candles/AAPLUSD", "end_ms", 2**53 - 1),
        )
        for value in ("", "0", "-1", "x", "1.5", "1e3", "%D9%A1", "%00", greatest + 1, "9" * 5_000)
    ]
    + [(f"candles/AAPLUSD?span={span}", "span") for span in ("", "1w", "1D", "%00")],
    ids=lambda value: value[:60],
)
def test_a_parameter_that_is_wrong_is_named(bench: Bench, path: str, field: str) -> None:
    assert problem(bench.client.get(f"{API}/{path}")) == (422, "INVALID_FIELDS", {field})


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "markets/NOPE", "UNKNOWN_SYMBOL"),
        ("GET", "depth/NOPE", "UNKNOWN_SYMBOL"),
        ("GET", "trades/%00", "UNKNOWN_SYMBOL"),
        ("GET", "candles/NOPE", "UNKNOWN_SYMBOL"),
        ("GET", "orders/999999999", "UNKNOWN_ORDER"),
        ("GET", "orders/-1", "UNKNOWN_ORDER"),
        ("GET", f"orders/{10**30}", "UNKNOWN_ORDER"),
        ("GET", "orders/x", "NOT_FOUND"),
        ("DELETE", "orders/999999999", "UNKNOWN_ORDER"),
        ("DELETE", f"orders/{10**30}", "UNKNOWN_ORDER"),
        ("GET", "requests/unheard-of", "UNKNOWN_REQUEST"),
        ("GET", "requests/%FF%00", "UNKNOWN_REQUEST"),
        ("GET", "nothing", "NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_not_found(bench: Bench, method: str, path: str, code: str) -> None:
    assert problem(bench.client.request(method, f"{API}/{path}"))[:2] == (404, code)


def test_another_method_is_refused_and_told_which_are_allowed(bench: Bench) -> None:
    refused = bench.client.put(f"{API}/orders")
    assert problem(refused)[:2] == (405, "METHOD_NOT_ALLOWED")
    assert set(refused.headers["allow"].split(", ")) >= {"GET", "POST"}


# Orders that are right


def test_an_order_is_placed_shown_asked_for_and_cancelled(fresh: Bench) -> None:
    placed = fresh.client.post(f"{API}/orders", json={**GOOD, "request_id": "mine/1"})
    assert placed.status_code == 201
    order = placed.json()["order"]
    assert (order["price"], order["leaves"], order["state"], order["request_id"]) == ("50.25", "3", "OPEN", "mine/1")
    number = order["order_id"]
    assert fresh.client.get(f"{API}/orders/{number}").json() == order
    assert fresh.client.get(f"{API}/orders").json() == {"open_orders": [order], "ended_orders": []}
    assert fresh.client.get(f"{API}/requests/mine%2F1").json() == placed.json()
    reserved = {each["asset"]: each["reserved"] for each in fresh.client.get(f"{API}/balances").json()}
    assert reserved == {"AAPL": "0", "COIN": "0.000", "USD": "150.75000"}
    cancelled = fresh.client.delete(f"{API}/orders/{number}")
    assert (cancelled.status_code, cancelled.json()["order"]["state"]) == (200, "CANCELLED")
    assert problem(fresh.client.delete(f"{API}/orders/{number}")) == (409, "UNKNOWN_ORDER", {"order_id"})


def test_the_market_data_of_a_trade(fresh: Bench) -> None:
    assert fresh.client.post(f"{API}/orders", json={**GOOD, "price": "101.00"}).status_code == 201
    [trade] = fresh.client.get(f"{API}/trades/AAPLUSD").json()
    assert (trade["id"], trade["price"], trade["quantity"], trade["taker_side"]) == ("AAPLUSD-1", "101.00", "3", "buy")
    assert fresh.client.get(f"{API}/trades/AAPLUSD?before=1").json() == []
    [candle] = fresh.client.get(f"{API}/candles/AAPLUSD?span=1m&limit=5").json()
    assert (candle["open"], candle["volume"], candle["trades"]) == ("101.00", "3", 1)
    assert fresh.client.get(f"{API}/candles/AAPLUSD?span=1m&end_ms={candle['start_ms'] or 1}").json() in ([], [candle])
    depth = fresh.client.get(f"{API}/depth/AAPLUSD?levels=1").json()
    assert ([one["price"] for one in depth["bids"]], [one["quantity"] for one in depth["asks"]]) == (["99.00"], ["97"])
    summary = fresh.client.get(f"{API}/markets/AAPLUSD").json()
    assert (summary["last"], summary["bid"], summary["ask"], summary["spread"]) == ("101.00", "99.00", "101.00", "2.00")
    assert [one["symbol"] for one in fresh.client.get(f"{API}/markets").json()] == ["AAPLUSD", "COINUSD"]
    assert [one["symbol"] for one in fresh.client.get(f"{API}/instruments").json()] == ["AAPLUSD", "COINUSD"]
    assert fresh.client.get(f"{API}/status").json()["live"] is True


@pytest.mark.parametrize(("side", "price"), [("buy", "106.05"), ("sell", "94.05")])
def test_a_market_order_without_a_price_is_protected(fresh: Bench, side: str, price: str) -> None:
    order = {"symbol": "AAPLUSD", "side": side, "kind": "market", "quantity": "150"}
    placed = fresh.client.post(f"{API}/orders", json=order).json()["order"]
    assert (placed["price"], placed["time_in_force"], placed["filled"], placed["state"]) == (
        price,
        "IOC",
        "150",
        "FILLED",
    )


def test_a_good_till_date_order_keeps_its_date(fresh: Bench) -> None:
    dated = {**GOOD, "time_in_force": "GTD", "expires_ms": NOW_MS + 1}
    assert fresh.client.post(f"{API}/orders", json=dated).json()["order"]["expires_ms"] == NOW_MS + 1


def test_a_refusal_of_the_market_names_the_field(fresh: Bench) -> None:
    dear = {**GOOD, "quantity": "1000000"}
    assert problem(fresh.client.post(f"{API}/orders", json=dear)) == (409, "INSUFFICIENT_FUNDS", {"quantity"})


def test_the_same_request_again_gives_the_first_outcome_and_another_under_its_id_is_a_duplicate(fresh: Bench) -> None:
    first = fresh.client.post(f"{API}/orders", json={**GOOD, "request_id": "one"})
    again = fresh.client.post(f"{API}/orders", json={**GOOD, "request_id": "one"})
    assert (again.status_code, again.json()["order"]) == (201, first.json()["order"])
    other = fresh.client.post(f"{API}/orders", json={**GOOD, "quantity": "4", "request_id": "one"})
    assert problem(other) == (409, "DUPLICATE", {"request_id"})
    assert len(fresh.client.get(f"{API}/orders").json()["open_orders"]) == 1


# When something is away


def test_an_order_is_not_taken_when_commands_are_not(fresh: Bench) -> None:
    fresh.commands.up = False
    refused = fresh.client.post(f"{API}/orders", json=GOOD)
    assert problem(refused)[:2] == (503, "NOT_TAKEN")
    assert refused.headers["retry-after"] == "1"


@pytest.mark.parametrize("attribute", ["confirmed", "shown"])
def test_an_order_whose_outcome_is_not_seen_says_where_to_ask(fresh: Bench, attribute: str) -> None:
    setattr(fresh.commands, attribute, False)
    unknown = fresh.client.post(f"{API}/orders", json={**GOOD, "request_id": "lost"})
    assert problem(unknown) == (504, "UNKNOWN_OUTCOME", {"request_id", "price"})
    assert "/api/native/requests/lost" in unknown.json()["fields"]["request_id"]
    setattr(fresh.commands, attribute, True)
    settled = fresh.client.post(f"{API}/orders", json={**GOOD, "request_id": "lost"})
    assert settled.status_code == 201
    assert len(fresh.client.get(f"{API}/orders").json()["open_orders"]) == 1


@pytest.mark.parametrize(
    "path", ["instruments", "markets", "depth/AAPLUSD", "balances", "orders", "orders/1", "requests/x"]
)
def test_without_views_there_are_none(redis_url: str, venue: str, path: str) -> None:
    floor = Floor(redis_url, venue)
    store, commands = floor.projected.store, FloorCommands(floor)
    store._redis.delete(store.keys.generation)
    with TestClient(app_over(floor, commands), base_url=LOCAL) as client:
        assert problem(client.get(f"{API}/{path}"))[:2] == (503, "VIEWS_UNAVAILABLE")
        assert problem(client.post(f"{API}/orders", json=GOOD))[:2] == (503, "VIEWS_UNAVAILABLE")
        assert client.get(f"{API}/status").json()["live"] is False
    assert commands.written == []


def test_a_server_without_a_demo_account_only_shows(redis_url: str, venue: str) -> None:
    with running(redis_url, venue, demo_account=None) as looking:
        assert problem(looking.client.post(f"{API}/orders", json=GOOD))[:2] == (401, "NOT_SIGNED_IN")
        assert looking.client.get(f"{API}/depth/AAPLUSD").status_code == 200
        assert looking.client.get("/market/AAPLUSD").status_code == 200


def test_the_fields_of_a_ticket_are_all_tried_wrong() -> None:
    assert {field for field, _ in WRONG} == set(FIELDS)
    assert ACCOUNT not in json.dumps([order for _, order in WRONG])
