"""Groups of orders: two of which one cancels the other, and an entry with the two exits that follow it.

Theory of operation: of two legs only one can trade, so together they hold what the dearer one needs: the first its own need,
the second what it needs beyond that. Whichever goes first leaves to the other what that one lacks. A bracket's exits are kept
with its entry, and become two legs for what the entry has traded once it has ended.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exchange import terms
from exchange.account import Account, reservation
from exchange.accounts.orders import admit, barred, count, fees_of
from exchange.accounts.shard import Shard
from exchange.listings import Market
from exchange.messages import EnterOco, Leg, PlaceBracket, PlaceOco, PlaceOrder, RejectReason, Side
from exchange.open_orders import OpenOrder, Ties
from exchange.requests import Request, leg_ids


def place_oco(shard: Shard, command: PlaceOco, request: Request, out: list[Any]) -> RejectReason | None:
    """Reserve what two legs need together and send them to their book, or say why not."""
    market = _market(shard, command)
    if not isinstance(market, Market):
        return market
    account = shard.accounts[command.account]
    first, second = (
        _order(command.account, command.symbol, command.side, command.quantity, leg)
        for leg in (command.first, command.second)
    )
    reason = terms.leg_flaw(first) or terms.leg_flaw(second) or barred(shard, account, (first, second), market.current)
    if reason is not None:
        return reason
    pair = _enter_pair(shard, account, market, first, second, out)
    if pair is None:
        return "INSUFFICIENT_FUNDS"
    request.order_id = pair[0]
    shard.requests.remember_legs(request, leg_ids(command), pair)
    count(shard, account, command.account, 2)
    shard.done(command.account, command.request_id, out, 2)
    return None


def place_bracket(shard: Shard, command: PlaceBracket, request: Request, out: list[Any]) -> RejectReason | None:
    """Place an entry that keeps its exits until it has ended, or say why not."""
    market = _market(shard, command)
    if not isinstance(market, Market):
        return market
    account = shard.accounts[command.account]
    entry = _order(command.account, command.symbol, command.side, command.quantity, command.entry)
    exits = (command.take_profit, command.stop_loss)
    reason = terms.flaw(entry)
    for leg in exits:
        side = _other_side(command.side)
        reason = reason or terms.leg_flaw(_order(command.account, command.symbol, side, command.quantity, leg))
    reason = reason or barred(shard, account, (entry,), market.current)
    reason = reason or admit(shard, account, market, entry, request, out, Ties(exits=exits))
    if reason is None:
        shard.requests.remember_legs(request, leg_ids(command), (request.order_id, 0, 0))
        shard.done(command.account, command.request_id, out, 1)
    return reason


def follow(shard: Shard, entry: OpenOrder, out: list[Any]) -> None:
    """Place the exits of an entry that has ended, for what it has traded, or say why not."""
    assert entry.ties is not None, "an entry keeps its exits"
    assert entry.ties.exits is not None, "an entry keeps its exits"
    legs = entry.ties.exits
    if not entry.filled:
        for leg in legs:
            shard.requests.end(entry.account, leg.request_id, 0, "TOO_LATE")
            shard.request_rejected(entry.account, leg.request_id, "TOO_LATE", out)
        return
    account, market = shard.accounts[entry.account], shard.markets[entry.symbol]
    first, second = (
        _order(entry.account, entry.symbol, _other_side(entry.side), entry.filled, _shown(leg, entry.filled))
        for leg in legs
    )
    reason = _exit_refusal(account, market, entry)
    pair = None if reason is not None else _enter_pair(shard, account, market, first, second, out)
    for leg, order_id in zip(legs, pair or (0, 0), strict=True):
        refused = None if pair is not None else reason or "INSUFFICIENT_FUNDS"
        shard.requests.end(entry.account, leg.request_id, order_id, refused)
        if refused is not None:
            shard.order_rejected(entry.account, entry.symbol, leg.request_id, refused, out)


def _exit_refusal(account: Account, market: Market, entry: OpenOrder) -> RejectReason | None:
    """Say what keeps the exits of an entry from being placed, besides funds: limits do not, since they make a position smaller."""
    if market.delisted:
        return "DELISTED"
    if market.current.instrument != entry.listed.instrument:
        return "STALE_LISTING"  # their prices are in ticks that are no more
    return "ACCOUNT_OFF" if account.control is not None and account.control.off else None


def _enter_pair(
    shard: Shard, account: Account, market: Market, first: PlaceOrder, second: PlaceOrder, out: list[Any]
) -> tuple[int, int] | None:
    """Reserve what two legs need together, send them to their book and return their ids; or None if there is not enough."""
    fees = fees_of(account, market)
    fee_ppm = max(0, *fees)
    listed = market.current
    asset, needed = reservation(first.side, first.price, first.quantity, listed, fee_ppm)
    most = max(needed, reservation(second.side, second.price, second.quantity, listed, fee_ppm)[1])
    if not account.reserve(asset, most):
        return None
    pair = shard.next_id(), shard.next_id()
    seq = shard.outbound.next(first.symbol)
    shard.balance_changed(first.account, asset, out)
    one = shard.open(first, listed, fee_ppm, needed, order_id=pair[0], ties=Ties(other=pair[1]))
    two = shard.open(second, listed, fee_ppm, most - needed, order_id=pair[1], ties=Ties(other=pair[0], lender=pair[0]))
    out.append(
        EnterOco(
            source=shard.shard,
            seq=seq,
            time_ms=shard.clock.now_ms,
            account=first.account,
            symbol=first.symbol,
            first=shard.enter(first, one, fees, seq),
            second=shard.enter(second, two, fees, seq),
        )
    )
    return pair


def _shown(leg: Leg, quantity: int) -> Leg:
    """Return an exit for `quantity` lots: an iceberg shows no more than there is of it."""
    if leg.conditions is None or leg.conditions.display <= quantity:
        return leg
    return msgspec.structs.replace(leg, conditions=msgspec.structs.replace(leg.conditions, display=quantity))


def _market(shard: Shard, command: PlaceOco | PlaceBracket) -> Market | RejectReason:
    """Return the market of a group, or what is wrong with its ids or its symbol."""
    ids = leg_ids(command)
    if len({command.request_id, *ids}) <= len(ids):
        return "INVALID_CONDITIONS"
    if any(shard.requests.find(command.account, leg_id) is not None for leg_id in ids):
        return "DUPLICATE"
    market = shard.markets.get(command.symbol)
    if market is None:
        return "UNKNOWN_SYMBOL"
    return "DELISTED" if market.delisted else market


def _order(account: str, symbol: str, side: Side, quantity: int, leg: Leg) -> PlaceOrder:
    """Return a leg as the order that it is."""
    return PlaceOrder(
        account=account,
        request_id=leg.request_id,
        created_ms=0,
        symbol=symbol,
        side=side,
        price=leg.price,
        quantity=quantity,
        kind=leg.kind,
        time_in_force=leg.time_in_force,
        expires_ms=leg.expires_ms,
        conditions=leg.conditions,
    )


def _other_side(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"
