"""Turns what a person typed into a form, or a program sent as JSON, into an order; or says of every field what to change.

Theory of operation: both faces hand over a mapping of field to value, here called a ticket. Prices and quantities become ticks and lots
by the instrument's own exact conversion. Nothing is rounded, guessed or cut, with one exception, which is the protection price of
a market order that names none: `PROTECTION_PERCENT` beyond the best price of the other side, rounded towards it. An order that is
known under the ticket's request id gives its own, so that a ticket that is sent again asks for the same order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias, cast, get_args
from uuid import uuid4

import msgspec

from exchange.errors import ExchangeError
from exchange.instruments import Instrument
from exchange.messages import PRICE_MAX, QUANTITY_MAX, Kind, PlaceOrder, Side, TimeInForce
from exchange.money import UNITS_MAX, from_units, minor_step, parse_decimal
from gateway.ports import GatewayError, Views, ViewsUnavailable
from gateway.shown import Shown

Tone: TypeAlias = Literal["", "good", "bad", "unknown"]
Errors: TypeAlias = dict[str, str]

FIELDS: Final = (
    "symbol",
    "side",
    "kind",
    "price",
    "quantity",
    "time_in_force",
    "expires_ms",
    "request_id",
)
"""All fields of a ticket; `symbol`, `side` and `quantity` must be there."""
PROTECTION_PERCENT: Final = 5
"""A market order without a price trades at most so far beyond the best price of the other side."""
TYPED_MAX: Final = 64
"""Greatest length of a field that is shown again as it was typed."""

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,64}")


class TicketShown(Shown, frozen=True):
    """The order form: values as typed, what is wrong with them by field, and a notice about the last order."""

    symbol: str
    request_id: str
    side: str = "buy"
    kind: str = "limit"
    price: str = ""
    quantity: str = ""
    time_in_force: str = "GTC"
    errors: Errors = msgspec.field(default_factory=dict)
    notice: str = ""
    tone: Tone = ""


class InvalidTicket(GatewayError):
    """A ticket that cannot become an order. `errors` says by field what to write."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("nothing was sent: " + "; ".join(f"{field}: {what}" for field, what in errors.items()))
        self.errors = errors


def new_request_id() -> str:
    """Make an id that no other request has."""
    return uuid4().hex


def blank(symbol: str) -> TicketShown:
    """Return an empty form for the next order."""
    return TicketShown(symbol=symbol, request_id=new_request_id())


def typed(symbol: str, fields: Mapping[str, str], errors: Errors, notice: str, tone: Tone) -> TicketShown:
    """Return a form that shows again what was typed, under the same request id, so that sending it again is safe."""
    shown = {name: fields.get(name, "")[:TYPED_MAX] for name in ("side", "kind", "price", "quantity", "time_in_force")}
    request_id = new_request_id() if "request_id" in errors else fields.get("request_id") or new_request_id()
    return TicketShown(symbol=symbol, **shown, request_id=request_id, errors=errors, notice=notice, tone=tone)


async def read_ticket(fields: Mapping[str, Any], views: Views, account: str, now_ms: int) -> PlaceOrder:
    """Return the order that a ticket asks for. `fields` has the names of `FIELDS`; empty text is as good as none.

    Raises:
        InvalidTicket: with an error for every field that is wrong.
        ViewsUnavailable: if the instruments cannot be read.
    """
    reading = _Reading(fields)
    instrument = reading.instrument(await views.instruments())
    side = cast(Side, reading.choice("side", get_args(Side)))
    kind = cast(Kind, reading.choice("kind", get_args(Kind), "limit"))
    time_in_force = cast(TimeInForce, reading.choice("time_in_force", get_args(TimeInForce), _usual(kind)))
    quantity = reading.amount("quantity", instrument, QUANTITY_MAX)
    expires_ms = reading.expires_ms(time_in_force)
    request_id = reading.request_id()
    if kind != "market" or not reading.missing("price"):
        price = reading.amount("price", instrument, PRICE_MAX)
    elif instrument and side:
        price = await _known_price(reading, instrument, views, account) or await _protection(
            reading, side, instrument, views
        )
    else:
        price = 0
    if kind == "market" and time_in_force not in ("IOC", "FOK", ""):
        reading.errors.setdefault("time_in_force", "A market order never rests in the book: choose IOC or FOK.")
    if instrument and price and quantity:
        reading.affordable(instrument, price, quantity)
    if reading.errors or instrument is None:
        raise InvalidTicket(reading.errors)
    return PlaceOrder(
        account=account,
        request_id=request_id,
        created_ms=now_ms,
        symbol=instrument.symbol,
        side=side,
        price=price,
        quantity=quantity,
        kind=kind,
        time_in_force=time_in_force,
        expires_ms=expires_ms,
    )


