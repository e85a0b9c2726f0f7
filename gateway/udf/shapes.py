"""What the data feed says, in the form of the UDF protocol: pure functions. Times are seconds, prices numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from exchange.instruments import Instrument
from gateway.analytics.shown import SignalShown
from gateway.binance.klines import Kline
from gateway.binance.numbers import decimals
from gateway.shown import TradeShown

EXCHANGE: Final = "OPENBELL"
SESSION: Final = "24x7"
TIME_ZONE: Final = "Etc/UTC"
RESOLUTIONS: Final = {
    "1S": "1s",
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "360": "6h",
    "480": "8h",
    "720": "12h",
    "1D": "1d",
    "3D": "3d",
    "1W": "1w",
    "1M": "1M",
}
"""The intervals of bars by what charts call them."""
SHORT: Final = {"S": "1S", "D": "1D", "W": "1W", "M": "1M"}
"""What charts call some of them, too."""
COLOURS: Final = {"BUY": "green", "SELL": "red"}
"""The colours of marks by what a signal says; other signals are not marked."""


def config() -> dict[str, Any]:
    """Return what the feed can do."""
    return {
        "supports_search": True,
        "supports_group_request": False,
        "supports_marks": True,
        "supports_timescale_marks": True,
        "supports_time": True,
        "exchanges": [{"value": EXCHANGE, "name": "Openbell", "desc": "Openbell"}],
        "symbols_types": [{"name": "Spot", "value": "spot"}],
        "supported_resolutions": list(RESOLUTIONS),
    }


def symbol_info(instrument: Instrument) -> dict[str, Any]:
    """Return what a chart must know of a symbol: `minmov` by `pricescale` is the tick."""
    places = decimals(instrument.tick)
    return {
        "name": instrument.symbol,
        "ticker": instrument.symbol,
        "full_name": f"{EXCHANGE}:{instrument.symbol}",
        "description": f"{instrument.base} / {instrument.quote}",
        "type": "spot",
        "session": SESSION,
        "timezone": TIME_ZONE,
        "exchange": EXCHANGE,
        "listed_exchange": EXCHANGE,
        "format": "price",
        "minmov": int(Decimal(instrument.tick).scaleb(places)),
        "minmov2": 0,
        "pricescale": 10**places,
        "has_intraday": True,
        "has_seconds": True,
        "has_daily": True,
        "has_weekly_and_monthly": True,
        "has_empty_bars": False,
        "intraday_multipliers": [name for name in RESOLUTIONS if name.isdecimal()],
        "seconds_multipliers": ["1"],
        "daily_multipliers": ["1", "3"],
        "weekly_multipliers": ["1"],
        "monthly_multipliers": ["1"],
        "supported_resolutions": list(RESOLUTIONS),
        "volume_precision": decimals(instrument.lot),
        "data_status": "streaming",
        "currency_code": instrument.quote,
    }


def found(instrument: Instrument) -> dict[str, Any]:
    """Return a symbol as a result of a search."""
    return {
        "symbol": instrument.symbol,
        "full_name": f"{EXCHANGE}:{instrument.symbol}",
        "description": f"{instrument.base} / {instrument.quote}",
        "exchange": EXCHANGE,
        "ticker": instrument.symbol,
        "type": "spot",
    }


def matching(instruments: Mapping[str, Instrument], query: str, limit: int) -> list[dict[str, Any]]:
    """Return the symbols whose name or assets have a text in them, those that begin with it first."""
    text = query.upper().removeprefix(f"{EXCHANGE}:")
    hits = [one for one in instruments.values() if text in one.symbol or text in (one.base, one.quote)]
    hits.sort(key=lambda one: (not one.symbol.startswith(text), one.symbol))
    return [found(one) for one in hits[:limit]]


def bars(klines: Iterable[Kline]) -> dict[str, Any]:
    """Return bars as columns, oldest first."""
    rows = list(klines)
    return {
        "s": "ok",
        "t": [row.open_ms // 1_000 for row in rows],
        "o": [float(row.open) for row in rows],
        "h": [float(row.high) for row in rows],
        "l": [float(row.low) for row in rows],
        "c": [float(row.close) for row in rows],
        "v": [float(row.volume) for row in rows],
    }


def no_bars(earlier: Kline | None) -> dict[str, Any]:
    """Return that there are no bars, and when the last one before began, if there is one."""
    return {"s": "no_data"} if earlier is None else {"s": "no_data", "nextTime": earlier.open_ms // 1_000}


def marks(signals: Sequence[SignalShown], from_s: int, to_s: int) -> list[dict[str, Any]]:
    """Return the signals of a time to buy or sell as marks on bars, oldest first."""
    said = [one for one in reversed(signals) if one.action in COLOURS and from_s <= one.time_ms // 1_000 <= to_s]
    return [
        {
            "id": f"{one.source}/{one.span_ms}/{one.rule}/{one.start_ms}",
            "time": one.time_ms // 1_000,
            "color": COLOURS[one.action],
            "text": f"{one.action} by {one.rule}: {one.reason}",
            "label": one.action[0],
            "labelFontColor": "white",
            "minSize": 14,
        }
        for one in said
    ]


def auctions(newest: Sequence[TradeShown], from_s: int, to_s: int) -> list[dict[str, Any]]:
    """Return the auctions among the newest trades as marks on the time scale, oldest first."""
    at: dict[int, TradeShown] = {}
    for trade in reversed(newest):
        if trade.auction and from_s <= trade.time_ms // 1_000 <= to_s:
            at.setdefault(trade.time_ms, trade)
    return [
        {
            "id": f"auction/{trade.seq}",
            "time": time_ms // 1_000,
            "color": "blue",
            "label": "A",
            "tooltip": ["Auction", f"at {trade.price}"],
        }
        for time_ms, trade in at.items()
    ]
