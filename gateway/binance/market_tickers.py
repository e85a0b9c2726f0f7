"""The routes of the Binance-shaped API that tell how markets did of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from litestar import get

from exchange.candles import DAY_MS
from exchange.instruments import Instrument
from gateway.binance import tickers
from gateway.binance.errors import BinanceError
from gateway.binance.market import Asked, chosen, listed, opt
from gateway.binance.market_reads import read_each, read_window
from gateway.binance.parameters import Parameters
from gateway.services import Services
from gateway.shown import Market, Summary

T = TypeVar("T")

WINDOW_SYMBOLS_MAX: Final = 100
"""Greatest number of symbols whose rolling window is asked for at once."""
_TYPES: Final = {name: name for name in tickers.TYPES}


@get("/avgPrice", opt=opt(2))
async def average_price(request: Asked, services: Services) -> dict[str, Any]:
    """Return the average price of the last minutes, weighted by quantity; where nothing was traded the last price."""
    asked = Parameters.of_query(request, "symbol")
    instrument = await listed(services, asked.symbol())
    span_ms = tickers.AVERAGE_MINUTES * tickers.MINUTE_MS
    market, window = first(await _windows(services, {instrument.symbol: instrument}, span_ms))
    return {
        "mins": tickers.AVERAGE_MINUTES,
        "price": tickers.weighted(window, instrument.tick),
        "closeTime": market.trades[0].time_ms if market.trades else 0,
    }


@get("/ticker/24hr", opt=opt(tickers.by_count((20, 2), (100, 40), none=80)))
async def ticker_day(request: Asked, services: Services) -> Any:
    """Return the figures of the last 24 hours, of a symbol, some, or all."""
    asked = Parameters.of_query(request, "symbol", "symbols", "type")
    kind = asked.choice("type", _TYPES, BinanceError(-1139), "FULL")
    instruments, is_one = await chosen(services, asked)

    def shown(market: Market, window: tickers.Window) -> dict[str, Any]:
        newest = market.trades[0] if market.trades else None
        return (
            tickers.mini(market.summary, window) if kind == "MINI" else tickers.day_full(market.summary, window, newest)
        )

    found = [shown(*each) for each in await _windows(services, instruments, DAY_MS)]
    return first(found) if is_one else found


def _per_symbol(sent: Mapping[str, str]) -> int:
    return min(4 * (sent.get("symbols", "").count(",") + 1), 200)


@get("/ticker", opt=opt(_per_symbol))
async def ticker_window(request: Asked, services: Services) -> Any:
    """Return the figures of a rolling window, of a symbol or some."""
    asked = Parameters.of_query(request, "symbol", "symbols", "windowSize", "type")
    kind = asked.choice("type", _TYPES, BinanceError(-1139), "FULL")
    span_ms = asked.choice("windowSize", tickers.WINDOWS, BinanceError(-1130, "windowSize"), DAY_MS)
    if not asked.given("symbol", "symbols"):
        raise BinanceError(-1102, text="Param 'symbol' or 'symbols' must be sent, but both were empty/null!")
    instruments, is_one = await chosen(services, asked)
    if len(instruments) > WINDOW_SYMBOLS_MAX:
        raise BinanceError(-1101, WINDOW_SYMBOLS_MAX, len(instruments))
    show = tickers.mini if kind == "MINI" else tickers.full
    found = [show(market.summary, window) for market, window in await _windows(services, instruments, span_ms)]
    return first(found) if is_one else found


@get("/ticker/price", opt=opt(tickers.by_count((1, 2), none=4)))
async def ticker_price(request: Asked, services: Services) -> Any:
    """Return the last prices, of a symbol, some, or all."""
    asked = Parameters.of_query(request, "symbol", "symbols")
    found, is_one = await _summaries(services, asked)
    return tickers.price(first(found)) if is_one else [tickers.price(summary) for summary in found]


@get("/ticker/bookTicker", opt=opt(tickers.by_count((1, 2), none=4)))
async def ticker_book(request: Asked, services: Services) -> Any:
    """Return the best prices, of a symbol, some, or all."""
    asked = Parameters.of_query(request, "symbol", "symbols")
    found, is_one = await _summaries(services, asked)
    return tickers.book(first(found)) if is_one else [tickers.book(summary) for summary in found]


async def _summaries(services: Services, asked: Parameters) -> tuple[list[Summary], bool]:
    """Return the summaries of the symbols that are asked for, and whether it is one by `symbol`."""
    instruments, is_one = await chosen(services, asked)
    if is_one:
        (symbol,) = instruments
        market = await services.views.market(symbol, "1h", levels=1, trades=1, candles=1)
        return [] if market is None else [market.summary], True
    by_symbol = {summary.symbol: summary for summary in await services.views.summaries()}
    return [by_symbol[symbol] for symbol in instruments if symbol in by_symbol], False


async def _windows(
    services: Services, instruments: Mapping[str, Instrument], span_ms: int
) -> list[tuple[Market, tickers.Window]]:
    """Return the markets and windows of symbols, without those that have no market yet."""
    return await read_each(
        lambda symbol: read_window(services.views, symbol, span_ms, instruments[symbol].quote_scale), list(instruments)
    )


def first(found: Sequence[T]) -> T:
    """Return what was found of one symbol, or raise BinanceError if it has no market yet."""
    if not found:
        raise BinanceError(-1121)
    return found[0]


HANDLERS: Final = [average_price, ticker_day, ticker_window, ticker_price, ticker_book]
