"""The routes of the Binance-shaped REST API that show markets; those that are signed are in `signed`."""

from __future__ import annotations

from typing import Any

from litestar import Router

from gateway.binance import market, market_tickers
from gateway.binance.errors import PREFIX


def router() -> Router:
    """Return these routes."""
    handlers: list[Any] = [*market.HANDLERS, *market_tickers.HANDLERS]
    return Router(PREFIX, route_handlers=handlers, response_headers={"Cache-Control": "no-store"})
