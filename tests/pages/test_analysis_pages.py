"""The chart, the figures beside it and the alerts in a real browser; the market is analysed by the jobs' machines, without a cluster."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis_server
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from gateway.alerts.rules import MemoryAlertRules
from gateway.server import configured, listening
from openbell.supervise.processes import wait_until
from tests.gateway import facts
from tests.gateway.adapters import FloorCommands, app_over
from tests.gateway.analysed import Analysed
from tests.pages.people import Desk

HOSTILE = "<img src=x onerror=alert(1)>"
DEADLINE_S = 20


class Hall:
    """A served floor."""

    def __init__(self, floor: Analysed, url: str) -> None:
        self.floor = floor
        self.url = url

    def tell(self, *told: Any) -> None:
        """Say facts, and let everybody see them."""
        with self.floor.lock:
            facts.say(self.floor.projected, *told)
            self.floor.projected.project(publish=True)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder: Path = tmp_path_factory.mktemp("redis")
    with redis_server.running(folder) as redis_url:
        floor = Analysed(redis_url, "hall")
        floor.stroll(seed=1, trades=150)
        app = app_over(floor, FloorCommands(floor), rules=MemoryAlertRules(), span="1m")
        server = uvicorn.Server(configured(app))
        with listening("127.0.0.1", 0) as listener:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                assert wait_until(lambda: server.started, DEADLINE_S)
                yield Hall(floor, f"http://127.0.0.1:{listener.getsockname()[1]}")
            finally:
                server.should_exit = True
                thread.join(DEADLINE_S)


@pytest.fixture
def people(browser: Browser, hall: Hall) -> Iterator[Desk]:
    desk = Desk(browser, hall.url)
    yield desk
    desk.leave()
    assert [said for said in desk.watched.complaints if "status of 4" not in said] == []
    assert desk.watched.servers <= {urlsplit(hall.url).netloc}


def opened(people: Desk, path: str, **settings: Any) -> Page:
    page = people.sit_down(**settings)
    page.goto(f"{people.url}{path}")
    expect(page.locator("#status")).to_have_text("Live")
    return page


def test_the_chart_draws_what_is_chosen_and_the_address_keeps_it(people: Desk) -> None:
    page = opened(people, "/market/AAPLUSD")
    more = page.locator(".legend-more")
    expect(more).to_contain_text(re.compile(r"SMA 20 [\d.]+ .*Bollinger [\d.]+ / [\d.]+ / [\d.]+ .*RSI 14 [\d.]+"))
    page.get_by_label("SMA 20").uncheck()
    page.get_by_label("EMA 12").check()
    page.get_by_label("Below", exact=True).select_option("macd")
    page.locator("#marks").select_option("candle")
    expect(more).to_contain_text(re.compile(r"EMA 12 [\d.]+ .*MACD 12, 26, 9 "))
    expect(more).not_to_contain_text("SMA 20")
    expect(page).to_have_url(re.compile(r"line=ema12&line=bollinger&pane=macd&marks=candle&span=1m"))
    page.reload()
    expect(more).to_contain_text("EMA 12")
    expect(page.get_by_label("SMA 20")).not_to_be_checked()
    page.get_by_role("button", name="5m", exact=True).click()
    expect(page).to_have_url(re.compile(r"span=5m"))
    expect(page.get_by_label("Below", exact=True)).to_have_value("macd")
    expect(page.locator("#candles")).to_have_attribute("data-span", "5m")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#chart canvas").first).to_be_visible()


def test_a_trade_moves_the_indicators_and_figures_of_an_open_page(people: Desk, hall: Hall) -> None:
    page = opened(people, "/market/AAPLUSD?span=1m")
    asof, bars = page.locator("#figures .asof"), page.locator("#studies").get_attribute("data-rows")
    before = asof.text_content() or ""
    with hall.floor.lock:
        hall.floor.stroll(seed=2, trades=3, step_ms=60_000)
    expect(asof).not_to_have_text(before)
    expect(page.locator("#studies")).not_to_have_attribute("data-rows", bars or "")
    expect(page.locator("#indicators .asof").first).to_contain_text("1m candle of")
    expect(page.locator(".legend-more")).to_contain_text(re.compile(r"SMA 20 [\d.]+"))


def test_without_scripts_the_span_and_the_chosen_columns_are_there(people: Desk) -> None:
    page = people.sit_down(java_script_enabled=False)
    page.goto(f"{people.url}/market/AAPLUSD?span=1m")
    page.get_by_text("Chosen indicators as a table").click()
    expect(page.locator("#studies thead .of-sma20")).to_be_visible()
    expect(page.locator("#studies thead .of-ema26")).to_be_hidden()
    page.get_by_label("EMA 26").check()
    page.get_by_label("Below", exact=True).select_option("none")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"line=ema26.*pane=none.*span=1m"))
    page.get_by_text("Chosen indicators as a table").click()
    expect(page.locator("#studies thead .of-ema26")).to_be_visible()
    expect(page.locator("#studies thead .of-rsi")).to_be_hidden()
    page.get_by_role("button", name="15m").click()
    expect(page.get_by_label("EMA 26")).to_be_checked()
    expect(page.locator("#indicators .asof").first).to_contain_text("15m candle of")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_alert_is_set_refused_where_it_is_wrong_and_removed(people: Desk, scripts: bool) -> None:
    page = people.sit_down(java_script_enabled=scripts)
    page.goto(f"{people.url}/alerts?symbol=AAPLUSD")
    page.get_by_label("Name").fill("too low")
    page.get_by_label("Tell me when").select_option("IndicatorReaches")
    expect(page.get_by_label("Price", exact=True)).to_be_hidden()
    page.get_by_label("Gets").select_option("below")
    page.get_by_label("Value").fill("30")
    page.get_by_role("button", name="Set the alert").click()
    expect(page.locator("#name-error")).to_be_visible()
    expect(page.get_by_label("Value")).to_have_value("30")
    page.get_by_label("Name").fill("too-low")
    page.get_by_role("button", name="Set the alert").click()
    expect(page.locator("#notice")).to_contain_text("too-low is set")
    rule = page.locator("#alerts li", has_text="too-low")
    expect(rule).to_contain_text("of AAPLUSD rsi(14) of candles of 1m gets below 30.00")
    rule.get_by_role("button", name="Remove").click()
    expect(rule).to_have_count(0)


def test_alerts_come_into_the_inbox_live_and_are_counted_until_they_are_read(people: Desk, hall: Hall) -> None:
    inbox, market = opened(people, "/alerts"), opened(people, "/market/AAPLUSD")
    hall.tell(facts.alert("first", text=f"AAPLUSD fell {HOSTILE}"))
    expect(inbox.locator("#inbox li.new").first).to_contain_text(HOSTILE)
    expect(market.locator("#unread .badge")).to_have_text(re.compile("1 unread"))
    inbox.get_by_role("button", name="Mark all as read").click()
    expect(inbox.locator("#unread .badge")).to_have_count(0)
    expect(inbox.locator("#inbox li")).to_have_count(1)
    hall.tell(facts.alert("second"))
    expect(inbox.locator("#inbox li")).to_have_count(2)
    expect(inbox.locator("#inbox li.new")).to_have_count(1)
    expect(market.locator("#unread .badge")).to_have_text(re.compile("2 unread"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_used_by_everyone_on_every_width(people: Desk, hall: Hall, scheme: str) -> None:
    hall.tell(
        facts.alert(f"of {scheme}", text=HOSTILE * 9),
        facts.signal(rule=HOSTILE, reason=HOSTILE * 3, start_ms=hall.floor.time_ms),
        facts.score(rule=HOSTILE),
        facts.indicators(source="<outside>", span_ms=0),
    )
    page = people.sit_down(color_scheme=scheme, reduced_motion="reduce")
    for path in ("/", "/market/AAPLUSD?span=1m", "/market/COINUSD?span=1s", "/alerts"):
        page.goto(f"{people.url}{path}")
        expect(page.locator("#status")).to_have_text("Live")
        for width in (1280, 900, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
