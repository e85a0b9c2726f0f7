"""The market routes of the Binance-shaped API: what they tell is in Binance's form, and what the trades themselves say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest
from litestar.testing import TestClient

from exchange import messages as m
from exchange import topics
from exchange.analysis import Candle
from exchange.instruments import Rules
from exchange.packets import encode
from gateway.binance import trade_shapes
from gateway.binance.exchange_info import STATUSES
from gateway.binance.intervals import INTERVALS, Interval
from gateway.keys import CANDLES_MAX
from gateway.shown import TradeShown
from tests.binance.market_flow import traded
from tests.binance.market_forms import (
    AGGREGATE,
    BOOK,
    DAY,
    DEPTH,
    FILTERS,
    INFO,
    KLINE,
    MINI,
    TRADE,
    WINDOW,
    check,
    decimal,
    text,
    whole,
)
from tests.gateway.adapters import LOCAL, Bench, Floor, FloorCommands, app_over, running
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.script import Script

API = "/api/v3"
DAY_MS = 86_400_000
PRICE = {"symbol": text, "price": decimal}
TICKER = {"symbol": text, **BOOK}
BOTH = '["COINUSD","AAPLUSD"]'
ONE = "symbol=AAPLUSD"
FORMS: list[tuple[str, Any]] = [
    ("ping", {}),
    ("time", {"serverTime": whole}),
    ("exchangeInfo", INFO),
    (f"exchangeInfo?{ONE}&showPermissionSets=true", INFO),
    (f"exchangeInfo?symbols={BOTH}", INFO),
    ("exchangeInfo?permissions=SPOT", INFO),
    ('exchangeInfo?permissions=["MARGIN","SPOT"]&symbolStatus=TRADING', INFO),
    (f"depth?{ONE}", DEPTH),
    ("depth?symbol=COINUSD&limit=5", DEPTH),
    (f"trades?{ONE}", [TRADE]),
    (f"historicalTrades?{ONE}&fromId=3&limit=5", [TRADE]),
    (f"aggTrades?{ONE}", [AGGREGATE]),
    *((f"klines?{ONE}&interval={interval}&limit=20", [KLINE]) for interval in INTERVALS),
    (f"uiKlines?{ONE}&interval=1h&timeZone=5:30&startTime=0", [KLINE]),
    (f"avgPrice?{ONE}", {"mins": whole, "price": decimal, "closeTime": whole}),
    ("avgPrice?symbol=COINUSD", {"mins": whole, "price": decimal, "closeTime": whole}),
    ("ticker/24hr", [DAY]),
    ("ticker/24hr?symbol=COINUSD", DAY),
    (f"ticker/24hr?{ONE}&type=FULL", DAY),
    (f"ticker/24hr?symbols={BOTH}&type=MINI", [MINI]),
    (f"ticker?{ONE}", WINDOW),
    (f"ticker?symbols={BOTH}&windowSize=7d", [WINDOW]),
    (f"ticker?{ONE}&windowSize=59m&type=MINI", MINI),
    ("ticker/price", [PRICE]),
    (f"ticker/price?{ONE}", PRICE),
    (f"ticker/price?symbols={BOTH}", [PRICE]),
    ("ticker/bookTicker", [TICKER]),
    (f"ticker/bookTicker?{ONE}", TICKER),
    (f"ticker/bookTicker?symbols={BOTH}", [TICKER]),
]


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with traded(redis_url, "binance-market") as started:
        yield started


def ask(bench: Bench, path: str) -> Any:
    response = bench.client.get(f"{API}/{path}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


@pytest.fixture(scope="module")
def tape(bench: Bench) -> list[dict[str, Any]]:
    """All trades of AAPLUSD, oldest first."""
    found: list[dict[str, Any]] = ask(bench, f"historicalTrades?{ONE}&limit=1000&fromId=1")
    assert [trade["id"] for trade in found] == list(range(1, 801))
    return found


@pytest.mark.parametrize(("path", "form"), FORMS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_route_tells_has_binances_form(bench: Bench, path: str, form: Any) -> None:
    told = ask(bench, path)
    check(told, form, path)
    assert told or form == {}


def test_lists_are_of_the_symbols_that_are_asked_for(bench: Bench) -> None:
    assert [one["symbol"] for one in ask(bench, f"ticker/price?symbols={BOTH}")] == ["COINUSD", "AAPLUSD"]
    assert [one["symbol"] for one in ask(bench, "ticker/24hr")] == ["AAPLUSD", "COINUSD"]
    assert [one["symbol"] for one in ask(bench, f"exchangeInfo?{ONE}")["symbols"]] == ["AAPLUSD"]
    assert ask(bench, "exchangeInfo?permissions=MARGIN")["symbols"] == []
    assert ask(bench, "exchangeInfo?symbolStatus=HALT")["symbols"] == []
    assert ask(bench, "exchangeInfo?showPermissionSets=false")["symbols"][0]["permissionSets"] == []


def test_the_terms_of_a_symbol_are_those_of_its_listing(bench: Bench) -> None:
    aapl, coin = ask(bench, "exchangeInfo")["symbols"]
    found = {one["filterType"]: one for one in coin["filters"]}
    assert set(found) == set(FILTERS) - {"PERCENT_PRICE_BY_SIDE"}
    for name, one in found.items():
        check(one, FILTERS[name], name)
    assert (found["PRICE_FILTER"]["tickSize"], found["LOT_SIZE"]["stepSize"]) == ("0.05", "0.001")
    assert (coin["baseAssetPrecision"], coin["quoteAssetPrecision"]) == (3, 5)
    assert (aapl["status"], aapl["baseAsset"], aapl["quoteAsset"]) == ("TRADING", "AAPL", "USD")


def test_trades_and_depth_stand_in_the_listings_decimals(bench: Bench, tape: list[dict[str, Any]]) -> None:
    assert ask(bench, f"trades?{ONE}&limit=3") == tape[-3:]
    assert ask(bench, f"historicalTrades?{ONE}&fromId=100&limit=2") == tape[99:101]
    assert ask(bench, f"historicalTrades?{ONE}&fromId=801") == []
    assert all(Decimal(one["quoteQty"]) == Decimal(one["price"]) * Decimal(one["qty"]) for one in tape)
    book = ask(bench, f"depth?{ONE}&limit=1")
    assert (book["bids"], book["asks"]) == ([["99.00", "100"]], [["101.00", "100"]])
    assert book["lastUpdateId"] == bench.client.get("/api/native/depth/AAPLUSD").json()["seq"]


def test_aggregates_are_the_consecutive_trades_of_one_order_at_one_price(
    bench: Bench, tape: list[dict[str, Any]]
) -> None:
    found = ask(bench, f"aggTrades?{ONE}&limit=1000")
    assert len(found) == 400
    for one in found:
        some = tape[one["f"] - 1 : one["l"]]
        assert one["a"] == one["f"]
        assert {(trade["price"], trade["time"], trade["isBuyerMaker"]) for trade in some} == {
            (one["p"], one["T"], one["m"])
        }
        assert Decimal(one["q"]) == sum(Decimal(trade["qty"]) for trade in some)
    assert [one["f"] for one in found[1:]] == [one["l"] + 1 for one in found[:-1]]
    some_time = found[200]["T"]
    assert ask(bench, f"aggTrades?{ONE}&limit=2") == found[-2:]
    assert ask(bench, f"aggTrades?{ONE}&fromId={found[7]['a']}&limit=2") == found[7:9]
    assert (
        ask(bench, f"aggTrades?{ONE}&startTime={some_time}&limit=3")
        == [one for one in found if one["T"] >= some_time][:3]
    )
    assert ask(bench, f"aggTrades?{ONE}&startTime={some_time}&endTime={some_time}") == [
        one for one in found if one["T"] == some_time
    ]
    assert (
        ask(bench, f"aggTrades?{ONE}&endTime={some_time}&limit=2")
        == [one for one in found if one["T"] <= some_time][-2:]
    )


def test_the_oldest_aggregate_is_left_out_once_trades_of_it_may_be_gone() -> None:
    trades = [
        TradeShown(id=f"X-{n}", seq=n, time_ms=n // 3, price="1", quantity="1", taker_side="buy", taker_order=n // 3)
        for n in range(11, 4, -1)
    ]
    assert [one.first for one in trade_shapes.whole_aggregates(trades, 7)] == [6, 9]
    assert [one.first for one in trade_shapes.whole_aggregates(trades, 8)] == [5, 6, 9]


def rows_of(tape: list[dict[str, Any]], interval: Interval, clock_ms: int) -> list[list[Any]]:
    """Return all klines of the trades, computed trade by trade, gaps and all."""
    traded = {opening: list(some) for opening, some in groupby(tape, lambda trade: interval.opening(trade["time"]))}
    opening, close, found = min(traded), Decimal(0), []
    while opening <= clock_ms:
        after, some = interval.later(opening), traded.get(opening, [])
        prices = [Decimal(trade["price"]) for trade in some] or [close]
        bought = [trade for trade in some if not trade["isBuyerMaker"]]
        sums = [
            sum((Decimal(trade[name]) for trade in trades), Decimal(0))
            for trades in (some, bought)
            for name in ("qty", "quoteQty")
        ]
        close = prices[-1]
        found.append(
            [
                opening,
                prices[0],
                max(prices),
                min(prices),
                close,
                sums[0],
                after - 1,
                sums[1],
                len(some),
                sums[2],
                sums[3],
            ]
        )
        opening = after
    return found


@pytest.mark.parametrize("name", [name for name in INTERVALS if name not in ("1s", "1m")])
@pytest.mark.parametrize("zone", ["0", "-3:30"])
def test_klines_are_those_of_the_trades_for_whatever_time_is_asked_for(
    bench: Bench, tape: list[dict[str, Any]], name: str, zone: str
) -> None:
    seed = INTERVALS.index(name)
    dice = random.Random(seed)
    interval = Interval(name, -12_600_000 if zone != "0" else 0)
    wanted = rows_of(tape, interval, tape[-1]["time"])
    begin, end = tape[0]["time"] - DAY_MS, tape[-1]["time"] + DAY_MS
    for _ in range(6):
        start_ms, stop_ms = (dice.choice((None, dice.randint(begin, end))) for _ in range(2))
        limit = dice.randint(1, 30)
        sent = {"startTime": start_ms, "endTime": stop_ms, "limit": limit, "timeZone": zone}
        asked = "".join(f"&{key}={value}" for key, value in sent.items() if value is not None)
        print(f"seed {seed}: {name}{asked}")
        from_ms, to_ms = start_ms or 0, end if stop_ms is None else stop_ms
        within = [row for row in wanted if from_ms <= row[0] <= to_ms]
        expected = within[-limit:] if start_ms is None else within[:limit]
        found = [
            [Decimal(value) if isinstance(value, str) else value for value in row[:11]]
            for row in ask(bench, f"klines?{ONE}&interval={name}{asked}")
        ]
        assert [row[:9] for row in found] == [row[:9] for row in expected]
        if found and found[-1] == expected[-1] and expected[-1] == wanted[-1]:
            assert found == expected  # all trades are kept, so that it is known what takers bought


@pytest.mark.parametrize("window", ["1m", "5m", "59m", "1h", "7h", "23h", "1d", "2d", "7d"])
def test_a_rolling_window_is_that_of_the_trades(bench: Bench, tape: list[dict[str, Any]], window: str) -> None:
    spans = {"m": 60_000, "h": 3_600_000, "d": DAY_MS}
    told = ask(bench, f"ticker?{ONE}&windowSize={window}")
    end = tape[-1]["time"]
    start = end - int(window[:-1]) * spans[window[-1]]
    start -= start % 60_000
    some = [trade for trade in tape if trade["time"] >= start]
    prices, volume = [Decimal(trade["price"]) for trade in some], sum(Decimal(trade["qty"]) for trade in some)
    money = sum(Decimal(trade["quoteQty"]) for trade in some)
    assert (told["openTime"], told["closeTime"], told["count"]) == (start, end, len(some))
    assert (told["firstId"], told["lastId"]) == (some[0]["id"], some[-1]["id"])
    assert [Decimal(told[name]) for name in ("openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume")] == [
        prices[0], max(prices), min(prices), prices[-1], volume, money,
    ]  # fmt: skip
    assert Decimal(told["weightedAvgPrice"]) == round(money / volume, 8)
    assert Decimal(told["priceChange"]) == prices[-1] - prices[0]
    assert Decimal(told["priceChangePercent"]) == round((prices[-1] - prices[0]) * 100 / prices[0], 3)
    if window == "1d":
        day = ask(bench, f"ticker/24hr?{ONE}")
        before = [trade for trade in tape if trade["time"] < start]
        assert day.items() >= told.items()
        assert (day["lastQty"], day["prevClosePrice"]) == (tape[-1]["qty"], before[-1]["price"])
        assert (day["bidPrice"], day["askQty"]) == ("99.00", "100")


def test_a_market_without_trades_stands_at_zero(bench: Bench) -> None:
    told = ask(bench, "ticker/24hr?symbol=COINUSD")
    assert (told["lastPrice"], told["volume"], told["quoteVolume"], told["count"]) == ("0.00", "0.000", "0.00000", 0)
    assert (told["firstId"], told["lastId"]) == (-1, -1)
    assert ask(bench, "klines?symbol=COINUSD&interval=1d&startTime=0") == []
    assert ask(bench, "trades?symbol=COINUSD") == ask(bench, "aggTrades?symbol=COINUSD") == []


def test_the_average_price_is_that_of_five_minutes(bench: Bench, tape: list[dict[str, Any]]) -> None:
    start = tape[-1]["time"] - 300_000
    some = [trade for trade in tape if trade["time"] >= start - start % 60_000]
    average = sum(Decimal(one["quoteQty"]) for one in some) / sum(Decimal(one["qty"]) for one in some)
    assert ask(bench, f"avgPrice?{ONE}") == {"mins": 5, "price": f"{average:.8f}", "closeTime": tape[-1]["time"]}


def test_a_collar_is_a_filter_and_phases_are_statuses(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    script = Script(projected)
    script.list(1, rules=Rules(collar_ppm=100_000, reference=10_000))
    projected.show()
    floor = Floor.__new__(Floor)
    floor.projected = projected
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        for phase, status in STATUSES.items():
            script.book(m.PhaseChanged, phase=phase)
            projected.project(publish=True)
            [told] = client.get(f"{API}/exchangeInfo?{ONE}").json()["symbols"]
            assert told["status"] == status
            of_status = client.get(f"{API}/exchangeInfo?symbolStatus={status}").json()["symbols"]
            assert [one["symbol"] for one in of_status] == ["AAPLUSD"]
    [collar] = [one for one in told["filters"] if one["filterType"] == "PERCENT_PRICE_BY_SIDE"]
    check(collar, FILTERS["PERCENT_PRICE_BY_SIDE"], "collar")
    multipliers = [Decimal(collar[name]) for name in ("bidMultiplierUp", "askMultiplierDown")]
    assert multipliers == [Decimal("1.1"), Decimal("0.9")]


def test_without_views_every_route_says_that_it_may_be_tried_again(redis_url: str, venue: str) -> None:
    floor = Floor(redis_url, venue)
    floor.projected.store._redis.delete(floor.projected.store.keys.generation)
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        for path, _ in FORMS[2:]:
            refused = client.get(f"{API}/{path}")
            assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, -1001, "1")
        assert client.get(f"{API}/time").json() == {"serverTime": NOW_MS}


def test_a_venue_that_lists_nothing_tells_of_nothing(redis_url: str, venue: str) -> None:
    floor = Floor(redis_url, venue)
    store = floor.projected.store
    store._redis.delete(store.keys.of(floor.projected.generation).listings)
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker"):
            assert client.get(f"{API}/{path}").json() == []
        assert client.get(f"{API}/exchangeInfo").json()["symbols"] == []


def test_without_candles_prices_are_told_and_figures_are_nothing(redis_url: str, venue: str) -> None:
    with running(redis_url, venue) as quiet:
        quiet.floor.projected.watch.write = lambda: None  # type: ignore[method-assign]  # no job that makes candles
        quiet.floor.order("buy", 10_100, 3)
        day = ask(quiet, f"ticker/24hr?{ONE}")
        assert (day["lastPrice"], day["openPrice"], day["lastQty"], day["count"]) == ("101.00", "101.00", "3", 0)
        assert ask(quiet, f"avgPrice?{ONE}")["price"] == "101.00000000"
        assert ask(quiet, f"klines?{ONE}&interval=1m") == []


def test_a_kline_whose_first_candles_are_gone_is_left_out(redis_url: str, venue: str) -> None:
    projected = Projected(redis_url, venue)
    Script(projected).list(1)
    Script(projected).book(m.BookDelta, side="buy", price=100, quantity=5)
    first_ms, count = NOW_MS - NOW_MS % 3_600_000, CANDLES_MAX + 100
    same = {"symbol": "AAPLUSD", "span_ms": 60_000, "listing": 1, "closed": True, "turnover": 500, "trades": 1}
    prices = {"open": 100, "high": 100, "low": 100, "close": 100, "volume": 5}
    starts = range(first_ms - (count - 1) * 60_000, first_ms + 1, 60_000)
    told = [Candle(start_ms=start_ms, **same, **prices) for start_ms in starts]
    for part in range(0, count, 100):
        projected.venue.written[topics.CANDLES].append(encode(told[part : part + 100]))
    projected.show()
    floor = Floor.__new__(Floor)
    floor.projected = projected
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        asked = f"{API}/klines?{ONE}&startTime=0&limit=2&endTime={first_ms}"
        kept = starts[-CANDLES_MAX]
        for name, length in (("1m", 1), ("3m", 3)):
            interval = Interval(name)
            whole_ms = min(start for start in starts if start >= kept and interval.opening(start) == start)
            rows = client.get(f"{asked}&interval={name}").json()
            assert [(row[0], row[8]) for row in rows] == [(whole_ms, length), (interval.later(whole_ms), length)]
        assert interval.opening(kept) != kept
