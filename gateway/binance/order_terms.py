"""Reads the terms of an order from a request's parameters, into the ticket that the venue's own API would be given.

Pure: nothing is read but the parameters and the instrument. What the market's machines cannot do truly is refused in Binance's words, never
done nearly: there are no take-profit orders and no trailing stops that follow by a percentage.
"""

from __future__ import annotations

from typing import Final

import msgspec

from exchange.errors import ExchangeError
from exchange.instruments import Instrument
from exchange.messages import PRICE_MAX, QUANTITY_MAX, TimeInForce
from exchange.money import from_units
from exchange.terms import PARTS_MAX
from gateway.binance.errors import BinanceError
from gateway.binance.order_refusals import EXCEEDS, REJECTED, filter_failure
from gateway.binance.order_shapes import SELF_TRADES
from gateway.binance.parameters import CLIENT_ID, Parameters

PLACE: Final = (
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
)
"""The parameters of an order."""
DECIMALS_MAX: Final = 8
"""More decimals than these, zeros at the end aside, are too many unless an asset itself has more."""
STRATEGY_LEAST: Final = 1_000_000
FORCES: Final[dict[str, TimeInForce]] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK"}
SIDES: Final = {"BUY": "buy", "SELL": "sell"}
RESPONSES: Final = {"ACK": "ACK", "RESULT": "RESULT", "FULL": "FULL"}
_UNSUPPORTED: Final = {
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_TRAILING: Final = "Trailing stop orders are not supported for this symbol."


class _Type(msgspec.Struct, frozen=True):
    """What an order type is to the market, and which of the parameters that set it apart it has."""

    kind: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


TYPES: Final = {
    "LIMIT": _Type("limit", ("timeInForce", "quantity", "price"), ("icebergQty",)),
    "LIMIT_MAKER": _Type("limit", ("quantity", "price"), ("icebergQty",)),
    "MARKET": _Type("market", (), ("quantity", "quoteOrderQty")),
    "STOP_LOSS": _Type("stop", ("quantity", "stopPrice")),
    "STOP_LOSS_LIMIT": _Type("stop-limit", ("timeInForce", "quantity", "price", "stopPrice"), ("icebergQty",)),
}
_APART: Final = ("timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice", "icebergQty")


class Terms(msgspec.Struct, frozen=True):
    """An order as it was asked for. `ticket` has the names of `tickets.FIELDS`, without a quantity where `quote_quantity` is given."""

    instrument: Instrument
    type: str
    ticket: dict[str, str]
    response: str
    client_id: str
    quote_quantity: str = ""


def read_terms(params: Parameters, instrument: Instrument) -> Terms:
    """Return the order that parameters ask for. Raises BinanceError for the first of them that is wrong."""
    side = params.choice("side", SIDES, BinanceError(-1117))
    name = params.text("type")
    kind = _type_of(name)
    _check_presence(params, name, kind)
    ticket = {
        "symbol": instrument.symbol,
        "side": side,
        "kind": kind.kind,
        "request_id": client_id(params, "newClientOrderId"),
    }
    ticket |= amounts(
        params, instrument, {"quantity": "quantity", "price": "price", "stop": "stopPrice"}, market=name == "MARKET"
    )
    ticket["time_in_force"] = time_in_force(params, "timeInForce", name)
    ticket["post_only"] = "reject" if name == "LIMIT_MAKER" else ""
    ticket["display"] = display(params, "icebergQty", instrument, ticket["quantity"], ticket["time_in_force"])
    ticket["self_trade"] = self_trade(params)
    strategy(params, "strategyId", "strategyType")
    quote = ""
    if params.has("quoteOrderQty"):
        quote = plain(params, "quoteOrderQty", instrument.quote_scale)
        if not quote.strip("0."):
            raise filter_failure("NOTIONAL")
    usual = "FULL" if name in ("LIMIT", "MARKET") else "ACK"
    response = params.choice("newOrderRespType", RESPONSES, BinanceError(-1130, "newOrderRespType"), usual)
    return Terms(instrument, name, ticket, response, ticket["request_id"], quote)


def listed(params: Parameters, instruments: dict[str, Instrument]) -> Instrument:
    """Return the instrument of the parameter `symbol`, or raise BinanceError -1121."""
    instrument = instruments.get(params.symbol())
    if instrument is None:
        raise BinanceError(-1121)
    return instrument


def client_id(params: Parameters, name: str) -> str:
    """Return the id that a client gives a request; empty if it gives none."""
    return params.text(name, CLIENT_ID, "")


def amounts(
    params: Parameters, instrument: Instrument, names: dict[str, str], *, market: bool = False
) -> dict[str, str]:
    """Return prices and the quantity by field of the ticket; empty where they were not sent."""
    read = {}
    for field, name in names.items():
        is_quantity = field == "quantity"
        failure = ("MARKET_LOT_SIZE" if market else "LOT_SIZE") if is_quantity else "PRICE_FILTER"
        read[field] = amount(params, name, instrument, failure, is_quantity=is_quantity) if params.has(name) else ""
    return read


def amount(params: Parameters, name: str, instrument: Instrument, failure: str, *, is_quantity: bool) -> str:
    """Return a price or a quantity as the instrument writes it, or raise what its precision or its filter says."""
    if is_quantity:
        step, scale, most, units_of = instrument.lot, instrument.base_scale, QUANTITY_MAX, instrument.quantity_lots
    else:
        step, scale, most, units_of = instrument.tick, instrument.quote_scale, PRICE_MAX, instrument.price_ticks
    text = plain(params, name, scale)
    try:
        units = units_of(text)
    except ExchangeError as error:
        raise filter_failure(failure) from error
    if not 1 <= units <= most:
        raise filter_failure(failure)
    return from_units(units, step)


def plain(params: Parameters, name: str, scale: int) -> str:
    """Return a decimal without zeros at its end, or raise BinanceError -1111 if it has too many decimals even so."""
    whole, _, decimals = params.decimal(name).partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > max(DECIMALS_MAX, scale):
        raise BinanceError(-1111, name)
    return f"{whole}.{decimals}" if decimals else whole


def time_in_force(params: Parameters, name: str, order_type: str) -> str:
    """Return how long an order lasts; empty where its type says it."""
    if not params.has(name):
        return ""
    force = params.choice(name, FORCES, BinanceError(-1115))
    if order_type == "STOP_LOSS_LIMIT" and force != "GTC":
        raise BinanceError(-1014)  # the market lets a triggered order rest, and nothing else
    return force


def display(params: Parameters, name: str, instrument: Instrument, quantity: str, force: str) -> str:
    """Return how much of an iceberg is seen; empty if all of it is."""
    if not params.has(name) or not plain(params, name, instrument.base_scale).strip("0."):
        return ""
    if force not in ("", "GTC"):
        raise BinanceError(-1014)
    seen = amount(params, name, instrument, "LOT_SIZE", is_quantity=True)
    seen_lots, lots = instrument.quantity_lots(seen), instrument.quantity_lots(quantity)
    if seen_lots > lots:
        raise BinanceError(REJECTED, text=EXCEEDS)
    if lots > PARTS_MAX * seen_lots:
        raise filter_failure("ICEBERG_PARTS")
    return seen


def self_trade(params: Parameters) -> str:
    """Return which order goes when this one would trade with one of its own account."""
    name = "selfTradePreventionMode"
    return params.choice(name, SELF_TRADES, BinanceError(-1130, name), "none")


def strategy(params: Parameters, number: str, kind: str) -> None:
    """Check the labels of a strategy, which are taken and not kept."""
    params.whole(number)
    if params.has(kind) and params.whole(kind, 0) < STRATEGY_LEAST:
        raise BinanceError(-1134)


def refuse_trailing(params: Parameters, name: str) -> None:
    """Refuse a stop that is to follow by a percentage, which the market's stops cannot."""
    if params.has(name):
        raise BinanceError(-1013, text=_TRAILING)


def refuse_unsupported(order_type: str) -> None:
    """Refuse types that the market does not have."""
    if order_type in _UNSUPPORTED:
        raise BinanceError(-1013, text=_UNSUPPORTED[order_type])


def _type_of(name: str) -> _Type:
    refuse_unsupported(name)
    if name not in TYPES:
        raise BinanceError(-1116)
    return TYPES[name]


def _check_presence(params: Parameters, name: str, kind: _Type) -> None:
    """Refuse what a type lacks, and what it cannot have."""
    if name in ("STOP_LOSS", "STOP_LOSS_LIMIT"):
        refuse_trailing(params, "trailingDelta")
    for each in kind.needed:
        params.text(each)
    for each in params.given(*_APART, "trailingDelta"):
        if each not in (*kind.needed, *kind.optional):
            raise BinanceError(-1106, each)
    if name == "MARKET":
        sent = params.given("quantity", "quoteOrderQty")
        if not sent:
            raise BinanceError(-1102, text=neither("quantity", "quoteOrderQty"))
        if len(sent) > 1:
            raise BinanceError(-1106, "quoteOrderQty")


def neither(one: str, other: str) -> str:
    """Return what is said where one of two parameters is needed."""
    return f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
