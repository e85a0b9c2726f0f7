"""What the public sees, from what the book says."""

from typing import Any

from exchange.candles import DAY_MS, Candles
from exchange.instruments import Instrument
from exchange.messages import BookDelta, BookSnapshot, Side, Trade
from exchange.views import MarketView

LISTED = Instrument(symbol="X", base="A", quote="USD")


def trade(day: int, price: int, quantity: int = 1, seq: int = 1) -> Trade:
    return Trade(
        symbol="X",
        seq=seq,
        time_ms=day * DAY_MS + 5,
        price=price,
        quantity=quantity,
        taker_side="buy",
        maker_order=1,
        taker_order=2,
    )


def delta(side: Side, price: int, quantity: int) -> BookDelta:
    return BookDelta(symbol="X", seq=1, time_ms=7, side=side, price=price, quantity=quantity)


def figures(candle: Any) -> tuple[int, ...]:
    return (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades)


def test_a_candle_is_the_first_greatest_least_and_last_price_of_its_span() -> None:
    candles = Candles()
    for one in (trade(1, 5, 2), trade(1, 9), trade(1, 3), trade(1, 7), trade(2, 4)):
        candles.add(one)
    assert {key: figures(candle) for key, candle in candles.by_start.items()} == {
        ("X", DAY_MS): (5, 9, 3, 7, 5, 4),
        ("X", 2 * DAY_MS): (4, 4, 4, 4, 1, 1),
    }


def test_the_best_prices_come_and_go_with_the_deltas() -> None:
    view = MarketView("X")
    assert (view.book.bids.best(), view.book.asks.best()) == (None, None)
    for one in (delta("buy", 9, 1), delta("buy", 10, 2), delta("sell", 12, 1), delta("sell", 11, 4)):
        view.delta(one)
    assert (view.book.bids.best(), view.book.asks.best()) == (10, 11)
    view.delta(delta("buy", 10, 0))
    view.delta(delta("sell", 13, 0))
    assert (view.book.bids.best(), view.book.asks.best()) == (9, 11)


def test_a_side_shows_its_best_prices_first() -> None:
    view = MarketView("X")
    for price in (5, 9, 7):
        view.delta(delta("buy", price, price * 10))
        view.delta(delta("sell", price + 10, 1))
    assert view.book.bids.top(2) == [(9, 90), (7, 70)]
    assert view.book.asks.top(9) == [(15, 1), (17, 1), (19, 1)]


def test_a_snapshot_stands_for_all_the_deltas_before_it() -> None:
    view = MarketView("X")
    view.delta(delta("buy", 5, 1))
    view.snapshot(
        BookSnapshot(
            symbol="X", seq=2, time_ms=9, delta=40, trade=7, listing=1, instrument=LISTED, bids=[(4, 2)], asks=[(6, 3)]
        )
    )
    assert (view.book.bids.top(9), view.book.asks.top(9), view.deltas, view.time_ms) == ([(4, 2)], [(6, 3)], 40, 9)


def test_the_change_is_against_the_close_of_the_day_before() -> None:
    view = MarketView("X")
    assert view.change() is None
    view.trade(trade(1, 80))
    view.trade(trade(1, 100))
    assert view.change() is None
    view.trade(trade(4, 110))
    view.trade(trade(4, 125, seq=4))
    assert view.change() == 0.25
    assert view.day is not None
    assert (view.trades, view.day.volume, view.time_ms) == (4, 2, 4 * DAY_MS + 5)
