"""Turns what a person typed into a form, or a program sent as JSON, into an order; or says of every field what to change.

Theory of operation: both faces hand over a mapping of field to value, here called a ticket. Nothing is rounded, guessed or cut, with one
exception, which is the protection price of an order that has no limit and names none: `PROTECTION_PERCENT` beyond the price
at which it would trade, rounded towards it, and within the collar. An order that is known under the ticket's request id gives its
own, so that a ticket that is sent again asks for the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias, cast, get_args
from uuid import uuid4

import msgspec

from exchange.instruments import Instrument
from exchange.messages import (
    PRICE_MAX,
    AmendOrder,
    Conditions,
    Kind,
    Peg,
    PlaceOrder,
    PostOnly,
    SelfTrade,
    Side,
    TimeInForce,
)
from gateway.flaws import explain
from gateway.ports import GatewayError, Views, ViewsUnavailable
from gateway.reading import Errors, Reading
from gateway.shown import Depth, OrderShown, Shown

Tone: TypeAlias = Literal["", "good", "bad", "unknown"]

TERMS: Final = (
    "kind",
    "price",
    "time_in_force",
    "expires_ms",
    "stop",
    "trail",
    "peg",
    "offset",
    "display",
    "post_only",
    "min_quantity",
    "all_or_none",
    "self_trade",
    "request_id",
)
"""What each order of a group says of itself."""
FIELDS: Final = ("symbol", "side", "quantity", *TERMS)
"""All fields of a ticket; `symbol`, `side` and `quantity` must be there."""
AMENDMENT_FIELDS: Final = ("price", "quantity", "stop", "request_id")
PROTECTED: Final[frozenset[Kind]] = frozenset(("market", "market-to-limit", "stop", "trailing-stop", "pegged"))
"""Kinds of orders whose price is only a protection price."""
PROTECTION_PERCENT: Final = 5
"""An order without a price trades at most so far beyond the price at which it would trade now, or once it is triggered."""
TYPED_MAX: Final = 64
"""Greatest length of a field that is shown again as it was typed."""


class TicketShown(Shown, frozen=True):
    """The order form: values as typed, what is wrong with them by field, and a notice about the last order."""

    symbol: str
    request_id: str
    side: str = "buy"
    kind: str = "limit"
    price: str = ""
    quantity: str = ""
    time_in_force: str = "GTC"
    expires: str = ""
    stop: str = ""
    trail: str = ""
    peg: str = ""
    offset: str = ""
    display: str = ""
    post_only: str = ""
    min_quantity: str = ""
    all_or_none: str = ""
    self_trade: str = ""
    errors: Errors = msgspec.field(default_factory=dict)
    notice: str = ""
    tone: Tone = ""


TYPED: Final = tuple(
    name for name in TicketShown.__struct_fields__ if name not in ("symbol", "request_id", "errors", "notice", "tone")
)
"""Fields of the form that are shown again as they were typed."""


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
    shown = {name: fields.get(name, "")[:TYPED_MAX] for name in TYPED}
    request_id = new_request_id() if "request_id" in errors else fields.get("request_id") or new_request_id()
    return TicketShown(symbol=symbol, **shown, request_id=request_id, errors=errors, notice=notice, tone=tone)


async def read_ticket(fields: Mapping[str, Any], views: Views, account: str, now_ms: int) -> PlaceOrder:
    """Return the order that a ticket asks for. `fields` has the names of `FIELDS`; empty text is as good as none.

    Raises:
        InvalidTicket: with an error for every field that is wrong.
        ViewsUnavailable: if the instruments or the book cannot be read.
    """
    reading = Reading(fields)
    instrument = reading.instrument(await views.instruments())
    side = cast(Side, reading.choice("side", get_args(Side)))
    quantity = reading.quantity("quantity", instrument)
    order = await read_order(reading, views, account, now_ms, instrument, side, quantity)
    if order is None or reading.errors:
        raise InvalidTicket(reading.errors)
    return order


async def read_order(
    reading: Reading,
    views: Views,
    account: str,
    now_ms: int,
    instrument: Instrument | None,
    side: Side,
    quantity: int,
    made_id: str = "",
) -> PlaceOrder | None:
    """Return the order whose `TERMS` are read, or None with an error for every field that is wrong.

    `side` empty and `quantity` 0 say that those are wrong; `made_id` is its request id if it names none.

    Raises:
        ViewsUnavailable: if the book cannot be read.
    """
    kind = cast(Kind, reading.choice("kind", get_args(Kind), "limit"))
    time_in_force = cast(TimeInForce, reading.choice("time_in_force", get_args(TimeInForce), _usual(kind)))
    expires_ms = reading.expires_ms(time_in_force)
    request_id = reading.request_id(made_id or new_request_id())
    conditions = read_conditions(reading, instrument)
    if kind not in PROTECTED or not reading.missing("price"):
        price = reading.price("price", instrument)
    elif instrument and side:
        price = await _known_price(reading, instrument, views, account) or await _protection(
            reading, side, kind, conditions, instrument, views
        )
    else:
        price = 0
    if instrument and price and quantity:
        reading.affordable(instrument, price, quantity)
    if instrument is None or not (kind and side and time_in_force and request_id):
        return None
    order = PlaceOrder(
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
        conditions=None if conditions == Conditions() else conditions,
    )
    if quantity:
        dated = msgspec.structs.replace(
            order, expires_ms=1 if time_in_force == "GTD" else 0
        )  # said of already if wrong
        for name, what in explain(dated).items():
            reading.wrong(name, what)
    return None if reading.errors else order


def read_conditions(reading: Reading, instrument: Instrument | None) -> Conditions:
    """Return what else an order asks for; what is missing or wrong is not asked for."""
    self_trade = get_args(SelfTrade)
    return Conditions(
        stop=reading.optional_price("stop", instrument),
        trail=reading.optional_price("trail", instrument),
        peg=reading.optional_choice("peg", get_args(Peg)),
        offset=reading.offset("offset", instrument),
        display=reading.optional_quantity("display", instrument),
        post_only=reading.optional_choice("post_only", get_args(PostOnly)),
        min_quantity=reading.optional_quantity("min_quantity", instrument),
        all_or_none=reading.flag("all_or_none"),
        self_trade=reading.optional_choice("self_trade", self_trade) or self_trade[0],
    )


async def read_amendment(
    fields: Mapping[str, Any], order: OrderShown, views: Views, account: str, now_ms: int
) -> AmendOrder:
    """Return what a mapping with the names of `AMENDMENT_FIELDS` asks of an order; what is missing stays as it is. Errors as in `read_ticket`."""
    reading = Reading(fields)
    instrument = (await views.instruments()).get(order.symbol)
    command = AmendOrder(
        account=account,
        request_id=reading.request_id(new_request_id()),
        created_ms=now_ms,
        order_id=order.order_id,
        price=reading.optional_price("price", instrument),
        quantity=reading.optional_quantity("quantity", instrument),
        stop=reading.optional_price("stop", instrument),
    )
    if all(reading.missing(name) for name in ("price", "quantity", "stop")):
        for name in ("price", "quantity", "stop"):
            reading.wrong(name, "Nothing would change: write at least one of price, quantity and stop.")
    if instrument and command.price and command.quantity:
        reading.affordable(instrument, command.price, command.quantity)
    if reading.errors:
        raise InvalidTicket(reading.errors)
    return command


def protection(side: Side, best: int) -> int:
    """Return the price, in ticks, beyond which an order must not trade that would trade at `best`.

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


