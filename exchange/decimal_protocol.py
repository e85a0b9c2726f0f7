"""One book driven by simple commands with decimal strings: the engine for people who want nothing else.

    {"type": "PlaceOrder", "account": "alice", "side": "buy", "price": "101.25", "quantity": "10"}
    {"type": "CancelOrder", "order_id": 1}
    {"type": "AdvanceClock", "time_ms": 951868800000}

Events come as JSON objects with decimal strings. Channels are the book's own affair and not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from exchange.book import Book
from exchange.errors import InvalidAmount, InvalidPacket
from exchange.instruments import Instrument
from exchange.messages import (
    PRICE_MAX,
    QUANTITY_MAX,
    AdvanceClock,
    BookDelta,
    BookSnapshot,
    EnterOrder,
    Kind,
    ListInstrument,
    Millis,
    Name,
    PullOrder,
    Seq,
    Side,
    TimeInForce,
    Trade,
)
from exchange.packets import PacketDecoder, encode

SOURCE: Final = "lines"
_AMOUNTS: Final = ("price", "quantity", "leaves")


class _Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all commands may say: the time, which moves the book's clock forward."""

    time_ms: Millis = 0


class _Place(_Command, frozen=True, kw_only=True, tag="PlaceOrder"):
    """Buy or sell. `order_id` defaults to the next number, a market order's `price` to no protection at all."""

    account: Name
    side: Side
    quantity: str
    price: str | None = None
    order_id: Seq | None = None
    kind: Kind = "limit"
    time_in_force: TimeInForce | None = None
    expires_ms: Millis = 0


class _Cancel(_Command, frozen=True, kw_only=True, tag="CancelOrder"):
    """Take an order off the book, if `account`, where it is given, is its owner."""

    order_id: Seq
    account: Name | None = None


class _Advance(_Command, frozen=True, kw_only=True, tag="AdvanceClock"):
    """Let time pass."""


Command: TypeAlias = _Place | _Cancel | _Advance
_decode: PacketDecoder[Any] = PacketDecoder(Command)


class DecimalBook:
    """A listed instrument's book and the numbers of its orders, from 1."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.book = Book(instrument.symbol, "replay", 1)
        self.book.apply(ListInstrument(key=instrument.symbol, instrument=instrument), 0)
        self._last_id = 0

    def apply(self, line: bytes) -> Iterator[bytes]:
        """Apply a command, or an array of them, and yield the events, a line of JSON each.

        Raises:
            InvalidPacket: if it is no command, or one that cannot be; the commands before it in an array are applied.
        """
        for command in _decode(line):
            try:
                message = self._translate(command)
            except InvalidAmount as error:
                raise InvalidPacket(str(error)) from error
            for event in self.book.apply(message, 0):
                if not isinstance(event, BookSnapshot):
                    yield encode(self._written(event)) + b"\n"

    def _translate(self, command: _Place | _Cancel | _Advance) -> EnterOrder | PullOrder | AdvanceClock:
        symbol = self.instrument.symbol
        if isinstance(command, _Advance):
            return AdvanceClock(key=symbol, time_ms=command.time_ms)
        if isinstance(command, _Cancel):
            order = self.book.orders.get(command.order_id)
            account = command.account or (order.account if order else "")
            return PullOrder(
                source=SOURCE,
                seq=self._seq(),
                time_ms=command.time_ms,
                account=account,
                order_id=command.order_id,
                symbol=symbol,
            )
        return self._order(command)

    def _order(self, command: _Place) -> EnterOrder:
        market = command.kind == "market"
        time_in_force = command.time_in_force or ("IOC" if market else "GTC")
        if market and time_in_force not in ("IOC", "FOK"):
            raise InvalidPacket("a market order is IOC or FOK")
        if (time_in_force == "GTD") != bool(command.expires_ms):
            raise InvalidPacket("expires_ms goes with GTD, and GTD with expires_ms")
        if command.price is not None:
            price = self.instrument.price_ticks(command.price)
        elif market:
            price = PRICE_MAX if command.side == "buy" else 1
        else:
            raise InvalidPacket("a limit order needs a price")
        quantity = self.instrument.quantity_lots(command.quantity)
        if not 1 <= price <= PRICE_MAX:
            raise InvalidPacket(f"price {command.price} is not 1 to {PRICE_MAX} ticks")
        if not 1 <= quantity <= QUANTITY_MAX:
            raise InvalidPacket(f"quantity {command.quantity} is not 1 to {QUANTITY_MAX} lots")
        order_id = command.order_id or self._last_id + 1
        if order_id in self.book.orders:
            raise InvalidPacket(f"order {order_id} is already on the book")
        self._last_id = max(self._last_id, order_id)
        return EnterOrder(
            source=SOURCE,
            seq=self._seq(),
            time_ms=command.time_ms,
            account=command.account,
            order_id=order_id,
            symbol=self.instrument.symbol,
            side=command.side,
            price=price,
            quantity=quantity,
            kind=command.kind,
            time_in_force=time_in_force,
            expires_ms=command.expires_ms,
        )

    def _seq(self) -> int:
        return self.book.inbound.counts.get(SOURCE, 0) + 1

    def _written(self, event: Any) -> dict[str, Any]:
        """Return an event with decimal strings, without what numbers its channel."""
        fields: dict[str, Any] = msgspec.to_builtins(event)
        if not isinstance(event, Trade | BookDelta):
            del fields["source"], fields["seq"]
        if fields.get("account") == "":
            del fields["account"]
        for name in _AMOUNTS:
            if name in fields:
                write = self.instrument.price_text if name == "price" else self.instrument.quantity_text
                fields[name] = write(fields[name])
        return fields
