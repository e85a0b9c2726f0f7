"""What a bust is put together from."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.host import Record
from exchange.instruments import Instrument
from exchange.messages import FeeCollected, OrderFilled, Side, Trade
from exchange.packets import decode_order_reports, encode
from openbell.bust import Evidence, about, bust
from openbell.errors import OpenbellError

LISTED = Instrument(symbol="X", base="A", quote="USD", tick="0.05", lot="10")
TRADE = Trade(
    symbol="X", seq=17, time_ms=5, price=100, quantity=3, taker_side="sell", maker_order=20, taker_order=21, listing=2
)


def fill(
    side: Side, account: str, order: int, fee: int, trade: int = 17, symbol: str = "X", seq: int = 1
) -> OrderFilled:
    return OrderFilled(
        source="3", seq=seq, time_ms=5, account=account, order_id=order, symbol=symbol, trade=trade, side=side, price=100,
        quantity=3, leaves=0, liquidity="maker" if side == "buy" else "taker", fee=fee,
    )  # fmt: skip


BUY, SELL = fill("buy", "alice", 20, -2), fill("sell", "bob", 21, 7)


def test_both_sides_with_their_fees():
    command = bust(TRADE, {"buy": BUY, "sell": SELL}, 0)
    assert encode(command) == encode(
        {
            "type": "BustTrade", "key": "X", "trade": 17, "price": 100, "quantity": 3, "buyer": "alice", "seller": "bob",
            "buy_order": 20, "sell_order": 21, "buy_fee": -2, "sell_fee": 7, "listing": 2,
        }
    )  # fmt: skip
    evidence = Evidence(TRADE, command)
    assert evidence.lines(LISTED, listing=2) == [
        "trade 17 of X: 30 at 5.00",
        "  buy: order 20 of alice, who gives the A back for the USD; fee -0.02 USD",
        "  sell: order 21 of bob, who gives the USD back for the A; fee 0.07 USD",
    ]
    assert evidence.lines(LISTED, listing=3)[0] == "trade 17 of X: 3 lots at 100 ticks"
    assert evidence.row() == {
        "symbol": "X", "trade": 17, "price": 100, "quantity": 3, "listing": 2, "time_ms": 5,
        "buy": {"account": "alice", "order_id": 20, "fee": -2}, "sell": {"account": "bob", "order_id": 21, "fee": 7},
    }  # fmt: skip


def test_the_fee_of_flow_without_accounts_is_what_the_other_side_did_not_pay():
    trade = Trade(
        symbol="X", seq=17, time_ms=5, price=100, quantity=3, taker_side="buy", maker_order=-4, taker_order=20
    )
    command = bust(trade, {"buy": BUY}, 9)
    assert (command.seller, command.sell_order, command.buy_fee, command.sell_fee) == ("@market", -4, -2, 11)
    both = bust(Trade(
        symbol="X", seq=17, time_ms=5, price=100, quantity=3, taker_side="buy", maker_order=-4, taker_order=-5
    ), {}, 9)  # fmt: skip
    assert (both.buyer, both.seller, both.buy_fee + both.sell_fee) == ("@market", "@market", 9)


def test_a_fill_that_is_not_reported_yet():
    with pytest.raises(OpenbellError, match="the sell side of trade 17 of X is not reported yet"):
        bust(TRADE, {"buy": BUY}, 0)


def test_only_what_is_about_the_trade_is_found():
    def record(*messages: Any) -> Record:
        return Record("v.order-reports", 0, 0, 0, "3", encode(list(messages)))

    records = [
        record(fill("buy", "alice", 20, 0, trade=16), BUY),
        record(fill("buy", "alice", 20, 0, symbol="Y")),
        Record("v.order-reports", 0, 0, 0, "3", b'"X" nonsense'),
        record(SELL, BUY),
        record(
            FeeCollected(source="3", seq=9, time_ms=0, account="@fees", symbol="X", trade=17, asset="USD", amount=5)
        ),
    ]
    assert list(about(records, "X", decode_order_reports, OrderFilled, 17)) == [BUY, SELL, BUY]
