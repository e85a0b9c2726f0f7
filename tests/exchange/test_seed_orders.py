"""Foreign ids and the orders that trades are of: one id, one number in the book, whichever order of it is open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange.instruments import Instrument
from exchange.messages import Side, Trade
from exchange.seed_formats import SeedOrder
from exchange.seed_orders import SeedOrders

INSTRUMENT = Instrument(symbol="RIL", base="RIL", quote="INR")


def order(foreign_id: int | str, side: Side, quantity: int, timestamp: str, **more: Any) -> SeedOrder:
    return SeedOrder(
        id=foreign_id, instrument="RIL", side=side, quantity=Decimal(quantity), price=Decimal(100), timestamp=timestamp, **more
    )  # fmt: skip


def trade(seq: int, maker: int, taker: int, quantity: int, side: Side = "sell", time_ms: int = 0) -> Trade:
    return Trade(
        symbol="RIL", seq=seq, time_ms=time_ms, price=10_000, quantity=quantity, taker_side=side, maker_order=maker,
        taker_order=taker,
    )  # fmt: skip


def stamps(orders: SeedOrders, told: Trade) -> tuple[str, str]:
    found = orders.traded(told)
    assert found is not None
    return found[0].timestamp, found[1].timestamp


def test_an_id_keeps_its_number_and_every_order_counts() -> None:
    orders = SeedOrders("@seed-a", INSTRUMENT, 3)
    entered = [
        orders.enter(order(foreign, "buy", 1, ""), number) for number, foreign in enumerate([5, "5", 5], start=10)
    ]
    assert [(one.seq, one.order_id, one.listing) for one in entered] == [(1, -10, 3), (2, -11, 3), (3, -10, 3)]


def test_what_the_book_refused_while_the_first_was_open_never_trades() -> None:
    orders = SeedOrders("@seed-a", INSTRUMENT)
    orders.enter(order(1, "buy", 10, "first"), 1)
    orders.enter(order(1, "buy", 10, "refused"), 2)
    orders.enter(order(2, "sell", 4, "a"), 3)
    orders.enter(order(3, "sell", 6, "b"), 4)
    orders.enter(order(1, "buy", 10, "second"), 5)
    orders.enter(order(4, "sell", 10, "c"), 6)
    assert stamps(orders, trade(1, -1, -3, 4)) == ("first", "a")
    assert stamps(orders, trade(2, -1, -4, 6)) == ("first", "b")
    assert stamps(orders, trade(3, -1, -6, 10)) == ("second", "c")


def test_an_order_that_has_expired_gives_way_to_the_next_of_its_id() -> None:
    orders = SeedOrders("@seed-b", INSTRUMENT)
    orders.enter(order(1, "buy", 10, "expired", time_in_force="GTD", expires_ms=50), 1)
    orders.enter(order(1, "buy", 10, "next"), 2)
    orders.enter(order(2, "sell", 10, "sell"), 3)
    assert stamps(orders, trade(1, -1, -3, 10, time_ms=50)) == ("next", "sell")


def test_a_trade_of_others_is_none_of_ours() -> None:
    orders = SeedOrders("@seed-a", INSTRUMENT)
    orders.enter(order(1, "buy", 10, "ours"), 1)
    assert orders.traded(trade(1, 5, 6, 10)) is None
    assert orders.traded(trade(2, -1, 7, 10)) == (
        order(1, "buy", 10, "ours"),
        SeedOrder(id=7, instrument="RIL", side="buy", quantity=Decimal(10), price=Decimal("100.00")),
        Decimal(10),
        Decimal("100.00"),
    )


def test_an_order_that_cannot_be_counted_does_not_count() -> None:
    orders = SeedOrders("@seed-a", INSTRUMENT)
    half = SeedOrder(id=1, instrument="RIL", side="buy", quantity=Decimal("0.5"), price=Decimal(100))
    try:
        orders.enter(half, 1)
    except Exception as error:  # noqa: BLE001  (whichever it is, it is shown)
        refused = str(error)
    assert (refused, orders.seq) == ("0.5 is not a multiple of 1", 0)


def test_after_a_new_listing_orders_are_counted_in_its_ticks() -> None:
    orders = SeedOrders("@seed-a", INSTRUMENT)
    finer = Instrument(symbol="RIL", base="RIL", quote="INR", tick="0.005", quote_scale=3)
    orders.relist(2, finer)
    orders.relist(1, INSTRUMENT)
    entered = orders.enter(order(1, "buy", 1, ""), 1)
    assert (entered.listing, entered.price) == (2, 20_000)
