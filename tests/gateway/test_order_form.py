"""The order form, with htmx and as a plain form: what it answers, and that it never places an order twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.adapters import Bench, running
from tests.gateway.projected import NOW_MS

FORM = "/market/AAPLUSD/orders"
HTMX = {"HX-Request": "true"}
GOOD = {
    "side": "buy",
    "kind": "limit",
    "price": "50.25",
    "quantity": "3",
    "time_in_force": "GTC",
    "request_id": "form-1",
}


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(redis_url, "form") as started:
        yield started


@pytest.fixture
def fresh(redis_url: str, venue: str) -> Iterator[Bench]:
    with running(redis_url, venue, answer_s=3.0) as started:
        yield started


def value_of(html: str, field: str) -> str:
    found = re.search(rf'name="{field}"[^>]* value="([^"]*)"', html)
    assert found, f"the form has no {field}"
    return found[1]


def notice(html: str) -> tuple[str, str]:
    """Return the notice's tone and words."""
    found = re.search(r'<p id="notice" class="notice (\w*)" role="status"[^>]*>([^<]*)</p>', html)
    assert found, "there is no notice"
    return found[1], found[2]


WRONG: list[tuple[str, dict[str, str]]] = [
    *(("side", {"side": side}) for side in ("", "hold", "BUY", "buy\x00")),
    *(("kind", {"kind": kind}) for kind in ("stopp", "Limit", "\x01")),
    *(
        ("price", {"price": price})
        for price in ("", "0", "-1", "abc", "NaN", "1e5", "1,000", "1.005", "10995116277.77", "\uff19", "1\x00", "<b>", '"', "9" * 300)
    ),
    *(("quantity", {"quantity": value}) for value in ("", "0", "-3", "0.5", "x", "1e2", "1099511627777", "3\x00", "💸")),
    *(("time_in_force", {"time_in_force": value}) for value in ("DAYS", "gtc", "GTC ")),
    ("time_in_force", {"kind": "market", "time_in_force": "GTC"}),
    *(("stop", {"kind": "stop", "stop": stop}) for stop in ("", "0", "x", "<b>")),
    ("trail", {"kind": "trailing-stop"}),
    ("peg", {"kind": "pegged", "peg": ""}),
    ("offset", {"kind": "pegged", "peg": "mid", "offset": "half"}),
    ("display", {"display": "4"}),
    ("post_only", {"post_only": "perhaps"}),
    ("min_quantity", {"min_quantity": "2", "time_in_force": "FOK"}),
    ("all_or_none", {"all_or_none": "true", "time_in_force": "IOC"}),
    ("self_trade", {"self_trade": "all"}),
    *(("expires_ms", {"time_in_force": "GTD", "expires": value}) for value in ("", "tomorrow", "1969-12-31T23:00")),
    ("expires_ms", {"expires": "2024-01-01T10:00"}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "change"), WRONG, ids=lambda value: ascii(value)[:50])
@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_wrong_field_is_named_beside_it_and_nothing_is_sent(
    bench: Bench, headers: dict[str, str], field: str, change: dict[str, str]
) -> None:
    refused = bench.client.post(FORM, data={**GOOD, **change}, headers=headers)
    assert refused.status_code == 422
    assert re.findall(r'<p class="error" id="([a-z_]+)-error">', refused.text) == [field]
    assert refused.text.lstrip().startswith("<section id=" if headers else "<!doctype html>")
    assert value_of(refused.text, "request_id") == "form-1"
    assert "<b>" not in refused.text
    assert bench.commands.written == []


@pytest.mark.parametrize("request_id", ["x" * 65, "a b", "é", "\x00", "'\"<script>"])
def test_a_broken_request_id_is_refused_and_replaced_by_a_good_one(bench: Bench, request_id: str) -> None:
    if request_id == "'\"<script>":
        assert bench.client.post(FORM, data={**GOOD, "price": "0", "request_id": request_id}).status_code == 422
        return
    refused = bench.client.post(FORM, data={**GOOD, "request_id": request_id}, headers=HTMX)
    assert refused.status_code == 422
    assert "1 to 64 printable ASCII characters" in refused.text
    assert re.fullmatch("[0-9a-f]{32}", value_of(refused.text, "request_id"))


