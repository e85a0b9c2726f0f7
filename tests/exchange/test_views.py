"""What the public sees, from what the book says."""

from typing import Any
from zlib import crc32

import pytest

from exchange.candles import DAY_MS, Candles
from exchange.instruments import Instrument, Rules
from exchange.messages import (
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    BookSnapshot,
    Phase,
    PhaseChanged,
    Side,
    Trade,
    TradeBusted,
)
from exchange.views import Indication, MarketView

LISTED = Instrument(symbol="X", base="A", quote="USD")
FINER = Instrument(symbol="X", base="A", quote="USD", tick="0.01", lot="10")


def trade(day: int, price: int, quantity: int = 1, seq: int = 1, *, listing: int = 1, auction: bool = False) -> Trade:
    return Trade(
        symbol="X",
        seq=seq,
        time_ms=day * DAY_MS + 5,
        price=price,
        quantity=quantity,
        taker_side="buy",
        maker_order=1,
        taker_order=2,
        listing=listing,
        auction=auction,
    )


def listed(version: int, instrument: Instrument = LISTED, rules: Rules = Rules()) -> BookSnapshot:  # noqa: B008
    return BookSnapshot(
        symbol="X", seq=version, time_ms=1, delta=0, trade=0, listing=version, instrument=instrument, bids=[], asks=[], rules=rules,
    )  # fmt: skip


def enter(phase: Phase) -> PhaseChanged:
    return PhaseChanged(symbol="X", seq=1, time_ms=7, phase=phase)


def indicate(price: int, volume: int, imbalance: int) -> AuctionIndicated:
    return AuctionIndicated(symbol="X", seq=1, time_ms=7, price=price, volume=volume, imbalance=imbalance)


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
        view.event(one)
    assert (view.book.bids.best(), view.book.asks.best()) == (10, 11)
    view.event(delta("buy", 10, 0))
    view.event(delta("sell", 13, 0))
    assert (view.book.bids.best(), view.book.asks.best()) == (9, 11)


def test_a_side_shows_its_best_prices_first() -> None:
    view = MarketView("X")
    for price in (5, 9, 7):
        view.event(delta("buy", price, price * 10))
        view.event(delta("sell", price + 10, 1))
    assert view.book.bids.top(2) == [(9, 90), (7, 70)]
    assert view.book.asks.top(9) == [(15, 1), (17, 1), (19, 1)]


def test_a_snapshot_stands_for_all_the_deltas_before_it() -> None:
    view = MarketView("X")
    view.event(delta("buy", 5, 1))
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


# Phases, auctions and checksums


def test_an_indication_is_there_only_in_phases_that_end_with_an_auction() -> None:
    view = MarketView("X")
    told: list[Any] = []
    for event in (
        enter("pre-open"),
        enter("opening-auction"),
        indicate(9, 4, -2),
        enter("continuous"),
        enter("halt"),
        enter("closed"),
    ):
        view.event(event)
        told.append((view.phase, view.indication))
    assert told == [
        ("pre-open", None),
        ("opening-auction", Indication(0, 0, 0)),
        ("opening-auction", Indication(9, 4, -2)),
        ("continuous", None),
        ("halt", Indication(0, 0, 0)),
        ("closed", None),
    ]  # fmt: skip


def test_a_snapshot_says_the_phase_and_what_an_auction_would_do() -> None:
    view = MarketView("X")
    view.event(enter("halt"))
    view.snapshot(
        BookSnapshot(
            symbol="X", seq=2, time_ms=9, delta=40, trade=7, listing=1, instrument=LISTED, bids=[], asks=[], phase="closing-auction",
            indicated=(9, 4, -2),
        )
    )  # fmt: skip
    assert (view.phase, view.indication) == ("closing-auction", (9, 4, -2))


def test_a_book_that_is_crossed_has_no_spread() -> None:
    view = MarketView("X")
    spreads = []
    for one in (delta("buy", 9, 1), delta("sell", 12, 1), delta("sell", 9, 1), delta("buy", 10, 1)):
        view.event(one)
        spreads.append(view.spread())
    assert spreads == [None, 3, 0, None]
    assert (view.book.bids.best(), view.book.asks.best()) == (10, 9)


