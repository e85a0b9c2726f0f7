"""What a book does with each order, one scenario a test."""

from __future__ import annotations

import pytest

from exchange import messages as m
from exchange import topics
from exchange.book import DEADLINES_SLACK_MAX, SNAPSHOT_EVERY, Book
from exchange.book.fees import FEE_MAX
from exchange.book.pairing import GONE_MAX
from exchange.book.triggers import STOPS_SLACK_MAX
from exchange.errors import InvalidPacket
from exchange.instruments import Rules
from exchange.money import UNITS_MAX
from exchange.packets import decode_account_inbox, encode
from tests.exchange.pit import INSTRUMENT, SHARDS, SYMBOL, Pit


def test_a_limit_order_rests() -> None:
    pit = Pit()
    assert pit.place("alice", 1, "buy", 5, 100) == ["+ alice 1", "bid 100: 5"]
    assert pit.book.best() == (100, None)


def test_a_crossing_order_trades_at_the_makers_price_and_rests_with_what_is_left() -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 5, 100)
    assert pit.place("bob", 2, "buy", 8, 103) == [
        "+ bob 2",
        "trade 1: 5 @ 100, 1 <- 2",
        "= alice 1 maker 5 @ 100, 0 left",
        "= bob 2 taker 5 @ 100, 3 left",
        "ask 100: 0",
        "bid 103: 3",
    ]


def test_prices_come_before_times_and_times_before_sizes() -> None:
    pit = Pit()
    pit.place("late", 1, "sell", 9, 101)
    pit.place("first", 2, "sell", 1, 100)
    pit.place("second", 3, "sell", 50, 100)
    lines = pit.place("bob", 4, "buy", 55, 101)
    assert [text for text in lines if text.startswith(("trade", "ask"))] == [
        "trade 1: 1 @ 100, 2 <- 4",
        "trade 2: 50 @ 100, 3 <- 4",
        "ask 100: 0",
        "trade 3: 4 @ 101, 1 <- 4",
        "ask 101: 5",
    ]


def test_an_order_that_is_partly_filled_keeps_its_turn() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 10, 100)
    pit.place("bob", 2, "buy", 10, 100)
    pit.place("carol", 3, "sell", 4, 100)
    assert "trade 2: 6 @ 100, 1 <- 4" in pit.place("carol", 4, "sell", 7, 100)


def test_a_price_one_tick_away_does_not_trade() -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 5, 101)
    assert pit.place("bob", 2, "buy", 5, 100) == ["+ bob 2", "bid 100: 5"]
    assert pit.book.best() == (100, 101)


def test_a_market_order_takes_what_there_is_up_to_its_protection_and_never_rests() -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 2, 100)
    pit.place("alice", 2, "sell", 2, 110)
    lines = pit.place("bob", 3, "buy", 5, 105, kind="market", time_in_force="IOC")
    assert lines[1] == "trade 1: 2 @ 100, 1 <- 3"
    assert lines[-1] == "- bob 3 3 MARKET_REMAINDER"
    assert pit.book.best() == (None, 110)


def test_a_market_order_into_an_empty_book_is_cancelled() -> None:
    lines = Pit().place("bob", 1, "sell", 5, 1, kind="market", time_in_force="IOC")
    assert lines == ["+ bob 1", "- bob 1 5 MARKET_REMAINDER"]


def test_immediate_or_cancel_trades_and_never_rests() -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 2, 100)
    lines = pit.place("bob", 2, "buy", 5, 100, time_in_force="IOC")
    assert lines[-2:] == ["ask 100: 0", "- bob 2 3 IOC_REMAINDER"]
    assert pit.book.best() == (None, None)


@pytest.mark.parametrize(
    ("quantity", "price", "trades"), [(5, 101, 2), (6, 101, 0), (5, 100, 0), (3, 100, 1), (4, 100, 0), (10, 99, 0)]
)
def test_fill_or_kill_is_all_or_nothing(quantity: int, price: int, trades: int) -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 3, 100)
    pit.place("alice", 2, "sell", 2, 101)
    lines = pit.place("bob", 3, "buy", quantity, price, time_in_force="FOK")
    assert sum(text.startswith("trade") for text in lines) == trades
    if not trades:
        assert lines == ["+ bob 3", f"- bob 3 {quantity} FOK_UNFILLED"]


