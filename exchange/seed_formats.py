"""The records of two older designs of an exchange, read and written: `seed-a` and `seed-b` (docs/PROTOCOL.md has their fields).

Theory of operation: their quantities and prices are JSON numbers with decimals. They are read as decimals, digit by digit
as they stand in the text, and written back in the same form, so that no binary fraction ever takes part. Their ids are
theirs, numbers or texts; nothing is read into them. Their times are naive and are taken as UTC.
"""

from __future__ import annotations

import re
from calendar import monthrange, timegm
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from exchange.errors import InvalidPacket
from exchange.instruments import Rule, Rules
from exchange.messages import Kind, Side, TimeInForce

ForeignId: TypeAlias = (
    Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | Annotated[str, Meta(min_length=1, max_length=128)]
)
Named = Annotated[str, Meta(min_length=1, max_length=128)]

SEED_B_WINDOW_MS: Final = 8 * 3_600_000
"""Orders of seed B match within eight hours."""
_DIGITS_MAX: Final = 30
_SIDES: Final[dict[str, Side]] = {"buy": "buy", "sell": "sell"}
_FORCES: Final[dict[str, TimeInForce]] = {
    "gtc": "GTC", "day": "DAY", "ioc": "IOC", "fok": "FOK", "opg": "OPG", "cls": "CLS",
}  # fmt: skip
_KINDS: Final[dict[str, Literal["limit", "market"]]] = {"limit": "limit", "market": "market"}
_SLASHED: Final = re.compile(r"(\d{4})/(\d\d)/(\d\d), (\d\d):(\d\d):(\d\d)", re.ASCII)
_DASHED: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?", re.ASCII)

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
T = TypeVar("T")


class SeedOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order of either design. `price` 0: a market order without one; `timestamp` is seed A's, as it stands there."""

    id: int | str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    time_ms: int = 0
    expires_ms: int = 0
    timestamp: str = ""


class SeedFormat(Protocol):
    """One of the two designs: its topics, its matching rule, and its records."""

    name: str
    rules: Rules
    orders: str
    trades: str
    sides: Mapping[Side, str]
    """The streams that each order of a side is passed on to, if there are any."""

    def decode(self, raw: bytes, time_ms: int | None) -> SeedOrder:
        """Read an order; `time_ms` is the time of its record, None if there is no such thing.

        Raises:
            InvalidPacket: if it is none; says which field is wrong.
        """

    def passed_on(self, raw: bytes) -> dict[str, Any]:
        """Return the fields of an order that has been read, as they stood, for the stream of its side."""

    def traded(self, buy: SeedOrder, sell: SeedOrder, quantity: Decimal, price: Decimal) -> Any:
        """Return what a record of the trades' topic holds."""


class _OrderA(msgspec.Struct):
    """An order of `stock_exchange_orders`."""

    id: ForeignId
    instrument: Named
    trxn_type: str
    quantity: Decimal
    price: Decimal
    order_timestamp: str


class OrderB(msgspec.Struct):
    """An order of `incoming_orders`, as its client writes it."""

    order_id: ForeignId
    stock_symbol: Named
    quantity: Decimal
    side: str
    order_type: str
    price: Decimal | None = None
    time_in_force: str | None = None


_decode_a: Final = msgspec.json.Decoder(_OrderA).decode
_decode_b: Final = msgspec.json.Decoder(OrderB).decode


class SeedA:
    """`stock_exchange_orders` -> `successful_trade`: trades of equal price and quantity, each an array of one."""

    name = "seed-a"
    rules = Rules(matching="exact")
    orders = "stock_exchange_orders"
    trades = "successful_trade"
    sides: Mapping[Side, str] = MappingProxyType({})

    def decode(self, raw: bytes, time_ms: int | None) -> SeedOrder:
        """Read an order, whose own time is its `order_timestamp`."""
        del time_ms
        order = _read(_decode_a, raw)
        return SeedOrder(
            id=order.id,
            instrument=order.instrument,
            side=_one_of("trxn_type", order.trxn_type, _SIDES),
            quantity=_amount("quantity", order.quantity),
            price=_amount("price", order.price),
            time_ms=_time_ms("order_timestamp", order.order_timestamp, _SLASHED),
            timestamp=order.order_timestamp,
        )

    def passed_on(self, raw: bytes) -> dict[str, Any]:
        """Return the fields of an order."""
        return msgspec.structs.asdict(_read(_decode_a, raw))

    def traded(self, buy: SeedOrder, sell: SeedOrder, quantity: Decimal, price: Decimal) -> Any:
        """Return an array of one trade, with the time of the later order."""
        return [
            {
                "id": buy.id,
                "id_sell": sell.id,
                "instrument": buy.instrument,
                "quantity": _as_written(quantity, buy.quantity, sell.quantity),
                "price": _as_written(price, buy.price, sell.price),
                "update_timestamp": max(buy.timestamp, sell.timestamp),
            }
        ]


