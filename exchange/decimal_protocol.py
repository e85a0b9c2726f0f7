"""One book driven by simple commands with decimal strings: the engine for people who want nothing else.

    {"type": "PlaceOrder", "account": "alice", "side": "buy", "price": "101.25", "quantity": "10"}
    {"type": "PlaceOrder", "account": "bob", "side": "sell", "quantity": "5", "kind": "stop", "conditions": {"stop": "99.00"}}
    {"type": "AmendOrder", "order_id": 1, "quantity": "4"}
    {"type": "CancelOrder", "order_id": 1}
    {"type": "SetPhase", "phase": "opening-auction"}
    {"type": "AdvanceClock", "time_ms": 951868800000}

Events come as JSON objects with decimal strings (`decimal_events`). Channels are the book's own affair and not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from exchange.book import Book
from exchange.decimal_commands import (
    Advance,
    Amend,
    Cancel,
    CancelAllOrders,
    ChangePhase,
    Command,
    Leg,
    Place,
    PlacePair,
    Replace,
    TextConditions,
)
from exchange.decimal_events import written
from exchange.errors import InvalidAmount, InvalidPacket
from exchange.instruments import Instrument, Rules
from exchange.messages import (
    PRICE_MAX,
    QUANTITY_MAX,
    AdvanceClock,
    BookSnapshot,
    CancelSymbol,
    Conditions,
    EnterOco,
    EnterOrder,
    ListInstrument,
    PullOrder,
    ReviseOrder,
    SetPhase,
    SwapOrder,
)
from exchange.packets import PacketDecoder, encode
from exchange.terms import flaw, leg_flaw

SOURCE: Final = "lines"
_PROTECTED: Final = ("market", "market-to-limit", "stop", "trailing-stop", "pegged")
"""Kinds whose price is a protection only, so that it may be left out."""

_decode: PacketDecoder[Any] = PacketDecoder(Command)


class DecimalBook:
    """A listed instrument's book and the numbers of its orders, from 1."""

    def __init__(self, instrument: Instrument, rules: Rules | None = None) -> None:
        self.instrument = instrument
        self.book = Book(instrument.symbol, "replay", 1)
        listed = ListInstrument(key=instrument.symbol, instrument=instrument, rules=rules or Rules())
        self.book.apply(listed, 0)
        self._last_id = 0

    def apply(self, line: bytes) -> Iterator[bytes]:
        """Apply a command, or an array of them, and yield the events, a line of JSON each.

        Raises:
            InvalidPacket: if it is no command, or one that cannot be; the commands before it in an array are applied.
        """
        for command in _decode(line):
            try:
                messages = self._translate(command)
            except InvalidAmount as error:
                raise InvalidPacket(str(error)) from error
            for message in messages:
                for event in self.book.apply(message, 0):
                    if not isinstance(event, BookSnapshot):
                        yield encode(written(event, self.instrument)) + b"\n"

    def _translate(self, command: Any) -> list[Any]:
        """Return the messages that a command is for the book."""
        symbol, time_ms = self.instrument.symbol, command.time_ms
        if isinstance(command, Advance):
            return [AdvanceClock(key=symbol, time_ms=time_ms)]
        if isinstance(command, ChangePhase | CancelAllOrders):
            message: Any = CancelSymbol(key=symbol)
            if isinstance(command, ChangePhase):
                message = SetPhase(key=symbol, phase=command.phase, at_ms=command.at_ms)
            return [AdvanceClock(key=symbol, time_ms=time_ms), message]
        if isinstance(command, Place):
            return [self._order(command, command, command.account)]
        if isinstance(command, PlacePair):
            return [self._pair(command)]
        return [self._change(command)]

    def _change(self, command: Cancel | Amend | Replace) -> PullOrder | ReviseOrder | SwapOrder:
        """Return what changes an order that may be there; whose it is, is known if it is."""
        order_id = command.replaced if isinstance(command, Replace) else command.order_id
        order = self.book.orders.get(order_id)
        common: dict[str, Any] = {
            "source": SOURCE,
            "seq": self._seq(),
            "time_ms": command.time_ms,
            "account": command.account or (order.account if order else ""),
            "order_id": order_id,
            "symbol": self.instrument.symbol,
        }
        if isinstance(command, Cancel):
            return PullOrder(**common)
        if isinstance(command, Amend):
            return ReviseOrder(
                **common,
                price=self._price(command.price, "price"),
                quantity=self._quantity(command.quantity, "quantity"),
                stop=self._price(command.stop, "stop"),
            )
        placed = self._order(command, command, common["account"])
        return SwapOrder(**common, leaves=order.leaves if order else placed.quantity, order=placed)

    def _pair(self, command: PlacePair) -> EnterOco:
        first = self._order(command.first, command, command.account)
        second = self._order(command.second, command, command.account, first.order_id)
        for name, leg in (("first", first), ("second", second)):
            found = leg_flaw(leg)
            if found is not None:
                raise InvalidPacket(f"{name}: {found}: such an order cannot be one of a pair")
        return EnterOco(
            source=SOURCE,
            seq=first.seq,
            time_ms=command.time_ms,
            account=command.account,
            symbol=self.instrument.symbol,
            first=first,
            second=second,
        )

    def _order(self, leg: Leg, whole: Place | Replace | PlacePair, account: str, taken: int = 0) -> EnterOrder:
        """Return the order that a leg, or a whole command, asks for; `taken` is an id that another leg has."""
        if leg.price is not None:
            price = self._price(leg.price, "price")
        elif leg.kind in _PROTECTED:
            price = PRICE_MAX if whole.side == "buy" else 1
        else:
            raise InvalidPacket(f"a {leg.kind} order needs a price")
        order_id = leg.order_id or max(self._last_id, taken) + 1
        if order_id in self.book.orders or order_id == taken:
            raise InvalidPacket(f"order {order_id} is already on the book")
        order = EnterOrder(
            source=SOURCE,
            seq=self._seq(),
            time_ms=whole.time_ms,
            account=account,
            order_id=order_id,
            symbol=self.instrument.symbol,
            side=whole.side,
            price=price,
            quantity=self._quantity(whole.quantity, "quantity"),
            kind=leg.kind,
            time_in_force=leg.time_in_force or ("IOC" if leg.kind == "market" else "GTC"),
            expires_ms=leg.expires_ms,
            conditions=self._conditions(leg.conditions),
        )
        found = flaw(order)
        if found is not None:
            raise InvalidPacket(f"{found}: see rule 3 of docs/MATCHING.md for what goes together")
        self._last_id = max(self._last_id, order_id)
        return order

    def _conditions(self, asked: TextConditions | None) -> Conditions | None:
        if asked is None:
            return None
        offset = asked.offset or "0"
        return Conditions(
            stop=self._price(asked.stop, "stop"),
            trail=self._price(asked.trail, "trail"),
            peg=asked.peg,
            offset=self.instrument.price_ticks(offset.removeprefix("-")) * (-1 if offset.startswith("-") else 1),
            display=self._quantity(asked.display, "display"),
            post_only=asked.post_only,
            min_quantity=self._quantity(asked.min_quantity, "min_quantity"),
            all_or_none=asked.all_or_none,
            self_trade=asked.self_trade,
        )

    def _price(self, text: str | None, name: str) -> int:
        """Convert a price to ticks; 0: there is none."""
        if text is None:
            return 0
        ticks = self.instrument.price_ticks(text)
        if not 1 <= ticks <= PRICE_MAX:
            raise InvalidPacket(f"{name} {text} is not 1 to {PRICE_MAX} ticks")
        return ticks

    def _quantity(self, text: str | None, name: str) -> int:
        """Convert a quantity to lots; 0: there is none."""
        if text is None:
            return 0
        lots = self.instrument.quantity_lots(text)
        if not 1 <= lots <= QUANTITY_MAX:
            raise InvalidPacket(f"{name} {text} is not 1 to {QUANTITY_MAX} lots")
        return lots

    def _seq(self) -> int:
        return self.book.inbound.counts.get(SOURCE, 0) + 1
