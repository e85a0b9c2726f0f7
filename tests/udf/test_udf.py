"""The data feed for TradingView's charts: its answers have the protocol's form, and its bars are those of the trades."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from litestar.testing import TestClient

from gateway.binance.intervals import Interval
from gateway.udf.shapes import COLOURS, RESOLUTIONS
from tests.binance.market_flow import traded, wander
from tests.gateway.adapters import LOCAL, Bench, Floor, FloorCommands, app_over
from tests.gateway.analysed import Analysed
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.script import Script

COLUMNS = {"t": int, "o": float, "h": float, "l": float, "c": float, "v": float}
SYMBOL_FIELDS = {
    "name": str,
    "ticker": str,
    "full_name": str,
    "description": str,
    "type": str,
    "session": str,
    "timezone": str,
    "exchange": str,
    "listed_exchange": str,
    "format": str,
    "minmov": int,
    "minmov2": int,
    "pricescale": int,
    "has_intraday": bool,
    "has_seconds": bool,
    "has_daily": bool,
    "has_weekly_and_monthly": bool,
    "has_empty_bars": bool,
    "intraday_multipliers": list,
    "seconds_multipliers": list,
    "daily_multipliers": list,
    "weekly_multipliers": list,
    "monthly_multipliers": list,
    "supported_resolutions": list,
    "volume_precision": int,
    "data_status": str,
    "currency_code": str,
}
MARK_FIELDS = {"id", "time", "color", "text", "label", "labelFontColor", "minSize"}


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with traded(redis_url, "udf") as started:
        yield started


@pytest.fixture(scope="module")
def tape(bench: Bench) -> list[dict[str, Any]]:
    """All trades of AAPLUSD, oldest first."""
    found: list[dict[str, Any]] = bench.client.get("/api/v3/trades?symbol=AAPLUSD&limit=1000").json()
    assert found[0]["id"] == 1
    return found


def ask(bench: Bench, path: str) -> Any:
    response = bench.client.get(f"/udf/{path}")
    assert response.status_code == 200, response.text
    assert response.headers["access-control-allow-origin"] == "*"
    return response.json()


def history(bench: Bench, **sent: Any) -> Any:
    told = ask(bench, f"history?{'&'.join(f'{name}={value}' for name, value in sent.items())}")
    if told["s"] == "ok":
        assert set(told) == {"s", *COLUMNS}
        assert {len(told[name]) for name in COLUMNS} == {len(told["t"])}
        assert all(type(value) is kind for name, kind in COLUMNS.items() for value in told[name])
    return told


def test_the_feed_says_what_it_can(bench: Bench) -> None:
    told = ask(bench, "config")
    assert told["supported_resolutions"] == list(RESOLUTIONS)
    names = ("search", "marks", "timescale_marks", "time")
    assert all(told[f"supports_{name}"] is True for name in names)
    assert told["supports_group_request"] is False
    assert [set(one) for one in told["exchanges"]] == [{"value", "name", "desc"}]
    assert [set(one) for one in told["symbols_types"]] == [{"name", "value"}]


def test_the_time_is_plain_seconds(bench: Bench) -> None:
    response = bench.client.get("/udf/time")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text == str(NOW_MS // 1_000)


@pytest.mark.parametrize(
    ("symbol", "tick", "places"), [("AAPLUSD", Decimal("0.01"), 0), ("COINUSD", Decimal("0.05"), 3)]
)
def test_a_symbol_says_how_its_prices_are_written(bench: Bench, symbol: str, tick: Decimal, places: int) -> None:
    told = ask(bench, f"symbols?symbol={symbol}")
    assert {name: type(value) for name, value in told.items()} == SYMBOL_FIELDS
    assert Decimal(told["minmov"]) / told["pricescale"] == tick
    assert (told["name"], told["volume_precision"], told["session"]) == (symbol, places, "24x7")
    assert ask(bench, f"symbols?symbol=OPENBELL:{symbol}") == told


def test_symbols_are_found_by_name_and_asset(bench: Bench) -> None:
    def found(query: str) -> list[str]:
        told = ask(bench, f"search?{query}")
        fields = {"symbol", "full_name", "description", "exchange", "ticker", "type"}
        assert all(set(one) == fields for one in told)
        return [one["symbol"] for one in told]

    assert found("query=") == found("") == found("query=usd&type=spot&exchange=OPENBELL") == ["AAPLUSD", "COINUSD"]
    assert found("query=coin") == found("query=OPENBELL:COIN") == ["COINUSD"]
    assert found("query=&limit=1") == ["AAPLUSD"]
    assert found("query=zzz") == found("query=&type=futures") == found("query=&exchange=OTHER") == []


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_bars_are_those_of_the_trades(bench: Bench, tape: list[dict[str, Any]], resolution: str) -> None:
    interval = Interval(RESOLUTIONS[resolution])
    kept_ms = tape[-200]["time"] if resolution == "1S" else 0  # of seconds and minutes not all are kept
    from_s, to_s = max(tape[100]["time"], kept_ms) // 1_000, tape[700]["time"] // 1_000 + 1
    wanted: dict[int, list[dict[str, Any]]] = {}
    for trade in tape:
        opening = interval.opening(trade["time"])
        if from_s * 1_000 <= opening < to_s * 1_000:
            wanted.setdefault(opening, []).append(trade)
    told = history(bench, symbol="AAPLUSD", resolution=resolution, **{"from": from_s, "to": to_s})
    if not wanted:
        assert told["s"] == "no_data"
        return
    prices = [[float(trade["price"]) for trade in some] for some in wanted.values()]
    assert told["t"] == [opening // 1_000 for opening in wanted]
    assert told["o"] == [some[0] for some in prices]
    assert told["h"] == [max(some) for some in prices]
    assert told["l"] == [min(some) for some in prices]
    assert told["c"] == [some[-1] for some in prices]
    assert told["v"] == [sum(float(trade["qty"]) for trade in some) for some in wanted.values()]
    last = history(bench, symbol="AAPLUSD", resolution=resolution, to=to_s, countback=3, **{"from": to_s - 1})
    count = min(3, len(wanted))
    assert all(last[name][-count:] == told[name][-count:] for name in COLUMNS)
    assert len(last["t"]) == 3 or len(last["t"]) == len({interval.opening(trade["time"]) for trade in tape[:701]})


def test_where_there_are_no_bars_the_last_one_before_is_named(bench: Bench, tape: list[dict[str, Any]]) -> None:
    first_s, last_s = tape[0]["time"] // 1_000, tape[-1]["time"] // 1_000
    after = {"symbol": "AAPLUSD", "resolution": "60", "from": last_s + 90_000, "to": last_s + 100_000}
    assert history(bench, **after) == {"s": "no_data", "nextTime": last_s - last_s % 3_600}
    before = {"symbol": "AAPLUSD", "resolution": "60", "from": 0, "to": first_s - 90_000}
    assert history(bench, **before) == history(bench, **before, countback=5) == {"s": "no_data"}
    assert history(bench, **{**after, "symbol": "COINUSD"}) == {"s": "no_data"}


@pytest.mark.parametrize(("short", "name"), [("S", "1S"), ("D", "1D"), ("W", "1W"), ("M", "1M")])
def test_some_resolutions_have_a_short_name(bench: Bench, short: str, name: str) -> None:
    sent = {"symbol": "AAPLUSD", "from": 0, "to": 2_000_000_000, "countback": 2}
    assert history(bench, resolution=short, **sent) == history(bench, resolution=name, **sent)


GOOD = {"symbol": "AAPLUSD", "resolution": "60", "from": "0", "to": "1800000000"}
SECONDS = ("", "-1", "1.5", "x", "1e3", "%D9%A1", "%00", "250000000001", "9" * 5_000)
WRONG = [
    *(
        (route, {**GOOD, name: value})
        for route in ("history", "marks", "timescale_marks")
        for name, values in (
            ("symbol", ("", "NOPE", "aaplusd", "%00", "%FF", "OTHER:AAPLUSD")),
            ("resolution", ("", "7", "1H", "60m", "%00")),
            ("from", SECONDS),
            ("to", SECONDS),
        )
        for value in values
    ),
    *(("history", {**GOOD, "countback": value}) for value in SECONDS),
    *((route, {name: value for name, value in GOOD.items() if name != gone}) for route in ("history", "marks", "timescale_marks") for gone in GOOD),
    *(("symbols", {"symbol": value}) for value in ("", "NOPE", "%00", "A" * 500)),
    ("symbols", {}),
    *(("search", {"limit": value}) for value in SECONDS),
]  # fmt: skip


@pytest.mark.parametrize(("route", "sent"), WRONG, ids=lambda value: ascii(value)[-60:])
def test_what_is_wrong_is_told_as_charts_read_it(bench: Bench, route: str, sent: dict[str, str]) -> None:
    told = ask(bench, f"{route}?{'&'.join(f'{name}={value}' for name, value in sent.items())}")
    assert set(told) == {"s", "errmsg"}
    assert told["s"] == "error"
    assert told["errmsg"]


def test_times_far_away_are_answered(bench: Bench) -> None:
    for resolution in RESOLUTIONS:
        sent = {"symbol": "AAPLUSD", "resolution": resolution, "from": 0, "to": 250_000_000_000}
        assert history(bench, **sent, countback=250_000_000_000)["s"] == "ok"
        assert history(bench, **sent)["s"] == "ok"
        assert history(bench, **{**sent, "from": 250_000_000_000})["s"] == "no_data"
        assert history(bench, **{**sent, "to": 0}) == {"s": "no_data"}


def test_signals_to_buy_or_sell_are_marks(redis_url: str, venue: str) -> None:
    floor = Analysed(redis_url, venue)
    floor.stroll(seed=3, trades=400)
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        said = client.get("/api/native/markets/AAPLUSD/signals?limit=200").json()
        wanted = [one for one in reversed(said) if one["action"] in COLOURS]
        assert wanted
        about = "symbol=AAPLUSD&resolution=1"
        told = client.get(f"/udf/marks?{about}&from=0&to=2000000000").json()
        assert [set(one) for one in told] == [MARK_FIELDS] * len(wanted)
        assert [(one["time"], one["label"]) for one in told] == [
            (one["time_ms"] // 1_000, one["action"][0]) for one in wanted
        ]
        assert len({one["id"] for one in told}) == len(told)
        middle = told[len(told) // 2]["time"]
        assert client.get(f"/udf/marks?{about}&from={middle}&to={middle}").json() == [
            one for one in told if one["time"] == middle
        ]


def test_auctions_are_marks_on_the_time_scale(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1)
    script.trade(100)
    script.trade(102, auction=True)
    script.trade(102, auction=True)
    projected.show()
    floor = Floor.__new__(Floor)
    floor.projected = projected
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        told = client.get("/udf/timescale_marks?symbol=AAPLUSD&resolution=1&from=0&to=2000000000").json()
    mark = {"id": "auction/2", "time": NOW_MS // 1_000, "color": "blue", "label": "A"}
    assert told == [{**mark, "tooltip": ["Auction", "at 1.02"]}]


def test_without_views_a_chart_is_told_to_try_again(redis_url: str, venue: str) -> None:
    floor = Floor(redis_url, venue)
    wander(floor, seed=1, trades=1, step_ms=1)
    floor.projected.store._redis.delete(floor.projected.store.keys.generation)
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        refused = client.get("/udf/symbols?symbol=AAPLUSD")
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["s"]) == (503, "1", "error")
