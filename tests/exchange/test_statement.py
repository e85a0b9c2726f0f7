"""What the owner of an account sees: orders, answers, and the statement of money and profit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exchange import messages as m
from exchange.instruments import Instrument
from exchange.statement import OrderLine, RequestLine, Statement, Traded, answered
from tests.exchange.desk import NOW, SHARD, Desk
from tests.exchange.pit import INSTRUMENT, SYMBOL

COMMON: dict[str, Any] = {"source": "0", "seq": 7, "time_ms": NOW, "account": "alice"}
ORDER: dict[str, Any] = COMMON | {"order_id": 1, "symbol": SYMBOL, "request_id": "mine"}
ACCEPTED = m.OrderAccepted(side="buy", price=100, quantity=5, **ORDER)
FILL = m.OrderFilled(trade=1, side="buy", price=90, quantity=2, leaves=3, liquidity="taker", fee=4, **ORDER)
OPENED = OrderLine(1, "alice", "mine", SYMBOL, "buy", "limit", "GTC", 0, 100, 5, 5, NOW, NOW, 7)
RESPONDED = {"reason": "TOO_LATE", "request_id": "r"}


def folded(*reports: Any, opened: m.OrderAccepted = ACCEPTED) -> OrderLine:
    line = OrderLine.opened(opened)
    for report in reports:
        line.add(report)
    return line


def changed(**changes: Any) -> OrderLine:
    return msgspec.structs.replace(OPENED, **changes)


def test_an_order_is_shown_as_its_book_accepted_it() -> None:
    asked = m.Conditions(stop=95, display=2)
    stop = msgspec.structs.replace(ACCEPTED, kind="stop-limit", conditions=asked, listing=3)
    assert folded() == OPENED
    assert folded(opened=stop) == changed(kind="stop-limit", conditions=asked, stop=95, listing=3)


def test_a_fill_adds_what_it_was_worth_and_what_it_paid() -> None:
    last = msgspec.structs.replace(FILL, quantity=3, leaves=0, price=100, fee=-1)
    assert folded(FILL) == changed(leaves=3, value=180, fees=4)
    assert folded(FILL, last) == changed(leaves=0, value=480, fees=3, state="FILLED")


def test_an_amendment_gives_an_order_other_terms() -> None:
    amended = m.OrderAmended(price=110, quantity=8, leaves=6, stop=99, amend_request_id="c", **ORDER)
    assert folded(FILL, amended) == changed(price=110, quantity=8, leaves=6, stop=99, value=180, fees=4, amended=True)


def test_a_stop_that_has_gone_off_is_shown_so() -> None:
    assert folded(m.OrderTriggered(price=96, **ORDER)) == changed(triggered=True)


def test_an_order_ends_cancelled_or_expired() -> None:
    cancelled = m.OrderCancelled(quantity=5, reason="OTHER_LEG", **ORDER)
    assert folded(cancelled) == changed(state="CANCELLED", reason="OTHER_LEG")
    assert folded(m.OrderExpired(quantity=5, **ORDER)) == changed(state="EXPIRED")


def test_a_line_that_an_earlier_version_stored_still_loads() -> None:
    stored = b'[1,"alice","mine","AAPLUSD","buy","limit","GTC",0,100,5,5,1700000000000,1700000000000,7,0,"OPEN",null]'
    assert msgspec.json.decode(stored, type=OrderLine) == OPENED
    stop = changed(conditions=m.Conditions(stop=3, self_trade="both"), stop=3, triggered=True, fees=-2, listing=4)
    assert msgspec.json.decode(msgspec.json.encode(stop), type=OrderLine) == stop


@pytest.mark.parametrize(
    ("event", "line", "repeat"),
    [
        (ACCEPTED, ("mine", 1, None), False),
        (m.RequestDone(orders=3, request_id="all", **COMMON), ("all", 0, None), False),
        (
            m.OrderAmended(price=1, quantity=1, leaves=1, amend_request_id="c", **ORDER),
            ("c", 1, None), False,
        ),
        (m.OrderAmended(price=1, quantity=1, leaves=1, **ORDER), None, False),
        (m.OrderTriggered(price=1, **ORDER), None, False),
        (FILL, None, False),
        (m.OrderCancelled(quantity=5, reason="REQUESTED", cancel_request_id="c", **ORDER), ("c", 1, None), False),
        (m.OrderCancelled(quantity=5, reason="REPLACED", cancel_request_id="s", **ORDER), None, False),
        (m.OrderCancelled(quantity=5, reason="DEAD_MAN", **ORDER), None, False),
        (m.RequestRejected(order_id=1, **COMMON, **RESPONDED), ("r", 1, "TOO_LATE"), False),
        (m.OrderRejected(symbol=SYMBOL, **COMMON, **RESPONDED), ("r", 0, "TOO_LATE"), False),
        (m.RequestRejected(reason="DUPLICATE", request_id="r", **COMMON), ("r", 0, "DUPLICATE"), True),
        (m.RequestRepeated(order_id=1, **COMMON, **RESPONDED), ("r", 1, "TOO_LATE"), True),
        (m.FeeCollected(symbol=SYMBOL, trade=1, asset="USD", amount=1, **COMMON), None, False),
        (
            m.BalanceChanged(asset="USD", available=1, reserved=0, request_id="d", **COMMON),
            ("d", 0, None), False,
        ),
    ],
)  # fmt: skip
def test_what_an_event_says_of_a_request(event: Any, line: Any, repeat: bool) -> None:
    assert answered(event) == (RequestLine(*line, NOW, 7) if line else None, repeat)


# The statement


def statement(desk: Desk, messages: list[m.Message], account: str = "alice") -> Statement:
    """Return the statement of what messages caused at a desk."""
    made = Statement({(SYMBOL, 1): INSTRUMENT})
    for message in messages:
        for event in desk.apply(message):
            if getattr(event, "account", None) == account:
                made.take(event)
    return made


def flow(desk: Desk) -> list[m.Message]:
    """Buy 4 at 100 and 4 at 120 with a fee of 4 each, then sell 6 at 130."""
    place = {"symbol": SYMBOL, "created_ms": NOW, "account": "alice"}
    common = {"leaves": 0, "fee": 4}
    return [
        m.SetFees(key=SHARD, symbol=SYMBOL, tiers=[m.FeeTier(taker=20_000)]),
        m.PlaceOrder(request_id="a", side="buy", price=100, quantity=4, **place),
        m.PlaceOrder(request_id="b", side="buy", price=120, quantity=9, **place),
        m.PlaceOrder(request_id="c", side="sell", price=120, quantity=6, **place),
        m.PlaceOrder(request_id="d", side="sell", price=120, quantity=6_000, **place),
        *(
            desk.of_book(m.OrderAccepted, order_id, side=side, price=price, quantity=quantity)
            for order_id, side, price, quantity in ((1, "buy", 100, 4), (2, "buy", 120, 9), (3, "sell", 120, 6))
        ),
        desk.of_book(m.OrderFilled, 1, side="buy", price=100, quantity=4, **common),
        desk.of_book(m.OrderFilled, 2, side="buy", price=120, quantity=4, leaves=5, fee=4, trade=2),
        desk.of_book(m.OrderFilled, 3, side="sell", price=130, quantity=6, leaves=0, fee=6, trade=3),
    ]


def test_a_statement_tells_of_balances_orders_fees_and_profit() -> None:
    """8 bought for 888, 6 sold for 774: 666 of cost on average; by FIFO all 404 and half of 484."""
    desk = Desk()
    made = statement(desk, flow(desk))
    assert made.balances == {"USD": (*desk.alice["USD"], 0), "AAPL": (52, 0, 0)}
    assert (made.orders_open, made.orders_ended, made.orders_refused) == (1, 2, 1)
    assert made.traded(SYMBOL) == Traded(
        fills=3, bought=8, sold=6, cash=400 + 480 + 780, fees=14, profit_average=774 - 666, profit_fifo=774 - 404 - 242
    )
    assert (made.symbols, made.traded("NONE")) == ([SYMBOL], Traded())


def test_an_undone_fill_is_left_out_as_if_it_had_never_been() -> None:
    """Without the first purchase, 4 of the 6 sold were bought here, for 484, and brought 516."""
    desk = Desk()
    bust = {"side": "buy", "price": 100, "quantity": 4, "fee": 4, "trade": 1}
    made = statement(desk, [*flow(desk), desk.of_book(m.FillBusted, 1, **bust)])
    assert made.traded(SYMBOL) == Traded(
        fills=2, bought=4, sold=6, cash=480 + 780, fees=10, profit_average=516 - 484, profit_fifo=516 - 484
    )
    assert made.balances["USD"] == (*desk.alice["USD"], 0)


def test_fills_are_counted_in_the_lots_and_ticks_of_their_orders_listing() -> None:
    coarse = Instrument(symbol=SYMBOL, base="AAPL", quote="USD", tick="0.05", lot="10")
    made = Statement({(SYMBOL, 1): INSTRUMENT, (SYMBOL, 2): coarse})
    for order_id, listing in ((1, 1), (2, 2)):
        made.take(msgspec.structs.replace(ACCEPTED, order_id=order_id, listing=listing))
        made.take(msgspec.structs.replace(FILL, order_id=order_id, fee=0))
    assert made.traded(SYMBOL) == Traded(fills=2, bought=22, cash=180 + 180 * 50)
