"""Pushes: at once when it was quiet, put together when it is not, the newest always, and never held up by who does not read."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import threading
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from litestar.exceptions import WebSocketDisconnect

from gateway.health import Metrics
from gateway.ports import Changed, ViewsUnavailable
from gateway.render import Renderer
from gateway.server import configured, listening
from gateway.shown import CandleShown, Freshness, Market
from gateway.views import RedisViews
from gateway.websockets.live import CANDLES_MIN, Board, Client, Contexts, Hub
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import ACCOUNT, Floor, FloorCommands, app_over, running
from tests.gateway.adapters import until as happens
from tests.gateway.projected import NOW_MS

DEADLINE_S = 20
PUSH_S = 0.05


class CountingViews(RedisViews):
    """Views that note when a market is read, its chart apart."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, name, lambda: NOW_MS)
        self.read_at: list[float] = []
        self.away = False

    async def market(self, *arguments: Any, **options: Any) -> Market | None:
        if options.get("trades") != 1:
            self.read_at.append(asyncio.get_running_loop().time())
        if self.away:
            raise ViewsUnavailable("away")
        return await super().market(*arguments, **options)


class Stage:
    """A hub over a floor."""

    def __init__(self, floor: Floor, views: CountingViews, **options: Any) -> None:
        self.floor = floor
        self.views = views
        self.metrics = Metrics()
        self.hub = Hub(views, Renderer(), self.metrics, push_s=PUSH_S, **options)
        self.topics = self.hub.market_topics("AAPLUSD", "1d", ACCOUNT)


def on(url: str, name: str, scenario: Callable[[Stage], Awaitable[None]], **options: Any) -> None:
    async def played() -> None:
        views = CountingViews(url, name)
        stage = Stage(Floor(url, name), views, **options)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(stage)
        finally:
            await views.close()

    asyncio.run(played())


def ids(html: str) -> set[str]:
    return set(re.findall(r'<\w+ id="([a-z]+)"[^>]*hx-swap-oob="morph"', html))


async def until(client: Client, wanted: Callable[[str], bool]) -> str:
    """Fetch until what has come is as wanted, and return all of it."""
    html = ""
    while not wanted(html):
        html += await client.fetch()
    return html


ALL = {
    *("status", "summary", "ladder", "tape", "candles", "orders", "balances", "unread"),
    *("studies", "indicators", "figures", "signals", "scores", "windows"),
}


def test_a_new_watcher_gets_all_partials_and_then_those_that_change(redis_url: str, venue: str) -> None:
    async def scenario(stage: Stage) -> None:
        client = stage.hub.join(stage.topics)
        await until(client, lambda html: ids(html) == ALL)
        second = stage.hub.join(stage.topics)
        assert ids(await second.fetch()) == ALL
        stage.floor.order("buy", 9_950, 5)
        stage.hub.hear(Changed(symbols=["AAPLUSD"]))
        html = await until(client, lambda html: "99.50" in html and {"ladder", "summary"} <= ids(html))
        assert ids(html) == {"ladder", "summary"}
        stage.floor.order("buy", 10_100, 5)
        stage.hub.hear(Changed(symbols=["AAPLUSD"], accounts=["maker"]))
        traded = {"ladder", "summary", "tape", "candles"}
        assert ids(await until(client, lambda html: traded <= ids(html))) == traded
        stage.floor.order("buy", 9_000, 5, account=ACCOUNT)
        stage.hub.hear(Changed(accounts=[ACCOUNT]))
        await until(client, lambda html: "90.00" in html and {"orders", "balances"} <= ids(html))

    on(redis_url, venue, scenario)


def test_a_thousand_changes_at_once_are_read_once_or_twice_and_never_more_often_than_allowed(
    redis_url: str, venue: str
) -> None:
    async def scenario(stage: Stage) -> None:
        client = stage.hub.join(stage.topics)
        await until(client, lambda html: ids(html) == ALL)
        before = len(stage.views.read_at)
        for _ in range(1_000):
            stage.hub.hear(Changed(symbols=["AAPLUSD"]))
        stage.floor.order("buy", 9_990, 1)
        stage.hub.hear(Changed(symbols=["AAPLUSD"]))
        await until(client, lambda html: "99.90" in html)
        assert len(stage.views.read_at) - before <= 2
        for price in range(9_901, 9_910):
            stage.floor.order("buy", price, 1)
            stage.hub.hear(Changed(everything=True))
            await until(client, lambda html, price=price: f"99.0{price % 10}" in html)  # type: ignore[misc]
        gaps = [after - first for first, after in zip(stage.views.read_at, stage.views.read_at[1:], strict=False)]
        assert min(gaps) > PUSH_S * 0.9

    on(redis_url, venue, scenario)