def test_a_cancel_takes_the_rest_off() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 5, 100)
    pit.place("alice", 2, "buy", 5, 100)
    assert pit.cancel("alice", 1) == ["bid 100: 5", "- alice 1 5 REQUESTED"]
    assert pit.cancel("alice", 2) == ["bid 100: 0", "- alice 2 5 REQUESTED"]


def test_a_cancel_after_the_fill_is_too_late() -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 5, 100)
    pit.place("bob", 2, "buy", 5, 100)
    assert pit.cancel("alice", 1) == ["! alice 1 TOO_LATE"]


def test_nobody_cancels_anothers_order() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 5, 100)
    assert pit.cancel("bob", 1) == ["! bob 1 TOO_LATE"]
    assert pit.book.best() == (100, None)


def test_an_order_under_an_old_listing_is_stale() -> None:
    pit = Pit()
    pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=3))
    assert pit.place("alice", 1, "buy", 5, 100, listing=2) == ["! alice 1 STALE_LISTING"]
    assert pit.place("alice", 2, "buy", 5, 100, listing=3) == ["+ alice 2", "bid 100: 5"]


def test_a_listing_of_a_lower_version_changes_nothing() -> None:
    pit = Pit()
    pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=3))
    pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=2))
    assert pit.book.state.listing == 3


def test_a_symbol_that_is_not_listed_is_unknown() -> None:
    assert Pit(listed=False).place("alice", 1, "buy", 5, 100) == ["! alice 1 UNKNOWN_SYMBOL"]


def test_a_halted_book_refuses_and_keeps_what_rests_until_it_is_resumed() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 5, 100)
    pit.place("alice", 2, "buy", 5, 99, time_in_force="GTD", expires_ms=2_000)
    pit.book.halted = True
    assert pit.place("bob", 3, "sell", 5, 100) == ["! bob 3 HALTED"]
    assert pit.cancel("alice", 1) == ["! alice 1 HALTED"]
    assert pit.later(5_000) == []
    assert pit.book.deadline_ms() is None
    assert pit.tell(m.Resume(key=SYMBOL)) == []
    assert pit.later(0) == ["bid 99: 0", "~ alice 2 5"]


def test_orders_expire_when_their_time_has_come_the_earliest_first() -> None:
    pit = Pit()
    for order_id, expires_ms in ((1, 3_000), (2, 2_000), (3, 2_000), (4, 9_000)):
        pit.place("alice", order_id, "buy", 1, 100, time_in_force="GTD", expires_ms=expires_ms)
    assert pit.book.deadline_ms() == 2_000
    assert pit.later(999) == []
    assert pit.later(1) == ["bid 100: 3", "~ alice 2 1", "bid 100: 2", "~ alice 3 1"]
    assert pit.book.deadline_ms() == 3_000


def test_an_expired_order_does_not_trade_with_the_message_that_shows_the_time() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 5, 100, time_in_force="GTD", expires_ms=2_000)
    pit.now_ms = 2_000
    assert pit.place("bob", 2, "sell", 5, 100) == ["bid 100: 0", "~ alice 1 5", "+ bob 2", "ask 100: 5"]


def test_an_order_whose_time_is_over_on_arrival_is_refused() -> None:
    assert Pit().place("alice", 1, "buy", 5, 100, time_in_force="GTD", expires_ms=1_000) == ["! alice 1 EXPIRED"]


def test_an_order_that_left_early_has_no_deadline() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 5, 100, time_in_force="GTD", expires_ms=2_000)
    pit.cancel("alice", 1)
    assert pit.book.deadline_ms() is None
    assert pit.later(5_000) == []


def test_a_deadline_is_of_the_order_and_not_of_its_id() -> None:
    pit = Pit()
    pit.place(m.MARKET, -1, "buy", 5, 100, time_in_force="GTD", expires_ms=2_000)
    pit.cancel(m.MARKET, -1)
    pit.place(m.MARKET, -1, "buy", 5, 100)
    assert pit.later(5_000) == []
    assert pit.book.best() == (100, None)


