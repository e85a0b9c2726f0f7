"""What `openbell_venue` gives: a venue that a test moves, the same each time."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gateway.server import listening
from openbell.sim.server import Serving, Simulator
from openbell.testing.settings import VenueSettings
from openbell.testing.venue import Venue

ORDER = {"symbol": "AAPL", "side": "buy", "quantity": "10", "price": "101.00", "kind": "limit", "time_in_force": "GTC"}


class Bot:
    """A client as a bot has one."""

    def __init__(self, venue: Venue) -> None:
        key = {"X-Api-Key": f"{venue.api_key}.{venue.api_secret}"}
        self.http = httpx.Client(base_url=f"{venue.url}/api/native", headers=key, timeout=10)

    def order(self, **fields: Any) -> httpx.Response:
        return self.http.post("/orders", json=ORDER | fields)

    def get(self, path: str, **parameters: Any) -> Any:
        return self.http.get(path, params=parameters).raise_for_status().json()


@pytest.fixture
def bot(openbell_venue: Venue) -> Bot:
    return Bot(openbell_venue)


def scenario(venue: Venue, bot: Bot) -> dict[str, Any]:
    """Partial fills, a cancel, a stop, an expiry and a halt; returns all that can be seen of it."""
    venue.quote("AAPL", "99.00", "101.00", 6)
    first = bot.order(request_id="a").json()  # 6 of 10 fill
    venue.clock.advance(1_500)
    bot.http.delete(f"/orders/{first['order']['order_id']}")
    bot.order(request_id="s", side="sell", kind="stop", stop="98.50", price="90.00", quantity="3")
    venue.quote("AAPL", "98.00", None, 5)
    venue.place("AAPL", "sell", 1, "98.00")  # sets the stop off
    venue.clock.advance(60_000)
    expires = {"time_in_force": "GTD", "expires_ms": venue.clock.now_ms + 5_000}
    bot.order(request_id="g", price="50.00", **expires)
    venue.clock.advance(6_000)
    venue.phase("AAPL", "halt")
    bot.order(request_id="h", price="97.00", quantity="1")
    venue.clock.advance(120_000)
    told = {path: bot.get(path) for path in ("/balances", "/orders", "/trades/AAPL", "/depth/AAPL", "/markets")}
    told["candles"] = bot.get("/candles/AAPL", span="1m")
    told["indicators"] = bot.get("/markets/AAPL/indicators", span="1m")
    return told


def test_the_same_test_gives_the_same_orders_trades_and_times(openbell_venue: Venue, bot: Bot) -> None:
    first = scenario(openbell_venue, bot)
    trades = openbell_venue.trades
    openbell_venue.reset()
    assert openbell_venue.trades == []
    assert scenario(openbell_venue, bot) == first
    assert openbell_venue.trades == trades
    assert [(each.price, each.quantity, each.taker_side) for each in trades] == [
        (Decimal("101.00"), 6, "buy"),
        (Decimal("98.00"), 1, "sell"),
        (Decimal("98.00"), 3, "sell"),
    ]


def test_an_order_expires_when_the_clock_says_so(openbell_venue: Venue, bot: Bot) -> None:
    expires_ms = openbell_venue.clock.now_ms + 5_000
    bot.order(price="50.00", time_in_force="GTD", expires_ms=expires_ms)
    openbell_venue.clock.advance(4_990)
    assert [order.state for order in openbell_venue.orders] == ["OPEN"]
    openbell_venue.clock.advance(20)
    assert [order.state for order in openbell_venue.orders] == ["EXPIRED"]
    assert openbell_venue.orders[0].time_ms - expires_ms in range(3)


def test_a_reset_leaves_nothing_of_before(openbell_venue: Venue, bot: Bot) -> None:
    before = {path: bot.get(path) for path in ("/balances", "/orders", "/depth/AAPL", "/trades/AAPL")}
    began_ms = openbell_venue.clock.now_ms
    scenario(openbell_venue, bot)
    assert httpx.post(f"{openbell_venue.url}/sandbox/reset").json() == {"reset": True}
    assert {path: bot.get(path) for path in before} == before
    assert openbell_venue.clock.now_ms == began_ms
    assert bot.order(request_id="a").json()["outcome"]["repeat"] is None, "its request ids are forgotten, too"


def test_another_site_cannot_reset_the_venue(openbell_venue: Venue) -> None:
    openbell_venue.place("AAPL", "buy", 1, "90.00")
    reset = f"{openbell_venue.url}/sandbox/reset"
    assert httpx.post(reset, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.post(reset, headers={"Host": "evil.example"}).status_code == 400
    assert httpx.get(reset).status_code == 405
    assert openbell_venue.place("AAPL", "sell", 1, "90.00").order.state == "FILLED"


@pytest.mark.parametrize("reason", ["UNKNOWN_SYMBOL", "INSUFFICIENT_FUNDS", "STALE"])
def test_an_order_is_refused_by_the_exchange_for_the_reason_that_is_asked_for(
    openbell_venue: Venue, bot: Bot, reason: str
) -> None:
    openbell_venue.refuse(reason=reason)
    refused = bot.order()
    assert reason in refused.text
    assert 400 <= refused.status_code < 500
    assert bot.order().status_code == 201
    assert openbell_venue.balance("USD") == 1_000_000


def test_a_refusal_that_cannot_be_had_is_said(openbell_venue: Venue) -> None:
    with pytest.raises(ValueError, match="choose one of UNKNOWN_SYMBOL"):
        openbell_venue.refuse(reason="BAD_MOOD")


def test_commands_that_are_not_taken_have_no_effect(openbell_venue: Venue, bot: Bot) -> None:
    openbell_venue.refuse(next=2)
    assert [bot.order().status_code for _ in range(3)] == [503, 503, 201]
    assert len(openbell_venue.orders) == 1


def test_a_lost_answer_can_be_asked_for_and_nothing_is_done_twice(openbell_venue: Venue, bot: Bot) -> None:
    openbell_venue.lose()
    lost = bot.order(request_id="once")
    assert lost.status_code in (202, 504), lost.text
    assert bot.get("/requests/once")["outcome"]["state"] == "ACCEPTED"
    assert bot.order(request_id="once").status_code in (200, 201)
    assert len(openbell_venue.orders) == 1


def test_latency_delays_requests_and_what_websockets_say(openbell_venue: Venue, bot: Bot) -> None:
    openbell_venue.latency(80)
    began = time.monotonic()
    bot.get("/status")
    assert time.monotonic() - began >= 0.08
    with connect(f"{openbell_venue.ws_url}/ws/aapl@trade", proxy=None) as socket:
        openbell_venue.quote("AAPL", None, "100.00", 1)
        began = time.monotonic()
        openbell_venue.place("AAPL", "buy", 1, "100.00")
        assert '"p":"100.00' in str(socket.recv(timeout=10))
        assert time.monotonic() - began >= 0.08
    openbell_venue.latency(0)
    began = time.monotonic()
    bot.get("/status")
    assert time.monotonic() - began < 0.08


def _code_at_the_end(socket: ClientConnection) -> int | None:
    """Read to the end of a connection, and return the code that it was closed with."""
    try:
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


def test_a_disconnect_drops_all_websockets_and_they_may_come_again(openbell_venue: Venue) -> None:
    with connect(f"{openbell_venue.ws_url}/live/markets", proxy=None) as socket:
        socket.recv(timeout=10)
        assert openbell_venue.sockets == openbell_venue.disconnect() == 1
        assert _code_at_the_end(socket) == 1012
    with connect(f"{openbell_venue.ws_url}/live/markets", proxy=None) as socket:
        assert socket.recv(timeout=10)


@pytest.mark.parametrize("replay_speed", [None, 1e6], ids=["live", "replay"])
def test_nothing_is_left_of_a_venue_that_ends(replay_speed: float | None) -> None:
    before = set(threading.enumerate())
    settings = replace(VenueSettings().simulated(), virtual=False, makers=True, replay_speed=replay_speed)
    with listening("127.0.0.1", 0) as listener, Serving(lambda: Simulator(settings), listener) as serving:
        url = f"http://127.0.0.1:{serving.port}"
        assert httpx.get(f"{url}/ready").json()["ready"]
        with connect(f"ws://127.0.0.1:{serving.port}/live/markets", proxy=None) as socket:
            socket.recv(timeout=10)
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before  # one of an earlier test may have ended meanwhile
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_key_that_is_not_the_venues_is_refused(openbell_venue: Venue, bot: Bot) -> None:
    assert bot.http.get("/balances", headers={"X-Api-Key": f"{openbell_venue.api_key}.wrong"}).status_code == 401
    assert bot.get("/balances")
