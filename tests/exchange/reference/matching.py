"""How the plain book's takers trade: rules 10 to 20 and 60 to 63."""

from __future__ import annotations

from tests.exchange.reference.floor import Floor
from tests.exchange.reference.orders import Order

MILLION = 1_000_000


class Matching(Floor):
    """The floor, with takers at work."""

    def __init__(self) -> None:
        super().__init__()
        self.beyond_band = False

    def out_of_band(self, price: int) -> bool:
        band, reference = self.rules.band_ppm, self.reference
        return bool(band and reference and abs(price - reference) * MILLION > reference * band)

    def beyond_collar(self, side: str, price: int) -> bool:
        if not (self.rules.collar_ppm and self.reference):
            return False
        part = self.reference * self.rules.collar_ppm // MILLION
        return price > self.reference + part if side == "buy" else price < self.reference - part

    @staticmethod
    def own(taker: Order, maker: Order) -> bool:
        """Say whether self-trade prevention keeps the two apart (rule 20)."""
        return taker.asked.self_trade != "none" and taker.account == maker.account != "@market"

    def available(self, taker: Order, limit: int, resting: list[Order] | None = None) -> int:
        """Count what a taker can trade at once (rules 13, 17, 19, 20): of two legs only the first that it would meet."""
        counted: dict[Order, int] = {}
        for maker in self.opposite(taker, limit, resting):
            if self.out_of_band(maker.price):
                break
            if not self.own(taker, maker):
                counted[maker] = self.counting(maker, counted)
            elif taker.asked.self_trade != "oldest":
                for before, lots in counted.items():
                    if before.price == maker.price:  # what is hidden would come up behind the own order
                        counted[before] = 0 if self.rules.matching == "pro-rata" else min(lots, before.seen)
                break
        return sum(counted.values())

    def counting(self, maker: Order, counted: dict[Order, int]) -> int:
        """Return what of a maker counts: nothing if its other leg does, which goes first."""
        other = maker.other
        if other not in counted:
            return maker.leaves
        if self.rules.matching == "pro-rata" and other.price == maker.price:
            counted[other] = min(counted[other], maker.leaves)  # either of the two may trade
        return 0

    def match(self, taker: Order, limit: int) -> None:
        """Trade as far as it goes; `beyond_band` says then whether the band stopped it."""
        while taker in self.orders:
            makers = self.opposite(taker, limit)
            if not makers:
                break
            price, side = makers[0].price, makers[0].side
            if self.out_of_band(price):
                self.beyond_band = True
                break
            if self.rules.matching == "pro-rata":
                self.meet_shared(taker, price)
            else:
                self.meet_in_turn(taker, price)
            if (side, price) in self.untold:
                self.level(side, price)

    def makers_at(self, taker: Order, price: int) -> list[Order]:
        return [maker for maker in self.opposite(taker, price) if maker.price == price]

    def meet_in_turn(self, taker: Order, price: int) -> None:
        while taker in self.orders:
            makers = self.makers_at(taker, price)
            if not makers:
                break
            maker = makers[0]
            if self.own(taker, maker):
                self.prevent(taker, maker)
                continue
            self.trade(maker, taker, price, min(taker.leaves, maker.seen))
            if maker.resting and not maker.seen:
                self.renew(maker)
            self.tell(maker)

    def meet_shared(self, taker: Order, price: int) -> None:
        while taker in self.orders:
            makers = self.makers_at(taker, price)
            own = [maker for maker in makers if self.own(taker, maker)]
            if own:
                self.prevent(taker, own[0])
                continue
            if not makers:
                break
            for maker, part in zip(makers, self.parts(taker.leaves, [maker.seen for maker in makers]), strict=True):
                if part and maker.resting:
                    self.trade(maker, taker, price, part)
                    if maker.resting and not maker.seen:
                        self.renew(maker)
                    self.tell(maker)

    def parts(self, quantity: int, seen: list[int]) -> list[int]:
        """Read rule 61: share a quantity among makers in order of arrival."""
        parts = [0] * len(seen)
        quantity = min(quantity, sum(seen))
        sharing = list(range(len(seen)))
        if self.rules.top_order:
            parts[0] = min(quantity, seen[0])
            quantity -= parts[0]
            sharing = sharing[1:]
        total = sum(seen[place] for place in sharing)
        for place in sharing:
            share = quantity * seen[place] // total
            parts[place] = share if share >= self.rules.minimum_lots else 0
        left = quantity - sum(parts[place] for place in sharing)
        for place in sharing:
            more = min(left, seen[place] - parts[place])
            parts[place] += more
            left -= more
        return parts

    def prevent(self, taker: Order, maker: Order) -> None:
        """Keep two orders of one account from trading; a taker that has to go does so after the price's delta."""
        how = taker.asked.self_trade
        less = min(maker.leaves, taker.leaves)
        if how in ("oldest", "both") or (how == "decrement" and maker.leaves == less):
            self.cancel(maker, "SELF_TRADE")
        elif how == "decrement":
            maker.quantity -= less
            self.amended(maker)
            self.shrink(maker)
        if how in ("newest", "both") or (how == "decrement" and taker.leaves == less):
            if (maker.side, maker.price) in self.untold:
                self.level(maker.side, maker.price)
            self.cancel(taker, "SELF_TRADE")
        elif how == "decrement":
            taker.quantity -= less
            self.amended(taker)

    def shrink(self, order: Order) -> None:
        """Let a resting order that was made smaller be seen so: what is hidden goes first."""
        if order.seen > order.leaves:
            order.seen = order.leaves
            self.tell(order)
            self.level(order.side, order.price)

    def pair(self, taker: Order) -> None:
        """Trade by rule 62 or 63, or rest."""
        window_ms = self.rules.window_ms
        for maker in self.in_turn():
            if maker.side == taker.side or not maker.resting or maker.leaves != taker.leaves:
                continue
            if self.rules.matching == "exact" and maker.price != taker.limit:
                continue
            if self.rules.matching == "equal-quantity" and (
                not taker.meets(maker.price, taker.limit) or (window_ms and self.now_ms - maker.arrived_ms > window_ms)
            ):
                continue
            self.trade(maker, taker, maker.price, taker.leaves)
            self.tell(maker)
            self.level(maker.side, maker.price)
            return
        self.rest(taker, taker.limit)
