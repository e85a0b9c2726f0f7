"""What the market's refusals are in Binance's codes and texts."""

from __future__ import annotations

from typing import Final

from exchange.messages import RejectReason
from gateway.binance.errors import BinanceError
from gateway.refusals import REFUSALS
from gateway.tickets import InvalidTicket

REJECTED: Final = -2010
NOT_CANCELLED: Final = -2011
UNKNOWN: Final = "Unknown order sent."
DUPLICATE: Final = "Duplicate order sent."
TRIGGERS: Final = "Order would trigger immediately."
RELATION: Final = "The relationship of the prices for the orders is not correct."
RESTRICTED: Final = "Order was not canceled due to cancel restrictions."
EXCEEDS: Final = "IcebergQty exceeds QTY."
NO_LIQUIDITY: Final = "Order book liquidity is less than symbol minimum quantity."
_CLOSED: Final = "Market is closed."
_DISABLED: Final = "This action is disabled on this account."

_TEXTS: Final[dict[RejectReason, str]] = {
    "ACCOUNT_OFF": _DISABLED,
    "DELISTED": _CLOSED,
    "DUPLICATE": DUPLICATE,
    "HALTED": _CLOSED,
    "INSUFFICIENT_FUNDS": "Account has insufficient balance for requested action.",
    "INVALID_CONDITIONS": "Unsupported order combination",
    "INVALID_TIME_IN_FORCE": "Unsupported order combination",
    "MARKET_CLOSED": _CLOSED,
    "NOT_CONTINUOUS": _CLOSED,
    "POST_ONLY": "Order would immediately match and take.",
    "RULE_UNSUPPORTED": "Unsupported order combination",
    "TOO_LATE": UNKNOWN,
    "UNKNOWN_ACCOUNT": _DISABLED,
    "UNKNOWN_ORDER": UNKNOWN,
}
"""The texts of -2010 and -2011; a reason that is neither here nor below is told in Openbell's own words."""
_FILTERS: Final[dict[RejectReason, str]] = {
    "BALANCE_LIMIT": "MAX_POSITION",
    "BOOK_FULL": "EXCHANGE_MAX_NUM_ALGO_ORDERS",
    "NOTIONAL_LIMIT": "NOTIONAL",
    "OPEN_ORDERS_LIMIT": "MAX_NUM_ORDERS",
    "ORDER_SIZE_LIMIT": "LOT_SIZE",
    "POSITION_LIMIT": "MAX_POSITION",
    "PRICE_COLLAR": "PERCENT_PRICE_BY_SIDE",
}
"""The filters that refuse with -1013."""
_AGAIN: Final[frozenset[RejectReason]] = frozenset(("CLOCK_AHEAD", "REQUESTS_FULL", "STALE", "STALE_LISTING"))
"""What had no effect and is no fault of the order: it may be sent again."""


def refused(reason: RejectReason, code: int = REJECTED) -> BinanceError:
    """Return the market's refusal of an order, or with -2011 that of a cancellation.

    >>> str(refused("POST_ONLY")), str(refused("PRICE_COLLAR"))
    ('-2010: Order would immediately match and take.', '-1013: Filter failure: PERCENT_PRICE_BY_SIDE')
    """
    if reason in _FILTERS:
        return filter_failure(_FILTERS[reason])
    if reason in _AGAIN:
        return BinanceError(-1001)
    if reason == "RATE_LIMIT":
        return BinanceError(-1015, text="Too many new orders.")
    if reason == "UNKNOWN_SYMBOL":
        return BinanceError(-1121)
    return BinanceError(code, text=_TEXTS.get(reason) or REFUSALS[reason].sentence)


def filter_failure(name: str) -> BinanceError:
    """Return the refusal of an order that a filter of `exchangeInfo` does not let through."""
    return BinanceError(-1013, name)


def flawed(error: InvalidTicket) -> BinanceError:
    """Return what is wrong with an order whose numbers are right by themselves."""
    fields = {name.rpartition(".")[2] for name in error.errors}
    if "price" in fields:
        return BinanceError(-1112)  # without a limit, and nobody to trade with
    if "quantity" in fields:
        return filter_failure("NOTIONAL")
    if "display" in fields:
        return filter_failure("ICEBERG_PARTS")
    return BinanceError(-1014)