async def _known_price(reading: Reading, instrument: Instrument, views: Views, account: str) -> int:
    """Return the price of the order that is known under the ticket's request id; 0 if there is none."""
    request_id = reading.fields.get("request_id")
    if not request_id or reading.has_error("request_id"):
        return 0
    answer = (await views.answers(account, [request_id])).get(request_id)
    order = None if answer is None else answer.order
    return 0 if order is None or order.symbol != instrument.symbol else instrument.price_ticks(order.price)


async def _protection(
    reading: Reading, side: Side, kind: Kind, conditions: Conditions, instrument: Instrument, views: Views
) -> int:
    """Return the protection price in ticks; 0, with an error, if there is no price to tell it from."""
    depth = await views.depth(instrument.symbol, 1)
    if kind in ("stop", "trailing-stop") and conditions.stop:
        expected = conditions.stop
    else:
        levels = () if depth is None else depth.asks if side == "buy" else depth.bids
        if not levels:
            nobody = "Nobody sells" if side == "buy" else "Nobody buys"
            reading.wrong("price", f"{nobody} now: write the price beyond which the order must not trade.")
            return 0
        away = conditions.trail if side == "buy" else -conditions.trail
        expected = max(1, instrument.price_ticks(levels[0].price) + away)
    price = protection(side, expected)
    return price if depth is None else _within_collar(side, price, depth, instrument)


def _within_collar(side: Side, price: int, depth: Depth, instrument: Instrument) -> int:
    """Return a price, or the nearest one to it that the collar lets through."""
    if side == "buy":
        return price if depth.buy_max is None else min(price, instrument.price_ticks(depth.buy_max))
    return price if depth.sell_min is None else max(price, instrument.price_ticks(depth.sell_min))


def _usual(kind: str) -> str:
    return "IOC" if kind == "market" else "GTC"
