"""Klines are those that a plain recomputation of the trades gives, for every interval, in every time zone, with and without gaps."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.binance.intervals import INTERVALS, Interval, offset_ms
from gateway.binance.klines import WATCHED_MAX, after, changeable, ended, gapless, merged, with_takers
from gateway.binance.tickers import WINDOWS, first_hour, rolling, window_start
from gateway.shown import CandleShown, TradeShown

START = datetime(2023, 12, 28, 22, 17, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ("0", "8", "-3:30", "05:45", "-12:00", "+14")
LENGTHS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def millis(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


def bounds(time_ms: int, name: str, zone_ms: int) -> tuple[int, int]:
    """Return by the calendar when the interval that holds a time begins, and when the next one does."""
    local = EPOCH + timedelta(milliseconds=time_ms + zone_ms)
    count, unit = int(name[:-1]), name[-1]
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "M":
        begin = midnight.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    elif unit == "w":
        begin = midnight - timedelta(days=midnight.weekday())
        end = begin + timedelta(weeks=1)
    else:
        length = count * LENGTHS[unit]
        begin = EPOCH + (local - EPOCH) // length * length
        end = begin + length
    return millis(begin) - zone_ms, millis(end) - zone_ms


def random_trades(seed: int, count: int, step_ms: int) -> list[TradeShown]:
    dice, time_ms, found = random.Random(seed), millis(START), []
    for number in range(1, count + 1):
        time_ms += dice.choice((0, 1, dice.randint(0, step_ms), dice.randint(0, 20 * step_ms)))
        price, quantity = dice.randint(990, 1_010), dice.randint(1, 5_000)
        found.append(
            TradeShown(
                id=f"X-{number}",
                seq=number,
                time_ms=time_ms,
                price=f"{Decimal(price) / 100:.2f}",
                quantity=f"{Decimal(quantity) / 1000:.3f}",
                taker_side=dice.choice(("buy", "sell")),
                taker_order=number,
            )
        )
    return found


def naive(trades: Iterable[TradeShown], name: str, zone_ms: int) -> dict[int, list[Any]]:
    """Return the klines of trades as REST tells them, computed trade by trade."""
    found: dict[int, list[Any]] = {}
    for trade in trades:
        begin, end = bounds(trade.time_ms, name, zone_ms)
        price, quantity = Decimal(trade.price), Decimal(trade.quantity)
        row = found.setdefault(begin, [begin, price, price, price, price, 0, end - 1, 0, 0, 0, 0, "0"])
        bought = quantity if trade.taker_side == "buy" else 0
        row[2:6] = max(row[2], price), min(row[3], price), price, row[5] + quantity
        row[7:11] = row[7] + price * quantity, row[8] + 1, row[9] + bought, row[10] + price * bought
    return found


def numbers(row: list[Any]) -> list[Any]:
    return [Decimal(value) if isinstance(value, str) else value for value in row[:11]]


def candles(trades: list[TradeShown], span_ms: int) -> list[CandleShown]:
    by_start: dict[int, list[TradeShown]] = {}
    for trade in trades:
        by_start.setdefault(trade.time_ms - trade.time_ms % span_ms, []).append(trade)
    return [
        CandleShown(
            start_ms=start_ms,
            open=some[0].price,
            high=max((one.price for one in some), key=Decimal),
            low=min((one.price for one in some), key=Decimal),
            close=some[-1].price,
            volume=f"{sum(Decimal(one.quantity) for one in some):.3f}",
            turnover=f"{sum(Decimal(one.price) * Decimal(one.quantity) for one in some):.5f}",
            trades=len(some),
            closed=start_ms + span_ms <= trades[-1].time_ms,
        )
        for start_ms, some in by_start.items()
    ]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", INTERVALS)
def test_klines_made_of_random_candles_are_those_of_their_trades(name: str, zone: str) -> None:
    seed = 100 + INTERVALS.index(name)
    zone_ms = offset_ms(zone)
    assert zone_ms is not None
    interval = Interval(name, zone_ms)
    length_ms = interval.later(interval.opening(0)) - interval.opening(0)
    trades = random_trades(seed, 300, min(length_ms // 3, 20_000_000))
    klines = with_takers(merged(candles(trades, interval.span_ms), interval), trades[::-1], interval)
    wanted = naive(trades, name, zone_ms)
    print(f"seed {seed}, {name} in {zone}: {len(wanted)} klines of {interval.span} candles")
    assert len(wanted) > 1
    assert [numbers(kline.row) for kline in klines] == [row[:11] for row in wanted.values()]
    assert [kline.closed for kline in klines[:-1]].count(True) >= sum(
        interval.span_ms == kline.close_ms + 1 - kline.open_ms for kline in klines[:-1]
    )


@pytest.mark.parametrize("name", INTERVALS)
def test_every_interval_has_a_kline_and_those_without_trades_stand_at_the_last_price(name: str) -> None:
    seed = 200 + INTERVALS.index(name)
    interval, dice = Interval(name), random.Random(seed)
    trades = random_trades(seed, 120, min(2 * interval.span_ms, 40_000_000))
    klines, wanted = merged(candles(trades, interval.span_ms), interval), naive(trades, name, 0)
    first, end = min(wanted), trades[-1].time_ms
    for _ in range(20):
        from_ms = interval.opening(dice.randint(first - 10**9, end))
        to_ms, limit = dice.randint(from_ms + 1, end + 10**6), dice.randint(1, 50)
        expected: list[list[Any]] = []
        opening, close = max(from_ms, first), None
        for row in wanted.values():
            close = row[4] if row[0] < opening else close
        while opening < to_ms and len(expected) < limit:
            begin, stop = bounds(opening, name, 0)
            row = wanted.get(begin) or [begin, close, close, close, close, 0, stop - 1, 0, 0, 0, 0]
            close, opening = row[4], stop
            expected.append(row[:9])
        found = gapless(klines, interval, from_ms, to_ms, limit)
        print(f"seed {seed}, {name}: {from_ms} to {to_ms}, at most {limit}")
        assert [numbers(kline.row)[:9] for kline in found] == expected


def test_what_takers_bought_is_told_only_where_all_trades_are_known() -> None:
    trades = random_trades(5, 200, 20_000)
    interval = Interval("1m")
    klines = merged(candles(trades, 60_000), interval)
    known = trades[::-1][:60]
    whole = naive(trades, "1m", 0)
    told = with_takers(klines, known, interval)
    for kline in told:
        is_known = kline.open_ms > known[-1].time_ms
        assert (Decimal(kline.taker_volume), Decimal(kline.taker_turnover)) == (
            tuple(whole[kline.open_ms][9:11]) if is_known else (0, 0)
        )
    assert any(Decimal(kline.taker_volume) for kline in told)
    assert with_takers(klines, [], interval) == klines


@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize("zone", ZONES)
def test_later_and_opening_agree_with_the_calendar(name: str, zone: str) -> None:
    zone_ms = offset_ms(zone)
    assert zone_ms is not None
    interval, dice = Interval(name, zone_ms), random.Random(11)
    for _ in range(50):
        time_ms = dice.randint(0, 2_000_000_000_000)
        begin, end = bounds(time_ms, name, zone_ms)
        assert (interval.opening(time_ms), interval.later(begin)) == (begin, end)
        assert interval.later(interval.later(begin, -25), 25) == begin


def test_a_kline_that_may_have_begun_before_the_trades_that_are_known_is_not_counted() -> None:
    [first, second] = [
        TradeShown(id=f"X-{n}", seq=n, time_ms=120_000, price="1.00", quantity="1.000", taker_side="buy", taker_order=n)
        for n in (1, 2)
    ]
    interval = Interval("1m")
    klines = merged(candles([first, second], 60_000), interval)
    assert [kline.taker_volume for kline in with_takers(klines, [second], interval)] == ["0.000"]
    assert [kline.taker_volume for kline in with_takers(klines, [second, first], interval)] == ["2.000"]


@pytest.mark.parametrize("window", ["1m", "30m", "59m", "1h", "2h", "1d"])
def test_a_window_of_minutes_and_hours_is_that_of_its_trades(window: str) -> None:
    seed, span_ms = 31, WINDOWS[window]
    trades, dice = random_trades(seed, 2_500, 8_000), random.Random(seed)
    for _ in range(40):
        until = dice.randint(1, len(trades))
        known, end_ms = trades[:until], trades[until - 1].time_ms
        start_ms = window_start(end_ms, span_ms)
        if dice.random() < 0.3:
            start_ms = first_hour(start_ms)  # no minutes at all
        some = [trade for trade in known if trade.time_ms >= start_ms]
        print(f"seed {seed}: {window} to {end_ms}, {len(some)} trades")
        told = rolling(candles(known, 60_000), candles(known, 3_600_000), start_ms, end_ms)
        if not some:
            assert told is None
            continue
        prices = [Decimal(trade.price) for trade in some]
        before = [trade.price for trade in known if trade.time_ms < start_ms]
        assert told is not None
        assert [Decimal(price) for price in (told.open, told.high, told.low, told.close)] == [
            prices[0], max(prices), min(prices), prices[-1],
        ]  # fmt: skip
        assert (Decimal(told.volume), told.trades) == (sum(Decimal(trade.quantity) for trade in some), len(some))
        assert Decimal(told.turnover) == sum(Decimal(trade.price) * Decimal(trade.quantity) for trade in some)
        assert told.before == (before[-1] if before else None)


def candle(minute: int, *, closed: bool = True) -> CandleShown:
    prices = dict.fromkeys(("open", "high", "low", "close"), "1.00")
    return CandleShown(start_ms=minute * 60_000, volume="5", turnover="5.00", trades=1, closed=closed, **prices)


@pytest.mark.parametrize(
    ("minutes", "closed"),
    [
        ([(0, True), (2, True)], [True]),
        ([(0, True), (2, False)], [False]),
        ([(0, True), (1, True)], [False]),
        ([(0, True), (1, True), (3, False)], [True, False]),
        ([(0, True), (1, False), (4, True)], [False, False]),
        ([(1, True), (7, True)], [True, False]),
    ],
)
def test_a_kline_is_closed_with_the_last_candle_that_it_can_have_or_has(
    minutes: list[tuple[int, bool]], closed: list[bool]
) -> None:
    klines = merged([candle(minute, closed=is_closed) for minute, is_closed in minutes], Interval("3m"))
    assert [kline.closed for kline in klines] == closed


def test_an_interval_without_trades_is_closed_once_candles_have_passed_it() -> None:
    interval = Interval("1m")
    klines = merged([candle(0), candle(3, closed=False)], interval)
    for to_ms, closed in (
        (60_001, [True, False]),
        (179_999, [True, True, False]),
        (180_000, [True, True, True]),
        (300_001, [True, True, True, False, False, False]),
    ):
        assert [kline.closed for kline in gapless(klines, interval, 0, to_ms, 10)] == closed


def test_klines_that_end_by_a_time_until_which_all_is_counted_are_closed() -> None:
    interval = Interval("1m")
    klines = gapless(merged([candle(0, closed=False)], interval), interval, 0, 180_000, 10)
    for counted_ms, closed in ((0, 0), (59_999, 0), (60_000, 1), (120_001, 2)):
        found = ended(klines, counted_ms)
        assert [kline.closed for kline in found] == [True] * closed + [False] * (3 - closed)
        assert [kline.row for kline in found] == [kline.row for kline in klines]


def test_a_kline_stays_closed_and_what_takers_bought_known() -> None:
    [now] = merged([candle(0, closed=False)], Interval("1m"))
    assert after(now, None) == now
    told = replace(now, closed=True, taker_volume="3", taker_turnover="3.00")
    assert after(now, told) == told
    more = replace(now, trades=2, taker_volume="1", taker_turnover="1.00")
    assert after(more, told) == replace(more, closed=True)
    assert after(replace(told, taker_volume="4", taker_turnover="4.00"), told).taker_volume == "4"


def test_the_klines_that_may_change_are_those_from_the_first_open_one_or_the_last_traded_one_on() -> None:
    interval, closed, opened = Interval("1m"), candle(0), candle(1, closed=False)
    [one] = merged([closed], interval)
    assert changeable([one]) == [one]
    assert [kline.open_ms for kline in changeable(merged([closed, opened], interval))] == [60_000]
    quiet = ended(gapless([one], interval, 0, 100 * 60_000, 1_000), 10**9)
    assert changeable(quiet[:WATCHED_MAX]) == quiet[:WATCHED_MAX]
    assert changeable(quiet) == quiet[-WATCHED_MAX:]
    assert changeable([*quiet[:9], replace(quiet[9], closed=False), *quiet[10:]])[0].open_ms == quiet[9].open_ms