def test_a_good_till_date_order_without_a_date_is_told_to_choose_one(bench: Bench) -> None:
    refused = bench.client.post(FORM, data={**GOOD, "time_in_force": "GTD"}, headers=HTMX)
    assert refused.status_code == 422
    assert "GTD order needs the time at which it expires: choose one" in refused.text
    assert re.search(r'<details class="more" open>', refused.text)


def test_a_good_till_date_order_expires_at_the_time_that_was_chosen(fresh: Bench) -> None:
    placed = fresh.client.post(
        FORM, data={**GOOD, "time_in_force": "GTD", "expires": "2023-11-14T22:13:21"}, headers=HTMX
    )
    assert placed.status_code == 200
    [order] = fresh.client.get("/api/native/orders").json()["open_orders"]
    assert order["expires_ms"] == NOW_MS + 1_000


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_the_form_takes_every_kind_with_all_that_goes_with_it(fresh: Bench, headers: dict[str, str]) -> None:
    empty = dict.fromkeys(
        ("price", "stop", "trail", "peg", "offset", "display", "post_only", "min_quantity", "expires"), ""
    )
    for number, (change, told) in enumerate(
        (
            ({"kind": "stop", "stop": "105.00"}, "waits for a trade at 105.00 or above"),
            ({"kind": "stop-limit", "side": "sell", "stop": "95.00", "price": "94.00", "display": "1"}, "at 95.00 or below"),
            ({"kind": "trailing-stop", "side": "sell", "trail": "1.50"}, "waits for the last price to turn"),
            ({"kind": "pegged", "peg": "bid", "offset": "-0.50"}, "3 follow the market"),
            ({"kind": "limit", "price": "50.00", "all_or_none": "true"}, "3 are with the book at 50.00"),
            ({"kind": "limit", "price": "150.00", "post_only": "slide"}, "3 rest in the book at 100.99"),
            ({"kind": "market-to-limit"}, "3 traded at 101.00"),
        )
    ):  # fmt: skip
        data = {**GOOD, **empty, "self_trade": "none", "request_id": f"form-{number}", **change}
        answer = fresh.client.post(FORM, data=data, headers=headers)
        assert answer.status_code == (200 if headers else 303)
        html = answer.text if headers else fresh.client.get(answer.headers["location"]).text
        assert told in notice(html)[1], change


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"side=buy", "text/plain", 415),
        (b"side=buy", "multipart/form-data; boundary=x", 415),
        (b"&".join(b"a%d=1" % number for number in range(33)), "application/x-www-form-urlencoded", 400),
        (b"price=" + b"9" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"", "application/x-www-form-urlencoded", 422),
        (b"\xff\xfe=%00&%zz", "application/x-www-form-urlencoded", 422),
    ],
)
def test_what_is_no_form_is_refused(bench: Bench, content: bytes, kind: str, status: int) -> None:
    refused = bench.client.post(FORM, content=content, headers={"content-type": kind})
    assert (refused.status_code, refused.headers["content-type"]) == (status, "text/html; charset=utf-8")


def test_an_unknown_symbol_is_not_found(bench: Bench) -> None:
    assert bench.client.post("/market/NOPE/orders", data=GOOD, headers=HTMX).status_code == 404
    assert bench.client.get("/market/NOPE").status_code == 404
    assert 'href="/"' in bench.client.get("/market/NOPE").text


def test_an_unknown_span_is_refused_as_a_page(bench: Bench) -> None:
    refused = bench.client.get("/market/AAPLUSD?span=1y")
    assert refused.status_code == 422
    assert "choose one of 1s, 1m, 5m, 15m, 1h, 1d" in refused.text


def test_with_htmx_the_form_comes_back_empty_under_a_new_id_after_an_order(fresh: Bench) -> None:
    placed = fresh.client.post(FORM, data=GOOD, headers=HTMX)
    assert placed.status_code == 200
    assert "3 rest in the book at 50.25" in placed.text
    assert value_of(placed.text, "quantity") == ""
    assert re.fullmatch("[0-9a-f]{32}", value_of(placed.text, "request_id"))