class SeedB:
    """`incoming_orders` -> `MATCHED_TRADES`, and each order to `BUY_ORDERS` or `SELL_ORDERS`."""

    name = "seed-b"
    rules = Rules(matching="equal-quantity", window_ms=SEED_B_WINDOW_MS)
    orders = "incoming_orders"
    trades = "MATCHED_TRADES"
    sides: Mapping[Side, str] = MappingProxyType({"buy": "BUY_ORDERS", "sell": "SELL_ORDERS"})

    def decode(self, raw: bytes, time_ms: int | None) -> SeedOrder:
        """Read an order. A time for `time_in_force` that is after the order's own is its expiry, else it is good till cancelled.

        Without a `time_ms` it is the order's own time.
        """
        return read_order_b(_read(_decode_b, raw), time_ms)

    def passed_on(self, raw: bytes) -> dict[str, Any]:
        """Return the fields of an order."""
        return msgspec.structs.asdict(_read(_decode_b, raw))

    def traded(self, buy: SeedOrder, sell: SeedOrder, quantity: Decimal, price: Decimal) -> Any:
        """Return the fields of a trade; an order's price is its own, or, if it has none, the trade's."""
        return {
            "buy_order_id": buy.id,
            "sell_order_id": sell.id,
            "buy_stock_symbol": buy.instrument,
            "buy_price": buy.price or price,
            "sell_price": sell.price or price,
            "quantity": _as_written(quantity, buy.quantity, sell.quantity),
        }


SEED_A: Final[SeedFormat] = SeedA()
SEED_B: Final[SeedFormat] = SeedB()
FORMATS: Final[dict[str, SeedFormat]] = {one.name: one for one in (SEED_A, SEED_B)}


def rules_of(seed: SeedFormat, rule: Rule | None) -> Rules:
    """Return the rules to match by: those of the design, or another rule; both equal-quantity rules have its window."""
    if rule is None or rule == seed.rules.matching:
        return seed.rules
    return Rules(matching=rule, window_ms=SEED_B_WINDOW_MS if rule == "equal-quantity" else 0)


def encode_seed(value: Any) -> bytes:
    """Write a record; decimals become JSON numbers, digit by digit."""
    return _encode(value)


def read_order_b(order: OrderB, time_ms: int | None) -> SeedOrder:
    """Say what an order of seed B asks for; arguments and errors as in `SeedB.decode`."""
    kind = _one_of("order_type", order.order_type, _KINDS)
    text = order.time_in_force or "gtc"
    force = _FORCES.get(text.lower())
    own_ms, expires_ms = time_ms, 0
    if force is None:
        force, told_ms = "GTC", _time_ms("time_in_force", text, _DASHED)
        own_ms = told_ms if own_ms is None else own_ms
        if told_ms > own_ms:
            force, expires_ms = "GTD", told_ms
    if kind == "market":
        force, expires_ms = (force if force in ("FOK", "OPG", "CLS") else "IOC"), 0
    return SeedOrder(
        id=order.order_id,
        instrument=order.stock_symbol,
        side=_one_of("side", order.side, _SIDES),
        quantity=_amount("quantity", order.quantity),
        price=_amount("price", order.price or Decimal(0)) if kind == "limit" or order.price else Decimal(0),
        kind=kind,
        time_in_force=force,
        time_ms=own_ms or 0,
        expires_ms=expires_ms,
    )


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent, in the way that `money.parse_decimal` reads.

    >>> plain(Decimal("1E+2")), plain(Decimal("100.0"))
    ('100', '100.0')
    """
    return f"{value:f}"


def _read(decode: Any, raw: bytes) -> Any:
    try:
        return decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPacket(str(error)) from error


def _one_of(field: str, text: str, known: dict[str, T]) -> T:
    found = known.get(text.lower())
    if found is None:
        raise InvalidPacket(f"{field}: {text[:40]!r} is none of {', '.join(known)}")
    return found


def _amount(field: str, value: Decimal) -> Decimal:
    """Refuse what is not above 0, or so large or small that writing its digits out would be work."""
    digits = len(value.as_tuple().digits)
    if not value.is_finite() or value <= 0 or not -18 <= value.adjusted() < _DIGITS_MAX or digits > _DIGITS_MAX:
        raise InvalidPacket(f"{field}: must be a number above 0 of at most {_DIGITS_MAX} digits")
    return value


def _time_ms(field: str, text: str, form: re.Pattern[str]) -> int:
    """Read a naive time as UTC, in milliseconds; decimals of a second are left out."""
    found = form.fullmatch(text)
    if found:
        year, month, day, hour, minute, second = map(int, found.groups())
        if (
            year >= 1970
            and 1 <= month <= 12
            and 1 <= day <= monthrange(year, month)[1]
            and hour < 24
            and minute < 60
            and second < 60
        ):
            return timegm((year, month, day, hour, minute, second)) * 1000
    raise InvalidPacket(f"{field}: {text[:40]!r} is no time such as {_EXAMPLES[form]}")


_EXAMPLES: Final = {
    _SLASHED: "'2024/05/31, 09:15:00'",
    _DASHED: "'2024-05-31 09:15:00', and no gtc, day, ioc, fok, opg or cls",
}


def _as_written(value: Decimal, *known: Decimal) -> Decimal:
    """Return a number in the form in which one of the orders has it, or else in its shortest one with a point."""
    for one in known:
        if one == value:
            return one
    text = plain(value).rstrip("0") if "." in plain(value) else plain(value)
    return Decimal(text + "0" if text.endswith(".") else text)