def test_a_watcher_that_does_not_fetch_costs_one_slot_a_partial_and_gets_the_newest(redis_url: str, venue: str) -> None:
    async def scenario(stage: Stage) -> None:
        slow, quick = stage.hub.join(stage.topics), stage.hub.join(stage.topics)
        for price in range(9_901, 9_910):
            stage.floor.order("buy", price, 1)
            stage.hub.hear(Changed(symbols=["AAPLUSD"]))
            await until(quick, lambda html, price=price: f"99.0{price % 10}" in html)  # type: ignore[misc]
        html = await slow.fetch()
        assert len(re.findall("hx-swap-oob", html)) == len(ALL)
        assert "99.09" in html

    on(redis_url, venue, scenario)


def test_a_topic_that_nobody_watches_is_dropped_and_others_are_left_alone(redis_url: str, venue: str) -> None:
    async def scenario(stage: Stage) -> None:
        one, other = stage.hub.join(stage.topics), stage.hub.join(stage.hub.markets_topics(ACCOUNT))
        assert set(stage.hub._boards) == {*stage.topics, ("markets",)}
        await until(one, lambda html: ids(html) == ALL)
        stage.hub.leave(one)
        assert set(stage.hub._boards) == {("status",), ("unread", ACCOUNT, "0"), ("markets",)}
        before = len(stage.views.read_at)
        stage.hub.hear(Changed(symbols=["AAPLUSD"]))
        await until(other, lambda html: "markets" in ids(html))
        assert len(stage.views.read_at) == before
        stage.hub.leave(other)
        assert not stage.hub._boards

    on(redis_url, venue, scenario)


def test_what_changed_while_the_views_were_away_is_pushed_when_they_are_back(redis_url: str, venue: str) -> None:
    async def scenario(stage: Stage) -> None:
        client = stage.hub.join(stage.topics)
        await until(client, lambda html: ids(html) == ALL)
        stage.views.away = True
        stage.floor.order("buy", 9_950, 5)
        stage.hub.hear(Changed(symbols=["AAPLUSD"]))
        before = len(stage.views.read_at)
        await happens(lambda: len(stage.views.read_at) > before)
        stage.views.away = False
        await until(client, lambda html: "99.50" in html)

    on(redis_url, venue, scenario)


def test_candles_are_pushed_from_the_last_one_known_and_whole_to_who_has_missed_some() -> None:
    def candles(count: int) -> list[Any]:
        return [
            CandleShown(start_ms=number, open="1", high="1", low="1", close="1", volume="1", trades=1)
            for number in range(count)
        ]

    def pushed(html: str) -> int:
        found = re.search(r'data-candles="(.*?)"', html)
        assert found
        return found[1].count("],[") + 1

    async def scenario() -> list[int]:
        shown = candles(100)

        async def read() -> Contexts:
            return {"candles": {"candles": shown, "span": "1m", "tick": "1", "lot": "1"}}

        board = Board(read, Renderer(), Metrics(), 0.0)
        quick, slow = Client(), Client()
        board.join(quick)
        board.join(slow)
        counts = [pushed(await quick.fetch()), pushed(await slow.fetch())]
        for count in (101, 150, 160):
            shown = candles(count)
            board.touch()
            counts.append(pushed(await quick.fetch()))
        counts.append(pushed(await slow.fetch()))
        board.close()
        return counts

    assert asyncio.run(scenario()) == [100, 100, CANDLES_MIN, 50, 11, 160]


def test_the_status_is_pushed_when_it_changes_and_not_for_its_age_alone(redis_url: str, venue: str) -> None:
    class Ageing(CountingViews):
        live, age_ms = True, 0

        async def freshness(self) -> Freshness:
            self.age_ms += 1_000
            return Freshness(live=self.live, age_ms=self.age_ms, reason="" if self.live else "the projector is down")

    async def scenario() -> None:
        views = Ageing(redis_url, venue)
        stage = Stage(Floor(redis_url, venue), views)
        client = stage.hub.join([("status",)])
        assert "Live" in await client.fetch()
        board = stage.hub._boards["status",]
        age = views.age_ms
        board.touch()
        await happens(lambda: views.age_ms > age)
        assert not client._filled.is_set()
        views.live = False
        watching = asyncio.create_task(stage.hub.watch_status())
        assert "the projector is down" in await client.fetch()
        watching.cancel()
        stage.hub.leave(client)
        await views.close()

    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario()

    asyncio.run(bounded())


