"""Streams over real websockets of a real server: what each tells, what clients may ask, and what becomes of those who ask wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.binance.streams.socket import STREAMS_MAX
from gateway.binance.streams.sources import TradesSource
from gateway.limiting.settings import LimitSettings
from gateway.server import MESSAGE_MAX
from gateway.views import RedisViews
from tests.binance.stream_clients import DEADLINE_S, Gateway, ask, ending, gateway, receive, views_away
from tests.gateway.adapters import Floor
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.reads import read
from tests.gateway.script import COARSE, SYMBOL, Script


def on(url: str, name: str, scenario: Callable[[Gateway, Floor], Awaitable[None]], **settings: Any) -> None:
    floor = Floor(url, name)

    async def bounded(served: Gateway) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario(served, floor)

    with gateway(floor, **settings) as served:
        asyncio.run(bounded(served))


# What is told


def test_the_depth_stream_tells_what_changed_since_the_event_before(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, floor: Floor) -> None:
        async with served.connect("/ws/aaplusd@depth@100ms") as live:
            await ask(live, "LIST_SUBSCRIPTIONS")
            floor.order("buy", 9_950, 5)
            first = await receive(live)
            number = first["U"]
            assert first == {
                "e": "depthUpdate",
                "E": NOW_MS,
                "s": "AAPLUSD",
                "U": number,
                "u": first["u"],
                "b": [["99.50", "5"]],
                "a": [],
            }
            floor.order("sell", 9_950, 5)
            second = await receive(live)
            assert (second["U"], second["b"], second["a"]) == (
                first["u"] + 1,
                [["99.50", "0.00000000"]],  # python-binance's book knows that a price is gone by these eight decimals
                [],
            )

    on(redis_url, venue, scenario)


def test_the_best_prices_are_told_to_who_comes_and_when_they_change_and_not_else(redis_url: str, venue: str) -> None:
    bids, asks = [["99.00", "100"], ["98.00", "100"]], [["101.00", "100"], ["102.00", "100"]]

    async def scenario(served: Gateway, floor: Floor) -> None:
        async with (
            served.connect("/ws/aaplusd@depth5@100ms") as partial,
            served.connect("/ws/aaplusd@bookTicker") as ticker,
        ):
            first, best = await receive(partial), await receive(ticker)
            assert first == {"lastUpdateId": first["lastUpdateId"], "bids": bids, "asks": asks}
            number = best["u"]
            assert best == {"u": number, "s": "AAPLUSD", "b": "99.00", "B": "100", "a": "101.00", "A": "100"}
            floor.order("buy", 9_700, 1)
            assert (await receive(partial))["bids"] == [*bids, ["97.00", "1"]]
            floor.order("buy", 9_950, 5)
            changed = await receive(ticker)
            assert (changed["b"], changed["B"], changed["u"] > number) == ("99.50", "5", True)
        async with served.connect("/ws/coinusd@bookTicker") as empty:
            assert (await receive(empty))["b"] == "0"

    on(redis_url, venue, scenario)


def test_trades_are_told_each_and_those_of_one_taker_at_one_price_together(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, floor: Floor) -> None:
        floor.order("buy", 10_100, 1)  # before anybody listens
        async with served.connect("/ws/aaplusd@trade") as live, served.connect("/ws/aaplusd@aggTrade") as together:
            await ask(live, "LIST_SUBSCRIPTIONS")
            await ask(together, "LIST_SUBSCRIPTIONS")
            floor.order("sell", 10_000, 3)
            floor.order("sell", 10_000, 4)
            floor.order("buy", 10_000, 7)
            trades = [await receive(live), await receive(live)]
            assert trades == [
                {
                    "e": "trade",
                    "E": NOW_MS,
                    "s": "AAPLUSD",
                    "t": number,
                    "p": "100.00",
                    "q": quantity,
                    "T": trades[0]["T"],
                    "m": False,
                    "M": True,
                }
                for number, quantity in ((2, "3"), (3, "4"))
            ]
            assert await receive(together) == {
                "e": "aggTrade",
                "E": NOW_MS,
                "s": "AAPLUSD",
                "a": 2,
                "p": "100.00",
                "q": "7",
                "f": 2,
                "l": 3,
                "T": trades[0]["T"],
                "m": False,
                "M": True,
            }

    on(redis_url, venue, scenario)


def test_many_trades_at_once_are_told_without_a_gap(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, floor: Floor) -> None:
        async with served.connect("/ws/aaplusd@trade") as live:
            await ask(live, "LIST_SUBSCRIPTIONS")
            with floor.lock:
                for _ in range(300):
                    floor.projected.order("maker", "sell", 10_000, 1)
                    floor.projected.order("maker", "buy", 10_000, 1)
                floor.projected.project(publish=True)
            assert [(await receive(live))["t"] for _ in range(300)] == list(range(1, 301))

    on(redis_url, venue, scenario)


def test_trades_that_the_views_no_longer_have_end_the_connection_with_a_reason(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, floor: Floor) -> None:
        async with served.connect("/ws/aaplusd@trade") as live:
            await ask(live, "LIST_SUBSCRIPTIONS")
            with floor.lock:
                for _ in range(1_002):
                    floor.projected.order("maker", "sell", 10_000, 1)
                    floor.projected.order("maker", "buy", 10_000, 1)
                floor.projected.project(publish=True)
            with pytest.raises(ConnectionClosed) as closed:
                await receive(live)
            assert closed.value.rcvd
            assert (closed.value.rcvd.code, "missed" in closed.value.rcvd.reason) == (1013, True)

    on(redis_url, venue, scenario)


@pytest.mark.parametrize("together", [False, True])
def test_trades_are_told_from_the_next_on_after_a_listing_in_other_ticks_has_cleared_the_list(
    redis_url: str, venue: str, together: bool
) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    script.trade(100)
    script.trade(101)
    script.list(2, COARSE)
    projected.show()

    async def reading(views: RedisViews) -> list[Any]:
        source = TradesSource(views, SYMBOL, lambda: NOW_MS, together=together)
        assert await source.read() == []
        script.trade(11, 2)
        projected.project()
        return [event["p"] for _, event in await source.read()]

    assert read(projected, reading) == ["1.1"]


def test_klines_and_tickers_are_told_as_rest_tells_them(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, floor: Floor) -> None:
        floor.order("buy", 10_100, 5)
        names = ["kline_1m", "kline_1w", "ticker", "miniTicker", "avgPrice"]
        path = "/stream?streams=" + "/".join([*(f"aaplusd@{name}" for name in names), "!miniTicker@arr"])
        async with served.connect(path) as live:
            told: dict[str, Any] = {}
            while len(told) < 6:
                message = await receive(live)
                told[message["stream"].partition("@")[2]] = message["data"]
            minute = told["kline_1m"]
            assert minute == {
                "e": "kline",
                "E": NOW_MS,
                "s": "AAPLUSD",
                "k": {
                    "t": minute["k"]["t"],
                    "T": minute["k"]["t"] + 59_999,
                    "s": "AAPLUSD",
                    "i": "1m",
                    "f": -1,
                    "L": -1,
                    "o": "101.00",
                    "c": "101.00",
                    "h": "101.00",
                    "l": "101.00",
                    "v": "5",
                    "n": 1,
                    "x": False,
                    "q": "505.00000",
                    "V": "5",
                    "Q": "505.00000",
                    "B": "0",
                },
            }
            assert told["kline_1w"]["k"]["T"] == told["kline_1w"]["k"]["t"] + 7 * 86_400_000 - 1
            day = told["ticker"]
            assert list(day) == [*"eEspPwxcQbBaAohlvqOCFLn"]
            assert (day["e"], day["c"], day["b"], day["A"], day["F"], day["L"], day["n"]) == (
                *("24hrTicker", "101.00", "99.00", "95"),
                *(1, 1, 1),
            )
            mini = {"e": "24hrMiniTicker", "E": NOW_MS, "s": "AAPLUSD", "c": "101.00", "o": "101.00", "h": "101.00"}
            mini |= {"l": "101.00", "v": "5", "q": "505.00000"}
            assert told["miniTicker"] == mini
            assert mini in told["arr"]
            assert told["avgPrice"]["w"].startswith("101.00")
            floor.order("buy", 10_100, 2)
            while (message := await receive(live))["stream"] != "aaplusd@kline_1m":
                pass
            assert message["data"]["k"]["v"] == "7"

    on(redis_url, venue, scenario)


# What may be asked


def test_streams_are_subscribed_to_listed_and_left_and_messages_told_with_names_or_without(
    redis_url: str, venue: str
) -> None:
    async def scenario(served: Gateway, floor: Floor) -> None:
        async with served.connect("/ws") as live:
            assert await ask(live, "LIST_SUBSCRIPTIONS", id="a-1") == {"result": [], "id": "a-1"}
            assert await ask(live, "SUBSCRIBE", "aaplusd@trade", "aaplusd@depth", id=None) == {
                "result": None,
                "id": None,
            }
            assert await ask(live, "SUBSCRIBE", "aaplusd@trade", id=2) == {"result": None, "id": 2}
            assert (await ask(live, "LIST_SUBSCRIPTIONS"))["result"] == ["aaplusd@trade", "aaplusd@depth"]
            assert (await ask(live, "UNSUBSCRIBE", "aaplusd@depth", "nope"))["result"] is None
            assert (await ask(live, "GET_PROPERTY", "combined"))["result"] is False
            assert await ask(live, "SET_PROPERTY", "combined", True, id=5) == {"result": None, "id": 5}
            assert await ask(live, "GET_PROPERTY", "combined", id=6) == {"result": True, "id": 6}
            floor.order("buy", 10_100, 1)
            message = await receive(live)
            assert (message["stream"], message["data"]["t"]) == ("aaplusd@trade", 1)
            await ask(live, "UNSUBSCRIBE", "aaplusd@trade")
            floor.order("buy", 10_100, 1)
            assert (await ask(live, "LIST_SUBSCRIPTIONS"))["result"] == []
        async with served.connect("/stream?streams=aaplusd@trade/coinusd@trade") as both:
            assert (await ask(both, "LIST_SUBSCRIPTIONS"))["result"] == ["aaplusd@trade", "coinusd@trade"]
        async with served.connect("/ws/0") as numbered:  # as ccxt tells its connections apart
            assert (await ask(numbered, "LIST_SUBSCRIPTIONS"))["result"] == []
        async with served.connect("/ws/aaplusd@trade/coinusd@trade") as raw:
            assert (await ask(raw, "GET_PROPERTY", "combined"))["result"] is False

    on(redis_url, venue, scenario)


def named(code: int, text: str, request_id: Any = None) -> Any:
    return {"error": {"code": code, "msg": text}, "id": request_id}


NO_JSON = named(3, "Invalid JSON: expected value at line 1 column 1")
BAD_ID = named(2, "Invalid request: request ID must be an unsigned integer")
METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
WRONG = (
    ("", NO_JSON),
    ("{", NO_JSON),
    ("[" * 5_000, NO_JSON),
    ('{"method":"SUBSCRIBE","id":NaN}', NO_JSON),
    ("[]", named(2, "Invalid request: expected an object")),
    ("7", named(2, "Invalid request: expected an object")),
    ('{"id":true}', BAD_ID),
    ('{"id":1.5}', BAD_ID),
    ('{"id":{}}', BAD_ID),
    ('{"id":"' + "x" * 37 + '"}', BAD_ID),
    ('{"id":9223372036854775808}', BAD_ID),
    ('{"id":1}', named(2, "Invalid request: missing field `method` at line 1 column 1", 1)),
    ('{"id":1,"method":"GO","what":1}', named(2, "Invalid request: unknown field `what`", 1)),
    (
        '{"id":1,"method":"GO"}',
        named(2, f"Invalid request: unknown variant `GO`, expected one of {METHODS} at line 1 column 1", 1),
    ),
    ('{"id":1,"method":"SUBSCRIBE"}', named(2, "Invalid request: `params` must name at least one stream", 1)),
    ('{"id":1,"method":"SUBSCRIBE","params":{}}', named(2, "Invalid request: `params` must be an array", 1)),
    ('{"id":1,"method":"SUBSCRIBE","params":[1]}', named(2, "Invalid request: stream names must be strings", 1)),
    ('{"id":1,"method":"LIST_SUBSCRIPTIONS","params":["x"]}', named(2, "Invalid request: too many parameters", 1)),
    ('{"id":1,"method":"GET_PROPERTY"}', named(2, "Invalid request: property name must be a string", 1)),
    ('{"id":1,"method":"GET_PROPERTY","params":["x"]}', named(0, "Unknown property", 1)),
    (
        '{"id":1,"method":"GET_PROPERTY","params":["combined",true]}',
        named(2, "Invalid request: too many parameters", 1),
    ),
    (
        '{"id":1,"method":"SET_PROPERTY","params":["combined","yes"]}',
        named(1, "Invalid value type: expected Boolean", 1),
    ),
    ('{"id":1,"method":"SET_PROPERTY","params":["combined"]}', named(1, "Invalid value type: expected Boolean", 1)),
)
UNKNOWN = (
    *("AAPLUSD@trade", "aaplusd", "aaplusd@", "aaplusd@depth7", "aaplusd@depth@", "aaplusd@depth@50ms"),
    *("aaplusd@kline_7m", "aaplusd@kline_", "nope@trade", "!ticker", "aaplusd@depth5@100ms@100ms", "@trade", "é@trade"),
)


def test_requests_that_are_wrong_get_the_right_error_and_the_connection_lives(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, _: Floor) -> None:
        async with served.connect("/ws") as live:
            for text, answer in WRONG:
                await live.send(text)
                assert await receive(live) == answer, text[:80]
            for name in UNKNOWN:
                answer = await ask(live, "SUBSCRIBE", "aaplusd@trade", name)
                assert answer == named(2, f"Invalid request: unknown stream `{name}`", 1)
            assert (await ask(live, "LIST_SUBSCRIPTIONS"))["result"] == []

    on(redis_url, venue, scenario, limits=LimitSettings(messages_1s=10_000))


def test_connections_that_break_the_rules_are_closed_with_a_reason(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, _: Floor) -> None:
        for path in ("/ws/nope@trade", "/stream?streams=aaplusd@trade/nope@trade", "/ws/aaplusd@trade/@"):
            code, reason = await ending(served, path)
            assert (code, "unknown stream" in reason) == (1008, True)
        code, reason = await ending(served, "/ws?timeUnit=MICROSECOND")
        assert (code, "milliseconds" in reason) == (1008, True)
        code, reason = await ending(served, "/ws", b"\x00\xff")
        assert (code, "text" in reason) == (1008, True)
        code, reason = await ending(served, "/ws", *['{"method":"LIST_SUBSCRIPTIONS","id":1}'] * 20)
        assert (code, "too many messages" in reason) == (1008, True)

    on(redis_url, venue, scenario, limits=LimitSettings(messages_1s=9))


def test_a_websocket_may_listen_to_so_many_streams_and_no_more(redis_url: str, venue: str) -> None:
    from gateway.binance.streams import socket  # noqa: PLC0415  (its bound is lowered here alone)

    async def scenario(served: Gateway, _: Floor) -> None:
        names = [f"aaplusd@{name}" for name in ("trade", "depth", "depth5", "depth10")]
        async with served.connect("/ws") as live:
            assert (await ask(live, "SUBSCRIBE", *names[:3]))["result"] is None
            answer = await ask(live, "SUBSCRIBE", names[0], names[3], id=9)
            assert answer == named(2, "Invalid request: too many streams: a websocket may listen to 3", 9)
            assert (await ask(live, "LIST_SUBSCRIPTIONS"))["result"] == names[:3]

    assert socket.STREAMS_MAX == STREAMS_MAX == 1_024
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "STREAMS_MAX", 3)
        on(redis_url, venue, scenario)


def test_streams_that_cannot_begin_now_are_not_listened_to(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.binance.streams.feed.READY_S", 0.1)

    async def scenario(served: Gateway, floor: Floor) -> None:
        async with served.connect("/ws/aaplusd@depth") as live:
            assert (await ask(live, "LIST_SUBSCRIPTIONS"))["result"] == ["aaplusd@depth"]
            with views_away(floor):
                answer = await ask(live, "SUBSCRIBE", "aaplusd@depth", "aaplusd@trade", id=7)
                assert (answer["error"]["code"], answer["id"]) == (-1001, 7)
                assert (await ask(live, "LIST_SUBSCRIPTIONS"))["result"] == ["aaplusd@depth"]
                assert served.feeds() == {"aaplusd@depth"}
                code, reason = await ending(served, "/ws/aaplusd@trade")
                assert (code, "try again" in reason) == (1013, True)
            assert (await ask(live, "SUBSCRIBE", "aaplusd@trade"))["result"] is None
            floor.order("buy", 10_100, 1)
            assert {(await receive(live))["e"] for _ in range(2)} == {"trade", "depthUpdate"}

    on(redis_url, venue, scenario)


def test_only_so_many_websockets_may_be_open_and_no_page_of_another_site_may_open_one(
    redis_url: str, venue: str
) -> None:
    async def scenario(served: Gateway, _: Floor) -> None:
        async with served.connect("/ws"):
            code, reason = await ending(served, "/ws-api/v3")
            assert (code, "too many" in reason) == (1013, True)
        for path in ("/ws", "/stream", "/ws-api/v3"):
            with pytest.raises(InvalidStatus) as refused:
                await served.connect(path, origin="https://elsewhere.example").__aenter__()
            assert refused.value.response.status_code == 403

    on(redis_url, venue, scenario, clients_max=1)


def test_what_nobody_listens_to_is_read_no_more(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway, _: Floor) -> None:
        async with served.connect("/ws/aaplusd@trade") as one, served.connect("/ws/aaplusd@trade/aaplusd@depth") as two:
            await ask(one, "LIST_SUBSCRIPTIONS")
            await ask(two, "LIST_SUBSCRIPTIONS")
            assert served.feeds() == {"aaplusd@trade", "aaplusd@depth"}
            await two.close()
            await ask(one, "LIST_SUBSCRIPTIONS")
            assert await served.happens(lambda: served.feeds() == {"aaplusd@trade"})
        assert await served.happens(lambda: served.feeds() == set())

    on(redis_url, venue, scenario)


def test_a_message_as_large_as_may_be_is_read_and_a_larger_one_closes_the_connection(
    redis_url: str, venue: str
) -> None:
    async def scenario(served: Gateway, _: Floor) -> None:
        frame = '{"method":"LIST_SUBSCRIPTIONS","id":1}'
        async with served.connect("/ws") as live:
            await live.send(frame.ljust(MESSAGE_MAX))
            assert await receive(live) == {"result": [], "id": 1}
        assert (await ending(served, "/ws", frame.ljust(MESSAGE_MAX + 1)))[0] == 1009

    on(redis_url, venue, scenario)
