"""What the Binance-shaped routes that show markets take and answer. `docs/BINANCE.md` says what differs from Binance."""

from __future__ import annotations

from typing import Any, Final

from gateway.binance import market, tickers
from gateway.binance.errors import PREFIX
from gateway.binance.exchange_info import DELISTED, PERMISSIONS, STATUSES
from gateway.binance.intervals import INTERVALS
from gateway.binance.order_shapes import SELF_TRADES
from gateway.binance.order_terms import TYPES
from gateway.binance.parameters import DECIMAL as DECIMAL_RANGE
from gateway.binance.parameters import SYMBOLS, legal_pattern
from gateway.openapi.schemas import (
    DECIMAL,
    FLAG,
    SYMBOL,
    TEXT,
    TIME_MS,
    WHOLE,
    Operation,
    Schema,
    bounded,
    columns,
    component,
    count,
    either,
    fields,
    record,
    rows,
    said,
    words,
)

ERROR: Final = record({"code": WHOLE, "msg": TEXT})
"""How these routes say what is wrong."""
REFUSED: Final = either(component("BinanceError"), component("ProblemShown"))
"""What is answered where the whole server's own bounds may refuse a request, too."""
ERRORS: Final[dict[int, Schema]] = {
    **dict.fromkeys((400, 401, 403), REFUSED),
    **dict.fromkeys((429, 503), component("BinanceError")),
}
PLAIN: Final[Schema] = {"type": "string", "pattern": legal_pattern(DECIMAL_RANGE)}
"""A decimal as a parameter."""
WHOLE_PARAMETER: Final = bounded(0)
PARAMETERS: Final[dict[str, Schema]] = {
    "symbol": SYMBOL,
    "symbols": {"type": "string", "pattern": legal_pattern(SYMBOLS), "examples": ['["AAPLUSD","COINUSD"]']},
    "limit": said(count(market.ROWS), "More than the greatest is taken for the greatest."),
    "fromId": WHOLE_PARAMETER,
    "startTime": {**TIME_MS, "minimum": 0},
    "endTime": {**TIME_MS, "minimum": 0},
    "interval": words(INTERVALS),
    "timeZone": said({"type": "string", "default": "0"}, "Hours and minutes from -12:00 to +14:00."),
    "permissions": said(TEXT, "One permission, or a JSON array of them."),
    "showPermissionSets": {"type": "boolean", "default": True},
    "symbolStatus": words(sorted(set(STATUSES.values()))),
    "type": words(tickers.TYPES, tickers.TYPES[0]),
    "windowSize": words(tickers.WINDOWS, "1d"),
}

_LEVEL: Final = said(columns(2, DECIMAL), "A price, and the quantity at it.")
_TRADE: Final = record(
    {
        "id": WHOLE,
        **fields("price qty quoteQty", DECIMAL),
        "time": TIME_MS,
        **fields("isBuyerMaker isBestMatch", FLAG),
    }
)
_AGGREGATE: Final = record({**fields("a f l", WHOLE), **fields("p q", DECIMAL), "T": TIME_MS, **fields("m M", FLAG)})
_KLINE: Final = said(
    columns(12, WHOLE, DECIMAL),
    "Open time, open, high, low, close, volume, close time, turnover, number of trades, volume and turnover that takers bought, nothing.",
)
_MINI: Final[dict[str, Schema]] = {
    "symbol": TEXT,
    **fields("openPrice highPrice lowPrice lastPrice volume quoteVolume", DECIMAL),
    **fields("openTime closeTime", TIME_MS),
    **fields("firstId lastId count", WHOLE),
}
_FULL: Final = {**_MINI, **fields("priceChange priceChangePercent weightedAvgPrice", DECIMAL)}
_BEST: Final = fields("bidPrice bidQty askPrice askQty", DECIMAL)
_DAY: Final = {**_FULL, **fields("prevClosePrice lastQty", DECIMAL), **_BEST}
RATE_LIMIT: Final[dict[str, Schema]] = {
    **fields("rateLimitType interval", TEXT),
    **fields("intervalNum limit", WHOLE),
}


def _filter(name: str, **parts: Schema) -> Schema:
    return record({"filterType": words((name,)), **parts})