def test_a_plain_form_is_sent_on_to_a_page_that_tells_what_became_of_it(fresh: Bench) -> None:
    placed = fresh.client.post(FORM, data=GOOD)
    assert (placed.status_code, placed.headers["location"]) == (303, "/market/AAPLUSD?request=form-1")
    again = fresh.client.post(FORM, data=GOOD)
    assert (again.status_code, again.headers["location"]) == (303, placed.headers["location"])
    page = fresh.client.get(placed.headers["location"])
    assert "3 rest in the book at 50.25" in page.text
    assert len(fresh.client.get("/api/native/orders").json()["open_orders"]) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"price": "101.00"}, "3 traded at 101.00 on average"),
        ({"price": "101.00", "quantity": "150", "time_in_force": "IOC"}, "100 traded at 101.00 on average, the rest was cancelled"),
        ({"price": "101.00", "quantity": "150", "time_in_force": "FOK"}, "nothing was traded, because not all could be"),
        ({"kind": "market", "price": "", "quantity": "500", "time_in_force": "IOC"}, "200 traded at 101.50 on average"),
    ],
)  # fmt: skip
def test_the_notice_tells_what_was_traded(fresh: Bench, change: dict[str, str], told: str) -> None:
    answer = fresh.client.post(FORM, data={**GOOD, **change}, headers=HTMX)
    assert answer.status_code == 200
    assert told in answer.text


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_refusal_of_the_market_is_told_beside_its_field(fresh: Bench, headers: dict[str, str]) -> None:
    refused = fresh.client.post(FORM, data={**GOOD, "quantity": "9999999"}, headers=headers)
    assert refused.status_code == (409 if headers else 303)
    html = refused.text if headers else fresh.client.get(refused.headers["location"]).text
    assert "has not enough free" in html
    if headers:
        assert 'id="quantity-error"' in html
        assert value_of(html, "quantity") == "9999999"
        assert value_of(html, "request_id") != "form-1"


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
@pytest.mark.parametrize(("attribute", "status"), [("up", 503), ("shown", 504)])
def test_the_form_keeps_its_id_and_all_that_was_typed_when_the_exchange_is_away(
    fresh: Bench, attribute: str, status: int, headers: dict[str, str]
) -> None:
    setattr(fresh.commands, attribute, False)
    failed = fresh.client.post(FORM, data=GOOD, headers=headers)
    assert failed.status_code == status
    assert (value_of(failed.text, "request_id"), value_of(failed.text, "price")) == ("form-1", "50.25")
    setattr(fresh.commands, attribute, True)
    assert fresh.client.post(FORM, data=GOOD, headers=HTMX).status_code == 200
    assert len(fresh.client.get("/api/native/orders").json()["open_orders"]) == 1


def test_a_market_order_of_unknown_outcome_keeps_its_protection_price_so_that_it_can_be_sent_again(
    fresh: Bench,
) -> None:
    order = {**GOOD, "kind": "market", "price": "", "time_in_force": "IOC"}
    fresh.commands.shown = False
    unknown = fresh.client.post(FORM, data=order, headers=HTMX)
    assert (unknown.status_code, value_of(unknown.text, "price")) == (504, "106.05")
    fresh.commands.shown = True
    settled = fresh.client.post(FORM, data={**order, "price": "106.05"}, headers=HTMX)
    assert settled.status_code == 200


def test_a_market_order_that_is_sent_again_is_the_same_order_though_the_book_has_moved(fresh: Bench) -> None:
    order = {**GOOD, "kind": "market", "price": "", "quantity": "100", "time_in_force": "IOC"}
    first = fresh.client.post(FORM, data=order, headers=HTMX)
    again = fresh.client.post(FORM, data=order, headers=HTMX)
    assert (first.status_code, again.status_code) == (200, 200)
    assert notice(first.text) == notice(again.text)
    assert "100 traded at 101.00 on average" in notice(again.text)[1]
    assert len(fresh.client.get("/api/native/orders").json()["ended_orders"]) == 1


def test_a_market_order_whose_id_stands_for_another_symbol_is_no_repeat_of_it(fresh: Bench) -> None:
    fresh.client.post(FORM, data=GOOD, headers=HTMX)
    fresh.floor.order("sell", 1_000, 50, "COINUSD")
    order = {**GOOD, "kind": "market", "price": "", "quantity": "0.1", "time_in_force": "IOC"}
    assert fresh.client.post("/market/COINUSD/orders", data=order, headers=HTMX).status_code == 409