def test_deadlines_of_orders_that_left_do_not_pile_up() -> None:
    pit = Pit()
    for order_id in range(1, 3 * DEADLINES_SLACK_MAX):
        pit.place("alice", order_id, "buy", 1, 100, time_in_force="GTD", expires_ms=10**9)
        pit.place("alice", -order_id, "buy", 1, 99, time_in_force="GTD", expires_ms=10**6)
        pit.cancel("alice", order_id)
        pit.cancel("alice", -order_id)
        pit.book.deadline_ms()
    assert len(pit.book.floor.orders.deadlines) <= DEADLINES_SLACK_MAX + 2


def test_stops_that_left_do_not_pile_up() -> None:
    pit = Pit()
    for order_id in range(1, 3 * STOPS_SLACK_MAX):
        pit.place("alice", order_id, "buy", 1, 300, kind="stop", conditions=m.Conditions(stop=200))
        if order_id > 1:
            pit.cancel("alice", order_id)
    assert len(pit.book.floor.triggers._rising) <= STOPS_SLACK_MAX + 4
    pit.place("bob", 9_001, "sell", 1, 200)
    pit.place("bob", 9_002, "sell", 1, 250)
    assert pit.place("carol", 9_003, "buy", 1, 200)[-5:] == [
        "^ alice 1 200",
        "trade 2: 1 @ 250, 9002 <- 1",
        "= bob 9002 maker 1 @ 250, 0 left",
        "= alice 1 taker 1 @ 250, 0 left",
        "ask 250: 0",
    ]


def test_orders_that_left_do_not_pile_up_where_they_are_paired() -> None:
    pit = Pit(listed=False)
    pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, rules=Rules(matching="equal-quantity")))
    pit.place("alice", 1, "buy", 7, 100)
    for order_id in range(2, 3 * GONE_MAX):
        pit.place("alice", order_id, "buy", order_id, 100)
        pit.cancel("alice", order_id)
    assert len(pit.book.floor.pairing._sizes) <= GONE_MAX + 4
    assert "trade 1: 7 @ 100, 1 <- 9001" in pit.place("bob", 9_001, "sell", 7, 100)


def test_what_a_trade_of_any_size_pays_fits_into_its_reports() -> None:
    pit = Pit()
    rates = {"maker_fee": m.PPM_MAX, "taker_fee": m.PPM_MAX}
    pit.place("alice", 1, "sell", m.QUANTITY_MAX, m.PRICE_MAX, **rates)
    events = pit.book.apply(pit.order("bob", 2, "buy", m.QUANTITY_MAX, m.PRICE_MAX, **rates), pit.now_ms)
    reports = [event for event in events if isinstance(event, m.OrderFilled | m.FeeCollected)]
    assert [decode_account_inbox(encode(report)) for report in reports] == [[report] for report in reports]
    assert sum(report.fee for report in reports if isinstance(report, m.OrderFilled)) == 2 * FEE_MAX


@pytest.mark.parametrize("fees", [(UNITS_MAX, UNITS_MAX), (-UNITS_MAX, 0), (0, FEE_MAX + 1)])
def test_a_bust_of_fees_that_no_trade_has_is_no_command(fees: tuple[int, int]) -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 1, 100)
    pit.place("bob", 2, "buy", 1, 100)
    bust = m.BustTrade(
        key=SYMBOL, trade=1, price=100, quantity=1, buyer="bob", seller="alice", buy_order=2, sell_order=1,
        buy_fee=fees[0], sell_fee=fees[1],
    )  # fmt: skip
    with pytest.raises(InvalidPacket):
        pit.tell(bust)


def test_replayed_time_comes_with_the_messages() -> None:
    pit = Pit("replay")
    pit.place("alice", 1, "buy", 5, 100, time_in_force="GTD", expires_ms=2_000)
    pit.now_ms = 999_999
    assert pit.tell(m.Tick(key=SYMBOL)) == []
    assert pit.tell(m.AdvanceClock(key=SYMBOL, time_ms=2_000)) == ["bid 100: 0", "~ alice 1 5"]


def test_flow_without_accounts_trades_and_is_not_reported() -> None:
    pit = Pit()
    assert pit.place(m.MARKET, -1, "sell", 5, 100) == ["ask 100: 5"]
    assert pit.place(m.MARKET, -2, "buy", 2, 100) == ["trade 1: 2 @ 100, -1 <- -2", "ask 100: 3"]
    assert pit.place("bob", 2, "buy", 1, 100)[2] == "= bob 2 taker 1 @ 100, 0 left"
    assert pit.cancel(m.MARKET, -1) == ["ask 100: 0"]
    assert pit.cancel(m.MARKET, -1) == []


