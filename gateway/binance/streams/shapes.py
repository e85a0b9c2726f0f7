"""What streams say, as Binance documents it field by field. Prices and quantities are decimal strings, times milliseconds."""

from __future__ import annotations

from typing import Any, Final

from gateway.binance.klines import Kline
from gateway.binance.order_shapes import is_some
from gateway.shown import BookChange, Depth, Level, Market, TradeShown

NOTHING: Final = "0"
"""What a price or quantity is that is not there or not known."""
GONE: Final = "0.00000000"
"""The quantity of a price that is gone, with Binance's eight decimals: python-binance's book takes off prices by this text alone."""
UNKNOWN_TRADE: Final = -1


def depth_update(symbol: str, change: BookChange, after: int, event_ms: int) -> dict[str, Any]:
    """Say what changed in a book after its event `after`."""
    return {
        "e": "depthUpdate",
        "E": event_ms,
        "s": symbol,
        "U": after + 1,
        "u": change.seq,
        "b": _changes(change.bids),
        "a": _changes(change.asks),
    }


def _changes(levels: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(price, quantity if is_some(quantity) else GONE) for price, quantity in levels]


def partial_depth(depth: Depth) -> dict[str, Any]:
    """Show a book's best prices."""
    return {"lastUpdateId": depth.seq, "bids": _levels(depth.bids), "asks": _levels(depth.asks)}


def _levels(levels: list[Level]) -> list[tuple[str, str]]:
    return [(level.price, level.quantity) for level in levels]


def book_ticker(depth: Depth) -> dict[str, Any]:
    """Show the best bid and ask."""
    bid, ask = (levels[0] if levels else None for levels in (depth.bids, depth.asks))
    return {
        "u": depth.seq,
        "s": depth.symbol,
        "b": bid.price if bid else NOTHING,
        "B": bid.quantity if bid else NOTHING,
        "a": ask.price if ask else NOTHING,
        "A": ask.quantity if ask else NOTHING,
    }


def trade(symbol: str, shown: TradeShown, event_ms: int) -> dict[str, Any]:
    """Tell of a trade."""
    return {
        "e": "trade",
        "E": event_ms,
        "s": symbol,
        "t": shown.seq,
        "p": shown.price,
        "q": shown.quantity,
        "T": shown.time_ms,
        "m": shown.taker_side == "sell",
        "M": True,
    }


def kline(symbol: str, interval: str, shown: Kline, event_ms: int) -> dict[str, Any]:
    """Tell of a kline. The views do not keep which trades are in it."""
    return {
        "e": "kline",
        "E": event_ms,
        "s": symbol,
        "k": {
            "t": shown.open_ms,
            "T": shown.close_ms,
            "s": symbol,
            "i": interval,
            "f": UNKNOWN_TRADE,
            "L": UNKNOWN_TRADE,
            "o": shown.open,
            "c": shown.close,
            "h": shown.high,
            "l": shown.low,
            "v": shown.volume,
            "n": shown.trades,
            "x": shown.closed,
            "q": shown.turnover,
            "V": shown.taker_volume,
            "Q": shown.taker_turnover,
            "B": NOTHING,
        },
    }


def aggregate(symbol: str, row: dict[str, Any], event_ms: int) -> dict[str, Any]:
    """Tell of trades of one taker order at one price; `row` is how REST tells them."""
    return {"e": "aggTrade", "E": event_ms, "s": symbol, **row}


def average_price(market: Market, price: str, minutes: int) -> dict[str, Any]:
    """Tell the average price of the last minutes."""
    newest = market.trades[0].time_ms if market.trades else 0
    return {"e": "avgPrice", "i": f"{minutes}m", "w": price, "T": newest}


def mini_ticker(shown: dict[str, Any]) -> dict[str, Any]:
    """Tell the figures of 24 hours; `shown` is how REST tells them."""
    return {"e": "24hrMiniTicker", **_named(shown, _MINI)}


def ticker(shown: dict[str, Any]) -> dict[str, Any]:
    """Tell all figures of 24 hours; `shown` is how REST tells them."""
    return {"e": "24hrTicker", **_named(shown, _FULL)}


def _named(shown: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {letter: shown[name] for letter, name in names.items()}


_MINI: Final = {
    "c": "lastPrice",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
}
_FULL: Final = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
"""REST's names by the letters that stand for them here."""
