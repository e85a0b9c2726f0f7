"""Each trade of a book against its two orders: sides, limits, price, fees, fills, and what their conditions ask.

Theory of operation: the audit reads commands with the events that each caused, in their order. Orders of accounts live as their reports
say (`OrderAudit`); those of `@market`, which get no reports, as their commands and trades say, until `resting` no longer
has them. A trade sets up the messages that must follow it: the fills of its sides, then the fee.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from zlib import crc32

from exchange.audits.levels import LevelAudit
from exchange.audits.orders import Flaw, Open, OrderAudit
from exchange.instruments import Instrument
from exchange.messages import (
    CALL_PHASES,
    FEES,
    MARKET,
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    BookSnapshot,
    BustTrade,
    EnterOco,
    EnterOrder,
    FeeCollected,
    FillBusted,
    ListInstrument,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderDelta,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    PhaseChanged,
    PullOrder,
    ReviseOrder,
    Side,
    SwapOrder,
    Trade,
    TradeBusted,
)

MILLION: Final = 1_000_000
MARKET_SLACK_MAX: Final = 1_000
"""How many orders of `@market` may pile up after they have left, unnoticed, before the audit looks for them."""
_NUMBERED: Final = (EnterOrder, EnterOco, PullOrder, ReviseOrder, SwapOrder)
_REPORTS: Final = (
    OrderAccepted, OrderAmended, OrderCancelled, OrderExpired, OrderFilled, OrderRejected, OrderTriggered
)  # fmt: skip
_LEVEL_EVENTS: Final = (BookDelta, BookChecksum, PhaseChanged, AuctionIndicated)


class TradeAudit:
    """Folds the commands of one book and all that they cause."""

    def __init__(self) -> None:
        self.orders = OrderAudit()
        self.levels = LevelAudit()
        self.market: dict[int, Open] = {}
        self.account_legs = 0
        self._instruments: dict[int, Instrument] = {}
        self._listing = 0
        self._rates: dict[int, tuple[int, int]] = {}
        self._others: dict[int, int] = {}
        self._trades = array("L")
        self._busted: set[int] = set()
        self._last = 0
        self._last_auction = 0
        self._auction_price = 0
        self._due: list[Callable[[Any], bool]] = []
        self._prints: set[int] = set()
        self._touched: set[int] = set()
        self._touched_since: set[int] = set()
        self._seqs: dict[str, int] = {}
        self._showable: dict[int, tuple[Side, int]] = {}
        self._may_show: dict[Side, int] = {"buy": 0, "sell": 0}
        self._prices: set[tuple[Side, int]] = set()
        self._asked: Any = None
        self._folds: dict[type, Callable[[Any], None]] = {
            Trade: self._trade,
            OrderDelta: self._order_delta,
            TradeBusted: self._bust,
            FillBusted: self._undone,
            BookSnapshot: self._snapshot,
        }
        self._folds |= dict.fromkeys(_REPORTS, self._report) | dict.fromkeys(_LEVEL_EVENTS, self._level)

    def take(self, command: Any, events: list[Any]) -> None:
        """Take a command and its events."""
        self._asked = command
        self._command(command, events)
        for event in events:
            self._event(event)
        self._done()

    def settle(self, resting: Collection[int]) -> None:
        """Let go of the orders of `@market` that have left; `resting` says by `in` which are on the book after a packet."""
        self._forget(order_id for order_id in self._touched_since if order_id not in resting)
        self._touched_since.clear()
        if len(self.market) > 2 * len(resting) + MARKET_SLACK_MAX:
            self._forget(order_id for order_id in list(self.market) if order_id not in resting)

    def _forget(self, order_ids: Iterable[int]) -> None:
        for order_id in order_ids:
            if self.market.pop(order_id, None) is not None:
                self._rates.pop(order_id, None)
                self._show(order_id, None)

    def finish(self, numbers: dict[int, int]) -> None:
        """Check at the end that of no order more is seen than it shows; `numbers` are the arrival numbers of those on the book."""
        for order_id, number in numbers.items() if self.levels.rules.order_by_order else ():
            order, seen = self._open(order_id), self.levels.orders.get(number)
            if order is not None and seen is not None and seen[2] > self._shows(order):
                raise Flaw(f"of order {order_id} {seen[2]} lots are seen, but it shows {self._shows(order)}")
        strange = self.levels.orders.keys() - numbers.values() if self.levels.rules.order_by_order else ()
        if strange:
            raise Flaw(f"order {min(strange)} is seen, but is not on the book")

    # Commands

    def _command(self, command: Any, events: list[Any]) -> None:
        kind = type(command)
        if kind in _NUMBERED:
            if command.seq != self._seqs.get(command.source, 0) + 1:
                return  # a repeat, or one after a hole: the book does not take it
            self._seqs[command.source] = command.seq
        if kind is EnterOrder:
            self._enter(command, events)
        elif kind is EnterOco:
            self._enter(command.first, events)
            self._enter(command.second, events)
            self._pair(command, events)
        elif kind is SwapOrder:
            self._enter(command.order, events)
        elif kind is PullOrder:
            self._touched.add(command.order_id)
        elif kind is ReviseOrder and command.order_id in self.market:
            order = self.market[command.order_id]
            order.price = (max if order.side == "buy" else min)(order.price, command.price or order.price)
            order.leaves += command.quantity
            self._touched.add(command.order_id)
        elif kind is ListInstrument and command.version > self._listing:
            self._list(command)

    def _list(self, command: ListInstrument) -> None:
        """Go over to another version; prices of other ticks, or of orders that cannot stay, are no reference."""
        now, rules = self._instruments.get(self._listing), self.levels.rules
        if now != command.instrument or not command.rules.keeps_orders_of(rules):
            self._last_auction = self._last = 0
        if command.rules.order_by_order and not rules.order_by_order:
            self._prices |= {(side, price) for side, levels in self.levels.levels.items() for price in levels}
        elif not command.rules.order_by_order:
            self.levels.forget_orders()
        self._listing = command.version
        self._instruments[command.version] = command.instrument
        self.levels.rules = command.rules

    def _enter(self, order: EnterOrder, events: list[Any]) -> None:
        """Note the fees of an order that is not refused; one of `@market` is open then."""
        if any(type(event) is OrderRejected and event.order_id == order.order_id for event in events):
            return
        self._rates[order.order_id] = (order.maker_fee, order.taker_fee)
        if order.account == MARKET:
            self.market[order.order_id] = Open(order)
            self.market[order.order_id].triggered = True
            self._touched.add(order.order_id)

    def _pair(self, command: EnterOco, events: list[Any]) -> None:
        first, second = command.first.order_id, command.second.order_id
        accepted = {event.order_id for event in events if type(event) is OrderAccepted} & {first, second}
        if accepted == {first, second}:
            self._others |= {first: second, second: first}
        elif accepted:
            raise Flaw(f"of the legs {first} and {second} only one is accepted")

    # Events

    def _event(self, event: Any) -> None:
        kind = type(event)
        if self._due:
            if not self._due.pop(0)(event):
                raise Flaw("this is not what must follow the trade")
        elif kind is OrderFilled or (kind is FeeCollected and type(self._asked) is not BustTrade):
            raise Flaw("this does not follow a trade")
        fold = self._folds.get(kind)
        if fold is not None:
            fold(event)

    def _order_delta(self, event: OrderDelta) -> None:
        if self.levels.rules.order_by_order:
            self._prices.add((event.side, event.price))
            self.levels.take_order(event)

    def _level(self, event: Any) -> None:
        if type(event) is PhaseChanged:
            self._auction_price = 0
        elif type(event) is BookDelta:
            self._prices.add((event.side, event.price))
        self.levels.take(event)

    def _snapshot(self, snapshot: BookSnapshot) -> None:
        if snapshot.rules != self.levels.rules or snapshot.phase != self.levels.phase:
            raise Flaw(
                f"neither rules nor phase may differ from those of listing {self._listing} in {self.levels.phase}"
            )

    def _undone(self, bust: FillBusted) -> None:
        if bust.trade not in self._busted:
            raise Flaw(f"the fill of trade {bust.trade} is undone, but the trade is not")

    def _report(self, report: Any) -> None:
        if report.account == MARKET:
            return
        self._touched.add(report.order_id)
        kind, order_id = type(report), report.order_id
        if kind is OrderTriggered and report.price not in self._prints:
            raise Flaw(f"no trade at {report.price} could trigger order {order_id}")
        self.orders.take(report)
        if kind is OrderTriggered:
            self._alone(order_id)
        elif kind is OrderCancelled or kind is OrderExpired:
            other = self._others.pop(order_id, 0)
            if kind is OrderCancelled and report.reason == "OTHER_LEG":
                if self._others.pop(other, 0) != order_id:
                    raise Flaw(f"order {order_id} has no other leg")
            elif other in self.orders.open:
                raise Flaw(f"order {order_id} ends before its other leg {other}")

    def _alone(self, order_id: int) -> None:
        """Check that an order's other leg is gone."""
        other = self._others.get(order_id)
        if other is not None and other in self.orders.open:
            raise Flaw(f"order {order_id} goes on before its other leg {other} has gone")

    # Trades

    def _trade(self, trade: Trade) -> None:
        name = trade.trade_id
        maker, taker = self._open(trade.maker_order), self._open(trade.taker_order)
        if maker is None or taker is None:
            raise Flaw(f"trade {name} is of an order that is not open")
        if trade.quantity < 1:
            raise Flaw(f"trade {name} is of nothing")
        if trade.seq != len(self._trades) + 1:
            raise Flaw(f"trade {name} is not the next one")
        if taker.side != trade.taker_side or maker.side == taker.side:
            raise Flaw(f"trade {name} has its sides wrong")
        if trade.auction:
            self._of_auction(trade)
        else:
            self._continuous(trade, maker, taker)
        if self.levels.rules.pairs and not maker.leaves == taker.leaves == trade.quantity:
            raise Flaw(f"trade {name} does not fill both orders")
        for order_id, order in ((trade.maker_order, maker), (trade.taker_order, taker)):
            self._alone(order_id)
            if order.asked.all_or_none and (order is maker or trade.auction):
                raise Flaw(f"order {order_id} is all or none, and is traded with")
            if order.account == MARKET:
                order.fill(trade.price, trade.quantity)
            self._touched.add(order_id)
        self._last = trade.price
        self._prints.add(trade.price)
        self._follow(trade, maker, taker)

    def _of_auction(self, trade: Trade) -> None:
        if self.levels.phase not in CALL_PHASES:
            raise Flaw(f"trade {trade.trade_id} is of an auction, but the market is {self.levels.phase}")
        if self._auction_price not in (0, trade.price):
            raise Flaw(f"trade {trade.trade_id} is not at its auction's price {self._auction_price}")
        self._auction_price = self._last_auction = trade.price

    def _continuous(self, trade: Trade, maker: Open, taker: Open) -> None:
        name, levels, rules = trade.trade_id, self.levels, self.levels.rules
        if levels.phase != "continuous":
            raise Flaw(f"trade {name} happens while the market is {levels.phase}")
        if maker.kind != "pegged" and maker.account != MARKET and trade.price != maker.price:
            raise Flaw(f"trade {name} is not at its maker's price {maker.price}")
        if not rules.pairs and trade.price != levels.best(maker.side):
            raise Flaw(f"trade {name} is not at the best price {levels.best(maker.side)}")
        if taker.asked.post_only and taker.account != MARKET:
            raise Flaw(f"order {trade.taker_order} is post-only, and takes")
        reference = self._last_auction or rules.reference
        if rules.band_ppm and reference and abs(trade.price - reference) * MILLION > rules.band_ppm * reference:
            raise Flaw(f"trade {name} is outside the band around {reference}")

    def _follow(self, trade: Trade, maker: Open, taker: Open) -> None:
        """Set up what must come after a trade, and remember the trade."""
        instrument = self._instruments.get(trade.listing)
        if instrument is None:
            raise Flaw(f"trade {trade.trade_id} is of listing {trade.listing}, which there is none of")
        maker_fee, taker_fee = _fees(
            trade.price * trade.quantity * instrument.notional_units,
            self._rates[trade.maker_order][0],
            self._rates[trade.taker_order][1],
        )
        sides = ((trade.maker_order, maker, "maker", maker_fee), (trade.taker_order, taker, "taker", taker_fee))
        for order_id, order, liquidity, fee in sides:
            if order.account == MARKET:
                continue
            self.account_legs += 1
            right = (order_id, trade.seq, order.side, trade.price, trade.quantity, liquidity, fee)
            self._due.append(lambda event, right=right: type(event) is OrderFilled and _filled(event) == right)  # type: ignore[misc]
        net = maker_fee + taker_fee
        if net:
            collected = (FEES, trade.seq, instrument.quote, net)
            self._due.append(lambda event: type(event) is FeeCollected and _collected(event) == collected)
        by_side = {maker.side: (trade.maker_order, maker, maker_fee), taker.side: (trade.taker_order, taker, taker_fee)}
        (buy_order, buyer, buy_fee), (sell_order, seller, sell_fee) = by_side["buy"], by_side["sell"]
        parties = (buyer.account, seller.account, buy_order, sell_order, buy_fee, sell_fee)
        self._trades.append(_mark(trade.price, trade.quantity, *parties, trade.listing))

    def _bust(self, event: TradeBusted) -> None:
        command, number = self._asked, event.trade
        if type(command) is not BustTrade or command.trade != number:
            raise Flaw(f"nobody has asked to undo trade {number}")
        if number in self._busted:
            raise Flaw(f"trade {number} is undone a second time")
        parties = (
            command.buyer,
            command.seller,
            command.buy_order,
            command.sell_order,
            command.buy_fee,
            command.sell_fee,
        )
        said = _mark(command.price, command.quantity, *parties, command.listing)
        if not 0 < number <= len(self._trades) or self._trades[number - 1] != said:
            raise Flaw(f"trade {number} is undone as what it was not")
        self._busted.add(number)

    # The end of a command

    def _done(self) -> None:
        """Check what must hold when a command has done all it does."""
        if self._due:
            raise Flaw("what must follow the last trade is missing")
        self._prints = {self._last}
        self.levels.finish()
        for order_id in self._touched:
            order = self._open(order_id)
            self._show(order_id, order)
            if order is None:
                self._others.pop(order_id, None)
                self._rates.pop(order_id, None)
                continue
            if order.asked.all_or_none and order.filled and order.account != MARKET:
                raise Flaw(f"order {order_id} is all or none, and is partly filled")
            if order.time_in_force in ("IOC", "FOK") and order.account != MARKET:
                raise Flaw(f"order {order_id} is {order.time_in_force}, and rests")
            if order.filled < order.asked.min_quantity and order.account != MARKET:
                raise Flaw(f"order {order_id} rests with {order.filled} filled, less than its minimum")
        for side, price in self._prices if self.levels.rules.order_by_order else ():
            self.levels.agree(side, price)
        self._prices.clear()
        self._touched_since |= self._touched
        self._touched.clear()
        for side in ("buy", "sell"):
            if self.levels.shown[side] > self._may_show[side]:
                raise Flaw(
                    f"{self.levels.shown[side]} lots to {side} are shown where orders show {self._may_show[side]}"
                )

    def _open(self, order_id: int) -> Open | None:
        return self.orders.open.get(order_id) or self.market.get(order_id)

    @staticmethod
    def _shows(order: Open) -> int:
        return min(order.leaves, order.asked.display or order.leaves)

    def _show(self, order_id: int, order: Open | None) -> None:
        """Note how much of an order may be seen."""
        side, before = self._showable.pop(order_id, ("buy", 0))
        self._may_show[side] -= before
        if order is not None:
            seen = self._shows(order)
            self._showable[order_id] = (order.side, seen)
            self._may_show[order.side] += seen


def _fees(cash: int, maker_rate: int, taker_rate: int) -> tuple[int, int]:
    """Return what maker and taker pay for a trade of `cash`; a rebate is at most what the other side pays."""
    maker, taker = (abs(cash * rate) // MILLION * (1 if rate > 0 else -1) for rate in (maker_rate, taker_rate))
    return max(maker, -max(taker, 0)), max(taker, -max(maker, 0))


def _mark(*said: Any) -> int:
    """Return a number by which to know a trade again without keeping it."""
    return crc32(repr(said).encode())


def _filled(fill: OrderFilled) -> tuple[Any, ...]:
    return fill.order_id, fill.trade, fill.side, fill.price, fill.quantity, fill.liquidity, fill.fee


def _collected(fee: FeeCollected) -> tuple[Any, ...]:
    return fee.account, fee.trade, fee.asset, fee.amount
