"""The pages of analysed markets, of markets that nobody analyses, and of servers without an account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from gateway.analytics.page import BEHIND_MS
from tests.gateway import facts
from tests.gateway.adapters import LOCAL, Bench, FloorCommands, app_over, running
from tests.gateway.analysed import Analysed
from tests.gateway.facts import START_MS, say
from tests.gateway.projected import NOW_MS

PARTIALS = ("studies", "indicators", "figures", "windows", "signals", "scores")


@pytest.fixture(scope="module")
def floor(redis_url: str) -> Analysed:
    """A market in which trades have gone on for more than half an hour."""
    floor = Analysed(redis_url, "analysed")
    floor.stroll(seed=1, trades=120)
    return floor


@pytest.fixture(scope="module")
def client(floor: Analysed) -> Iterator[TestClient[Any]]:
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        client.follow_redirects = False
        yield client


def section(html: str, name: str) -> str:
    """Return a partial of a page, up to the end of its element."""
    found = re.search(rf'<(section|details|a) id="{name}".*?</\1>', html, re.DOTALL)
    assert found, f"there is no {name}"
    return found[0]


def test_a_market_s_page_has_its_indicators_signals_scores_figures_and_windows(client: TestClient[Any]) -> None:
    html = client.get("/market/AAPLUSD?span=1m").text
    studies = section(html, "studies")
    assert studies.count("<tr id=") == 10
    assert re.search(r'data-rows="\[\[\d+,null', studies)
    assert "SMA 20" in section(html, "indicators")
    assert "of 50 bars" in section(html, "indicators")
    assert "Spread" in section(html, "indicators")
    assert "VWAP" in section(html, "figures")
    assert section(html, "windows").count('<tr id="window-') >= 6
    assert "candle" in section(html, "signals")
    assert "Hit rate" in section(html, "scores")


@pytest.mark.parametrize("span", ["1s", "1m", "5m", "15m", "1h", "1d"])
def test_every_span_has_a_page_and_its_controls_say_which_it_is(client: TestClient[Any], span: str) -> None:
    html = client.get(f"/market/AAPLUSD?span={span}").text
    assert re.findall(r'value="(\w+)" aria-current', html) == [span]
    for name in PARTIALS:
        section(html, name)


def test_the_chart_s_controls_are_as_the_address_says(client: TestClient[Any]) -> None:
    html = client.get("/market/AAPLUSD?span=1m&line=ema12&line=sma50&pane=macd&marks=candle").text
    assert re.findall(r'name="line" value="(\w+)"[^>]*? checked', html) == ["sma50", "ema12"]
    assert re.findall(r'<option value="(\w+)"[^>]*? selected', section_of_form(html)) == ["macd"]
    assert "<option selected>candle</option>" in html
    nothing = section_of_form(client.get("/market/AAPLUSD?pane=none&marks=none").text)
    assert " checked" not in nothing
    assert re.findall(r'<option value="(\w+)"[^>]*? selected', nothing) == ["none", "none"]


def section_of_form(html: str) -> str:
    return html[html.index('<form id="view"') : html.index("</form>", html.index('<form id="view"'))]


def test_the_list_of_markets_says_how_the_market_does_as_a_whole(client: TestClient[Any]) -> None:
    html = section(client.get("/").text, "breadth")
    assert "of 1 with trades" in html
    assert html.count('class="leader"') == 2


def test_a_market_that_nobody_analyses_says_so_in_every_place(redis_url: str, venue: str) -> None:
    with running(redis_url, venue) as bench:
        html = bench.client.get("/market/AAPLUSD?span=1m").text
        for name in ("indicators", "figures", "windows", "signals", "scores"):
            assert "may be off, or still be reading" in section(html, name)
        assert "may be off, or still be reading" in section(bench.client.get("/").text, "breadth")


def test_figures_that_are_well_behind_the_last_trade_say_so(redis_url: str, venue: str) -> None:
    with running(redis_url, venue) as bench:
        told_of(bench, facts.summary(time_ms=START_MS))
        bench.floor.projected.advance(NOW_MS)
        bench.floor.order("buy", 10_100, 1)
        assert NOW_MS - START_MS > BEHIND_MS
        assert "Behind the market" in figures(bench)
        told_of(bench, facts.summary(trades=4, time_ms=NOW_MS - BEHIND_MS))
        assert "Behind the market" not in figures(bench)


def told_of(bench: Bench, *told: Any) -> None:
    say(bench.floor.projected, *told)
    bench.floor.projected.project()


def figures(bench: Bench) -> str:
    return section(bench.client.get("/market/AAPLUSD").text, "figures")


def test_a_server_without_an_account_has_no_link_to_alerts_and_no_page_of_them(redis_url: str, venue: str) -> None:
    with running(redis_url, venue, demo_account=None) as bench:
        assert 'id="unread"' not in bench.client.get("/").text
        assert 'id="unread"' not in bench.client.get("/market/AAPLUSD").text
        assert bench.client.get("/alerts").status_code == 404