_LOTS: Final = fields("minQty maxQty stepSize", DECIMAL)
_FILTERS: Final = rows(
    either(
        _filter("PRICE_FILTER", **fields("minPrice maxPrice tickSize", DECIMAL)),
        _filter("LOT_SIZE", **_LOTS),
        _filter("MARKET_LOT_SIZE", **_LOTS),
        _filter("ICEBERG_PARTS", limit=WHOLE),
        _filter(
            "NOTIONAL",
            **fields("minNotional maxNotional", DECIMAL),
            **fields("applyMinToMarket applyMaxToMarket", FLAG),
            avgPriceMins=WHOLE,
        ),
        _filter(
            "PERCENT_PRICE_BY_SIDE",
            **fields("bidMultiplierUp bidMultiplierDown askMultiplierUp askMultiplierDown", DECIMAL),
            avgPriceMins=WHOLE,
        ),
    )
)
_SYMBOL: Final = record(
    {
        "symbol": TEXT,
        "status": words(sorted({*STATUSES.values(), DELISTED})),
        **fields("baseAsset quoteAsset", TEXT),
        **fields("baseAssetPrecision quotePrecision quoteAssetPrecision", WHOLE),
        **fields("baseCommissionPrecision quoteCommissionPrecision", WHOLE),
        "orderTypes": rows(words(TYPES)),
        **fields("icebergAllowed ocoAllowed otoAllowed opoAllowed quoteOrderQtyMarketAllowed", FLAG),
        **fields("allowTrailingStop cancelReplaceAllowed amendAllowed pegInstructionsAllowed", FLAG),
        **fields("isSpotTradingAllowed isMarginTradingAllowed", FLAG),
        "filters": _FILTERS,
        "permissions": rows(words(PERMISSIONS)),
        "permissionSets": rows(rows(words(PERMISSIONS))),
        "defaultSelfTradePreventionMode": words(SELF_TRADES),
        "allowedSelfTradePreventionModes": rows(words(SELF_TRADES)),
    }
)
_EXCHANGE: Final = record(
    {
        "timezone": TEXT,
        "serverTime": TIME_MS,
        "rateLimits": rows(record(RATE_LIMIT)),
        "exchangeFilters": {"type": "array", "maxItems": 0},
        "symbols": rows(_SYMBOL),
    }
)


def _shows(answer: Schema, names: str = "", needed: str = "", **others: Schema) -> Operation:
    """Describe a route by the names of its parameters; `others` are not what is meant by that name elsewhere."""
    query = {name: PARAMETERS[name] for name in names.split()} | others
    return Operation(tag="Binance: markets", query=query, needed=tuple(needed.split()), answer=answer, errors=ERRORS)


def _one_or_all(*shapes: dict[str, Any]) -> Schema:
    """Describe what is one thing of one symbol, and a list of any others."""
    return either(*(record(shape) for shape in shapes), *(rows(record(shape)) for shape in shapes))


_KLINES: Final = _shows(rows(_KLINE), "symbol interval startTime endTime timeZone limit", "symbol interval")
_OPERATIONS: Final = {
    "GET /ping": _shows(record({})),
    "GET /time": _shows(record({"serverTime": TIME_MS})),
    "GET /exchangeInfo": _shows(_EXCHANGE, "symbol symbols permissions showPermissionSets symbolStatus"),
    "GET /depth": _shows(
        record({"lastUpdateId": WHOLE, "bids": rows(_LEVEL), "asks": rows(_LEVEL)}),
        "symbol",
        "symbol",
        limit=count(market.LEVELS),
    ),
    "GET /trades": _shows(rows(_TRADE), "symbol limit", "symbol"),
    "GET /historicalTrades": _shows(rows(_TRADE), "symbol limit fromId", "symbol"),
    "GET /aggTrades": _shows(rows(_AGGREGATE), "symbol fromId startTime endTime limit", "symbol"),
    "GET /klines": _KLINES,
    "GET /uiKlines": _KLINES,
    "GET /avgPrice": _shows(record({"mins": WHOLE, "price": DECIMAL, "closeTime": TIME_MS}), "symbol", "symbol"),
    "GET /ticker/24hr": _shows(_one_or_all(_DAY, _MINI), "symbol symbols type"),
    "GET /ticker": _shows(_one_or_all(_FULL, _MINI), "symbol symbols windowSize type"),
    "GET /ticker/price": _shows(_one_or_all({"symbol": TEXT, "price": DECIMAL}), "symbol symbols"),
    "GET /ticker/bookTicker": _shows(_one_or_all({"symbol": TEXT, **_BEST}), "symbol symbols"),
}
OPERATIONS: Final = {key.replace(" ", f" {PREFIX}", 1): operation for key, operation in _OPERATIONS.items()}
