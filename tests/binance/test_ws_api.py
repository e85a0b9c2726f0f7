"""The websocket API over a real server: requests and their answers, orders, and the events of accounts, each only to whom they belong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from gateway.binance.signing import sign
from gateway.binance.ws_api.account_source import AccountSource
from gateway.binance.ws_api.methods import MARKET, SIGNED
from gateway.identity.directory import Directory
from gateway.identity.ports import Key
from gateway.keys import REPORTS_MAX
from gateway.limiting.local import LocalLimits
from gateway.limiting.settings import LimitSettings
from gateway.ports import ViewsUnavailable
from gateway.views import RedisViews
from tests.binance.stream_clients import DEADLINE_S, Gateway, ending, gateway, receive, views_away
from tests.binance.trading_desk import LIMIT, Users
from tests.gateway.adapters import Floor
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.reads import read
from tests.gateway.script import COARSE, Script

FORBIDDEN = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
SUBSCRIBE = "userDataStream.subscribe.signature"


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    return Users(tmp_path_factory.mktemp("users"))


class Client:
    """One websocket of the API, with the keys of users."""

    def __init__(self, live: ClientConnection, keys: dict[str, tuple[str, str]]) -> None:
        self.live, self.keys = live, keys
        self.events: list[Any] = []
        self._number = 0

    def signed(self, who: str, **params: Any) -> dict[str, Any]:
        key, secret = self.keys[who]
        sent = {"apiKey": key, "timestamp": NOW_MS, **params}
        payload = "&".join(f"{name}={sent[name]}" for name in sorted(sent))
        return {**sent, "signature": sign(secret.encode(), payload.encode())}

    async def ask(self, method: str, params: Any = None) -> Any:
        """Send a request and return its answer; events that come meanwhile are kept."""
        self._number += 1
        sent = {"id": self._number, "method": method} | ({} if params is None else {"params": params})
        await self.live.send(msgspec.json.encode(sent).decode())
        while True:
            message = await receive(self.live)
            if message.get("id") == self._number:
                return message
            self.events.append(message)

    async def done(self, method: str, who: str = "demo", **params: Any) -> Any:
        """Sign a request, and return the result."""
        answer = await self.ask(method, self.signed(who, **params))
        assert answer["status"] == 200, answer
        return answer["result"]

    async def event(self) -> Any:
        """Return the next event."""
        return self.events.pop(0) if self.events else await receive(self.live)


Scenario = Callable[[Client, Gateway, Floor], Awaitable[None]]


def on(
    url: str,
    name: str,
    users: Users,
    scenario: Scenario,
    path: str = "/ws-api/v3",
    directory: Directory | None = None,
    **settings: Any,
) -> None:
    floor = Floor(url, name)
    floor.projected.fund("bob", USD=10**12, AAPL=10_000)
    floor.projected.project()

    async def bounded(served: Gateway) -> None:
        async with asyncio.timeout(DEADLINE_S), served.connect(path) as live:
            await scenario(Client(live, users.keys), served, floor)

    with gateway(floor, directory=directory or users.directory(), **settings) as served:
        asyncio.run(bounded(served))


# Requests


def test_a_broker_names_an_account_when_it_connects_and_none_that_is_not_theirs(
    redis_url: str, venue: str, users: Users
) -> None:
    async def scenario(client: Client, served: Gateway, _: Floor) -> None:
        async with served.connect("/ws-api/v3", additional_headers={"X-Openbell-Account": "demo"}) as live:
            broker = Client(live, users.keys)
            await broker.done(SUBSCRIBE, "broker")
            placed = await broker.done("order.place", "broker", **LIMIT)
            assert (await broker.event())["event"]["i"] == placed["orderId"]
            assert (await broker.ask("account.status", broker.signed("bob")))["error"] == FORBIDDEN
        assert (await client.done("openOrders.status"))[0]["orderId"] == placed["orderId"]
        assert await client.done("openOrders.status", "broker") == []

    on(redis_url, venue, users, scenario)


def test_requests_and_orders_are_charged_and_answers_tell_it(redis_url: str, venue: str, users: Users) -> None:
    limits = LimitSettings(weight_1m=20, orders_10s=2)

    async def scenario(client: Client, _: Gateway, __: Floor) -> None:
        weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 20, "count": 1}
        assert (await client.ask("ping"))["rateLimits"] == [weight]
        for number in (1, 2):
            answer = await client.ask("order.place", client.signed("demo", **LIMIT))
            assert [(one["rateLimitType"], one["count"]) for one in answer["rateLimits"]] == [
                *(("REQUEST_WEIGHT", 1 + number), ("ORDERS", number), ("ORDERS", number)),
            ]
        answer = await client.ask("order.place", client.signed("demo", **LIMIT))
        assert (answer["status"], answer["error"]["code"]) == (429, -1015)
        assert (await client.ask("order.place", client.signed("bob", **LIMIT)))["status"] == 200
        assert (await client.ask("depth", {"symbol": "AAPLUSD"}))["status"] == 200
        answer = await client.ask("exchangeInfo")
        assert (answer["status"], answer["error"]["code"]) == (429, -1003)

    on(redis_url, venue, users, scenario, limits=limits, counted_by=LocalLimits(now_s=lambda: NOW_MS / 1_000))


def test_what_anybody_may_ask_is_answered_as_by_rest(redis_url: str, venue: str, users: Users) -> None:
    async def scenario(client: Client, _: Gateway, floor: Floor) -> None:
        floor.order("buy", 10_100, 5)
        answer = await client.ask("ping")
        assert answer == {"id": 1, "status": 200, "result": {}, "rateLimits": []}
        assert (await client.ask("time"))["result"] == {"serverTime": NOW_MS}
        depth = (await client.ask("depth", {"symbol": "AAPLUSD", "limit": 1}))["result"]
        assert (depth["bids"], depth["asks"]) == ([["99.00", "100"]], [["101.00", "95"]])
        assert (await client.ask("trades.recent", {"symbol": "AAPLUSD"}))["result"][0]["id"] == 1
        prices = await client.ask("ticker.price", {"symbols": ["AAPLUSD"]})
        assert prices["result"] == [{"symbol": "AAPLUSD", "price": "101.00"}]
        asked = {"klines": {"interval": "1m"}, "uiKlines": {"interval": "1m"}, "exchangeInfo": {}}
        for method in MARKET.keys() - {"ping", "time"}:
            answer = await client.ask(method, {"symbol": "AAPLUSD", **asked.get(method, {})})
            assert answer["status"] == 200, (method, answer)
        answer = await client.ask("depth", {"symbol": "NOPE"})
        assert (answer["status"], answer["error"]) == (400, {"code": -1121, "msg": "Invalid symbol."})
        assert (await client.ask("depth", {"symbol": {}}))["error"]["code"] == -1102
        assert (await client.ask("session.status"))["result"]["apiKey"] is None
        assert (await client.ask("go.away"))["error"] == {"code": -1020, "msg": "Unknown method 'go.away'."}
        assert "rateLimits" not in await client.ask("ping", {"returnRateLimits": False})
        assert (await client.ask("ping", {"returnRateLimits": 7}))["error"]["code"] == -1130

    on(redis_url, venue, users, scenario)


def test_orders_are_placed_asked_for_replaced_and_cancelled(redis_url: str, venue: str, users: Users) -> None:
    async def scenario(client: Client, _: Gateway, __: Floor) -> None:
        assert await client.done("order.test", **LIMIT) == {}
        placed = await client.done("order.place", **LIMIT, newClientOrderId="one")
        assert (placed["clientOrderId"], placed["status"]) == ("one", "NEW")
        named = {"symbol": "AAPLUSD", "origClientOrderId": "one"}
        assert (await client.done("order.status", **named))["orderId"] == placed["orderId"]
        assert len(await client.done("openOrders.status")) == 1
        replaced = await client.done(
            "order.cancelReplace",
            **LIMIT | {"price": "51.00"},
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=placed["orderId"],
        )
        assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        order_id = replaced["newOrderResponse"]["orderId"]
        assert (await client.done("order.cancel", symbol="AAPLUSD", orderId=order_id))["status"] == "CANCELED"
        again = await client.ask("order.cancel", client.signed("demo", symbol="AAPLUSD", orderId=order_id))
        assert (again["status"], again["error"]["code"]) == (400, -2011)
        await client.done("order.place", **LIMIT)
        assert len(await client.done("openOrders.cancelAll", symbol="AAPLUSD")) == 1
        assert len(await client.done("allOrders", symbol="AAPLUSD")) == 3
        await client.done("order.place", **LIMIT | {"price": "101.00"})
        assert len(await client.done("myTrades", symbol="AAPLUSD")) == 1
        assert (await client.done("account.status"))["canTrade"] is True
        pair = {
            "symbol": "AAPLUSD",
            "side": "SELL",
            "quantity": "1",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": "150.00",
        }
        pair |= {"belowType": "STOP_LOSS", "belowStopPrice": "50.00"}
        assert (await client.done("orderList.place.oco", **pair))["listOrderStatus"] == "EXECUTING"

    on(redis_url, venue, users, scenario)


def test_each_method_lets_in_only_whose_key_may_do_what_it_needs(redis_url: str, venue: str, users: Users) -> None:
    async def scenario(client: Client, served: Gateway, _: Floor) -> None:
        for method, route in SIGNED.items():
            for who, trades in (("reader", False), ("viewer", False), ("demo", True)):
                answer = await client.ask(method, client.signed(who, colour="red"))
                forbidden = (answer["status"], answer["error"]) == (401, FORBIDDEN)
                assert forbidden == (route.needs == "trade" and not trades), (method, who, answer)
            assert (await client.ask(method, client.signed("boxed")))["error"] == FORBIDDEN
            assert (await client.ask(method, {}))["error"]["code"] == -1102
            broken = client.signed("demo") | {"signature": "0" * 64}
            assert (await client.ask(method, broken))["error"]["code"] == -1022
            old = client.signed("demo", timestamp=NOW_MS - 5_001)
            assert (await client.ask(method, old))["error"]["code"] == -1021
        for params in ({}, {"apiKey": 7}, client.signed("boxed"), client.signed("demo") | {"apiKey": "x"}):
            assert (await client.ask(SUBSCRIBE, params))["status"] in (400, 401)
        assert (await client.ask(SUBSCRIBE, client.signed("demo", colour="red")))["error"]["code"] == -1103
        assert (await client.ask("session.subscriptions"))["result"] == []
        assert served.commands.written == []

    on(redis_url, venue, users, scenario)


WRONG = (
    *("", "{", "[" * 5_000, "[]", "7", '{"id":1}', '{"id":1.5,"method":"ping"}', '{"id":[],"method":"ping"}'),
    *('{"id":"a b","method":"ping"}', '{"id":1,"method":7}', '{"id":1,"method":"ping","params":[]}'),
    *('{"id":1,"method":"ping","colour":1}', '{"id":1,"method":null}', '{"method":"ping","id":' + "9" * 30 + "}"),
)


def test_requests_that_cannot_be_read_are_refused_and_the_connection_lives(
    redis_url: str, venue: str, users: Users
) -> None:
    async def scenario(client: Client, served: Gateway, _: Floor) -> None:
        for text in WRONG:
            await client.live.send(text)
            answer = await receive(client.live)
            assert (answer["status"], answer["error"]["code"], answer["rateLimits"]) == (400, -1135, []), text[:60]
        for params in ({"subscriptionId": 7}, {"subscriptionId": []}, {"subscriptionId": True}, {"colour": 1}):
            assert (await client.ask("userDataStream.unsubscribe", params))["status"] == 400
        async with served.connect("/ws-api/v3") as bytes_only:
            await bytes_only.send(b"\xff")
            with pytest.raises(ConnectionClosed) as closed:
                await receive(bytes_only)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1008

    on(redis_url, venue, users, scenario)


UNREAD = (
    "{",
    '{"id":1,"method":"ping","params":{"returnRateLimits":7}}',
    '{"id":1,"method":"depth","params":{"symbol":{}}}',
)


@pytest.mark.parametrize("text", UNREAD)
def test_what_cannot_be_read_weighs_1(redis_url: str, venue: str, users: Users, text: str) -> None:
    async def scenario(client: Client, _: Gateway, __: Floor) -> None:
        answers = []
        for _number in range(3):
            await client.live.send(text)
            answers.append(await receive(client.live))
        assert [[one["count"] for one in each["rateLimits"]] for each in answers[:2]] == [[1], [2]]
        assert [each["status"] for each in answers] == [400, 400, 429]
        assert answers[2]["error"]["code"] == -1003

    counted_by = LocalLimits(now_s=lambda: NOW_MS / 1_000)
    on(redis_url, venue, users, scenario, limits=LimitSettings(weight_1m=2), counted_by=counted_by)


@pytest.mark.parametrize(
    ("text", "weight"), [*((text, 6_000) for text in UNREAD), ('{"id":1,"method":"exchangeInfo"}', 1)]
)
def test_a_connection_of_which_too_many_messages_a_second_cannot_be_read_or_are_refused_is_closed(
    redis_url: str, venue: str, users: Users, text: str, weight: int
) -> None:
    async def scenario(_: Client, served: Gateway, __: Floor) -> None:
        code, reason = await ending(served, "/ws-api/v3", *[text] * 100)
        assert (code, "too many messages" in reason) == (1008, True)

    limits, counted_by = LimitSettings(messages_1s=9, weight_1m=weight), LocalLimits(now_s=lambda: NOW_MS / 1_000)
    on(redis_url, venue, users, scenario, limits=limits, counted_by=counted_by)


# Events


def test_a_stream_ends_with_a_reason_once_the_key_that_it_was_opened_with_is_revoked(
    redis_url: str, venue: str, users: Users
) -> None:
    async def scenario(_: Client, served: Gateway, __: Floor) -> None:
        async with users.directory().running() as directory:
            key, secret = await directory.keys.create("demo", ("read",))
            headers = {"X-Api-Key": f"{key}.{secret}"}
            async with served.connect("/ws/aaplusd@trade", additional_headers=headers) as live:
                await directory.keys.revoke(key)
                with pytest.raises(ConnectionClosed) as closed:
                    await receive(live)
        assert closed.value.rcvd
        assert (closed.value.rcvd.code, "ended" in closed.value.rcvd.reason) == (1008, True)

    on(redis_url, venue, users, scenario)


def test_an_accounts_events_come_in_order_and_never_anothers(redis_url: str, venue: str, users: Users) -> None:
    async def scenario(client: Client, served: Gateway, floor: Floor) -> None:
        assert await client.done(SUBSCRIBE) == {"subscriptionId": 0}
        async with served.connect("/ws-api/v3") as other:
            bob = Client(other, users.keys)
            assert await bob.done(SUBSCRIBE, "bob") == {"subscriptionId": 0}
            placed = await client.done(
                "order.place", **LIMIT | {"quantity": "8", "price": "99.50"}, newClientOrderId="a"
            )
            event = await client.event()
            assert event["subscriptionId"] == 0
            assert event["event"] == {
                "e": "executionReport",
                "E": NOW_MS,
                "s": "AAPLUSD",
                "c": "a",
                "S": "BUY",
                "o": "LIMIT",
                "f": "GTC",
                "q": "8",
                "p": "99.50",
                "P": "0.00",
                "F": "0",
                "g": -1,
                "C": "",
                "x": "NEW",
                "X": "NEW",
                "r": "NONE",
                "i": placed["orderId"],
                "l": "0",
                "z": "0",
                "L": "0.00",
                "n": "0",
                "N": None,
                "T": placed["transactTime"],
                "t": -1,
                "I": event["event"]["I"],
                "w": True,
                "m": False,
                "M": False,
                "O": placed["transactTime"],
                "Z": "0.00000",
                "Y": "0.00000",
                "Q": "0.00000",
                "V": "NONE",
                "W": placed["transactTime"],
            }
            position = (await client.event())["event"]
            assert (position["e"], [each["a"] for each in position["B"]]) == ("outboundAccountPosition", ["USD"])
            floor.order("sell", 9_950, 3)
            traded = (await client.event())["event"]
            assert [traded[name] for name in "xXlzLtmwZY"] == [
                *("TRADE", "PARTIALLY_FILLED", "3", "3", "99.50", 1, True, True, "298.50000", "298.50000"),
            ]
            assert {each["a"] for each in (await client.event())["event"]["B"]} == {"AAPL", "USD"}
            await client.done("order.cancel", symbol="AAPLUSD", origClientOrderId="a", newClientOrderId="gone")
            gone = (await client.event())["event"]
            assert [gone[name] for name in "xXcCzw"] == ["CANCELED", "CANCELED", "gone", "a", "3", False]
            assert gone["I"] > traded["I"] > event["event"]["I"]
            await client.event()
            await bob.done("order.place", "bob", **LIMIT | {"timeInForce": "IOC"})
            events = [(await bob.event())["event"] for _ in range(2)]
            assert [(event["x"], event["X"]) for event in events] == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]
            assert await bob.ask("ping")
            assert await client.ask("ping")
            assert client.events == []
            assert all(event["event"]["e"] == "outboundAccountPosition" for event in bob.events)

    on(redis_url, venue, users, scenario)


def test_a_subscription_ends_when_it_is_left_and_another_one_of_the_account_is_refused(
    redis_url: str, venue: str, users: Users
) -> None:
    async def scenario(client: Client, _: Gateway, floor: Floor) -> None:
        await client.done(SUBSCRIBE)
        assert (await client.ask(SUBSCRIBE, client.signed("reader")))["error"]["code"] == -1020
        assert await client.done(SUBSCRIBE, "bob") == {"subscriptionId": 1}
        assert (await client.ask("session.subscriptions"))["result"] == [{"subscriptionId": 0}, {"subscriptionId": 1}]
        assert (await client.ask("userDataStream.unsubscribe", {"subscriptionId": 0}))["result"] == {}
        floor.order("buy", 5_000, 1, account="demo")
        floor.order("buy", 5_000, 1, account="bob")
        assert (await client.event())["subscriptionId"] == 1
        assert (await client.ask("userDataStream.unsubscribe"))["result"] == {}
        assert (await client.ask("session.subscriptions"))["result"] == []

    on(redis_url, venue, users, scenario)


def test_a_subscription_ends_with_word_of_it_once_its_key_is_revoked(redis_url: str, venue: str, users: Users) -> None:
    async def scenario(client: Client, _: Gateway, floor: Floor) -> None:
        async with users.directory().running() as directory:
            client.keys = {**users.keys, "brief": await directory.keys.create("demo", ("read",))}
            await client.done(SUBSCRIBE, "brief")
            await client.done(SUBSCRIBE, "bob")
            began = asyncio.get_running_loop().time()
            await directory.keys.revoke(client.keys["brief"][0])
            event = await client.event()
            assert asyncio.get_running_loop().time() - began < 5
        assert event == {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": NOW_MS}}
        floor.order("buy", 5_000, 1, account="demo")
        floor.order("buy", 5_000, 1, account="bob")
        assert (await client.event())["subscriptionId"] == 1
        while asyncio.get_running_loop().time() - began < 5:  # who has been let in is known for up to a second
            answer = await client.ask("account.status", client.signed("brief"))
            if answer["status"] != 200:
                break
            await asyncio.sleep(0.05)
        assert answer["error"] == FORBIDDEN

    on(redis_url, venue, users, scenario)


class SlowDirectory(Directory):
    """Users whose keys are found as soon as a test says so."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked, self.found = threading.Event(), threading.Event()

    async def key(self, key_id: str) -> Key | None:
        self.asked.set()
        await asyncio.to_thread(self.found.wait, DEADLINE_S)
        return await super().key(key_id)


