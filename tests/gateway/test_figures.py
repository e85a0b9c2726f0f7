"""The figures for Prometheus: those of the websocket API, of what is remembered of who may come in, and the list of them all."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway.binance.ws_api.methods import MARKET, SIGNED
from gateway.binance.ws_api.session import OWN, UNKNOWN, counted_as
from gateway.health import Metrics
from gateway.identity.ports import CacheFigures
from gateway.identity.remembered import Remembered
from tests.binance.stream_clients import DEADLINE_S, Gateway, ask, gateway, receive
from tests.gateway.adapters import Floor, played, running
from tests.gateway.let_in import house

ROOT = Path(__file__).parents[2]
Figures = dict[tuple[str, ...], float]


def read(text: str, name: str) -> Figures:
    """Return a figure's samples by the values of their labels."""
    for family in text_string_to_metric_families(text):
        if family.name == name:
            return {
                tuple(sample.labels.values()): sample.value
                for sample in family.samples
                if not sample.name.endswith("_created")
            }
    return {}


def test_the_document_lists_all_figures_and_no_others() -> None:
    section = (ROOT / "docs" / "LIMITS.md").read_text().partition("## Figures")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`(openbell_[a-z_]+)`", row)]
    families = text_string_to_metric_families(Metrics().text().decode())
    there = {family.name for family in families if not family.name.endswith("_created")}
    assert sorted(told) == sorted(there)


# The websocket API


def test_requests_of_the_websocket_api_are_counted_by_method_and_status_and_its_open_connections(
    redis_url: str, venue: str
) -> None:
    def figures(served: Gateway, name: str) -> Figures:
        return read(httpx.get(f"http://127.0.0.1:{served.port}/metrics", trust_env=False).text, name)

    async def scenario(served: Gateway) -> None:
        async with asyncio.timeout(DEADLINE_S), served.connect("/ws-api/v3") as live, served.connect("/ws-api/v3"):
            for _ in range(2):
                await live.send('{"id": 1, "method": "ping"}')
                await receive(live)
            for asked in (
                '{"id": 1, "method": "depth", "params": {"symbol": "NOPE"}}',
                '{"id": 1, "method": "order.place", "params": {}}',
                '{"id": 1, "method": "session.status"}',
                '{"id": 1, "method": "go.away"}',
                "{",
            ):
                await live.send(asked)
                await receive(live)
            async with served.connect("/ws") as stream:
                await ask(stream, "LIST_SUBSCRIPTIONS")
                assert figures(served, "openbell_ws_api_connections") == {(): 2}
                assert figures(served, "openbell_live_clients") == {(): 3}
        assert figures(served, "openbell_ws_api_requests") == {
            ("ping", "200"): 2,
            ("depth", "400"): 1,
            ("order.place", "400"): 1,
            ("session.status", "200"): 1,
            ("none", "400"): 2,
        }
        assert await served.happens(lambda: figures(served, "openbell_ws_api_connections") == {(): 0})

    with gateway(Floor(redis_url, venue)) as served:
        asyncio.run(scenario(served))


def test_the_methods_that_are_counted_are_those_of_the_api_and_no_others(redis_url: str, venue: str) -> None:
    async def scenario(served: Gateway) -> None:
        async with asyncio.timeout(DEADLINE_S), served.connect("/ws-api/v3") as live:
            for method in OWN:
                await live.send(f'{{"id": 1, "method": "{method}"}}')
                assert "Unknown method" not in str(await receive(live))

    with gateway(Floor(redis_url, venue)) as served:
        asyncio.run(scenario(served))
    for method in (*MARKET, *SIGNED, *OWN):
        assert counted_as(method) == method
    for other in ("", "PING", "order.place ", "x" * 10_000, UNKNOWN):
        assert counted_as(other) == UNKNOWN


# What is remembered of who may come in


@played
async def test_who_is_given_what_is_held_is_a_hit_and_who_has_it_read_a_miss() -> None:
    now = [0.0]
    memory: Remembered[str] = Remembered(lambda: now[0])

    async def found() -> str | None:
        return "ann"

    async def nobody() -> str | None:
        return None

    await asyncio.gather(*(memory.get("key", found) for _ in range(3)))
    assert memory.figures == CacheFigures(2, 1, 1), "those who ask at once share a reading"
    for _ in range(2):
        await memory.get("other", nobody)
    assert memory.figures == CacheFigures(2, 3, 1), "that there is nothing is not remembered"
    now[0] = 0.5
    await memory.get("key", found)
    assert memory.figures == CacheFigures(2, 4, 1), "what is too old is read anew"
    memory.forget()
    assert memory.figures.size == 0


def test_keys_and_sessions_that_are_remembered_are_counted_apart(redis_url: str, venue: str, tmp_path: Path) -> None:
    with house(redis_url, venue, tmp_path) as home:
        home.user("ann")
        key, session = home.key("ann", "read"), home.session("ann")

        def figures() -> tuple[Figures, Figures]:
            text = home.client.get("/metrics").text
            return read(text, "openbell_identity_cache_reads"), read(text, "openbell_identity_cache_entries")

        reads = {(cache, outcome): 0.0 for cache in ("keys", "sessions") for outcome in ("hit", "miss")}
        assert figures() == (reads, {("keys",): 0, ("sessions",): 0})
        home.client.get("/api/native/balances", headers=key)
        assert figures() == (reads | {("keys", "miss"): 1}, {("keys",): 1, ("sessions",): 0})
        home.client.get("/api/native/balances", headers=session)
        assert figures()[0] == reads | {("keys", "miss"): 1, ("sessions", "miss"): 1}
        for _ in range(5):
            home.client.get("/api/native/balances", headers=key)
        told, held = figures()
        assert told["keys", "hit"] + told["keys", "miss"] == 6
        assert told["sessions", "hit"] + told["sessions", "miss"] == 1
        assert held == {("keys",): 1, ("sessions",): 1}


def test_where_nobody_can_say_who_they_are_nothing_is_remembered(redis_url: str, venue: str) -> None:
    with running(redis_url, venue) as bench:
        assert read(bench.client.get("/metrics").text, "openbell_identity_cache_reads") == {}
