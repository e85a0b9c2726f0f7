"""What the log says of one trade: all that a book needs to be told to undo it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.instruments import Instrument
from exchange.messages import MARKET, BustTrade, FeeCollected, OrderFilled, Side, Trade, TradeBusted
from exchange.money import from_units, minor_step
from exchange.packets import (
    PacketDecoder,
    decode_account_inbox,
    decode_book_deltas,
    decode_order_reports,
    decode_trades,
)
from openbell.errors import OpenbellError
from openbell.venue import Venue

Say = Callable[[str], None]
_SIDES: Final[tuple[Side, Side]] = ("buy", "sell")


@dataclass(frozen=True)
class Evidence:
    """A trade and the command that undoes it."""

    trade: Trade
    command: BustTrade

    def lines(self, instrument: Instrument, listing: int) -> list[str]:
        """Say in words what will be undone; `instrument` is the one of version `listing`."""
        command = self.command
        fee_step = minor_step(instrument.quote_scale)
        if command.listing == listing:
            price, quantity = instrument.price_text(command.price), instrument.quantity_text(command.quantity)
        else:  # the listing's tick and lot may have been others
            price, quantity = f"{command.price} ticks", f"{command.quantity} lots"
        said = [f"trade {command.trade} of {command.key}: {quantity} at {price}"]
        for side, account, order, fee in _legs(command):
            got, gave = (instrument.base, instrument.quote) if side == "buy" else (instrument.quote, instrument.base)
            paid = f"fee {from_units(fee, fee_step)} {instrument.quote}"
            if account == MARKET:
                said.append(f"  {side}: order {order} of {MARKET}, which has no balances")
            else:
                said.append(f"  {side}: order {order} of {account}, who gives the {got} back for the {gave}; {paid}")
        return said

    def row(self) -> dict[str, Any]:
        """Return the same for JSON, in ticks, lots and minor units."""
        command = self.command
        sides: dict[str, Any] = {
            side: {"account": account, "order_id": order, "fee": fee} for side, account, order, fee in _legs(command)
        }
        return {
            "symbol": command.key,
            "trade": command.trade,
            "price": command.price,
            "quantity": command.quantity,
            "listing": command.listing,
            "time_ms": self.trade.time_ms,
            **sides,
        }


def find(at: Venue, symbol: str, number: int, say: Say = lambda _: None) -> Evidence:
    """Read all that the log has on a trade.

    Raises:
        OpenbellError: if there is no such trade, it is undone already, or its fills are not reported yet.
    """
    say("reading the trades")
    trade = next(_of(at, topics.TRADES, symbol, decode_trades, Trade, number), None)
    if trade is None:
        raise OpenbellError(f"{symbol} has no trade {number}; 'openbell reports' shows the trade of each fill")
    say("reading what has been undone")
    if next(_of(at, topics.BOOK_DELTAS, symbol, decode_book_deltas, TradeBusted, number), None) is not None:
        raise OpenbellError(f"trade {number} of {symbol} has been undone already")
    say("reading the reports of both sides")
    fills = {
        fill.side: fill for fill in _of(at, topics.ORDER_REPORTS, symbol, decode_order_reports, OrderFilled, number)
    }
    collected = 0
    if len(fills) < len(_SIDES):
        say("reading what the fee account got")
        collecting = _of(at, topics.ACCOUNT_INBOX, symbol, decode_account_inbox, FeeCollected, number)
        collected = next((fee.amount for fee in collecting), 0)
    return Evidence(trade, bust(trade, fills, collected))


def bust(trade: Trade, fills: dict[Side, OrderFilled], collected: int) -> BustTrade:
    """Put a bust together from a trade, the fills that accounts were told of, and what both sides paid in fees.

    `@market` is told of no fills, so its fee is what the other side did not pay.

    Raises:
        OpenbellError: if an account's fill is missing.
    """
    taker_buys = trade.taker_side == "buy"
    orders: dict[Side, int] = {
        "buy": trade.taker_order if taker_buys else trade.maker_order,
        "sell": trade.maker_order if taker_buys else trade.taker_order,
    }
    for side in _SIDES:
        if side not in fills and orders[side] > 0:
            raise OpenbellError(
                f"the {side} side of trade {trade.seq} of {trade.symbol} is not reported yet; try again in a moment"
            )
    fees = {side: fill.fee for side, fill in fills.items()}
    for side in _SIDES:
        if side not in fees:
            fees[side] = collected - sum(fees.values())
    accounts = {side: fills[side].account if side in fills else MARKET for side in _SIDES}
    return BustTrade(
        key=trade.symbol,
        trade=trade.seq,
        price=trade.price,
        quantity=trade.quantity,
        buyer=accounts["buy"],
        seller=accounts["sell"],
        buy_order=orders["buy"],
        sell_order=orders["sell"],
        buy_fee=fees["buy"],
        sell_fee=fees["sell"],
        listing=trade.listing,
    )


def _legs(command: BustTrade) -> tuple[tuple[Side, str, int, int], ...]:
    return (
        ("buy", command.buyer, command.buy_order, command.buy_fee),
        ("sell", command.seller, command.sell_order, command.sell_fee),
    )


def _of(at: Venue, topic: str, symbol: str, decode: PacketDecoder[Any], kind: type[Any], number: int) -> Iterator[Any]:
    """Yield the messages of a kind on one trade, from a whole topic."""
    from wire.reader import Reader

    with Reader(at.bootstrap_servers, at.name, [topic]) as reader:
        yield from about(reader.to_end(), symbol, decode, kind, number)


def about(
    records: Iterable[Record], symbol: str, decode: PacketDecoder[Any], kind: type[Any], number: int
) -> Iterator[Any]:
    """Yield the messages of a kind on one trade; only records that name the symbol are decoded."""
    name = b'"%s"' % symbol.encode()
    for record in records:
        if name not in record.value:
            continue
        try:
            messages = decode(record.value)
        except InvalidPacket:
            continue
        for message in messages:
            if isinstance(message, kind) and (message.symbol, _number(message)) == (symbol, number):
                yield message


def _number(message: Any) -> int:
    """Return the number of the trade that a message is, or is about."""
    number: int = message.seq if isinstance(message, Trade) else message.trade
    return number