# Over real websockets


def test_a_websocket_is_refused_for_an_unknown_symbol_or_span_and_closed_when_it_sends(
    redis_url: str, venue: str
) -> None:
    with running(redis_url, venue) as bench:
        for path in ("/live/market/NOPE", "/live/market/AAPLUSD?span=1y", "/live/nothing"):
            with pytest.raises(WebSocketDisconnect), bench.client.websocket_connect(path):
                pass
        for send in ("send_text", "send_bytes"):
            with bench.client.websocket_connect("/live/market/AAPLUSD") as live:
                getattr(live, send)("x" if send == "send_text" else b"x")
                with pytest.raises(WebSocketDisconnect) as closed:
                    deque(iter(live.receive_text, None), maxlen=0)
                assert closed.value.code == 1008
        assert wait_until(lambda: "openbell_live_boards 0.0" in bench.client.get("/metrics").text, DEADLINE_S)


@contextmanager
def served(url: str, name: str, **settings: Any) -> Iterator[tuple[int, Floor, Any]]:
    """Serve the application as the server does, in a thread on a free port."""
    floor = Floor(url, name)
    app = app_over(floor, FloorCommands(floor), **settings)
    server = uvicorn.Server(configured(app))
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert wait_until(lambda: server.started, DEADLINE_S)
            yield listener.getsockname()[1], floor, server
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
    assert not thread.is_alive()


def handshake(port: int, path: str) -> socket.socket:
    """Open a websocket that reads nothing but the server's consent."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.settimeout(DEADLINE_S)
    client.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


def figure(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE_S) as answer:
        found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found, f"no figure {name}"
    return float(found[1])


@pytest.mark.slow
def test_a_client_that_never_reads_is_cut_off_while_others_go_on(redis_url: str, venue: str) -> None:
    with served(redis_url, venue, send_s=0.5) as (port, floor, server):
        stuck = handshake(port, "/live/market/AAPLUSD")
        good = handshake(port, "/live/market/AAPLUSD")
        reading = threading.Thread(target=lambda: [None for _ in iter(lambda: good.recv(65_536), b"")])
        reading.start()

        def cut_off() -> bool:
            floor.order("sell", 10_000, 1)
            floor.order("buy", 10_000, 1)
            return figure(port, "openbell_slow_clients_total") == 1

        assert wait_until(cut_off, 60, every=0.05)
        assert wait_until(lambda: figure(port, "openbell_live_clients") == 1, DEADLINE_S)
        websockets = [each for each in server.server_state.connections if type(each).__name__ == "LiveProtocol"]
        assert wait_until(lambda: sum(not each.transport.is_closing() for each in websockets) == 1, DEADLINE_S)
        stuck.close()
    reading.join(DEADLINE_S)
    assert not reading.is_alive()
    good.close()


def test_a_stop_closes_websockets_with_word_that_the_server_restarts(redis_url: str, venue: str) -> None:
    with served(redis_url, venue) as (port, _, _server):
        client = handshake(port, "/live/markets")
        assert wait_until(lambda: figure(port, "openbell_live_clients") == 1, DEADLINE_S)
    received = b"".join(iter(lambda: client.recv(65_536), b""))
    assert received.endswith(b"\x88\x02\x03\xf4")  # a closing frame with code 1012
    client.close()


def test_a_head_request_gets_the_headers_of_its_page_and_no_body(redis_url: str, venue: str) -> None:
    with served(redis_url, venue) as (port, _, _server):
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/market/AAPLUSD", method="HEAD")
        with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:
            assert (answer.status, answer.read()) == (200, b"")
            assert int(answer.headers["content-length"]) > 1_000


def test_a_message_that_is_too_large_closes_the_websocket(redis_url: str, venue: str) -> None:
    with served(redis_url, venue) as (port, _, _server):
        client = handshake(port, "/live/markets")
        client.sendall(b"\x81\xff" + (10**6).to_bytes(8, "big") + b"\0\0\0\0")
        received = b"".join(iter(lambda: client.recv(65_536), b""))
        assert b"\x03\xf1" in received  # 1009: too big
        client.close()
