"""Reads orders as design B writes them, and answers in its 11 fields.

Theory of operation: what the words of such an order mean is `exchange.seed_formats`'s, as for its records in Kafka; the rest is a ticket
(`gateway.tickets`), like every order that comes by form or by REST. Numbers are read and written as decimals, digit by digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from exchange.messages import Kind, PlaceOrder
from exchange.seed_formats import Named, OrderB, SeedOrder, plain, read_order_b
from gateway.ports import Views
from gateway.reading import Errors
from gateway.seeds.names import find
from gateway.shown import FillShown, OrderShown
from gateway.tickets import InvalidTicket, read_ticket

FIELDS: Final = ("symbol", "qty", "side", "type", "price", "time_in_force")
_NAMES: Final = {
    "order_type": "type",
    "stock_symbol": "symbol",
    "quantity": "qty",
    "kind": "type",
    "expires_ms": "time_in_force",
}
"""What fields that are named otherwise elsewhere are called here."""
_UNLISTED: Final = "This is not listed: write one of the symbols that GET /api/v1/instruments has."

RequestId = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as a client writes it. `request_id` is for bulk orders; others have none."""

    symbol: Named
    qty: Decimal
    side: str
    type: str
    price: Decimal | None = None
    time_in_force: str | None = None
    request_id: RequestId | None = None


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told of its order. `trade_qty` adds up what it has traded, at the mean price `trade_price`; the other two name its first trade."""

    symbol: str
    qty: Decimal
    price: Decimal | None
    side: str
    timestamp: str
    order_id: int
    instmt: str
    trade_price: Decimal | None
    trade_qty: Decimal
    trade_side: str | None
    trade_id: str | None


_decode: Final = msgspec.json.Decoder(Wanted).decode


def decode(raw: bytes | msgspec.Raw) -> Wanted:
    """Read an order's JSON object. Raises InvalidTicket, which says which field is wrong."""
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what, found, path = str(error).rpartition(" - at `$.")
        raise InvalidTicket({path.rstrip("`") if found else "order": what if found else str(error)}) from error


def meaning(wanted: Wanted, now_ms: int) -> SeedOrder:
    """Return what an order asks for when it is placed at `now_ms`. Raises InvalidTicket."""
    written = OrderB(
        order_id=0,
        stock_symbol=wanted.symbol,
        quantity=wanted.qty,
        side=wanted.side,
        order_type=wanted.type,
        price=wanted.price,
        time_in_force=wanted.time_in_force,
    )
    try:
        return read_order_b(written, now_ms)
    except InvalidPacket as error:
        field, _, what = str(error).partition(": ")
        raise InvalidTicket({_NAMES.get(field, field): what}) from error


def listed_as(name: str, instruments: Mapping[str, Instrument]) -> Instrument:
    """Return the instrument that a client means. Raises InvalidTicket if there is none."""
    instrument = find(name, instruments)
    if instrument is None:
        raise InvalidTicket({"symbol": _UNLISTED})
    return instrument


async def read_order(wanted: Wanted, views: Views, account: str, now_ms: int) -> PlaceOrder:
    """Return the command that places an order. Raises InvalidTicket or ViewsUnavailable."""
    order = meaning(wanted, now_ms)
    instrument = listed_as(wanted.symbol, await views.instruments())
    ticket: dict[str, Any] = {
        "symbol": instrument.symbol,
        "side": order.side,
        "quantity": plain(order.quantity),
        "kind": order.kind,
        "price": plain(order.price) if order.price else "",
        "time_in_force": order.time_in_force,
        "expires_ms": order.expires_ms or "",
        "request_id": wanted.request_id or "",
    }
    try:
        return await read_ticket(ticket, views, account, now_ms)
    except InvalidTicket as error:
        raise InvalidTicket(_renamed(error.errors)) from error


def meant(
    wanted: Wanted, orders: Iterable[OrderShown], instruments: Mapping[str, Instrument], now_ms: int
) -> int | None:
    """Return which of some open orders a client means that describes it: of those that are so, the one placed first. None: there is none.

    Its time in force only decides between several, since a time that has passed by now meant something else when the order was placed.
    Raises InvalidTicket.
    """
    order = meaning(wanted, now_ms)
    symbol = listed_as(wanted.symbol, instruments).symbol
    kinds: tuple[Kind, ...] = (order.kind, "market-to-limit") if order.kind == "market" else (order.kind,)
    found = [
        one
        for one in orders
        if (one.symbol, one.side) == (symbol, order.side)
        and one.kind in kinds
        and Decimal(one.quantity) == order.quantity
        and (not order.price or Decimal(one.price) == order.price)
    ]
    force = (order.time_in_force, order.expires_ms)
    found.sort(key=lambda one: ((one.time_in_force, one.expires_ms) != force, one.order_id))
    return found[0].order_id if found else None


def placed(wanted: Wanted, order: OrderShown, fills: Iterable[FillShown]) -> Placed:
    """Return what a client is told of its order; `fills` are the account's, newest first."""
    own = [fill for fill in fills if fill.order_id == order.order_id]
    price = wanted.price or None
    return Placed(
        symbol=wanted.symbol,
        qty=wanted.qty,
        price=price,
        side=wanted.side,
        timestamp=datetime.fromtimestamp(order.placed_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        order_id=order.order_id,
        instmt=wanted.symbol,
        trade_price=Decimal(order.average) if order.average else None,
        trade_qty=Decimal(order.filled),
        trade_side=wanted.side if own else None,
        trade_id=own[-1].id if own else None,
    )


def _renamed(errors: Errors) -> Errors:
    return {_NAMES.get(field, field): what for field, what in errors.items()}
