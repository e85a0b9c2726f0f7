"""The routes that tell what is computed of the markets: what they answer, and how they refuse what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.analytics import native as routes
from gateway.parameters import SPAN_MAX
from tests.gateway import facts
from tests.gateway.adapters import Bench, running
from tests.gateway.facts import MINUTE_MS, START_MS, say
from tests.gateway.test_native import problem

API = "/api/native"
OF = f"{API}/markets/AAPLUSD"
WINDOW = {"method": "hopping-10m-5m", "start_ms": START_MS - 600_000, "end_ms": START_MS, "seq": 3}
BAR = {
    "start_ms": START_MS, "seq": 3, "bars": 1, "closed": True, "open": 1.0, "high": 1.03, "low": 0.99, "close": 1.01, "volume": 9.0,
    "values": {"sma(20)": 1 / 3, "rsi(14)": 55.5},
}  # fmt: skip
TOTALS = {
    "open": "1.00", "high": "1.03", "low": "0.99", "close": "1.01", "volume": "9", "turnover": "9.11000", "vwap": 911 / 900, "trades": 3,
}  # fmt: skip
RANKS = [{"symbol": "AAPLUSD", "value": 0.01}, {"symbol": "COINUSD", "value": -0.01}]


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    """An application that has been told a fact of each kind."""
    with running(redis_url, "analytics") as started:
        projected = started.floor.projected
        say(
            projected, facts.candle(closed=True), facts.indicators(closed=True), facts.indicators(1), facts.average(),
            facts.average(1, method="vwap-5m"), facts.profit(), facts.leader(), facts.summary(), facts.market(), facts.late(4),
            facts.signal(), facts.outcome(), facts.score(), facts.alert(),
        )  # fmt: skip
        for span_ms in (1_000, 300_000, 900_000, 3_600_000, 86_400_000):
            say(projected, facts.candle(span_ms=span_ms, start_ms=START_MS - START_MS % span_ms))
        say(projected, facts.indicators(source="feed one", span_ms=0, closed=True))
        projected.project(publish=True)
        yield started


@pytest.fixture(scope="module")
def silent(redis_url: str) -> Iterator[Bench]:
    """An application that has been told none."""
    with running(redis_url, "analytics-silent") as started:
        yield started


def get(bench: Bench, path: str) -> Any:
    answer = bench.client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.json()


@pytest.mark.parametrize("span", ["1s", "1m", "5m", "15m", "1h", "1d"])
def test_candles_of_every_span_have_an_exact_turnover_and_a_vwap(bench: Bench, span: str) -> None:
    [candle] = get(bench, f"{API}/candles/AAPLUSD?span={span}")
    start_ms = candle.pop("start_ms")
    assert START_MS - 86_400_000 < start_ms <= START_MS
    assert candle == {**TOTALS, "closed": span == "1m"}


def test_bars_are_answered_with_their_indicators(bench: Bench) -> None:
    open_bar = {**BAR, "start_ms": START_MS + MINUTE_MS, "bars": 2, "closed": False}
    assert get(bench, f"{OF}/indicators") == [BAR, open_bar]
    assert get(bench, f"{OF}/indicators?span=1m&source=@trades&limit=1") == [open_bar]
    assert get(bench, f"{OF}/indicators?span=60000&end_ms={START_MS + 1}") == [BAR]
    assert get(bench, f"{OF}/indicators?span=0&source=feed%20one") == [BAR]
    assert get(bench, f"{OF}/indicators?span=1h") == []
    assert get(bench, f"{OF}/series") == [
        {"source": "@trades", "span_ms": 60_000, "newest": open_bar},
        {"source": "feed one", "span_ms": 0, "newest": BAR},
    ]


def test_averages_profits_and_leaders_are_answered_by_method(bench: Bench) -> None:
    later = {"start_ms": START_MS - 300_000, "end_ms": START_MS + 300_000}
    assert get(bench, f"{OF}/averages") == [
        {**WINDOW, "average": 1.5},
        {**WINDOW, **later, "method": "vwap-5m", "average": 1.5},
    ]
    assert get(bench, f"{OF}/averages?method=hopping-10m-5m&limit=1") == [{**WINDOW, "average": 1.5}]
    assert get(bench, f"{OF}/profits") == [{**WINDOW, "profit": -0.5}]
    assert get(bench, f"{OF}/profits?method=vwap-5m") == []
    leader = {name: value for name, value in WINDOW.items() if name != "seq"}
    leader |= {"symbol": "AAPLUSD", "profit": 0.5, "symbols": 2}
    assert get(bench, f"{API}/leaders") == get(bench, f"{API}/leaders?method=hopping-10m-5m&limit=1") == [leader]


def test_summaries_are_answered_with_exact_prices_and_derived_numbers(bench: Bench) -> None:
    assert get(bench, f"{OF}/summary") == {
        "symbol": "AAPLUSD", "seq": 3, "time_ms": START_MS, "listing": 1, "session": TOTALS, "day": TOTALS, "change": 0.01,
        "change_24h": 0.02, "previous_close": "1.00", "bid": "1.00", "ask": "1.02", "volatility": 0.001, "profit": 0.5, "late": 2,
    }  # fmt: skip
    assert get(bench, f"{API}/market") == {
        "time_ms": START_MS, "symbols": 2, "advancers": 1, "decliners": 1, "unchanged": 0, "by_change": RANKS, "by_turnover": RANKS,
        "by_profit": RANKS[:1],
    }  # fmt: skip


def test_signals_scores_late_data_and_alerts_are_answered(bench: Bench) -> None:
    assert get(bench, f"{OF}/signals?limit=200") == [
        {
            "source": "@trades", "span_ms": MINUTE_MS, "start_ms": START_MS, "time_ms": START_MS + MINUTE_MS, "rule": "rsi-bounds(14,30,70)",
            "action": "BUY", "strength": 0.7, "price": 1.01, "reason": "RSI 27.9 < 30", "numbers": {"rsi(14)": 27.9},
            "outcomes": [{"horizon": 5, "time_ms": START_MS + 6 * MINUTE_MS, "entry": 1.0, "price": 1.02, "gain": 0.02}],
        }
    ]  # fmt: skip
    assert get(bench, f"{OF}/scores") == [
        {
            "source": "@trades", "span_ms": MINUTE_MS, "rule": "candle", "horizon": 5, "time_ms": START_MS, "seq": 30, "signals": 4,
            "hits": 3, "average": 0.01, "average_gain": 0.02, "average_loss": -0.02, "random": 0.0, "random_hit_rate": 0.5, "hold": 0.03,
        }
    ]  # fmt: skip
    item = {
        "source": "@trades",
        "seq": 4,
        "time_ms": START_MS - 9_000,
        "clock_ms": START_MS - 5_000,
        "price": 1.01,
        "volume": 5.0,
    }
    assert get(bench, f"{OF}/late") == {"counts": {"@trades": 4}, "items": [item]}
    alert = {
        "alert": "dip", "event": "trade 7", "symbol": "AAPLUSD", "time_ms": START_MS, "text": "AAPLUSD is at 0.99", "channels": ["inbox"],
    }  # fmt: skip
    assert get(bench, f"{API}/inbox") == {"told": 1, "alerts": [alert]}


def test_where_nothing_has_been_computed_there_is_nothing(silent: Bench) -> None:
    for path in ("indicators", "series", "averages", "profits", "signals", "scores"):
        assert get(silent, f"{OF}/{path}") == []
    assert get(silent, f"{OF}/late") == {"counts": {}, "items": []}
    assert get(silent, f"{API}/leaders") == []
    assert get(silent, f"{API}/inbox") == {"told": 0, "alerts": []}
    for path in (f"{OF}/summary", f"{API}/market"):
        assert problem(silent.client.get(path)) == (404, "NOT_FOUND", set())


@pytest.mark.parametrize(
    "path",
    ["summary", "indicators", "series", "averages", "profits", "signals", "scores", "late", "%00/late", "%FF/summary"],
)
def test_an_unknown_symbol_is_named(bench: Bench, path: str) -> None:
    symbol = "" if path.startswith("%") else "NOPE/"
    refused = bench.client.get(f"{API}/markets/{symbol}{path}")
    assert problem(refused) == (404, "UNKNOWN_SYMBOL", {"symbol"})


BAD_NUMBERS = ("", "0", "-1", "x", "1.5", "1e3", "%D9%A1", "%00", "9" * 5_000)
WRONG = [
    (f"{path}?{name}={value}", name)
    for path, name, greatest in (
        ("markets/AAPLUSD/indicators", "limit", routes.INDICATORS[1]),
        ("markets/AAPLUSD/indicators", "end_ms", 2**53 - 1),
        ("markets/AAPLUSD/averages", "limit", routes.WINDOWS[1]),
        ("markets/AAPLUSD/profits", "limit", routes.WINDOWS[1]),
        ("markets/AAPLUSD/signals", "limit", routes.SIGNALS[1]),
        ("markets/AAPLUSD/late", "limit", routes.LATE[1]),
        ("leaders", "limit", routes.LEADERS[1]),
        ("inbox", "limit", routes.ALERTS[1]),
    )
    for value in (*BAD_NUMBERS, greatest + 1)
]
WRONG += [
    (f"markets/AAPLUSD/indicators?span={span}", "span")
    for span in ("", "1w", "1M", "-1", "1.5", "%00", "%D9%A1", SPAN_MAX + 1, "9" * 5_000)
]
WRONG += [(f"markets/AAPLUSD/indicators?source={source}", "source") for source in ("", "x" * 65)]
WRONG += [
    (f"{path}?method={method}", "method")
    for path in ("markets/AAPLUSD/averages", "markets/AAPLUSD/profits", "leaders")
    for method in ("", "hopping", "VWAP-5M", "%00")
]


@pytest.mark.parametrize(("path", "field"), WRONG, ids=lambda value: value[:60])
def test_a_parameter_that_is_wrong_is_named(bench: Bench, path: str, field: str) -> None:
    refused = bench.client.get(f"{API}/{path}")
    assert problem(refused) == (422, "INVALID_FIELDS", {field})
    assert refused.json()["fields"][field].startswith("Write ")


def test_without_an_account_there_is_no_inbox(redis_url: str) -> None:
    with running(redis_url, "analytics-looking", demo_account=None) as looking:
        assert problem(looking.client.get(f"{API}/inbox"))[:2] == (404, "NO_ACCOUNT")


def test_without_views_nothing_is_answered(redis_url: str) -> None:
    with running(redis_url, "analytics-away") as away:
        store = away.floor.projected.store
        store._redis.delete(store.keys.generation)
        for path in (
            f"{API}/market",
            f"{API}/leaders",
            f"{API}/inbox",
            f"{OF}/summary",
            f"{OF}/indicators",
            f"{OF}/signals",
        ):
            assert problem(away.client.get(path))[:2] == (503, "VIEWS_UNAVAILABLE")
