"""A seed's orders of one instrument on their way into its book, and the book's trades on their way back.

Theory of operation: a book knows an order of `@market` flow by a number below zero. The number of a foreign id is made from
where the id came up first, so that whoever reads the same orders again finds the same numbers; an id that comes again has the
same number, and the book itself says whether the order before is still open: then it refuses the second as `DUPLICATE`.
A trade names numbers only. Which of several orders of one id it was follows from the order in which the book took
them: the first, until its trades have filled it; then the first of those that came after the trade that did.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

from exchange.errors import InvalidAmount
from exchange.instruments import Instrument
from exchange.messages import MARKET, PRICE_MAX, QUANTITY_MAX, EnterOrder, Trade
from exchange.seed_formats import SeedOrder, plain


class _Entered:
    """An order that has gone to the book as number `seq`, and what of it has not traded, as far as is known."""

    __slots__ = ("leaves", "order", "seq")

    def __init__(self, seq: int, order: SeedOrder) -> None:
        self.seq = seq
        self.order = order
        self.leaves = order.quantity


class SeedOrders:
    """The orders of one instrument. `seq` counts those that went to the book from `source`."""

    def __init__(self, source: str, instrument: Instrument, listing: int = 1) -> None:
        self.source: Final = source
        self.seq = 0
        self._ids: dict[int | str, int] = {}
        self._open: dict[int, deque[_Entered]] = {}
        self._reached = 0
        self.listings: dict[int, Instrument] = {listing: instrument}
        self.listing = listing

    def relist(self, listing: int, instrument: Instrument) -> None:
        """Take note of another version of the listing; orders are entered under the highest."""
        self.listings[listing] = instrument
        self.listing = max(self.listing, listing)

    def enter(self, order: SeedOrder, number: int) -> EnterOrder:
        """Return the message with which an order enters the book; `number`, above 0, is one that no other order has.

        Raises:
            InvalidAmount: if its price or quantity is no multiple of the tick or lot, or out of range; then it does not count.
        """
        instrument = self.listings[self.listing]
        quantity = instrument.quantity_lots(plain(order.quantity))
        price = PRICE_MAX if order.side == "buy" else 1
        if order.price:
            price = instrument.price_ticks(plain(order.price))
        if not (1 <= price <= PRICE_MAX and 1 <= quantity <= QUANTITY_MAX):
            raise InvalidAmount(f"{order.quantity} at {order.price} is more than a book can count")
        order_id = self.note(order, number)
        return EnterOrder(
            source=self.source,
            seq=self.seq,
            time_ms=order.time_ms,
            account=MARKET,
            order_id=order_id,
            symbol=instrument.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            listing=self.listing,
            kind=order.kind,
            time_in_force=order.time_in_force,
            expires_ms=order.expires_ms,
        )

    def note(self, order: SeedOrder, number: int) -> int:
        """Count an order that has gone to the book, and return the id that it has there."""
        order_id = self._ids.setdefault(order.id, -number)
        self.seq += 1
        self._open.setdefault(order_id, deque()).append(_Entered(self.seq, order))
        return order_id

    def traded(self, trade: Trade) -> tuple[SeedOrder, SeedOrder, Decimal, Decimal] | None:
        """Return the buy, the sell, the quantity and the price of a trade, or None if neither order came from here.

        An order from elsewhere is told by its id in the book. Trades have to come in their order. One of a listing that is not known
        yet has the tick and lot of the last: with others, the orders from here would have left the book.
        """
        instrument = self.listings.get(trade.listing, self.listings[self.listing])
        taker, maker = self._find(trade.taker_order, trade), self._find(trade.maker_order, trade)
        if taker is None and maker is None:
            return None
        quantity = Decimal(instrument.quantity_text(trade.quantity))
        price = Decimal(instrument.price_text(trade.price))
        self._reached = max(self._reached, taker.seq if taker else 0)
        for entered, order_id in ((taker, trade.taker_order), (maker, trade.maker_order)):
            if entered is not None:
                self._fill(entered, order_id, quantity)
        buy, sell = (taker, maker) if trade.taker_side == "buy" else (maker, taker)
        ids = (trade.taker_order, trade.maker_order)
        buy_id, sell_id = ids if trade.taker_side == "buy" else ids[::-1]
        return (
            buy.order if buy else _other(buy_id, instrument, quantity, price),
            sell.order if sell else _other(sell_id, instrument, quantity, price),
            quantity,
            price,
        )

    def _find(self, order_id: int, trade: Trade) -> _Entered | None:
        """Return which order of an id it is that trades; one that has expired before is it no more."""
        entered = self._open.get(order_id)
        if entered is None:
            return None
        while len(entered) > 1 and 0 < entered[0].order.expires_ms <= trade.time_ms:
            entered.popleft()
        return entered[0]

    def _fill(self, filled: _Entered, order_id: int, quantity: Decimal) -> None:
        filled.leaves -= quantity
        if filled.leaves > 0:
            return
        entered = self._open[order_id]
        entered.popleft()
        while entered and entered[0].seq < self._reached:
            entered.popleft()  # it came while the one before was open, so the book refused it
        if not entered:
            del self._open[order_id]


def _other(order_id: int, instrument: Instrument, quantity: Decimal, price: Decimal) -> SeedOrder:
    """Stand in for an order that is not of the seed's flow."""
    return SeedOrder(id=order_id, instrument=instrument.symbol, side="buy", quantity=quantity, price=price)