def test_a_duplicate_says_what_stands_under_its_id(fresh: Bench) -> None:
    fresh.client.post(FORM, data={**GOOD, "price": "101.00"})
    other = fresh.client.post(FORM, data={**GOOD, "quantity": "4"}, headers=HTMX)
    assert other.status_code == 409
    tone, words = notice(other.text)
    assert tone == "bad"
    assert re.search(r"only the first was placed\. Buy 3 AAPLUSD, order \d+: 3 traded at 101.00 on average\.", words)
    assert "form-1" not in words


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_an_order_is_cancelled(fresh: Bench, headers: dict[str, str]) -> None:
    fresh.client.post(FORM, data=GOOD)
    [order] = fresh.client.get("/api/native/orders").json()["open_orders"]
    cancel = f"/market/AAPLUSD/orders/{order['order_id']}/cancel"
    answer = fresh.client.post(cancel, headers=headers)
    assert answer.status_code == (200 if headers else 303)
    html: Any = answer.text if headers else fresh.client.get(answer.headers["location"]).text
    assert f'id="order-{order["order_id"]}" class="cancelled"' in html
    assert notice(html) == ("good", f"Buy 3 AAPLUSD, order {order['order_id']}: it was cancelled.")
    again = fresh.client.post(cancel, headers=headers)
    assert again.status_code == (409 if headers else 303)
    html = again.text if headers else fresh.client.get(again.headers["location"]).text
    assert notice(html) == ("bad", "There is no such open order: look at the list of orders.")


@pytest.mark.parametrize("order_id", [1, 2**53, 10**30])
@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_an_order_that_is_not_there_cannot_be_cancelled(bench: Bench, order_id: int, headers: dict[str, str]) -> None:
    answer = bench.client.post(f"/market/AAPLUSD/orders/{order_id}/cancel", headers=headers)
    assert answer.status_code == (404 if order_id > 1 else 409 if headers else 303)
    assert all(getattr(command, "order_id", 1) == 1 for command in bench.commands.written)
    bench.commands.written.clear()


@pytest.mark.parametrize(
    ("attribute", "status", "told"),
    [("up", 503, ("bad", "the request was not sent")), ("shown", 504, ("unknown", "try again if it is still open"))],
)
@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_cancellation_says_when_it_was_not_taken_or_is_unknown(
    fresh: Bench, attribute: str, status: int, told: tuple[str, str], headers: dict[str, str]
) -> None:
    fresh.client.post(FORM, data=GOOD)
    [order] = fresh.client.get("/api/native/orders").json()["open_orders"]
    setattr(fresh.commands, attribute, False)
    answer = fresh.client.post(f"/market/AAPLUSD/orders/{order['order_id']}/cancel", headers=headers)
    assert answer.status_code == status
    assert ('id="orders"' in answer.text) == bool(headers)
    if headers:
        tone, words = notice(answer.text)
        assert (tone, told[1] in words) == (told[0], True)
    else:
        assert "The request was sent" in answer.text or "the request was not sent" in answer.text
    refused = fresh.client.delete(f"/api/native/orders/{order['order_id']}")
    assert refused.status_code == status


def test_a_cancellation_says_what_happened_even_if_the_orders_cannot_be_read(fresh: Bench) -> None:
    store = fresh.floor.projected.store
    store._redis.delete(store.keys.generation)
    fresh.commands.up = False
    answer = fresh.client.post("/market/AAPLUSD/orders/16/cancel", headers=HTMX)
    assert answer.status_code == 503
    assert notice(answer.text)[0] == "bad"
    assert 'id="orders"' not in answer.text


def test_without_views_a_person_gets_a_page_that_says_so(fresh: Bench) -> None:
    store = fresh.floor.projected.store
    store._redis.delete(store.keys.generation)
    for path in ("/", "/market/AAPLUSD"):
        page = fresh.client.get(path)
        assert (page.status_code, page.headers["retry-after"]) == (503, "1")
        assert "Market data is not available now" in page.text
