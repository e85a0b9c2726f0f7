"""Nobody sees or touches what is another account's: by id, by request id, by header, by page, or over a websocket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.exceptions import WebSocketDisconnect

from gateway.refusals import REFUSALS
from tests.gateway.let_in import HERE, House, house

API = "/api/native"
ORDER = {"symbol": "AAPLUSD", "side": "buy", "price": "50.25", "quantity": "3"}
ALERT = {"condition": {"type": "PriceCrosses", "price": 101.5, "direction": "up"}, "channels": ["inbox"]}
ENDED_S = 1.0
"""How long somebody who was shut out may go on being shown things."""


@pytest.fixture(scope="module")
def home(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(redis_url, "isolation", tmp_path_factory.mktemp("isolation")) as started:
        started.user("ann")
        started.user("bob")
        started.user("broker", "trader", "acme-*", account="acme")
        for account in ("ann", "bob", "acme", "acme-1", "acme-2"):
            started.fund(account)
        yield started


@pytest.fixture(autouse=True)
def _empty_handed(home: House) -> None:
    home.client.cookies.clear()


@pytest.fixture(scope="module")
def ann(home: House) -> dict[str, str]:
    return home.session("ann")


@pytest.fixture(scope="module", params=["session", "key", "visitor"])
def other(request: pytest.FixtureRequest, home: House) -> dict[str, str]:
    """Somebody who is not ann."""
    ways = {"session": lambda: home.session("bob"), "key": lambda: home.key("bob", "read", "trade"), "visitor": dict}
    made: dict[str, str] = ways[request.param]()
    return made


def place(home: House, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = home.client.post(f"{API}/orders", json={**ORDER, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()["order"]
    return order


def open_orders(home: House, headers: dict[str, str]) -> set[int]:
    return {each["order_id"] for each in home.client.get(f"{API}/orders", headers=headers).json()["open_orders"]}


def test_an_order_is_neither_seen_nor_touched_by_another(
    home: House, ann: dict[str, str], other: dict[str, str]
) -> None:
    order = place(home, ann)
    path = f"{API}/orders/{order['order_id']}"
    seen = [
        home.client.get(path, headers=other),
        home.client.patch(path, json={"quantity": "1"}, headers=other),
        home.client.delete(path, headers=other),
        home.client.get(f"{API}/requests/{order['request_id']}", headers=other),
    ]
    assert [answer.status_code for answer in seen] == [404] * 4
    by_page = home.client.post(f"/market/AAPLUSD/orders/{order['order_id']}/cancel", headers={**HERE, **other})
    told = home.client.get(by_page.headers["location"], headers=other).text
    assert REFUSALS["UNKNOWN_ORDER"].sentence in told
    assert home.client.delete(f"{API}/orders", headers=other).status_code == 200
    assert order["order_id"] not in open_orders(home, other)
    assert order["order_id"] in open_orders(home, ann)
    assert f"order-{order['order_id']}" not in home.client.get("/market/AAPLUSD", headers=other).text


def test_one_request_id_of_two_accounts_is_two_requests(
    home: House, ann: dict[str, str], other: dict[str, str]
) -> None:
    name = f"same-{len(home.commands.written)}"
    first, second = place(home, ann, request_id=name), place(home, other, request_id=name, quantity="5")
    assert first["order_id"] != second["order_id"]
    told = [home.client.get(f"{API}/requests/{name}", headers=each).json()["order"] for each in (ann, other)]
    assert [each["quantity"] for each in told] == ["3", "5"]
    page = home.client.get(f"/market/AAPLUSD?request={name}", headers=other).text
    assert "Buy 5 AAPLUSD" in page
    assert "Buy 3 AAPLUSD" not in page


def test_alerts_are_each_accounts_own(home: House, ann: dict[str, str], other: dict[str, str]) -> None:
    assert home.client.put(f"{API}/alerts/hers", json=ALERT, headers=ann).status_code == 200
    assert home.client.get(f"{API}/alerts", headers=other).json() == []
    assert home.client.delete(f"{API}/alerts/hers", headers=other).status_code == 200
    assert "/alerts/hers/remove" not in home.client.get("/alerts", headers=other).text
    assert "/alerts/hers/remove" in home.client.get("/alerts", headers=ann).text
    assert [each["name"] for each in home.client.get(f"{API}/alerts", headers=ann).json()] == ["hers"]


@pytest.mark.parametrize("account", ["ann", "acme", "*", "", "ANN", "nobody"])
def test_another_account_cannot_be_named(home: House, other: dict[str, str], account: str) -> None:
    for method, path in (("GET", "balances"), ("GET", "orders"), ("POST", "orders"), ("DELETE", "orders")):
        answer = home.client.request(method, f"{API}/{path}", headers={**HERE, **other, "x-openbell-account": account})
        assert (answer.status_code, answer.json()["error"]) == (403, "ACCOUNT_NOT_ALLOWED")


@pytest.mark.parametrize("account", ["acme-" + "x" * 60, "acme- 1", "acme-\u00e9", "acme-@1", "acme-\t1"], ids=repr)
def test_what_can_be_no_account_is_not_a_brokers_and_is_never_written_to_the_log(home: House, account: str) -> None:
    named = {**home.key("broker", "read", "trade"), "x-openbell-account": account.encode("latin-1")}
    written = len(home.commands.written)
    answer = home.client.post(f"{API}/orders", json=ORDER, headers=named)
    assert (answer.status_code, answer.json()["error"]) == (403, "ACCOUNT_NOT_ALLOWED")
    assert len(home.commands.written) == written


def test_a_broker_trades_for_the_accounts_that_are_theirs_and_no_others(home: House) -> None:
    broker = home.key("broker", "read", "trade")
    orders = {
        account: place(home, {**broker, "x-openbell-account": account})["order_id"]
        for account in ("acme", "acme-1", "acme-2")
    }
    for account, order_id in orders.items():
        assert open_orders(home, {**broker, "x-openbell-account": account}) == {order_id}
    assert open_orders(home, broker) == {orders["acme"]}
    refused = home.client.get(f"{API}/orders", headers={**broker, "x-openbell-account": "ann"})
    assert refused.json()["error"] == "ACCOUNT_NOT_ALLOWED"

    only = home.key("broker", "read", account="acme-1")
    assert open_orders(home, only) == {orders["acme-1"]}
    refused = home.client.get(f"{API}/orders", headers={**only, "x-openbell-account": "acme-2"})
    assert refused.json()["error"] == "ACCOUNT_NOT_ALLOWED"


def test_a_key_is_valid_only_with_its_secret_from_its_networks_and_until_it_expires(home: House) -> None:
    own = home.key("ann", "read")["x-api-key"]
    key, _, secret = own.partition(".")
    foreign = home.key("bob", "read")["x-api-key"].partition(".")[2]
    for text in (
        "",
        ".",
        key,
        f"{key}.",
        f"{key}.{secret[:-1]}",
        f"{key}.{foreign}",
        f".{secret}",
        f"{key}.é",
        own * 9,
    ):
        answer = home.client.get(f"{API}/balances", headers={"x-api-key": text.encode("utf-8")})
        assert (answer.status_code, answer.json()["error"]) == (401, "INVALID_KEY"), text
    elsewhere = home.key("ann", "read", networks=("192.0.2.0/24",))
    answer = home.client.get(f"{API}/balances", headers=elsewhere)
    assert (answer.status_code, answer.json()["error"]) == (403, "ADDRESS_NOT_ALLOWED")


def test_a_key_is_held_to_its_networks_by_the_address_of_its_client_and_not_of_the_load_balancer(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with house(redis_url, venue, tmp_path_factory.mktemp("behind"), trusted_proxies=("10.0.0.0/8",)) as behind:
        behind.user("ann")
        behind.stands_behind("10.0.0.1")
        office = behind.key("ann", "read", networks=("192.0.2.0/24",))
        inside = behind.key("ann", "read", networks=("10.0.0.0/8",))
        asked = ((office, "192.0.2.7"), (office, "198.51.100.1"), (inside, "198.51.100.1"))
        answers = [
            behind.client.get(f"{API}/balances", headers={**key, "x-forwarded-for": address}).status_code
            for key, address in asked
        ]
        assert answers == [200, 403, 403]


def read(socket: Any, until: str) -> str:
    """Return what a websocket is sent until something comes, which must come; the client gives up by itself."""
    text = ""
    while until not in text:
        text += socket.receive_text(timeout=10)
    return text


def test_a_websocket_shows_the_orders_of_whoever_opened_it_and_of_nobody_else(
    home: House, ann: dict[str, str], other: dict[str, str]
) -> None:
    path = "/live/market/AAPLUSD?span=1d"
    with (
        home.client.websocket_connect(path, headers=ann) as hers,
        home.client.websocket_connect(path, headers={**HERE, **other}) as theirs,
    ):
        seen = read(theirs, "orders-heading")
        read(hers, "Orders of ann")
        order = place(home, ann, price="50.50", quantity="7")
        assert "Orders of ann" in read(hers, f'id="order-{order["order_id"]}"')
        mine = place(home, other, price="50.75")  # comes after hers, which would have come by now
        seen += read(theirs, f'id="order-{mine["order_id"]}"')
        assert "Orders of ann" not in seen
        assert f'id="order-{order["order_id"]}"' not in seen


@pytest.mark.parametrize("way", ["sign-out", "revoked", "shut out", "key revoked"])
@pytest.mark.parametrize("path", ["/live/markets", "/live/market/AAPLUSD", "/live/alerts"])
def test_a_websocket_ends_within_a_second_once_its_session_or_key_has(home: House, way: str, path: str) -> None:
    name = f"{way}-{path}".replace(" ", "-").replace("/", ".")[:32]
    home.user(name)
    headers = home.key(name, "read") if way == "key revoked" else home.session(name)
    with home.client.websocket_connect(path, headers={**HERE, **headers}) as socket:
        read(socket, 'id="status"')
        if way == "sign-out":
            home.client.post("/sign-out", headers=headers)
        elif way == "revoked":
            home.run(home.directory.sessions.revoke_all, name)
        elif way == "shut out":
            home.run(home.directory.users.disable, name)
        else:
            home.run(home.directory.keys.revoke, headers["x-api-key"].partition(".")[0])
        began = time.monotonic()
        with pytest.raises(WebSocketDisconnect) as closed:
            read(socket, "what is never sent")
        assert time.monotonic() - began < ENDED_S
        assert (closed.value.code, closed.value.detail) == (1008, "your session has ended: sign in again")
    with pytest.raises(WebSocketDisconnect), home.client.websocket_connect("/live/alerts", headers={**HERE, **headers}):
        pass


def test_a_websocket_of_another_site_is_refused(home: House, ann: dict[str, str]) -> None:
    cookie = {"cookie": ann["cookie"]}
    for said in ({}, {"origin": "https://evil.example"}):
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            home.client.websocket_connect("/live/alerts", headers={**cookie, **said}),
        ):
            pass
        assert closed.value.code == 1008


def test_what_was_read_of_one_account_is_not_read_of_another_in_the_same_browser(
    home: House, ann: dict[str, str]
) -> None:
    marked = home.client.post("/alerts/read", data={"told": "3"}, headers=ann)
    hers = marked.headers["set-cookie"].partition("=")[0]
    home.client.cookies.clear()
    marked = home.client.post("/alerts/read", data={"told": "5"}, headers=home.session("bob"))
    assert marked.headers["set-cookie"].partition("=")[0] != hers
