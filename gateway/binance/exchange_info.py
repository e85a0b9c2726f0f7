"""What `exchangeInfo` says of the exchange and of each symbol: only what is so, and only filters that orders are really held to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from exchange.instruments import Instrument
from exchange.messages import PRICE_MAX, QUANTITY_MAX, Phase
from exchange.money import UNITS_MAX, from_units, minor_step
from exchange.terms import PARTS_MAX
from gateway.binance.numbers import plain, zero
from gateway.binance.order_shapes import SELF_TRADES
from gateway.binance.order_terms import TYPES
from gateway.shown import Depth, Summary

PERMISSIONS: Final = ("SPOT",)
STATUSES: Final[dict[Phase, str]] = {
    "pre-open": "PRE_TRADING",
    "opening-auction": "AUCTION_MATCH",
    "continuous": "TRADING",
    "halt": "HALT",
    "closing-auction": "AUCTION_MATCH",
    "closed": "END_OF_DAY",
}
DELISTED: Final = "BREAK"
"""The status of a symbol that is no longer traded."""
_MULTIPLIER: Final = Decimal("0.000001")
_UNBOUNDED: Final = "1000000"
"""A multiplier that bounds nothing."""


def status(summary: Summary) -> str:
    """Return the status of a symbol."""
    return DELISTED if summary.delisted else STATUSES[summary.phase]


def symbol_info(instrument: Instrument, summary: Summary | None, depth: Depth | None) -> dict[str, Any]:
    """Return what is said of a symbol; `summary` None: nothing is known of its market yet."""
    return {
        "symbol": instrument.symbol,
        "status": DELISTED if summary is None else status(summary),
        "baseAsset": instrument.base,
        "baseAssetPrecision": instrument.base_scale,
        "quoteAsset": instrument.quote,
        "quotePrecision": instrument.quote_scale,
        "quoteAssetPrecision": instrument.quote_scale,
        "baseCommissionPrecision": instrument.base_scale,
        "quoteCommissionPrecision": instrument.quote_scale,
        "orderTypes": list(TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(instrument, depth),
        "permissions": list(PERMISSIONS),
        "permissionSets": [list(PERMISSIONS)],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": list(SELF_TRADES),
    }


def filters(instrument: Instrument, depth: Depth | None) -> list[dict[str, Any]]:
    """Return the filters of a symbol's orders."""
    most = from_units(UNITS_MAX, minor_step(instrument.quote_scale))
    lots = {
        "minQty": instrument.quantity_text(1),
        "maxQty": instrument.quantity_text(QUANTITY_MAX),
        "stepSize": instrument.quantity_text(1),
    }
    found: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": instrument.price_text(1),
            "maxPrice": instrument.price_text(PRICE_MAX),
            "tickSize": instrument.price_text(1),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {"filterType": "ICEBERG_PARTS", "limit": PARTS_MAX},
        {
            "filterType": "NOTIONAL",
            "minNotional": zero(minor_step(instrument.quote_scale)),
            "applyMinToMarket": False,
            "maxNotional": most,
            "applyMaxToMarket": True,
            "avgPriceMins": 0,
        },
    ]
    collar = None if depth is None else percent_price(depth)
    return found if collar is None else [*found, collar]


def percent_price(depth: Depth) -> dict[str, Any] | None:
    """Return the filter that a collar is; None where there is none.

    The collar is about the price of the last auction (or the reference of the listing), which lies in its middle; so are the multipliers.
    """
    if depth.buy_max is None or depth.sell_min is None:
        return None
    highest, lowest = Decimal(depth.buy_max), Decimal(depth.sell_min)
    reference = (highest + lowest) / 2
    return {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": plain((highest / reference).quantize(_MULTIPLIER)),
        "bidMultiplierDown": "0",
        "askMultiplierUp": _UNBOUNDED,
        "askMultiplierDown": plain((lowest / reference).quantize(_MULTIPLIER)),
        "avgPriceMins": 0,
    }
