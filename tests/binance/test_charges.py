"""What requests of the Binance-shaped API are charged, and when it is said that they may be tried again, over REST and websockets alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from gateway.binance.signing import sign
from gateway.limiting.local import LocalLimits
from gateway.limiting.ports import Claim, Verdict
from gateway.limiting.settings import LimitSettings
from tests.binance.trading_desk import LIMIT, Desk, Users, desk
from tests.gateway.projected import NOW_MS

COMPUTE = "computeCommissionRates"
USED = "x-mbx-used-weight-1m"
MINUTE_S = 60 - NOW_MS // 1_000 % 60
"""How long the minute still lasts."""


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    return Users(tmp_path_factory.mktemp("users"))


@contextmanager
def bound(url: str, name: str, users: Users, **limits: int) -> Iterator[Desk]:
    """Run the application with limits, whose clock is that of the application."""
    counting = LocalLimits(now_s=lambda: NOW_MS / 1_000)
    with desk(url, name, users, counted_by=counting, limits=LimitSettings(**limits)) as running:
        yield running


def asked(at: Desk, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """Send requests over one websocket, each once the one before is answered, and return the answers."""
    answers = []
    with at.client.websocket_connect("/ws-api/v3") as socket:
        for method, params in calls:
            socket.send_text(msgspec.json.encode({"id": 1, "method": method, "params": params}).decode())
            answers.append(socket.receive_json(timeout=10))
    return answers


def signed(at: Desk, **params: Any) -> dict[str, Any]:
    key, secret = at.keys["demo"]
    sent = {"apiKey": key, "timestamp": NOW_MS, **params}
    texts = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode() for name, value in sent.items()
    }
    payload = "&".join(f"{name}={texts[name]}" for name in sorted(texts))
    return {**sent, "signature": sign(secret.encode(), payload.encode())}


def test_what_a_limit_refuses_over_a_websocket_says_when_to_try_again(redis_url: str, venue: str, users: Users) -> None:
    with bound(redis_url, venue, users, weight_1m=3, orders_10s=1) as at:
        order = signed(at, **LIMIT)
        first, orders, weight = asked(at, ("order.place", order), ("order.place", order), ("exchangeInfo", {}))
        response = at.client.get("/api/v3/exchangeInfo")
    assert first["status"] == 200
    for refused, code, text, wait_s in (
        (orders, -1015, "Too many new orders; current limit is 1 orders per 10 SECOND.", 10 - NOW_MS // 1_000 % 10),
        (weight, -1003, "Too much request weight used; current limit is 3 request weight per 1 MINUTE.", MINUTE_S),
    ):
        error = refused["error"]
        assert (refused["status"], error["code"], error["msg"][: len(text)]) == (429, code, text)
        assert error["data"] == {"serverTime": NOW_MS, "retryAfter": NOW_MS + 1_000 * wait_s}
    assert (response.status_code, response.headers["Retry-After"]) == (429, str(MINUTE_S))
    assert response.json() == {name: weight["error"][name] for name in ("code", "msg")}


def test_an_order_that_may_not_be_replaced_for_too_many_orders_is_not_cancelled(
    redis_url: str, venue: str, users: Users
) -> None:
    with bound(redis_url, venue, users, orders_10s=2) as at:
        placed = at.place()
        replace = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": placed["orderId"]}
        for mode, code in (("CANCEL_ONLY", -1130), ("DO_NOTHING", -1015)):
            assert at.refused("POST", "/order/cancelReplace", **replace, orderRateLimitExceededMode=mode)[0] == code
        assert [order["orderId"] for order in at.get("/openOrders")] == [placed["orderId"]]


class Over:
    """Limits of which all but that of websockets are full, in windows that are over at once."""

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        return Verdict(claims[0].bucket.startswith("sockets"), tuple(claim.limit for claim in claims))


def test_nobody_is_told_to_try_again_at_once(redis_url: str, venue: str, users: Users) -> None:
    with desk(redis_url, venue, users, counted_by=Over()) as at:
        assert at.client.get("/api/v3/ping").headers["Retry-After"] == "1"
        (answer,) = asked(at, ("ping", {}))
    assert answer["error"]["data"] == {"serverTime": NOW_MS, "retryAfter": NOW_MS + 1_000}


@pytest.mark.parametrize(("flag", "weight"), [({}, 1), ({COMPUTE: "false"}, 1), ({COMPUTE: "true"}, 20)])
@pytest.mark.parametrize("in_body", [False, True])
def test_a_tested_order_weighs_more_where_it_asks_for_rates_wherever_that_is_said(
    redis_url: str, venue: str, users: Users, flag: dict[str, str], weight: int, *, in_body: bool
) -> None:
    with bound(redis_url, venue, users, raw_5m=2) as at:
        response = at.send("POST", "/order/test", {**LIMIT, **flag}, in_body=in_body)
        assert (response.status_code, response.headers[USED]) == (200, str(weight))
        assert at.client.get("/api/v3/ping").headers[USED] == str(weight + 1), "and is one request"


def test_a_tested_order_whose_body_asks_for_too_much_is_refused(redis_url: str, venue: str, users: Users) -> None:
    with bound(redis_url, venue, users, weight_1m=19) as at:
        response = at.send("POST", "/order/test", {**LIMIT, COMPUTE: "true"}, in_body=True)
    assert (response.status_code, response.json()["code"], response.headers["Retry-After"]) == (
        429,
        -1003,
        str(MINUTE_S),
    )


def test_a_tested_order_weighs_over_a_websocket_what_it_weighs_over_rest(
    redis_url: str, venue: str, users: Users
) -> None:
    with bound(redis_url, venue, users) as at:
        calls = [signed(at, **LIMIT, **flag) for flag in ({}, {COMPUTE: False}, {COMPUTE: True}, {COMPUTE: "true"})]
        answers = asked(at, *(("order.test", params) for params in calls))
    assert [answer["status"] for answer in answers] == [200] * 4
    assert [answer["rateLimits"][0]["count"] for answer in answers] == [1, 2, 22, 42]
