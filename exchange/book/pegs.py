"""Where a pegged order stands (docs/MATCHING.md, rule 25)."""

from __future__ import annotations

from exchange.book.ladder import Ladder, Order
from exchange.messages import PRICE_MAX


def best_unpegged(ladder: Ladder) -> int | None:
    """Return the best price at which an order rests that follows nothing."""
    for level in ladder:
        for order in level:
            if order.special is None or order.special.kind != "pegged":
                return level.price
    return None


def peg_price(order: Order, bid: int | None, ask: int | None) -> int | None:
    """Return the price, in ticks, for a pegged order under the best bid and ask that follow nothing; None: it must wait."""
    special = order.special
    assert special is not None
    peg = special.conditions.peg
    if peg == "bid":
        followed = bid
    elif peg == "ask":
        followed = ask
    elif bid is None or ask is None:
        followed = None
    else:
        followed = (bid + ask) // 2 if order.side == "buy" else -(-(bid + ask) // 2)
    if followed is None:
        return None
    price = min(max(1, followed + special.conditions.offset), PRICE_MAX)
    return min(price, special.limit) if order.side == "buy" else max(price, special.limit)