def protection(side: Side, best: int) -> int:
    """Return the price, in ticks, beyond which a market order must not trade; `best` is the other side's best price.

    >>> protection("buy", 10_000), protection("sell", 10_000), protection("sell", 1)
    (10500, 9500, 1)
    """
    if side == "buy":
        return min(best * (100 + PROTECTION_PERCENT) // 100, PRICE_MAX)
    return -(-best * (100 - PROTECTION_PERCENT) // 100)


async def price_text(order: PlaceOrder, views: Views) -> str:
    """Return an order's price as a decimal, such as the protection price that it was given; empty if that cannot be told."""
    with suppress(ViewsUnavailable):
        instrument = (await views.instruments()).get(order.symbol)
        if instrument is not None:
            return instrument.price_text(order.price)
    return ""


async def _known_price(reading: _Reading, instrument: Instrument, views: Views, account: str) -> int:
    """Return the price of the order that is known under the ticket's request id; 0 if there is none."""
    request_id = reading.fields.get("request_id")
    if not request_id or "request_id" in reading.errors:
        return 0
    answer = (await views.answers(account, [request_id])).get(request_id)
    order = None if answer is None else answer.order
    return 0 if order is None or order.symbol != instrument.symbol else instrument.price_ticks(order.price)


async def _protection(reading: _Reading, side: Side, instrument: Instrument, views: Views) -> int:
    """Return the protection price in ticks; 0, with an error, if there is no best price to tell it from."""
    depth = await views.depth(instrument.symbol, 1)
    levels = () if depth is None else depth.asks if side == "buy" else depth.bids
    if not levels:
        nobody = "Nobody sells" if side == "buy" else "Nobody buys"
        reading.errors["price"] = f"{nobody} now: write the price beyond which the order must not trade."
        return 0
    return protection(side, instrument.price_ticks(levels[0].price))


def _usual(kind: str) -> str:
    return "IOC" if kind == "market" else "GTC"


class _Reading:
    """Takes the fields of one ticket, and collects what is wrong with them."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        self.errors: Errors = {}

    def missing(self, name: str) -> bool:
        return self.fields.get(name) in (None, "")

    def text(self, name: str, example: str) -> str:
        """Return a field's text; empty, with an error, if it is missing or no text."""
        value = self.fields.get(name)
        if self.missing(name):
            self.errors[name] = f"This is needed: write {example}."
        elif not isinstance(value, str):
            self.errors[name] = f"This must be text in quotes: write {example}."
        else:
            return value
        return ""

    def choice(self, name: str, choices: tuple[str, ...], default: str = "") -> str:
        if default and self.missing(name):
            return default
        wanted = " or ".join((", ".join(choices[:-1]), choices[-1]))
        value = self.text(name, wanted)
        if value and value not in choices:
            self.errors[name] = f"There is no such choice: write {wanted}."
            return ""
        return value

    def instrument(self, instruments: Mapping[str, Instrument]) -> Instrument | None:
        symbol = self.text("symbol", "a listed symbol such as AAPLUSD")
        instrument = instruments.get(symbol)
        if symbol and instrument is None:
            self.errors["symbol"] = "This symbol is not listed: write one of those that the list of instruments has."
        return instrument

    def amount(self, name: Literal["price", "quantity"], instrument: Instrument | None, units_max: int) -> int:
        """Return a price in ticks or a quantity in lots; 0, with an error, if it is none."""
        step_name = "tick" if name == "price" else "lot"
        if instrument is None:
            self.text(name, f"a whole number of {step_name}s as a plain decimal")
            return 0
        step: str = getattr(instrument, step_name)
        to_units: Callable[[str], int] = instrument.price_ticks if name == "price" else instrument.quantity_lots
        rule = f"a multiple of the {step_name} {step}, from {step} to {from_units(units_max, step)}"
        text = self.text(name, rule)
        if not text:
            return 0
        try:
            parse_decimal(text)
        except ExchangeError:
            self.errors[name] = f"This is not a plain number such as {from_units(125, step)}: write {rule}."
            return 0
        try:
            units = to_units(text)
        except ExchangeError:
            self.errors[name] = f"This cannot be traded: write {rule}."
            return 0
        if not 1 <= units <= units_max:
            self.errors[name] = f"This is out of range: write {rule}."
            return 0
        return units

    def affordable(self, instrument: Instrument, price: int, quantity: int) -> None:
        """Refuse what no account could ever pay, so that no machine has to count so far."""
        worth_max = min(UNITS_MAX // instrument.notional_units, UNITS_MAX)
        if price * quantity > worth_max or quantity * instrument.lot_units > UNITS_MAX:
            most = from_units(UNITS_MAX, minor_step(instrument.quote_scale))
            self.errors["quantity"] = f"Price times quantity is more than {most} {instrument.quote}: write less."

    def expires_ms(self, time_in_force: str) -> int:
        """Return when a GTD order expires, and 0 for any other."""
        value = self.fields.get("expires_ms")
        if time_in_force != "GTD":
            if not self.missing("expires_ms") and time_in_force:
                self.errors["expires_ms"] = "Only an order with time_in_force GTD expires: leave this away."
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= UNITS_MAX:
            self.errors["expires_ms"] = (
                "A GTD order needs the time at which it expires: write milliseconds since the epoch as a whole number."
            )
            return 0
        return value

    def request_id(self) -> str:
        if self.missing("request_id"):
            return new_request_id()
        value = self.text("request_id", "1 to 64 printable ASCII characters")
        if value and not _REQUEST_ID.fullmatch(value):
            self.errors["request_id"] = (
                "This must be 1 to 64 printable ASCII characters without a space: write another."
            )
        return value
