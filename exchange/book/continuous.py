"""Continuous trading: a taker against the other side of the book.

Theory of operation: `match` walks the opposite ladder from its best level and lets `_at_level` trade there, by arrival or pro-rata, until
the taker is filled, its limit is reached, or the next price lies beyond the band. Each level's delta follows what was done at it.
"""

from __future__ import annotations

from exchange.book.ladder import Level, Order
from exchange.book.orders import Orders
from exchange.book.reports import Reports
from exchange.book.sharing import shares
from exchange.book.state import State
from exchange.book.trading import Trading
from exchange.messages import MARKET, PRICE_MAX, SelfTrade, Side

MILLION = 1_000_000


class Continuous:
    """Matches takers. `interrupted` is set when a trade would have been beyond the band; `_unsaid`: a level's delta is still to come."""

    def __init__(self, state: State, reports: Reports, orders: Orders, trading: Trading) -> None:
        self.state = state
        self.reports = reports
        self.orders = orders
        self.trading = trading
        self.interrupted = False
        self._unsaid = False

    def match(self, taker: Order) -> None:
        """Trade `taker` as far as its price and the band let it."""
        opposite = self.orders.opposite(taker.side)
        limit = taker.price * opposite.sign
        banded = self.state.rules.band_ppm != 0
        while taker.leaves:
            level = opposite.best()
            if level is None or level.rank < limit:
                return
            if banded and not self._inside(level.price):
                self.interrupted = True
                return
            if not self._at_level(taker, level):
                return

    def _inside(self, price: int) -> bool:
        """Say whether a trade at a price would be inside the band."""
        low, high = bounds(self.state.reference, self.state.rules.band_ppm)
        return low <= price <= high

    def _at_level(self, taker: Order, level: Level) -> bool:
        """Trade at one price and say whether to go on."""
        special = taker.special
        careful = special is not None and special.conditions.self_trade != "none" and taker.account != MARKET
        trade = self._share if self.state.rules.matching == "pro-rata" else self._in_turn
        goes_on = trade(taker, level, careful=careful)
        self._say(taker, level)
        return goes_on

    def _say(self, taker: Order, level: Level) -> None:
        """Publish a level's total, if trades have changed it since it was last said."""
        if self._unsaid:
            self._unsaid = False
            self.reports.delta("sell" if taker.side == "buy" else "buy", level)

    def _trade(self, maker: Order, taker: Order, price: int, quantity: int) -> None:
        self._unsaid = True
        self.trading.trade(maker, taker, price, quantity)

    def _in_turn(self, taker: Order, level: Level, *, careful: bool) -> bool:
        """Trade with the orders of a level by arrival number."""
        while taker.leaves and (maker := level.head) is not None:
            if careful and maker.account == taker.account:
                if not self._avoid(taker, maker):
                    return False
                continue
            seen = maker.leaves if maker.special is None else maker.leaves - maker.special.hidden
            self._trade(maker, taker, level.price, min(taker.leaves, seen))
        return True

    def _share(self, taker: Order, level: Level, *, careful: bool) -> bool:
        """Trade with the orders of a level by their sizes."""
        rules = self.state.rules
        while taker.leaves and level.head is not None:
            if careful:
                own = next((maker for maker in level if maker.account == taker.account), None)
                if own is not None:
                    if not self._avoid(taker, own):
                        return False
                    continue
            makers = list(level)
            seen = [maker.leaves - maker.hidden for maker in makers]
            given = shares(taker.leaves, seen, top_order=rules.top_order, minimum_lots=rules.minimum_lots)
            for maker, quantity in zip(makers, given, strict=True):
                if quantity and maker.level is level:  # it may have gone as the other leg of one before it
                    self._trade(maker, taker, level.price, quantity)
        return True

    def _avoid(self, taker: Order, maker: Order) -> bool:
        """Keep two orders of one account from trading, as the taker's flag says; say whether the taker goes on."""
        assert taker.special is not None
        flag = taker.special.conditions.self_trade
        assert maker.level is not None, "a maker rests"
        if flag == "decrement":
            return self._decrement(taker, maker, maker.level)
        if flag == "newest":
            self._say(taker, maker.level)
        else:
            self._unsaid = False  # the maker's going says the price's new total
            self.trading.cancel(maker, "SELF_TRADE")
        if flag in ("newest", "both"):
            self._end(taker)
        return flag == "oldest"

    def _decrement(self, taker: Order, maker: Order, level: Level) -> bool:
        smaller = min(taker.leaves, maker.leaves)
        if maker.leaves == smaller:
            self._unsaid = False  # as in `_avoid`
            self.trading.cancel(maker, "SELF_TRADE")
        else:
            seen = maker.leaves - maker.hidden
            self.orders.reduce(maker, smaller, hidden_first=True)
            self.reports.amended(maker)
            if maker.leaves - maker.hidden != seen:
                self.reports.order(maker)
                self._unsaid = True
            self._say(taker, level)
        if taker.leaves == smaller:
            self._end(taker)
            return False
        taker.leaves -= smaller
        self.reports.amended(taker)
        return True

    def _end(self, taker: Order) -> None:
        """Let what is left of a taker go."""
        self.trading.cut(taker)
        self.reports.cancelled(taker, "SELF_TRADE")
        taker.leaves = 0

    # What could trade

    def crosses(self, side: Side, price: int, *, without: Order | None = None) -> int | None:
        """Return the best opposite price if an order at `price` meets it, as if `without` were not there."""
        opposite = self.orders.opposite(side)
        for level in opposite:
            if level.rank < price * opposite.sign:
                return None
            if without is None or any(order is not without for order in level):
                return level.price
        return None

    def fillable(self, taker: Order, quantity: int) -> bool:
        """Say whether at least `quantity` of a taker can trade at once, hidden lots included."""
        opposite, special = self.orders.opposite(taker.side), taker.special
        flag = "none" if special is None or taker.account == MARKET else special.conditions.self_trade
        banded, each = self.state.rules.band_ppm != 0, flag != "none" or bool(self.orders.legs)
        gone: set[int] = set()
        for level in opposite:
            if level.rank < taker.price * opposite.sign or (banded and not self._inside(level.price)):
                return False
            lots, ends = self._count(taker, level, flag, gone) if each else (level.total + level.hidden, False)
            quantity -= lots
            if quantity <= 0:
                return True
            if ends:
                return False
        return False

    def _count(self, taker: Order, level: Level, flag: SelfTrade, gone: set[int]) -> tuple[int, bool]:
        """Return the lots of a level that a taker can trade with, and whether it ends there because of an own order.

        `gone` are the legs that go because the other leg of their group trades.
        """
        pro_rata = self.state.rules.matching == "pro-rata"
        seen = hidden = 0
        for order in level:
            if order.order_id in gone:
                continue
            if flag != "none" and order.account == taker.account:
                if flag != "oldest":
                    return (0 if pro_rata else seen), True
                continue
            seen += order.leaves - order.hidden
            hidden += order.hidden
            if order.special is not None and order.special.other:
                other = self.orders.by_id[order.special.other]
                gone.add(other.order_id)
                if pro_rata and other.level is level:  # either of the two may be the one that gets no share
                    hidden -= max(0, order.leaves - other.leaves)
        return seen + hidden, False

    def beyond_collar(self, side: Side, price: int) -> bool:
        """Say whether a limit is too far from the reference."""
        state = self.state
        if not state.rules.collar_ppm or not state.reference:
            return False
        low, high = bounds(state.reference, state.rules.collar_ppm)
        return price > high if side == "buy" else price < low


def bounds(reference: int, ppm: int) -> tuple[int, int]:
    """Return the lowest and the highest price no further from the reference than a part of it; all prices without one.

    >>> bounds(1_001, 10_000)
    (991, 1011)
    """
    if not reference or not ppm:
        return 1, PRICE_MAX
    return -(-reference * (MILLION - ppm) // MILLION), reference * (MILLION + ppm) // MILLION
