"""Many orders at once: read one by one, written together, and answered one by one.

Theory of operation: an order costs a client's patience, not the exchange's, when each waits for the one before. Here all that can be
commands go to the log in as few records as they fit into, and the answer says which did; what the market makes of each is asked for by its
request id afterwards. A command that the exchange's decoder would refuse would take its whole record with it, so every bound is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from exchange.errors import ExchangeError
from exchange.instruments import Instrument
from exchange.messages import PRICE_MAX, QUANTITY_MAX, PlaceOrder
from exchange.seed_formats import plain
from gateway.problems import Problem
from gateway.reading import Errors, Reading
from gateway.seeds.orders import decode, listed_as, meaning
from gateway.shown import Shown
from gateway.tickets import InvalidTicket

ORDERS_MAX = 1_000
"""Greatest number of orders at once."""
BODY_MAX = 524_288
"""Greatest size of their body, in bytes."""

_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class SentShown(Shown, frozen=True):
    """What became of one of the orders: `SENT` to the exchange under its request id, or `REFUSED` with what to change by field."""

    state: Literal["SENT", "REFUSED"]
    request_id: str | None = None
    fields: Errors | None = None


class BulkShown(Shown, frozen=True):
    """What became of the orders, each in its place."""

    sent: int
    refused: int
    orders: list[SentShown]


class Bulk:
    """Some orders that came together: the commands, and what is said of each. One that names no request id gets `made_id` and its number."""

    def __init__(self, instruments: Mapping[str, Instrument], account: str, now_ms: int, made_id: str) -> None:
        self.commands: list[PlaceOrder] = []
        self._shown: list[SentShown] = []
        self._instruments = instruments
        self._account = account
        self._now_ms = now_ms
        self._made_id = made_id
        self._found: dict[str, Instrument] = {}
        self._used: set[str] = set()

    def answer(self) -> BulkShown:
        """Return what is said once the commands are in the log."""
        sent = len(self.commands)
        return BulkShown(sent=sent, refused=len(self._shown) - sent, orders=self._shown)

    def add(self, item: msgspec.Raw) -> None:
        """Take the next order's JSON object."""
        try:
            command = self._read(item)
        except InvalidTicket as error:
            self._shown.append(SentShown(state="REFUSED", fields=error.errors))
        else:
            self._used.add(command.request_id)
            self.commands.append(command)
            self._shown.append(SentShown(state="SENT", request_id=command.request_id))

    def _read(self, item: msgspec.Raw) -> PlaceOrder:
        """Return the command of an order. Raises InvalidTicket."""
        wanted = decode(item)
        order = meaning(wanted, self._now_ms)
        instrument = self._instrument(wanted.symbol)
        request_id = wanted.request_id or f"{self._made_id}-{len(self._shown)}"
        reading = Reading({})
        if request_id in self._used:
            reading.wrong("request_id", "Another of these orders has this id: write another.")
        price = 0
        if order.price:
            price = _units(reading, "price", instrument.price_ticks, plain(order.price), instrument.tick, PRICE_MAX)
        else:
            reading.wrong(
                "price", "A market order that comes with others needs the price beyond which it must not trade."
            )
        quantity = _units(reading, "qty", instrument.quantity_lots, plain(order.quantity), instrument.lot, QUANTITY_MAX)
        if price and quantity:
            reading.affordable(instrument, price, quantity)
        if reading.errors:
            raise InvalidTicket({"qty" if name == "quantity" else name: what for name, what in reading.errors.items()})
        return PlaceOrder(
            account=self._account,
            request_id=request_id,
            created_ms=self._now_ms,
            symbol=instrument.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            kind=order.kind,
            time_in_force=order.time_in_force,
            expires_ms=order.expires_ms,
        )

    def _instrument(self, name: str) -> Instrument:
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = listed_as(name, self._instruments)
        return found


def read_bulk(body: bytes, bulk: Bulk) -> None:
    """Read a JSON array of orders.

    Raises:
        Problem: if it is no array of 1 to `ORDERS_MAX` orders.
    """
    try:
        items: Sequence[msgspec.Raw] = _list(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "INVALID_JSON", "The body must be a JSON array of orders.") from error
    if not 1 <= len(items) <= ORDERS_MAX:
        raise Problem(400, "TOO_MANY", f"Send 1 to {ORDERS_MAX} orders at once.")
    for item in items:
        bulk.add(item)


def _units(reading: Reading, field: str, count: Callable[[str], int], text: str, step: str, most: int) -> int:
    """Return a decimal in ticks or lots; 0, with an error, if it is none of them or out of range."""
    try:
        units = count(text)
    except ExchangeError:
        units = 0
    if not 1 <= units <= most:
        reading.wrong(field, f"This cannot be traded: write a multiple of {step}.")
        return 0
    return units
