"""What an operator sees of a market: the last snapshot with the events after it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from exchange.host import Record
from exchange.instruments import Instrument, Rules
from exchange.messages import AuctionIndicated, BookDelta, BookSnapshot, PhaseChanged
from exchange.packets import encode
from openbell.board import Board, knows
from openbell.errors import SettingError

LISTED = Instrument(symbol="X", base="A", quote="USD", tick="0.05", lot="10")
SNAPSHOT = BookSnapshot(
    symbol="X",
    seq=3,
    time_ms=1_000,
    delta=7,
    trade=2,
    listing=2,
    instrument=LISTED,
    bids=[(100, 5), (99, 1)],
    asks=[(102, 4)],
    rules=Rules(collar_ppm=100_000),
)


def board(*events: Any, snapshot: BookSnapshot = SNAPSHOT) -> Board:
    made = Board([snapshot])
    for event in events:
        made.add(Record("v.book-deltas", 0, 0, 0, "X", encode([event])))
    return made


def delta(seq: int, side: Any, price: int, quantity: int) -> BookDelta:
    return BookDelta(symbol="X", seq=seq, time_ms=1_000 + seq, side=side, price=price, quantity=quantity)


def test_the_snapshot_alone():
    assert board().market("X").row() == {
        "symbol": "X",
        "phase": "continuous",
        "delisted": False,
        "listing": 2,
        "instrument": {
            "symbol": "X", "base": "A", "quote": "USD", "tick": "0.05", "lot": "10", "base_scale": 0, "quote_scale": 2,
        },
        "rules": {
            "matching": "price-time", "top_order": False, "minimum_lots": 0, "window_ms": 0, "reference": 0, "collar_ppm": 100_000,
            "band_ppm": 0, "interruption_ms": 120_000, "order_by_order": False,
        },
        "bid": "5.00",
        "bid_quantity": "50",
        "ask": "5.10",
        "ask_quantity": "40",
        "auction_price": None,
        "auction_quantity": None,
        "auction_imbalance": None,
        "time_ms": 1_000,
    }  # fmt: skip


def test_events_after_the_snapshot_count_once_and_those_before_it_not_at_all():
    market = board(
        delta(7, "buy", 100, 0),
        delta(8, "buy", 100, 3),
        delta(9, "sell", 102, 0),
        delta(8, "buy", 100, 9),
    ).market("X")
    assert (market.seq, market.time_ms, market.levels()) == (9, 1_009, {("buy", 100), ("buy", 99)})
    assert (market.row()["bid_quantity"], market.row()["ask"]) == ("30", None)


def test_an_indication_is_of_its_phase_and_goes_when_there_would_be_no_auction():
    halted = PhaseChanged(symbol="X", seq=8, time_ms=2, phase="halt")
    told = AuctionIndicated(symbol="X", seq=9, time_ms=3, price=101, volume=4, imbalance=-2)
    market = board(halted, told).market("X")
    row = market.row()
    assert (row["phase"], row["auction_price"], row["auction_quantity"], row["auction_imbalance"]) == (
        "halt", "5.05", "40", "-20",
    )  # fmt: skip
    for last in (
        AuctionIndicated(symbol="X", seq=10, time_ms=4, price=0, volume=0, imbalance=0),
        PhaseChanged(symbol="X", seq=10, time_ms=4, phase="continuous"),
    ):
        assert board(halted, told, last).market("X").indicated is None


def test_what_is_no_packet_or_of_an_unknown_symbol_is_nothing():
    made = board()
    made.add(Record("v.book-deltas", 0, 0, 0, "X", b"nonsense"))
    made.add(Record("v.book-deltas", 0, 0, 0, "Y", encode(PhaseChanged(symbol="Y", seq=1, time_ms=0, phase="halt"))))
    assert list(made.markets) == ["X"]


def test_an_unknown_symbol_is_told_with_those_there_are():
    with pytest.raises(SettingError, match="Y is not listed; listed are: X"):
        board().market("Y")
    with pytest.raises(SettingError, match="none yet"):
        Board([]).market("Y")


@pytest.mark.parametrize("rule", ["exact", "equal-quantity"])
def test_a_rule_without_auctions_has_two_phases(rule: Any):
    market = board(snapshot=replace(SNAPSHOT, rules=Rules(matching=rule))).market("X")
    assert [one for one in ("pre-open", "continuous", "halt", "closed") if knows(market.rules, one)] == [
        "continuous",
        "closed",
    ]
    with pytest.raises(SettingError, match=f"matched by {rule}, which knows only continuous and closed"):
        market.need_phase("halt")
