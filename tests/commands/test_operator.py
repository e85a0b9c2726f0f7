"""What shows an operator that a command is done, what is listed, and how rates are written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exchange.instruments import Instrument, Rules
from exchange.messages import (
    BookDelta,
    BookSnapshot,
    FeeTier,
    PhaseChanged,
    TradeBusted,
    shard_of,
)
from exchange.operating import echo
from openbell.board import Board, Market
from openbell.errors import SettingError
from openbell.listings import load
from openbell.operator import delisted, emptied, in_phase, listed_as, undone
from openbell.rates import fee_tier, percent_text, ppm
from openbell.terms import Listed, accord, cancels_orders, changed, chosen, rule_changes

LISTED = Instrument(symbol="X", base="A", quote="USD", tick="0.05", lot="10")
RULES = Rules(band_ppm=50_000)


def snapshot(symbol: str = "X", listing: int = 2) -> BookSnapshot:
    listed = Instrument(symbol=symbol, base="A", quote="USD", tick="0.05", lot="10")
    return BookSnapshot(
        symbol=symbol, seq=1, time_ms=0, delta=0, trade=0, listing=listing, instrument=listed, bids=[], asks=[], rules=RULES
    )  # fmt: skip


def delta(side: Any, price: int, quantity: int, symbol: str = "X") -> BookDelta:
    return BookDelta(symbol=symbol, seq=1, time_ms=0, side=side, price=price, quantity=quantity)


def shown(seen: Any, *messages: Any) -> list[bool]:
    return [seen(message) for message in messages]


def test_listings_are_shown_by_snapshots_of_their_version_or_a_later_one():
    seen = listed_as({"X": 2, "Y": 1})
    messages = [
        snapshot("X", 1),
        delta("buy", 1, 1),
        snapshot("Y", 4),
        snapshot("Z", 9),
        snapshot("X", 2),
        snapshot("X", 2),
    ]
    assert shown(seen, *messages) == [False, False, False, False, True, True]


def test_a_book_is_empty_once_every_price_has_been():
    seen = emptied("X", {("buy", 5), ("sell", 6)})
    messages = [
        delta("buy", 5, 0, "Y"),
        delta("buy", 5, 1),
        delta("sell", 5, 0),
        delta("sell", 6, 0),
        delta("buy", 5, 0),
    ]
    assert shown(seen, *messages) == [False, False, False, False, True]
    assert emptied("X", ()) is None


def test_a_delisting_is_shown_by_the_snapshot_that_says_so():
    gone = msgspec.structs.replace(snapshot(), delisted=True)
    assert shown(delisted("X"), snapshot(), gone, snapshot("Y")) == [False, True, False]


def test_phases_and_busts_are_shown_by_their_events():
    halted = PhaseChanged(symbol="X", seq=1, time_ms=0, phase="halt")
    busted = TradeBusted(symbol="X", seq=2, time_ms=0, trade=7)
    assert shown(in_phase("X", "halt"), busted, halted) == [False, True]
    assert shown(in_phase("X", "closed"), halted) == [False]
    assert shown(undone("X", 7), halted, busted) == [False, True]
    assert shown(undone("X", 8), busted) == [False]


@pytest.mark.parametrize("shards", [1, 16])
def test_an_echo_is_for_its_shard_and_of_an_account_that_cannot_be_opened(shards: int):
    echoes = [echo(str(shard), shards, f"r{shard}", 0) for shard in range(shards)]
    assert [shard_of(each.account, shards) for each in echoes] == [str(shard) for shard in range(shards)]
    assert all(each.account.startswith("@") for each in echoes)


def test_what_is_listed_so_already_keeps_its_version():
    board = Board([snapshot()])
    new = Instrument(symbol="Y", base="B", quote="USD")
    assert accord(board, [Listed(LISTED, 1, RULES), Listed(new, 1, Rules())]) == [
        Listed(LISTED, 2, RULES),
        Listed(new, 1, Rules()),
    ]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (Listed(LISTED, 1, Rules()), "X is listed with other terms"),
        (Listed(Instrument(symbol="Y", base="A", quote="EUR", base_scale=2), 1, RULES), "other decimals than X"),
    ],
)
def test_what_cannot_stand_beside_what_is_listed(listed: Listed, said: str):
    with pytest.raises(SettingError, match=said):
        accord(Board([snapshot()]), [listed])


def test_a_market_is_listed_anew_with_what_is_named_and_all_else_as_it_was():
    market = Market.at(snapshot())
    rules = rule_changes(collar="10", interruption_s=30, matching="pro-rata", top_order=True, minimum_lots=2)
    assert changed(market, {"tick": "0.1"}, rules) == Listed(
        Instrument(symbol="X", base="A", quote="USD", tick="0.1", lot="10"),
        3,
        Rules(
            matching="pro-rata", top_order=True, minimum_lots=2, collar_ppm=100_000, band_ppm=50_000, interruption_ms=30_000
        ),
    )  # fmt: skip
    assert changed(market, {}, rule_changes(band="0", window_s=8, order_by_order=False)).rules == Rules(window_ms=8_000)
    assert changed(market, {}, rule_changes()) == Listed(LISTED, 3, RULES)
    assert changed(market, {}, {}, version=7).version == 7


def test_another_tick_or_kind_of_rule_cancels_orders():
    market = Market.at(snapshot())
    terms: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"lot": "5"}, {}), ({}, {"matching": "exact"}), ({}, {"matching": "pro-rata"}), ({}, {"collar_ppm": 1}),
    ]  # fmt: skip
    assert [cancels_orders(market, changed(market, *each)) for each in terms] == [True, True, False, False]


def test_a_listing_that_the_book_could_only_refuse():
    market = Market.at(snapshot())
    with pytest.raises(SettingError, match="--version is 2, but X is listed under version 2 already"):
        changed(market, {}, {}, version=2)
    market.phase = "halt"
    with pytest.raises(SettingError, match="X cannot go over to exact in phase halt"):
        changed(market, {}, rule_changes(matching="exact"))


@pytest.mark.parametrize("terms", [{"tick": "0.0001"}, {"lot": "0.5"}, {"tick": "x"}, {"lot": "0"}])
def test_a_tick_or_lot_that_cannot_be_paid_exactly(terms: dict[str, str]):
    with pytest.raises(SettingError):
        changed(Market.at(snapshot()), terms, {})


def test_what_is_chosen_of_a_listing_file():
    listings = load()
    assert chosen(listings, [], everything=True) == list(listings.values())
    assert [one.instrument.symbol for one in chosen(listings, ["TSLA", "AAPL"], everything=False)] == ["TSLA", "AAPL"]
    with pytest.raises(SettingError, match="has no NOPE"):
        chosen(listings, ["AAPL", "NOPE"], everything=False)
    for symbols, everything in (([], False), (["AAPL"], True)):
        with pytest.raises(SettingError, match="name the symbols to list, or write --all"):
            chosen(listings, symbols, everything)


def test_percent_are_millionths_without_rounding():
    assert [ppm("--x", text) for text in ("0", "0.0001", "2.5", "100")] == [0, 1, 25_000, 1_000_000]
    assert [percent_text(parts) for parts in (0, 1, 25_000, 1_000_000, -50)] == ["0", "0.0001", "2.5", "100", "-0.005"]
    for wrong in ("", "-1", "1e2", "0.00001", "100.1", "nan", "5%"):
        with pytest.raises(SettingError, match="--x is"):
            ppm("--x", wrong)


def test_a_fee_tier_is_maker_and_taker():
    assert fee_tier("0:0.1") == FeeTier(maker=0, taker=1_000)
    assert fee_tier("-0.002:0.01") == FeeTier(maker=-20, taker=100)
    for wrong in ("", "1", "1:", ":1", "1:-1", "--1:1", "11:0", "0:10.1", "1:2:3"):
        with pytest.raises(SettingError, match="--tier is"):
            fee_tier(wrong)
