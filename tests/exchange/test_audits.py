"""What the audits find wrong, without any machine."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
import pytest

from exchange import messages as m
from exchange.audits import Flaw, LevelAudit, MoneyAudit, OrderAudit, TradeAudit
from exchange.audits.levels import CHECKSUM_LEVELS
from exchange.instruments import Rules
from tests.exchange.pit import INSTRUMENT, SYMBOL

COMMON: dict[str, Any] = {"source": "0", "seq": 1, "time_ms": 0, "account": "alice", "symbol": SYMBOL}


def accepted(
    order_id: int = 16, side: m.Side = "buy", price: int = 100, quantity: int = 5, **more: Any
) -> m.OrderAccepted:
    return m.OrderAccepted(**(COMMON | more), order_id=order_id, side=side, price=price, quantity=quantity)


STOP = m.Conditions(stop=103)


def filled(quantity: int, leaves: int, **change: Any) -> m.OrderFilled:
    fields = {"order_id": 16, "trade": 1, "side": "buy", "price": 100, "liquidity": "taker"}
    return m.OrderFilled(**(COMMON | fields | {"quantity": quantity, "leaves": leaves} | change))


def cancelled(quantity: int, order_id: int = 16, reason: m.CancelReason = "REQUESTED") -> m.OrderCancelled:
    return m.OrderCancelled(**COMMON, order_id=order_id, quantity=quantity, reason=reason)


def amended(quantity: int, leaves: int, price: int = 100, **more: Any) -> m.OrderAmended:
    return m.OrderAmended(**(COMMON | more), order_id=16, price=price, quantity=quantity, leaves=leaves)


def triggered(price: int) -> m.OrderTriggered:
    return m.OrderTriggered(**COMMON, order_id=16, price=price)


def expired(quantity: int) -> m.OrderExpired:
    return m.OrderExpired(**COMMON, order_id=16, quantity=quantity)


def rejected(order_id: int) -> m.OrderRejected:
    return m.OrderRejected(**COMMON, order_id=order_id, reason="HALTED")


@pytest.mark.parametrize(
    "story",
    [
        [accepted(), filled(5, 0)],
        [accepted(), filled(2, 3), filled(3, 0)],
        [accepted(), filled(2, 3), cancelled(3)],
        [accepted(time_in_force="DAY"), expired(5)],
        [accepted(), filled(2, 3), amended(9, 7, 101), filled(7, 0, price=101)],
        [accepted(kind="stop", conditions=STOP), triggered(103), cancelled(5, reason="MARKET_REMAINDER")],
        [accepted(kind="stop", conditions=STOP), amended(5, 5, stop=102), triggered(102), filled(5, 0)],
        [accepted(time_in_force="IOC"), filled(1, 4), cancelled(4, reason="IOC_REMAINDER")],
        [accepted(time_in_force="FOK"), cancelled(5, reason="FOK_UNFILLED")],
        [accepted(conditions=m.Conditions(min_quantity=3)), cancelled(5, reason="MINIMUM_UNFILLED")],
        [rejected(16), rejected(0), rejected(0), accepted(32), cancelled(5, 32)],
    ],
)
def test_a_whole_life_of_an_order_is_fine(story: list[Any]) -> None:
    audit = OrderAudit()
    for report in story:
        audit.take(report)
    assert audit.open == {}


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ([filled(5, 0)], "not open"),
        ([accepted(), filled(5, 0), filled(5, 0)], "not open"),
        ([accepted(), cancelled(5), cancelled(5)], "not open"),
        ([accepted(time_in_force="DAY"), cancelled(5), expired(5)], "not open"),
        ([accepted(), expired(5)], "that is GTC expires"),
        ([amended(5, 5)], "not open"),
        ([triggered(100)], "not open"),
        ([accepted(), amended(9, 8)], "has not 8 left"),
        ([accepted(), filled(2, 3), amended(9, 9)], "has not 9 left"),
        ([accepted(), amended(9, 9, stop=101)], "that is no stop"),
        ([accepted(), amended(5, 5, 99), filled(5, 0)], "an order to buy at 99 trades at 100"),
        ([accepted(), amended(3, 3), filled(5, 0)], "trades 5 lots where 3 are left"),
        ([accepted(), filled(5, 0, side="sell")], "the other side"),
        ([accepted(), triggered(100)], "no waiting stop"),
        ([accepted(kind="stop", conditions=STOP), filled(5, 0)], "nothing has triggered"),
        ([accepted(kind="stop-limit", conditions=STOP), triggered(102)], "does not trigger a stop to buy at 103"),
        ([accepted(kind="stop", conditions=STOP), triggered(103), triggered(103)], "no waiting stop"),
        ([accepted(), cancelled(5, reason="IOC_REMAINDER")], "does not end as IOC_REMAINDER"),
        ([accepted(), cancelled(5, reason="MARKET_REMAINDER")], "does not end as MARKET_REMAINDER"),
        ([accepted(), cancelled(5, reason="MINIMUM_UNFILLED")], "does not end as MINIMUM_UNFILLED"),
        ([accepted(time_in_force="FOK"), filled(1, 4), cancelled(4, reason="FOK_UNFILLED")], "with 1 filled"),
        ([accepted(time_in_force="FOK"), filled(1, 4), cancelled(4)], "that is FOK has traded 1 of 5"),
        ([accepted(conditions=m.Conditions(min_quantity=3)), filled(1, 4), cancelled(4)], "minimum is 3 ends with 1"),
        ([accepted(), accepted()], "a second time"),
        ([accepted(), cancelled(5), accepted()], "a second time"),
        ([accepted(), rejected(16)], "a second time"),
        ([rejected(16), accepted()], "a second time"),
        ([accepted(), filled(6, 0)], "trades 6 lots where 5 are left"),
        ([accepted(), filled(2, 4)], "3 lots left, not 4"),
        ([accepted(), filled(2, 3), cancelled(5)], "3 lots left, not 5"),
        ([accepted(), filled(5, 0, price=101)], "an order to buy at 100 trades at 101"),
        ([accepted(side="sell"), filled(5, 0, side="sell", price=99)], "an order to sell at 100 trades at 99"),
        ([accepted(), filled(5, 0, account="bob")], "not open"),
        ([accepted(), filled(5, 0, symbol="GOOGUSD")], "not open"),
    ],
)
def test_an_order_that_lives_wrongly_is_found(story: list[Any], reason: str) -> None:
    audit = OrderAudit()
    for report in story[:-1]:
        audit.take(report)
    with pytest.raises(Flaw, match=reason):
        audit.take(story[-1])


def entered(order_id: int, side: m.Side, price: int, quantity: int = 5, **more: Any) -> m.EnterOrder:
    common = COMMON | {"seq": 0} | more
    return m.EnterOrder(**common, order_id=order_id, side=side, price=price, quantity=quantity)


def trade(maker: int, taker: int, price: int, quantity: int = 5, taker_side: m.Side = "buy", **more: Any) -> m.Trade:
    fields = {"symbol": SYMBOL, "seq": 1, "time_ms": 0} | more
    return m.Trade(
        **fields,
        price=price,
        quantity=quantity,
        taker_side=taker_side,
        maker_order=maker,
        taker_order=taker,
    )


def delta(side: m.Side, price: int, quantity: int) -> m.BookDelta:
    return m.BookDelta(symbol=SYMBOL, seq=1, time_ms=0, side=side, price=price, quantity=quantity)


def phase(name: m.Phase) -> m.PhaseChanged:
    return m.PhaseChanged(symbol=SYMBOL, seq=1, time_ms=0, phase=name)


def fill_of(done: m.Trade, order_id: int, leaves: int, liquidity: m.Liquidity, **more: Any) -> m.OrderFilled:
    side = done.taker_side if liquidity == "taker" else {"buy": "sell", "sell": "buy"}[done.taker_side]
    fields = {"order_id": order_id, "trade": done.seq, "side": side, "price": done.price, "quantity": done.quantity}
    return m.OrderFilled(**(COMMON | fields | {"leaves": leaves, "liquidity": liquidity} | more))


def fee(amount: int, number: int = 1) -> m.FeeCollected:
    return m.FeeCollected(**(COMMON | {"account": m.FEES}), trade=number, asset="USD", amount=amount)


class Floor:
    """A listed book to tell an audit of. Orders come in as commands that the book accepts."""

    def __init__(self, **rules: Any) -> None:
        self.audit = TradeAudit()
        self.seqs: dict[str, int] = {}
        self.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, rules=Rules(**rules)))

    def tell(self, command: Any, *events: Any) -> None:
        if hasattr(command, "seq"):
            self.seqs[command.source] = self.seqs.get(command.source, 0) + 1
            command = msgspec.structs.replace(command, seq=self.seqs[command.source])
        self.audit.take(command, list(events))

    def enter(self, order_id: int, side: m.Side, price: int, *events: Any, quantity: int = 5, **more: Any) -> None:
        """Let an order of an account come in and be accepted, and more happen; `rests` is the level that it then makes."""
        terms = {name: more[name] for name in ("kind", "time_in_force", "conditions") if name in more}
        said = accepted(order_id, side, price, quantity, **terms)
        self.tell(entered(order_id, side, price, quantity, **more), said, *events)


def resting(**more: Any) -> Floor:
    """Return a floor with order 1, to sell 5 at 100."""
    floor = Floor()
    floor.enter(1, "sell", 100, delta("sell", 100, 5), **more)
    return floor


MADE = trade(1, 2, 100)
BOTH = (MADE, fill_of(MADE, 1, 0, "maker"), fill_of(MADE, 2, 0, "taker"), delta("sell", 100, 0))


def test_trades_within_limits_are_fine_and_legs_of_accounts_are_counted() -> None:
    floor = resting()
    floor.enter(2, "buy", 101, *BOTH)
    assert floor.audit.account_legs == 2
    assert floor.audit.orders.open == {}


def test_flow_without_accounts_makes_legs_that_nobody_is_told_of() -> None:
    floor = resting()
    part = trade(1, -2, 100, 3)
    bid = entered(-2, "buy", 101, 3, account=m.MARKET, source="@tape")
    floor.tell(bid, part, fill_of(part, 1, 2, "maker"), delta("sell", 100, 2))
    floor.audit.settle({1})
    assert floor.audit.account_legs == 1
    assert floor.audit.market == {}


def test_an_id_may_be_used_again_when_its_order_has_left() -> None:
    floor = Floor()
    flow: dict[str, Any] = {"account": m.MARKET, "source": "@tape"}
    floor.tell(entered(-1, "sell", 100, **flow), delta("sell", 100, 5))
    floor.tell(m.PullOrder(**(COMMON | flow | {"seq": 0}), order_id=-1), delta("sell", 100, 0))
    floor.tell(entered(-1, "sell", 90, **flow), delta("sell", 90, 5))
    again = trade(-1, 2, 90)
    floor.enter(2, "buy", 95, again, fill_of(again, 2, 0, "taker"), delta("sell", 90, 0))
    assert floor.audit.account_legs == 1


def test_fees_and_a_rebate_are_what_the_rates_say() -> None:
    floor = Floor()
    floor.enter(1, "sell", 1_000, delta("sell", 1_000, 5), maker_fee=-1_000)
    done = trade(1, 2, 1_000)
    fills = fill_of(done, 1, 0, "maker", fee=-5), fill_of(done, 2, 0, "taker", fee=10)
    floor.enter(2, "buy", 1_000, done, *fills, fee(5), delta("sell", 1_000, 0), taker_fee=2_000)
    assert floor.audit.account_legs == 2


def test_an_auction_trades_within_both_limits_at_one_price() -> None:
    floor = Floor()
    floor.tell(m.SetPhase(key=SYMBOL, phase="halt"), phase("halt"))
    floor.enter(1, "sell", 98, delta("sell", 98, 5))
    floor.enter(2, "buy", 102, delta("buy", 102, 5))
    done = trade(1, 2, 101, auction=True)
    gone = delta("buy", 102, 0), delta("sell", 98, 0)
    fills = fill_of(done, 1, 0, "maker"), fill_of(done, 2, 0, "taker")
    floor.tell(m.SetPhase(key=SYMBOL, phase="continuous"), done, *fills, *gone, phase("continuous"))
    assert floor.audit.account_legs == 2


CROSSED = "crossed: bid 100, ask 100"


@pytest.mark.parametrize(
    ("events", "terms", "reason"),
    [
        ((trade(1, 9, 100),), {}, "not open"),
        ((trade(9, 2, 100),), {}, "not open"),
        ((trade(1, 2, 100, seq=2),), {}, "not the next one"),
        ((trade(1, 2, 100, 0),), {}, "of nothing"),
        ((trade(1, 2, 99),), {}, "not at its maker's price"),
        ((trade(1, 2, 101),), {}, "not at its maker's price"),
        ((trade(1, 2, 100, taker_side="sell"),), {}, "sides"),
        ((trade(1, 2, 100, auction=True),), {}, "of an auction, but the market is continuous"),
        ((trade(1, 2, 100, listing=2),), {}, "of listing 2"),
        ((MADE,), {}, "what must follow the last trade is missing"),
        ((MADE, fill_of(MADE, 2, 0, "taker")), {}, "not what must follow"),
        ((MADE, fill_of(MADE, 1, 0, "taker", side="sell")), {}, "not what must follow"),
        ((MADE, fill_of(MADE, 1, 0, "maker", fee=1)), {}, "not what must follow"),
        ((*BOTH, fee(1)), {}, "does not follow a trade"),
        ((fill_of(MADE, 1, 0, "maker"),), {}, "does not follow a trade"),
        (BOTH, {"taker_fee": 10_000}, "not what must follow"),
        (
            (*BOTH[:2], fill_of(MADE, 2, 0, "taker", fee=5), delta("sell", 100, 0)),
            {"taker_fee": 10_000},
            "not what must",
        ),
        (BOTH, {"conditions": m.Conditions(post_only="slide")}, "post-only, and takes"),
        ((delta("buy", 99, 6),), {}, "6 lots to buy are shown where orders show 5"),
        (
            (delta("buy", 99, 2),),
            {"conditions": m.Conditions(display=1)},
            "2 lots to buy are shown where orders show 1",
        ),
        ((delta("buy", 99, 5),), {"time_in_force": "IOC"}, "is IOC, and rests"),
        ((delta("buy", 100, 5),), {}, CROSSED),
        ((m.OrderTriggered(**COMMON, order_id=2, price=98),), {"kind": "stop", "conditions": STOP}, "no trade at 98"),
    ],
)
def test_a_trade_that_cannot_be_is_found(events: tuple[Any, ...], terms: dict[str, Any], reason: str) -> None:
    floor = resting()
    with pytest.raises(Flaw, match=reason):
        floor.enter(2, "buy", 101, *events, **terms)


def test_a_trade_past_a_better_price_is_found() -> None:
    floor = resting()
    floor.enter(2, "sell", 99, delta("sell", 99, 5))
    with pytest.raises(Flaw, match="not at the best price 99"):
        floor.enter(3, "buy", 101, trade(1, 3, 100))


def test_a_trade_outside_the_band_is_found() -> None:
    floor = Floor(band_ppm=10_000, reference=100)
    floor.enter(1, "sell", 100, delta("sell", 100, 5))
    floor.enter(2, "buy", 100, *BOTH)
    floor.enter(3, "sell", 102, delta("sell", 102, 5))
    with pytest.raises(Flaw, match="outside the band around 100"):
        floor.enter(4, "buy", 102, trade(3, 4, 102, seq=2))


def test_a_part_of_an_all_or_none_order_is_found() -> None:
    floor = resting()
    part = trade(1, 2, 100, 5)
    fills = fill_of(part, 1, 0, "maker"), fill_of(part, 2, 3, "taker")
    with pytest.raises(Flaw, match="all or none, and is partly filled"):
        floor.enter(
            2, "buy", 101, part, *fills, delta("sell", 100, 0), quantity=8, conditions=m.Conditions(all_or_none=True)
        )


def test_less_than_a_minimum_is_found() -> None:
    floor = resting()
    part = trade(1, 2, 100, 5)
    events = (
        part,
        fill_of(part, 1, 0, "maker"),
        fill_of(part, 2, 3, "taker"),
        delta("sell", 100, 0),
        delta("buy", 101, 3),
    )
    with pytest.raises(Flaw, match="less than its minimum"):
        floor.enter(2, "buy", 101, *events, quantity=8, conditions=m.Conditions(min_quantity=6))


@pytest.mark.parametrize("matching", ["exact", "equal-quantity"])
def test_a_part_of_an_order_of_a_rule_that_trades_whole_ones_is_found(matching: Any) -> None:
    floor = Floor(matching=matching)
    floor.enter(1, "sell", 100, delta("sell", 100, 5))
    with pytest.raises(Flaw, match="does not fill both orders"):
        floor.enter(2, "buy", 100, trade(1, 2, 100, 3), quantity=3)


def pair_of_legs() -> Floor:
    """Return a floor with a pair of which one cancels the other: order 3 to sell at 105, order 4 a stop."""
    floor = Floor()
    legs = entered(3, "sell", 105), entered(4, "sell", 90, kind="stop", conditions=m.Conditions(stop=95))
    pair = m.EnterOco(**(COMMON | {"seq": 0}), first=legs[0], second=legs[1])
    said = accepted(3, "sell", 105), accepted(4, "sell", 90, kind="stop", conditions=m.Conditions(stop=95))
    floor.tell(pair, *said, delta("sell", 105, 5))
    return floor


PULL_3 = m.PullOrder(**(COMMON | {"seq": 0}), order_id=3)
GONE_3 = delta("sell", 105, 0)


def test_a_leg_goes_after_the_other_one() -> None:
    floor = pair_of_legs()
    floor.tell(PULL_3, cancelled(5, 4, "OTHER_LEG"), GONE_3, cancelled(5, 3))
    assert floor.audit.orders.open == {}


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((GONE_3, cancelled(5, 3)), "order 3 ends before its other leg 4"),
        ((trade(3, 5, 105),), "order 3 goes on before its other leg 4"),
    ],
)
def test_a_leg_that_stays_behind_is_found(events: tuple[Any, ...], reason: str) -> None:
    floor = pair_of_legs()
    floor.enter(5, "sell", 200)
    with pytest.raises(Flaw, match=reason):
        floor.enter(6, "buy", 105, *(event if type(event) is not m.Trade else trade(3, 6, 105) for event in events))


def test_a_lone_order_has_no_other_leg() -> None:
    floor = resting()
    with pytest.raises(Flaw, match="has no other leg"):
        floor.tell(PULL_3, delta("sell", 100, 0), cancelled(5, 1, "OTHER_LEG"))


BUST = m.BustTrade(key=SYMBOL, trade=1, price=100, quantity=5, buyer="alice", seller="alice", buy_order=2, sell_order=1)
BUSTED = m.TradeBusted(symbol=SYMBOL, seq=2, time_ms=0, trade=1)
UNDONE = m.FillBusted(**COMMON, order_id=2, trade=1, side="buy", price=100, quantity=5)


def test_a_trade_is_undone_once_as_what_it_was() -> None:
    floor = resting()
    with pytest.raises(Flaw, match="the trade is not"):
        floor.tell(BUST, UNDONE)
    floor = resting()
    floor.enter(2, "buy", 101, *BOTH)
    with pytest.raises(Flaw, match="undone as what it was not"):
        floor.tell(msgspec.structs.replace(BUST, price=99), BUSTED)
    with pytest.raises(Flaw, match="nobody has asked"):
        floor.tell(m.Tick(key=SYMBOL), BUSTED)
    floor.tell(BUST, BUSTED, UNDONE)
    with pytest.raises(Flaw, match="a second time"):
        floor.tell(BUST, BUSTED)


def seen(number: int, quantity: int, price: int = 100) -> m.OrderDelta:
    return m.OrderDelta(symbol=SYMBOL, seq=1, time_ms=0, number=number, side="sell", price=price, quantity=quantity)


def test_single_orders_make_the_levels() -> None:
    floor = Floor(order_by_order=True)
    floor.enter(1, "sell", 100, seen(1, 5), delta("sell", 100, 5))
    floor.enter(2, "sell", 100, seen(2, 5), delta("sell", 100, 10))
    floor.audit.finish({1: 1, 2: 2})
    with pytest.raises(Flaw, match="orders of 10 lots to sell at 100 make a level of 5"):
        floor.tell(m.Tick(key=SYMBOL), delta("sell", 100, 5))


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((seen(9, 0),), "no order 9 to take away"),
        ((seen(1, 5, 101),), "order 1 moves from sell 100 to sell 101"),
        ((seen(1, 0),), "orders of 0 lots to sell at 100 make a level of 1"),
    ],
)
def test_a_single_order_that_cannot_be_is_found(events: tuple[Any, ...], reason: str) -> None:
    floor = Floor(order_by_order=True)
    floor.enter(1, "sell", 100, seen(1, 1), delta("sell", 100, 1), conditions=m.Conditions(display=1))
    with pytest.raises(Flaw, match=reason):
        floor.tell(m.Tick(key=SYMBOL), *events)


def test_more_of_an_iceberg_than_it_shows_is_found() -> None:
    floor = Floor(order_by_order=True)
    floor.enter(1, "sell", 100, seen(1, 1), delta("sell", 100, 1), conditions=m.Conditions(display=1))
    floor.enter(2, "sell", 100, seen(2, 5), delta("sell", 100, 6))
    floor.audit.finish({1: 1, 2: 2})
    with pytest.raises(Flaw, match="of order 1 5 lots are seen, but it shows 1"):
        floor.audit.finish({1: 2, 2: 1})
    with pytest.raises(Flaw, match="order 2 is seen, but is not on the book"):
        floor.audit.finish({1: 1})


def test_levels_are_folded() -> None:
    audit = LevelAudit()
    for change in (delta("buy", 99, 5), delta("sell", 101, 5), delta("buy", 99, 3), delta("sell", 101, 0)):
        audit.take(change)
    assert audit.levels == {"buy": {99: 3}, "sell": {}}
    audit.take(delta("buy", 101, 1))


@pytest.mark.parametrize("price", [99, 98])
def test_a_crossed_book_is_found(price: int) -> None:
    audit = LevelAudit()
    audit.take(delta("buy", 97, 5))
    audit.take(delta("buy", 99, 5))
    with pytest.raises(Flaw, match=f"crossed: bid 99, ask {price}"):
        audit.take(delta("sell", price, 1))


def test_a_book_may_be_crossed_in_a_call_phase_and_not_after_it() -> None:
    audit = LevelAudit()
    for event in (phase("halt"), delta("buy", 99, 5), delta("sell", 98, 5)):
        audit.take(event)
    with pytest.raises(Flaw, match="crossed: bid 99, ask 98"):
        audit.take(phase("continuous"))


def test_a_taker_that_the_band_has_stopped_rests_across_the_spread_for_one_message() -> None:
    audit = LevelAudit()
    audit.rules = Rules(band_ppm=1_000)
    audit.take(delta("buy", 99, 5))
    audit.take(delta("sell", 98, 5))
    audit.take(phase("halt"))
    other = LevelAudit()
    other.rules = Rules(band_ppm=1_000)
    other.take(delta("buy", 99, 5))
    other.take(delta("sell", 98, 5))
    with pytest.raises(Flaw, match="crossed"):
        other.finish()
    with pytest.raises(Flaw, match="crossed"):
        other.take(delta("sell", 101, 5))


@pytest.mark.parametrize("matching", ["exact", "equal-quantity"])
def test_a_book_that_trades_whole_orders_may_be_crossed(matching: Any) -> None:
    audit = LevelAudit()
    audit.rules = Rules(matching=matching)
    audit.take(delta("buy", 99, 5))
    audit.take(delta("sell", 98, 4))
    assert audit.shown == {"buy": 5, "sell": 4}


def test_a_level_that_is_not_there_cannot_leave() -> None:
    with pytest.raises(Flaw, match="no level at 99"):
        LevelAudit().take(delta("buy", 99, 0))


def test_a_phase_that_is_cannot_begin() -> None:
    with pytest.raises(Flaw, match="phase continuous already"):
        LevelAudit().take(phase("continuous"))


def test_a_checksum_is_that_of_the_ten_best_levels_of_each_side() -> None:
    audit = LevelAudit()
    for price in range(1, CHECKSUM_LEVELS + 3):
        audit.take(delta("buy", price, price))
    audit.take(delta("sell", 50, 7))
    text = "12:12:50:7:" + ":".join(f"{price}:{price}" for price in range(11, 2, -1))
    right = crc32(text.encode())
    audit.take(m.BookChecksum(symbol=SYMBOL, seq=1, time_ms=0, crc32=right))
    with pytest.raises(Flaw, match=f"not that of the levels, {right}"):
        audit.take(m.BookChecksum(symbol=SYMBOL, seq=1, time_ms=0, crc32=right - 1))


@pytest.mark.parametrize(
    ("now", "price", "volume", "imbalance", "reason"),
    [
        ("continuous", 100, 5, 0, "indicated in phase continuous"),
        ("pre-open", 100, 5, 0, "indicated in phase pre-open"),
        ("halt", 0, 5, 0, "cannot trade 5"),
        ("halt", 100, 0, 0, "cannot trade 0"),
        ("halt", 0, 0, 3, "with 3 left over"),
    ],
)
def test_an_indication_that_cannot_be_is_found(
    now: m.Phase, price: int, volume: int, imbalance: int, reason: str
) -> None:
    audit = LevelAudit()
    if now != "continuous":
        audit.take(phase(now))
    indicated = m.AuctionIndicated(symbol=SYMBOL, seq=1, time_ms=0, price=price, volume=volume, imbalance=imbalance)
    with pytest.raises(Flaw, match=reason):
        audit.take(indicated)


# Money


def balance(asset: str, available: int, reserved: int = 0, account: str = "alice", **more: Any) -> m.BalanceChanged:
    return m.BalanceChanged(
        source="0", seq=1, time_ms=0, account=account, asset=asset, available=available, reserved=reserved, **more
    )


EXTERNAL: dict[str, Any] = {"account": "alice", "request_id": "r", "created_ms": 0}
DEPOSIT = m.Deposit(**EXTERNAL, asset="USD", amount=1_000)
BUY = m.PlaceOrder(**EXTERNAL, symbol=SYMBOL, side="buy", price=100, quantity=5)


class Till:
    """An account shard to tell an audit of, with a listed symbol and alice, who has deposited 1000 USD."""

    def __init__(self) -> None:
        self.audit = MoneyAudit()
        self.tell(m.ListInstrument(key="0", instrument=INSTRUMENT))
        self.tell(DEPOSIT, balance("USD", 1_000, request_id="r"))

    def tell(self, command: Any, *events: Any) -> None:
        self.audit.take(command, events)

    def buy(self, reserved: int = 500, **more: Any) -> None:
        """Admit order 16, to buy 5 at 100."""
        self.tell(BUY, balance("USD", 1_000 - reserved, reserved), entered(16, "buy", 100, **more))


def test_balances_are_deposits_and_fills_and_reservations_those_of_open_orders() -> None:
    till = Till()
    till.buy()
    part = filled(3, 2, price=90)
    till.tell(part, balance("USD", 530, 200), balance("AAPL", 3), part)
    gone = cancelled(2)
    till.tell(gone, balance("USD", 730), gone)
    assert till.audit.due == {("alice", "USD"): 730, ("alice", "AAPL"): 3}
    assert till.audit.fills == 1


@pytest.mark.parametrize(
    ("balances", "reason"),
    [
        ((balance("USD", 531, 200), balance("AAPL", 3)), "has 731 of USD, but deposits and fills make 730"),
        ((balance("USD", 530, 200), balance("AAPL", 2)), "has 2 of AAPL, but deposits and fills make 3"),
        ((balance("USD", 530, 200),), "has 0 of AAPL, but deposits and fills make 3"),
        ((balance("USD", 730), balance("AAPL", 3)), "has 0 of USD reserved, but its open orders need 200"),
        ((balance("USD", 230, 500), balance("AAPL", 3)), "has 500 of USD reserved, but its open orders need 200"),
        ((balance("USD", 530, 200), balance("AAPL", 3), balance("GOOG", 1)), "has 1 of GOOG"),
        ((balance("USD", 530, 200, owed=1), balance("AAPL", 3)), "has 729 of USD"),
        ((balance("USD", 530, 200, request_id="x"), balance("AAPL", 3)), "request x moves no money"),
    ],
)
def test_money_from_nowhere_is_found(balances: tuple[m.BalanceChanged, ...], reason: str) -> None:
    till = Till()
    till.buy()
    part = filled(3, 2, price=90)
    with pytest.raises(Flaw, match=reason):
        till.tell(part, *balances, part)


def test_a_withdrawal_takes_what_it_says() -> None:
    till = Till()
    asked = m.Withdraw(**EXTERNAL, asset="USD", amount=300)
    with pytest.raises(Flaw, match="has 600 of USD, but deposits and fills make 700"):
        till.tell(asked, balance("USD", 600, request_id="r"))


def test_a_fee_is_reserved_and_paid_to_the_fee_account() -> None:
    till = Till()
    till.buy(505, maker_fee=-10, taker_fee=10_000)
    paid = filled(5, 0, fee=5)
    till.tell(paid, balance("USD", 495), balance("AAPL", 5), paid)
    till.tell(fee(5), balance("USD", 5, account=m.FEES), fee(5))
    with pytest.raises(Flaw, match="@fees has 5 of USD, but deposits and fills make 10"):
        till.tell(fee(5), fee(5))


def test_a_busted_fill_goes_back_and_what_is_not_there_is_owed() -> None:
    till = Till()
    till.buy()
    whole = filled(5, 0)
    till.tell(whole, balance("USD", 500), balance("AAPL", 5), whole)
    bust = m.FillBusted(**COMMON, order_id=16, trade=1, side="buy", price=100, quantity=5)
    till.tell(bust, balance("USD", 1_000), balance("AAPL", 0), bust)
    till = Till()
    till.tell(bust, balance("USD", 1_500), balance("AAPL", 0, owed=5), bust)
    with pytest.raises(Flaw, match="has 0 of AAPL, but deposits and fills make -5"):
        Till().tell(bust, balance("USD", 1_500), balance("AAPL", 0), bust)


def test_an_amendment_under_way_has_the_most_reserved_that_it_can_cost() -> None:
    asked = m.ReviseOrder(**COMMON, order_id=16, quantity=8, price=60, request_id="a")
    request = m.AmendOrder(**EXTERNAL, order_id=16, quantity=8, price=60)
    till = Till()
    till.buy()
    till.tell(request, balance("USD", 320, 680), asked)
    said = amended(8, 8, 60, amend_request_id="a")
    till.tell(said, balance("USD", 520, 480), said)
    till = Till()
    till.buy()
    till.tell(request, balance("USD", 320, 680), asked)
    refused = m.RequestRejected(
        source="0", seq=1, time_ms=0, account="alice", order_id=16, reason="PRICE_COLLAR", request_id="a"
    )
    with pytest.raises(Flaw, match="has 680 of USD reserved, but its open orders need 500"):
        till.tell(refused, refused)
    till = Till()
    till.buy()
    with pytest.raises(Flaw, match="has 500 of USD reserved, but its open orders need 680"):
        till.tell(request, asked)


def test_two_legs_have_the_greater_need_reserved_once() -> None:
    till = Till()
    legs = entered(16, "buy", 100), entered(32, "buy", 120)
    pair = m.EnterOco(**COMMON, first=legs[0], second=legs[1])
    till.tell(BUY, balance("USD", 400, 600), pair)
    till.tell(cancelled(5, 32), balance("USD", 500, 500), cancelled(5, 32))
    with pytest.raises(Flaw, match="has 1000 of USD reserved, but its open orders need 600"):
        Till().tell(BUY, balance("USD", 0, 1_000), pair)


def test_a_successor_needs_what_the_order_before_it_has_not() -> None:
    till = Till()
    till.buy()
    swap = m.SwapOrder(**COMMON, order_id=16, leaves=5, order=entered(32, "buy", 130))
    till.tell(BUY, balance("USD", 350, 650), swap)
    gone = cancelled(5, reason="REPLACED")
    till.tell(gone, balance("USD", 350, 650), gone)
    till = Till()
    till.buy()
    till.tell(BUY, balance("USD", 350, 650), swap)
    refused = rejected(32)
    till.tell(refused, balance("USD", 500, 500), refused)


def test_orders_that_nobody_admitted_are_found() -> None:
    with pytest.raises(Flaw, match="order 16 trades, and was never admitted"):
        Till().tell(filled(5, 0), filled(5, 0))
    with pytest.raises(Flaw, match="has no listing 7"):
        Till().tell(BUY, entered(16, "buy", 100, listing=7))
    till = Till()
    till.buy()
    with pytest.raises(Flaw, match="admitted a second time"):
        till.buy()
    with pytest.raises(Flaw, match="order 9, which is to be replaced, is not open"):
        till.tell(BUY, m.SwapOrder(**COMMON, order_id=9, leaves=5, order=entered(32, "buy", 130)))
