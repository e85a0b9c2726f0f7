"""Every kind of order over the REST API, and what is done with orders in the book: changed, grouped, cancelled together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from exchange import messages as m
from exchange.instruments import Rules
from exchange.topics import ACCOUNT_INBOX
from tests.gateway.adapters import Bench, running
from tests.gateway.projected import AAPL, SHARDS

API = "/api/native"
GOOD = {"symbol": "AAPLUSD", "side": "buy", "price": "50.25", "quantity": "3"}
ANSWER_S = 20.0
MARKET = {"symbol": "AAPLUSD", "side": "buy", "quantity": "3"}


@pytest.fixture
def bench(redis_url: str, venue: str) -> Iterator[Bench]:
    with running(redis_url, venue, answer_s=ANSWER_S) as started:
        yield started


@pytest.fixture
def hasty(redis_url: str, venue: str) -> Iterator[Bench]:
    """An application that does not wait long for an answer."""
    with running(redis_url, venue, answer_s=3.0) as started:
        yield started


def post(bench: Bench, order: dict[str, Any], path: str = "orders") -> dict[str, Any]:
    answer = bench.client.post(f"{API}/{path}", json=order)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: Any) -> tuple[int, str, set[str]]:
    body = answer.json()
    return answer.status_code, body["error"], set(body["fields"])


def operate(bench: Bench, kind: type[Any], **fields: Any) -> None:
    projected = bench.floor.projected
    projected.operate("AAPLUSD", kind, **fields)
    projected.project(publish=True)


def orders(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = bench.client.get(f"{API}/orders").json()
    return found


def named(value: Any) -> str:
    """Name a case the same in each process: texts of sets have no order."""
    if isinstance(value, tuple):
        return f"({', '.join(str(sorted(each)) if isinstance(each, set) else str(each) for each in value)})"
    return str(value)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"kind": "stop", "stop": "105.00"}, {"trigger": "WAITING", "stop": "105.00", "price": "110.25"}),
        ({"kind": "stop", "side": "sell", "stop": "95.00"}, {"trigger": "WAITING", "stop": "95.00", "price": "90.25"}),
        ({"kind": "stop-limit", "stop": "105.00", "price": "106.00", "display": "1"}, {"display": "1", "price": "106.00"}),
        ({"kind": "trailing-stop", "side": "sell", "trail": "4.00"}, {"trail": "4.00", "price": "90.25"}),
        ({"kind": "trailing-stop", "trail": "4.00"}, {"trail": "4.00", "price": "110.25"}),
        ({"kind": "pegged", "peg": "bid", "offset": "-0.50"}, {"peg": "bid", "offset": "-0.50", "price": "106.05"}),
        ({"kind": "pegged", "peg": "ask", "offset": "0", "price": "99.50"}, {"offset": "0.00", "price": "99.50"}),
        ({"price": "99.50", "display": "2"}, {"display": "2", "state": "OPEN"}),
        ({"price": "101.50", "post_only": "slide"}, {"post_only": "slide", "price": "100.99", "amended": False}),
        ({"price": "99.50", "all_or_none": True}, {"all_or_none": True, "state": "OPEN"}),
        ({"price": "101.00", "min_quantity": "2"}, {"min_quantity": "2", "state": "FILLED"}),
        ({"price": "99.50", "self_trade": "oldest"}, {"self_trade": "oldest", "state": "OPEN"}),
        ({"kind": "market", "time_in_force": "OPG"}, {"time_in_force": "OPG", "price": "106.05", "state": "OPEN"}),
        ({"kind": "market-to-limit", "quantity": "150"}, {"price": "101.00", "filled": "100", "amended": True}),
        ({"price": "99.50", "time_in_force": "DAY"}, {"time_in_force": "DAY", "state": "OPEN"}),
    ],
    ids=named,
)  # fmt: skip
def test_an_order_is_taken_with_all_it_asks_for_and_again_under_its_id(
    bench: Bench, fields: dict[str, Any], shown: dict[str, Any]
) -> None:
    asked = {**MARKET, **fields, "request_id": "mine"}
    order = post(bench, asked)["order"]
    assert {name: order[name] for name in shown} == shown
    assert post(bench, asked)["order"] == order
    assert len(orders(bench)["open_orders"]) + len(orders(bench)["ended_orders"]) == 1


def test_a_protection_price_stays_within_the_collar(bench: Bench) -> None:
    operate(bench, m.ListInstrument, instrument=AAPL, version=2, rules=Rules(collar_ppm=20_000, reference=10_100))
    for shard in map(str, range(SHARDS)):
        command = m.ListInstrument(key=shard, instrument=AAPL, version=2)
        bench.floor.projected.venue.write(ACCOUNT_INBOX, shard, [command])
    depth = bench.client.get(f"{API}/depth/AAPLUSD").json()
    assert (depth["buy_max"], depth["sell_min"]) == ("103.02", "98.98")
    order = post(bench, {**MARKET, "kind": "market", "quantity": "1"})["order"]
    assert (order["price"], order["state"]) == ("103.02", "FILLED")


def test_an_order_is_changed(bench: Bench) -> None:
    number = post(bench, GOOD)["order"]["order_id"]
    changed = bench.client.patch(f"{API}/orders/{number}", json={"price": "51.00", "quantity": "5", "request_id": "up"})
    assert changed.status_code == 200
    body = changed.json()
    assert (body["outcome"]["request_id"], body["outcome"]["state"], body["outcome"]["order_id"]) == (
        "up",
        "ACCEPTED",
        number,
    )
    assert [body["order"][name] for name in ("price", "quantity", "leaves", "amended")] == ["51.00", "5", "5", True]
    again = bench.client.patch(f"{API}/orders/{number}", json={"price": "51.00", "quantity": "5", "request_id": "up"})
    assert again.json()["order"] == body["order"]
    other = bench.client.patch(f"{API}/orders/{number}", json={"price": "52.00", "request_id": "up"})
    assert refused(other) == (409, "DUPLICATE", {"request_id"})


def test_an_order_that_was_changed_is_the_same_order_when_it_is_sent_again(bench: Bench) -> None:
    asked = {**GOOD, "request_id": "mine"}
    number = post(bench, asked)["order"]["order_id"]
    assert bench.client.patch(f"{API}/orders/{number}", json={"price": "51.00"}).status_code == 200
    again = post(bench, asked)
    assert (again["order"]["order_id"], again["order"]["price"], again["outcome"]["repeat"]) == (number, "51.00", None)
    other = bench.client.post(f"{API}/orders", json={**asked, "side": "sell"})
    assert refused(other) == (409, "DUPLICATE", {"request_id"})


def test_the_stop_of_a_waiting_order_is_changed(bench: Bench) -> None:
    stop = {**MARKET, "kind": "stop-limit", "stop": "105.00", "price": "106.00"}
    number = post(bench, stop)["order"]["order_id"]
    changed = bench.client.patch(f"{API}/orders/{number}", json={"stop": "104.00"}).json()["order"]
    assert (changed["stop"], changed["trigger"]) == ("104.00", "WAITING")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (422, "INVALID_FIELDS", {"price", "quantity", "stop"})),
        ({"price": "0.001"}, (422, "INVALID_FIELDS", {"price"})),
        ({"quantity": 5}, (422, "INVALID_FIELDS", {"quantity"})),
        ({"quantity": "1099511627776", "price": "10995116277.76"}, (422, "INVALID_FIELDS", {"quantity"})),
        ({"price": "51.00", "request_id": "a b"}, (422, "INVALID_FIELDS", {"request_id"})),
        ({"price": "51.00", "side": "sell"}, (400, "UNKNOWN_FIELD", {"side"})),
        ({"stop": "51.00"}, (409, "INVALID_AMENDMENT", {"order_id"})),
        ({"price": "9000000.00"}, (409, "INSUFFICIENT_FUNDS", {"quantity"})),
    ],
    ids=named,
)
def test_a_change_that_cannot_be_is_refused(
    bench: Bench, fields: dict[str, Any], expected: tuple[int, str, set[str]]
) -> None:
    number = post(bench, GOOD)["order"]["order_id"]
    assert refused(bench.client.patch(f"{API}/orders/{number}", json=fields)) == expected
    assert orders(bench)["open_orders"][0]["price"] == "50.25"


def test_an_order_that_is_not_there_cannot_be_changed(bench: Bench) -> None:
    answer = bench.client.patch(f"{API}/orders/999", json={"price": "51.00"})
    assert refused(answer) == (404, "UNKNOWN_ORDER", {"order_id"})


def test_orders_are_cancelled_together(bench: Bench) -> None:
    bench.floor.order("sell", 1_000, 50, "COINUSD")
    for _ in range(2):
        post(bench, GOOD)
    coin = post(bench, {**GOOD, "symbol": "COINUSD", "price": "10.00", "quantity": "1.000"})["order"]["order_id"]
    answer = bench.client.delete(f"{API}/orders?symbol=AAPLUSD")
    assert (answer.status_code, answer.json()["outcome"]["state"]) == (200, "ACCEPTED")
    assert [one["order_id"] for one in orders(bench)["open_orders"]] == [coin]
    request_id = answer.json()["outcome"]["request_id"]
    assert bench.client.get(f"{API}/requests/{request_id}").json()["outcome"]["order_id"] == 0
    assert bench.client.delete(f"{API}/orders").status_code == 200
    assert orders(bench)["open_orders"] == []
    assert refused(bench.client.delete(f"{API}/orders?symbol=NOPE")) == (404, "UNKNOWN_SYMBOL", {"symbol"})


def test_a_dead_man_timer_is_set_and_cancels_when_its_time_has_come(bench: Bench) -> None:
    post(bench, GOOD)
    answer = bench.client.put(f"{API}/dead-man", json={"timeout_ms": 60_000})
    assert (answer.status_code, answer.json()["outcome"]["state"]) == (200, "ACCEPTED")
    projected = bench.floor.projected
    projected.advance(120_000)
    projected.project(publish=True)
    assert [one["reason"] for one in orders(bench)["ended_orders"]] == ["DEAD_MAN"]


@pytest.mark.parametrize("timeout_ms", [None, -1, 86_400_001, "60000", 1.5, True])
def test_a_timer_that_is_no_time_is_refused(bench: Bench, timeout_ms: Any) -> None:
    answer = bench.client.put(f"{API}/dead-man", json={"timeout_ms": timeout_ms})
    assert refused(answer) == (422, "INVALID_FIELDS", {"timeout_ms"})


# Groups

OCO = {
    "symbol": "AAPLUSD",
    "side": "sell",
    "quantity": "2",
    "first": {"price": "110.00"},
    "second": {"kind": "stop", "stop": "90.00"},
}
BRACKET = {
    "symbol": "AAPLUSD",
    "side": "buy",
    "quantity": "2",
    "entry": {"price": "101.00"},
    "take_profit": {"price": "110.00"},
    "stop_loss": {"kind": "stop-limit", "stop": "90.00", "price": "89.00"},
}


def test_of_two_orders_one_cancels_the_other(bench: Bench) -> None:
    placed = post(bench, {**OCO, "request_id": "pair"}, "orders/oco")
    assert (placed["outcome"]["state"], placed["outcome"]["request_id"]) == ("ACCEPTED", "pair")
    legs = [one["order"] for one in placed["orders"]]
    assert [(leg["request_id"], leg["kind"], leg["state"]) for leg in legs] == [
        ("pair.first", "limit", "OPEN"),
        ("pair.second", "stop", "OPEN"),
    ]
    assert legs[1]["price"] == "85.50"
    again = post(bench, {**OCO, "request_id": "pair"}, "orders/oco")
    assert [one["order"] for one in again["orders"]] == legs
    bench.floor.order("buy", 11_000, 200)
    bench.client.delete(f"{API}/orders/{legs[0]['order_id']}")
    ended = {one["request_id"]: one["reason"] for one in orders(bench)["ended_orders"]}
    assert ended["pair.second"] == "OTHER_LEG"
    assert orders(bench)["open_orders"] == []


def test_a_bracket_places_its_exits_once_its_entry_is_filled(bench: Bench) -> None:
    placed = post(bench, {**BRACKET, "request_id": "deal"}, "orders/bracket")
    assert [one["order"]["state"] for one in placed["orders"]] == ["FILLED"]
    exits = {one["request_id"]: (one["side"], one["quantity"]) for one in orders(bench)["open_orders"]}
    assert exits == {"deal.take_profit": ("sell", "2"), "deal.stop_loss": ("sell", "2")}


@pytest.mark.parametrize(
    ("path", "group", "change", "expected"),
    [
        ("oco", OCO, {"first": None}, (422, "INVALID_FIELDS", {"first"})),
        ("oco", OCO, {"second": "stop"}, (422, "INVALID_FIELDS", {"second"})),
        ("oco", OCO, {"first": {"price": "x"}, "second": {"kind": "stop"}}, (422, "INVALID_FIELDS", {"first.price", "second.stop"})),
        ("oco", OCO, {"first": {"price": "110.00", "time_in_force": "IOC"}}, (422, "INVALID_FIELDS", {"first.time_in_force"})),
        ("oco", OCO, {"first": {"kind": "market"}}, (422, "INVALID_FIELDS", {"first.kind"})),
        ("oco", OCO, {"first": {"price": "110.00", "all_or_none": True}}, (422, "INVALID_FIELDS", {"first.all_or_none"})),
        ("oco", OCO, {"first": {"price": "110.00", "quantity": "1"}}, (400, "UNKNOWN_FIELD", {"first.quantity"})),
        ("oco", OCO, {"third": {}}, (400, "UNKNOWN_FIELD", {"third"})),
        ("oco", OCO, {"quantity": "0", "side": "hold", "symbol": "NOPE"}, (422, "INVALID_FIELDS", {"symbol", "side"})),
        ("oco", OCO, {"first": {"price": "110.00", "request_id": "a"}, "request_id": "a"}, (422, "INVALID_FIELDS", {"request_id"})),
        ("oco", OCO, {"request_id": "x" * 60}, (422, "INVALID_FIELDS", {"first.request_id", "second.request_id"})),
        ("oco", OCO, {"quantity": "1000000"}, (409, "INSUFFICIENT_FUNDS", set())),
        ("bracket", BRACKET, {"stop_loss": {"price": "90.00", "min_quantity": "1"}}, (422, "INVALID_FIELDS", {"stop_loss.min_quantity"})),
        ("bracket", BRACKET, {"entry": {"kind": "pegged", "price": "1.00"}}, (422, "INVALID_FIELDS", {"entry.peg"})),
        ("bracket", BRACKET, {"quantity": "100000000"}, (409, "INSUFFICIENT_FUNDS", set())),
    ],
    ids=named,
)  # fmt: skip
def test_a_group_that_cannot_be_is_refused_with_its_fields_named(
    bench: Bench, path: str, group: dict[str, Any], change: dict[str, Any], expected: tuple[int, str, set[str]]
) -> None:
    answer = bench.client.post(f"{API}/orders/{path}", json={**group, **change})
    assert refused(answer) == expected
    assert orders(bench) == {"open_orders": [], "ended_orders": []}


def test_a_group_under_a_used_id_is_a_duplicate(bench: Bench) -> None:
    post(bench, {**OCO, "request_id": "pair"}, "orders/oco")
    other = bench.client.post(f"{API}/orders/oco", json={**OCO, "quantity": "1", "request_id": "pair"})
    assert refused(other) == (409, "DUPLICATE", set())


# When something is away


@pytest.mark.parametrize(("attribute", "expected"), [("up", (503, "NOT_TAKEN")), ("shown", (504, "UNKNOWN_OUTCOME"))])
def test_every_request_says_when_it_was_not_taken_or_is_unknown(
    hasty: Bench, attribute: str, expected: tuple[int, str]
) -> None:
    number = post(hasty, GOOD)["order"]["order_id"]
    setattr(hasty.commands, attribute, False)
    client = hasty.client
    answers = [
        client.post(f"{API}/orders/oco", json=OCO),
        client.post(f"{API}/orders/bracket", json=BRACKET),
        client.patch(f"{API}/orders/{number}", json={"price": "51.00"}),
        client.delete(f"{API}/orders"),
        client.put(f"{API}/dead-man", json={"timeout_ms": 0}),
    ]
    assert [refused(answer)[:2] for answer in answers] == [expected] * 5


def test_the_market_says_why_it_takes_no_order_now(bench: Bench) -> None:
    operate(bench, m.SetPhase, phase="closing-auction")
    waits = bench.client.post(f"{API}/orders", json={**GOOD, "time_in_force": "IOC"})
    assert refused(waits) == (409, "NOT_CONTINUOUS", {"time_in_force"})
    operate(bench, m.SetPhase, phase="closed")
    assert refused(bench.client.post(f"{API}/orders", json=GOOD)) == (409, "MARKET_CLOSED", set())
    assert bench.client.get(f"{API}/markets/AAPLUSD").json()["phase"] == "closed"
