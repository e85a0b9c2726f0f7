"""The plain auction: every tick is tried (rules 44 and 45)."""

from __future__ import annotations

from tests.exchange.reference.orders import Order


def taking_part(orders: list[Order]) -> list[Order]:
    """Leave out, of two legs that both rest and both cross, the one with the worse price, or at one price the younger."""
    resting = [order for order in orders if order.resting]
    bids = [order.price for order in resting if order.side == "buy"]
    asks = [order.price for order in resting if order.side == "sell"]
    if not bids or not asks:
        return resting
    crossing = [
        order for order in resting if (order.price >= min(asks) if order.side == "buy" else order.price <= max(bids))
    ]
    return [
        order
        for order in resting
        if not (order in crossing and order.other in crossing and priority(order) > priority(order.other))
    ]


def priority(order: Order) -> tuple[int, int]:
    return (-order.price if order.side == "buy" else order.price), order.number


def clearing(orders: list[Order], reference: int) -> tuple[int, int, int]:
    """Return price, volume and imbalance of an auction of these orders; all 0: there would be none."""
    bids = [order for order in orders if order.side == "buy"]
    asks = [order for order in orders if order.side == "sell"]
    if not bids or not asks:
        return 0, 0, 0
    tried = []
    for price in range(min(ask.price for ask in asks), max(bid.price for bid in bids) + 1):
        bought = sum(bid.leaves for bid in bids if bid.price >= price)
        sold = sum(ask.leaves for ask in asks if ask.price <= price)
        tried.append((price, min(bought, sold), bought - sold))
    if not tried:
        return 0, 0, 0
    most = max(volume for _, volume, _ in tried)
    tried = [one for one in tried if one[1] == most]
    least = min(abs(imbalance) for _, _, imbalance in tried)
    tried = [one for one in tried if abs(one[2]) == least]
    near = reference or (tried[0][0] + tried[-1][0]) // 2
    return min(tried, key=lambda one: (abs(one[0] - near), -one[0]))
