"""The forms of what the market routes tell, as Binance documents them: fields and their types."""

from __future__ import annotations

import re
from typing import Any

DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def decimal(value: Any) -> bool:
    return isinstance(value, str) and DECIMAL.fullmatch(value) is not None


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def text(value: Any) -> bool:
    return isinstance(value, str)


def texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(text, value))


def check(value: Any, form: Any, at: str = "") -> None:
    """Fail where a value has not the form: a dict has just its fields, a list of one form any number, of more that many values."""
    if isinstance(form, dict):
        assert isinstance(value, dict), at
        assert set(value) == set(form), at
        for name, part in form.items():
            check(value[name], part, f"{at}.{name}")
    elif isinstance(form, list):
        assert isinstance(value, list), at
        assert len(form) == 1 or len(form) == len(value), at
        for index, one in enumerate(value):
            check(one, form[0] if len(form) == 1 else form[index], f"{at}[{index}]")
    else:
        assert form(value), f"{at}: {value!r} is no {form.__name__}"


TRADE = {
    "id": whole,
    "price": decimal,
    "qty": decimal,
    "quoteQty": decimal,
    "time": whole,
    "isBuyerMaker": flag,
    "isBestMatch": flag,
}
AGGREGATE = {"a": whole, "p": decimal, "q": decimal, "f": whole, "l": whole, "T": whole, "m": flag, "M": flag}
KLINE = [whole, *[decimal] * 5, whole, decimal, whole, *[decimal] * 3]
MINI = {
    "symbol": text,
    "openPrice": decimal,
    "highPrice": decimal,
    "lowPrice": decimal,
    "lastPrice": decimal,
    "volume": decimal,
    "quoteVolume": decimal,
    "openTime": whole,
    "closeTime": whole,
    "firstId": whole,
    "lastId": whole,
    "count": whole,
}
WINDOW = {**MINI, "priceChange": decimal, "priceChangePercent": decimal, "weightedAvgPrice": decimal}
BOOK = {"bidPrice": decimal, "bidQty": decimal, "askPrice": decimal, "askQty": decimal}
DAY = {**WINDOW, **BOOK, "prevClosePrice": decimal, "lastQty": decimal}
DEPTH = {"lastUpdateId": whole, "bids": [[decimal, decimal]], "asks": [[decimal, decimal]]}
SYMBOL = {
    "symbol": text,
    "status": text,
    "baseAsset": text,
    "baseAssetPrecision": whole,
    "quoteAsset": text,
    "quotePrecision": whole,
    "quoteAssetPrecision": whole,
    "baseCommissionPrecision": whole,
    "quoteCommissionPrecision": whole,
    "orderTypes": texts,
    "icebergAllowed": flag,
    "ocoAllowed": flag,
    "otoAllowed": flag,
    "opoAllowed": flag,
    "quoteOrderQtyMarketAllowed": flag,
    "allowTrailingStop": flag,
    "cancelReplaceAllowed": flag,
    "amendAllowed": flag,
    "pegInstructionsAllowed": flag,
    "isSpotTradingAllowed": flag,
    "isMarginTradingAllowed": flag,
    "filters": lambda value: isinstance(value, list),
    "permissions": texts,
    "permissionSets": [texts],
    "defaultSelfTradePreventionMode": text,
    "allowedSelfTradePreventionModes": texts,
}
INFO = {
    "timezone": text,
    "serverTime": whole,
    "rateLimits": [{"rateLimitType": text, "interval": text, "intervalNum": whole, "limit": whole}],
    "exchangeFilters": [text],
    "symbols": [SYMBOL],
}
LOTS = {"filterType": text, "minQty": decimal, "maxQty": decimal, "stepSize": decimal}
FILTERS = {
    "PRICE_FILTER": {"filterType": text, "minPrice": decimal, "maxPrice": decimal, "tickSize": decimal},
    "LOT_SIZE": LOTS,
    "MARKET_LOT_SIZE": LOTS,
    "ICEBERG_PARTS": {"filterType": text, "limit": whole},
    "NOTIONAL": {
        "filterType": text,
        "minNotional": decimal,
        "applyMinToMarket": flag,
        "maxNotional": decimal,
        "applyMaxToMarket": flag,
        "avgPriceMins": whole,
    },
    "PERCENT_PRICE_BY_SIDE": {
        "filterType": text,
        "bidMultiplierUp": decimal,
        "bidMultiplierDown": decimal,
        "askMultiplierUp": decimal,
        "askMultiplierDown": decimal,
        "avgPriceMins": whole,
    },
}