@pytest.mark.parametrize(("text", "mismatches"), [("10:2:12:5:9:1", 0), ("10:2:12:5", 1)])
def test_a_checksum_that_is_not_that_of_the_book_is_counted(text: str, mismatches: int) -> None:
    view = MarketView("X")
    for one in (delta("buy", 9, 1), delta("buy", 10, 2), delta("sell", 12, 5)):
        view.event(one)
    view.event(BookChecksum(symbol="X", seq=4, time_ms=8, crc32=crc32(text.encode())))
    assert (view.mismatches, view.deltas, view.time_ms) == (mismatches, 4, 8)


def test_a_checksum_covers_the_ten_best_prices_of_each_side() -> None:
    view = MarketView("X")
    for price in range(1, 13):
        view.event(delta("buy", price, 1))
    view.event(delta("sell", 20, 3))
    best = "12:1:20:3:" + ":".join(f"{price}:1" for price in range(11, 2, -1))
    assert view.book.crc32() == crc32(best.encode())
    assert MarketView("X").book.crc32() == 0


def test_a_busted_trade_stays_in_the_day() -> None:
    view = MarketView("X")
    view.trade(trade(1, 80, 3))
    view.event(TradeBusted(symbol="X", seq=1, time_ms=7, trade=1))
    assert view.day is not None
    assert figures(view.day) == (80, 80, 80, 80, 3, 1)


def test_collars_are_measured_from_the_last_auction() -> None:
    view = MarketView("X")
    references = []
    for one in (trade(1, 80), trade(1, 90), trade(1, 70, auction=True), trade(1, 60)):
        view.trade(one)
        references.append(view.reference)
    assert references == [None, None, 70, 70]


# Versions of the listing


def told(view: MarketView) -> Any:
    return (view.listing, view.since, figures(view.day) if view.day else None, view.previous_close, view.trades)


def test_a_version_with_another_lot_starts_anew_and_one_with_other_rules_does_not() -> None:
    view = MarketView("X")
    assert not view.listed(listed(1))
    view.trade(trade(1, 80, 3))
    assert not view.listed(listed(2, rules=Rules(collar_ppm=5)))
    view.trade(trade(1, 90, 1, 2, listing=2))
    assert told(view) == (2, 1, (80, 90, 80, 90, 4, 2), None, 2)
    assert view.listed(listed(3, FINER))
    assert told(view) == (3, 3, None, None, 2)
    view.trade(trade(1, 70, 1, 3, listing=3))
    assert told(view) == (3, 3, (70, 70, 70, 70, 1, 1), None, 3)
    assert (view.instrument, view.rules) == (FINER, Rules())


def test_a_trade_of_a_version_that_is_not_known_yet_waits_for_it() -> None:
    view = MarketView("X")
    view.listed(listed(1))
    first, second, third = trade(1, 80), trade(1, 9, 1, 2, listing=2), trade(1, 8, 1, 3, listing=2)
    assert [view.trade(one) for one in (first, second, third)] == [[first], [], []]
    assert told(view) == (1, 1, (80, 80, 80, 80, 1, 1), None, 3)
    assert view.listed(listed(2, FINER))
    assert view.shown() == [second, third]
    assert told(view) == (2, 2, (9, 9, 8, 8, 2, 2), None, 3)
    assert not view.waiting


def test_a_trade_of_an_older_count_is_passed_over_and_one_that_counts_alike_is_not() -> None:
    view = MarketView("X")
    for snapshot in (listed(1), listed(2, FINER), listed(3, FINER, Rules(collar_ppm=5))):
        view.listed(snapshot)
    old, alike = trade(1, 80), trade(1, 9, 1, 2, listing=2)
    assert [view.trade(one) for one in (old, alike)] == [[], [alike]]
    assert told(view) == (3, 2, (9, 9, 9, 9, 1, 1), None, 2)


def test_an_older_snapshot_changes_nothing() -> None:
    view = MarketView("X")
    view.listed(listed(2, FINER))
    assert not view.listed(listed(1))
    assert (view.listing, view.instrument) == (2, FINER)


def test_ticks_that_no_snapshot_has_told_of_are_not_taken_for_those_of_the_next_version() -> None:
    view = MarketView("X")
    view.trade(trade(1, 80))
    assert view.listed(listed(2))
    assert told(view) == (2, 2, None, None, 1)
