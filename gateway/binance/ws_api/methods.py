"""The methods of the websocket API that do what a route of the REST API does."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request

from gateway.binance import market, market_tickers
from gateway.binance.signed import ROUTES, Signed
from gateway.services import Services

MARKET: Final[dict[str, Any]] = {
    "ping": market.ping,
    "time": market.time,
    "exchangeInfo": market.exchange_info,
    "depth": market.depth,
    "trades.recent": market.trades,
    "trades.historical": market.historical_trades,
    "trades.aggregate": market.agg_trades,
    "klines": market.klines,
    "uiKlines": market.klines,
    "avgPrice": market_tickers.average_price,
    "ticker.24hr": market_tickers.ticker_day,
    "ticker": market_tickers.ticker_window,
    "ticker.price": market_tickers.ticker_price,
    "ticker.book": market_tickers.ticker_book,
}
"""What anybody may ask: the routes that answer it."""
_SIGNED: Final = {
    "order.place": ("POST", "/order"),
    "order.test": ("POST", "/order/test"),
    "order.status": ("GET", "/order"),
    "order.cancel": ("DELETE", "/order"),
    "order.cancelReplace": ("POST", "/order/cancelReplace"),
    "openOrders.status": ("GET", "/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/openOrders"),
    "allOrders": ("GET", "/allOrders"),
    "myTrades": ("GET", "/myTrades"),
    "account.status": ("GET", "/account"),
    "account.commission": ("GET", "/account/commission"),
    "orderList.place": ("POST", "/order/oco"),
    "orderList.place.oco": ("POST", "/orderList/oco"),
    "orderList.status": ("GET", "/orderList"),
    "orderList.cancel": ("DELETE", "/orderList"),
    "openOrderLists.status": ("GET", "/openOrderList"),
    "allOrderLists": ("GET", "/allOrderList"),
    "account.rateLimits.orders": ("GET", "/rateLimit/order"),
}
_ROUTES: Final = {(route.method, route.path): route for route in ROUTES}
SIGNED: Final[dict[str, Signed]] = {name: _ROUTES[route] for name, route in _SIGNED.items()}
"""What an account asks: the signed routes that do it."""


async def ask_market(handler: Any, services: Services, params: Mapping[str, str]) -> Any:
    """Return what a route of the market answers to parameters."""
    scope: Any = {"type": "http", "query_string": urlencode(params).encode(), "headers": []}
    given = {"request": Request(scope), "services": services}
    wanted = signature(handler.fn).parameters
    return await handler.fn(**{name: value for name, value in given.items() if name in wanted})