def test_an_id_that_flow_without_accounts_takes_twice_is_refused() -> None:
    pit = Pit()
    pit.place(m.MARKET, -1, "buy", 5, 100)
    assert pit.place(m.MARKET, -1, "sell", 5, 100) == ["! @market -1 DUPLICATE"]
    assert pit.book.best() == (100, None)


@pytest.mark.parametrize("order_id", [0, 1])
def test_flow_without_accounts_cannot_take_an_accounts_id(order_id: int) -> None:
    assert Pit().place(m.MARKET, order_id, "buy", 5, 100) == [f"! @market {order_id} INVALID_ORDER_ID"]


def test_a_refusal_of_flow_without_accounts_is_a_dead_letter() -> None:
    pit = Pit(listed=False)
    refusal = pit.book.apply(pit.order(m.MARKET, -1, "buy", 5, 100), 1_000)[0]
    assert pit.book.address(refusal) == (topics.DEAD_LETTERS, SYMBOL)


def test_an_order_that_comes_twice_on_its_channel_is_dropped() -> None:
    pit = Pit()
    order = pit.order("alice", 1, "buy", 5, 100)
    assert pit.tell(order) == ["+ alice 1", "bid 100: 5"]
    assert pit.tell(order) == []


def test_an_account_order_that_comes_twice_under_new_numbers_breaks_an_invariant() -> None:
    pit = Pit()
    pit.place("alice", 1, "buy", 5, 100)
    with pytest.raises(AssertionError, match="already on the book"):
        pit.place("alice", 1, "buy", 5, 100)


def test_reports_go_to_the_shard_of_their_account_and_facts_to_the_public() -> None:
    pit = Pit()
    pit.place("alice", 1, "sell", 5, 100)
    events = pit.book.apply(pit.order("bob", 2, "buy", 5, 100), 1_000)
    assert [pit.book.address(event) for event in events] == [
        (topics.ACCOUNT_INBOX, m.shard_of("bob", SHARDS)),
        (topics.TRADES, SYMBOL),
        (topics.ACCOUNT_INBOX, m.shard_of("alice", SHARDS)),
        (topics.ACCOUNT_INBOX, m.shard_of("bob", SHARDS)),
        (topics.BOOK_DELTAS, SYMBOL),
    ]


def test_a_book_takes_only_its_own_messages() -> None:
    book = Book(SYMBOL, "live", SHARDS)
    pit = Pit()
    assert book.accepts(pit.order("alice", 1, "buy", 5, 100))
    assert book.accepts(m.Tick(key=SYMBOL))
    assert not book.accepts(m.Tick(key="GOOGUSD"))
    assert not Book("GOOGUSD", "live", SHARDS).accepts(pit.order("alice", 1, "buy", 5, 100))
    assert not Book("GOOGUSD", "live", SHARDS).accepts(m.ListInstrument(key="GOOGUSD", instrument=INSTRUMENT))


def test_a_book_publishes_itself_when_it_is_listed_and_every_so_many_events() -> None:
    pit = Pit()
    (empty,) = pit.snapshots
    assert (empty.instrument, empty.delta, empty.trade, empty.bids, empty.asks) == (INSTRUMENT, 0, 0, [], [])
    pit.place("alice", 1, "sell", 3, 105)
    pit.place("bob", 2, "buy", 1, 105)
    number = 2
    while len(pit.snapshots) == 1:
        number += 1
        pit.place("alice", number, "buy", 1, 90 + number % 2)
    snapshot = pit.snapshots[1]
    events = SNAPSHOT_EVERY  # there were no prices when the first was taken
    assert events <= snapshot.delta <= events + 1  # a checksum may have come with the last order
    assert (snapshot.seq, snapshot.trade, snapshot.asks) == (2, 1, [(105, 2)])
    assert snapshot.bids == [(91, (number - 1) // 2), (90, number // 2 - 1)]
    assert pit.book.state.snapshot_due == snapshot.delta + SNAPSHOT_EVERY + 3
    pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=2))
    assert (pit.snapshots[2].listing, pit.snapshots[2].bids) == (2, snapshot.bids)
    assert pit.book.address(snapshot) == (topics.BOOK_SNAPSHOTS, SYMBOL)