def test_nothing_is_left_of_a_subscription_whose_client_goes_before_it_is_there(
    redis_url: str, venue: str, users: Users
) -> None:
    directory = users.directory(SlowDirectory)
    assert isinstance(directory, SlowDirectory)

    async def scenario(_: Client, served: Gateway, __: Floor) -> None:
        def answered() -> bool:
            return served.figure("openbell_ws_api_requests_total", method=SUBSCRIBE, status="400") == 1

        async with served.connect("/ws-api/v3") as live:
            hasty = Client(live, users.keys)
            await live.send(
                msgspec.json.encode({"id": 1, "method": SUBSCRIBE, "params": hasty.signed("demo")}).decode()
            )
            assert await served.happens(directory.asked.is_set)
        assert await served.happens(lambda: served.figure("openbell_live_clients") == 1)
        directory.found.set()
        assert await served.happens(answered)
        assert served.accounts() == set()

    on(redis_url, venue, users, scenario, directory=directory)


def test_a_subscription_that_cannot_begin_now_is_refused_and_may_be_asked_for_again(
    redis_url: str, venue: str, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.binance.streams.feed.READY_S", 0.1)

    async def scenario(client: Client, served: Gateway, floor: Floor) -> None:
        with views_away(floor):
            answer = await client.ask(SUBSCRIBE, client.signed("demo"))
            assert (answer["status"], answer["error"]["code"]) == (503, -1001)
            assert (await client.ask("session.subscriptions"))["result"] == []
            assert served.accounts() == set()
        assert await client.done(SUBSCRIBE) == {"subscriptionId": 1}
        floor.order("buy", 5_000, 1, account="demo")
        assert (await client.event())["event"]["e"] == "executionReport"

    on(redis_url, venue, users, scenario)


def test_an_order_of_a_listing_that_is_read_late_is_told_once_it_is_known_and_in_its_place(
    redis_url: str, venue: str
) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    script.order(16)
    projected.show()

    async def reading(views: RedisViews) -> list[Any]:
        source = AccountSource(views, "ann", lambda: NOW_MS)
        assert await source.read() == []
        script.order(32)
        script.order(48, listing=2)
        script.order(64)
        projected.project()
        with pytest.raises(ViewsUnavailable, match="listing"):
            await source.read()
        script.list(2, COARSE)
        projected.project()
        return [(event["i"], event["p"]) for _, event in await source.read()]

    assert read(projected, reading) == [(32, "1.00"), (48, "10.0"), (64, "1.00")]


def test_an_order_of_a_listing_that_the_log_no_longer_has_holds_nothing_up(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(2, COARSE)
    script.order(16, listing=1)
    projected.show()

    async def reading(views: RedisViews) -> list[Any]:
        source = AccountSource(views, "ann", lambda: NOW_MS)
        assert await source.read() == []
        script.order(32, listing=2)
        projected.project()
        return [event["i"] for _, event in await source.read()]

    assert read(projected, reading) == [32]


def test_events_that_the_views_no_longer_have_end_the_connection_with_a_reason(
    redis_url: str, venue: str, users: Users
) -> None:
    async def scenario(client: Client, _: Gateway, floor: Floor) -> None:
        await client.done(SUBSCRIBE, "bob")
        with floor.lock:
            for _ in range(REPORTS_MAX // 2 + 1):
                floor.projected.order("bob", "buy", 5_000, 1, time_in_force="IOC")
            floor.projected.project(publish=True)
        with pytest.raises(ConnectionClosed) as closed:
            await client.event()
        assert closed.value.rcvd
        assert (closed.value.rcvd.code, "missed" in closed.value.rcvd.reason) == (1013, True)

    on(redis_url, venue, users, scenario)


def test_many_requests_at_once_are_all_answered(redis_url: str, venue: str, users: Users) -> None:
    async def scenario(client: Client, _: Gateway, __: Floor) -> None:
        for number in range(200):
            order = client.signed("demo", **LIMIT, newClientOrderId=f"many-{number}", newOrderRespType="ACK")
            sent = {"id": f"n{number}", "method": "order.place", "params": order}
            await client.live.send(msgspec.json.encode(sent).decode())
        answers = [await receive(client.live) for _ in range(200)]
        assert {(each["id"], each["status"]) for each in answers} == {(f"n{number}", 200) for number in range(200)}
        assert all(each["result"]["clientOrderId"] == f"many-{each['id'][1:]}" for each in answers)

    on(redis_url, venue, users, scenario, answer_s=DEADLINE_S, limits=LimitSettings(messages_1s=9))


def test_an_unknown_outcome_says_so_and_so_does_an_order_that_was_not_taken(
    redis_url: str, venue: str, users: Users
) -> None:
    async def scenario(client: Client, served: Gateway, _: Floor) -> None:
        served.commands.shown = False
        answer = await client.ask("order.place", client.signed("demo", **LIMIT, newClientOrderId="lost"))
        assert (answer["status"], answer["error"]["code"]) == (504, -1007)
        served.commands.up = False
        answer = await client.ask("order.place", client.signed("demo", **LIMIT, newClientOrderId="never"))
        assert (answer["status"], answer["error"]["code"]) == (503, -1008)

    on(redis_url, venue, users, scenario, answer_s=0.5)
