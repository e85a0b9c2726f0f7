"""The routes of the Binance-shaped API that show markets. `docs/BINANCE.md` says what is served, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, get

from exchange.instruments import Instrument
from gateway.binance.errors import BinanceError
from gateway.binance.exchange_info import PERMISSIONS, STATUSES, status, symbol_info
from gateway.binance.intervals import INTERVALS, Interval, offset_ms
from gateway.binance.market_reads import read_each, read_klines
from gateway.binance.parameters import Parameters
from gateway.binance.trade_shapes import Aggregate, trade, whole_aggregates
from gateway.keys import TOP_LEVELS, TRADES_MAX
from gateway.limiting.settings import rate_limits
from gateway.services import Services
from gateway.shown import Depth

Asked = Request[Any, Any, Any]

LEVELS: Final = (100, 5_000)
ROWS: Final = (500, 1_000)
"""How many are returned unless asked for another number, and at most."""
_ENTER: Final = {"needs": "enter", "weight": 1}


def opt(weight: Any) -> dict[str, Any]:
    """Return what a route that shows markets says of itself."""
    return {"needs": "see-market", "weight": weight}


async def listed(services: Services, symbol: str) -> Instrument:
    """Return a listed instrument, or raise BinanceError."""
    instrument = (await services.views.instruments()).get(symbol)
    if instrument is None:
        raise BinanceError(-1121)
    return instrument


async def chosen(services: Services, asked: Parameters) -> tuple[dict[str, Instrument], bool]:
    """Return the instruments that `symbol`, `symbols` or neither of them asks for, and whether it is one by `symbol`."""
    if len(asked.given("symbol", "symbols")) > 1:
        raise BinanceError(-1128)
    if asked.has("symbol"):
        symbol = asked.symbol()
        return {symbol: await listed(services, symbol)}, True
    instruments, named = await services.views.instruments(), asked.symbols()
    if named is None:
        return dict(sorted(instruments.items())), False
    if not instruments.keys() >= set(named):
        raise BinanceError(-1121)
    return {symbol: instruments[symbol] for symbol in named}, False


@get("/ping", opt=_ENTER)
async def ping(request: Asked) -> dict[str, Any]:
    """Answer."""
    Parameters.of_query(request)
    return {}


@get("/time", opt=_ENTER)
async def time(request: Asked, services: Services) -> dict[str, int]:
    """Return the server's time, by which signed requests are timed."""
    Parameters.of_query(request)
    return {"serverTime": services.exchange.now_ms()}


@get("/exchangeInfo", opt=opt(20))
async def exchange_info(request: Asked, services: Services) -> dict[str, Any]:
    """Return the exchange's limits, and each symbol's terms."""
    asked = Parameters.of_query(request, "symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus")
    show_sets = asked.flag("showPermissionSets", default=True)
    wanted = asked.text("symbolStatus", default="")
    if wanted and (wanted not in STATUSES.values() or asked.given("symbol", "symbols")):
        raise BinanceError(-1122 if wanted not in STATUSES.values() else -1128)
    if asked.has("permissions") and asked.given("symbol", "symbols"):
        raise BinanceError(-1128)
    instruments, _ = await chosen(services, asked)
    if asked.has("permissions") and not set(PERMISSIONS) & set(_permissions(asked)):
        instruments = {}
    summaries = {summary.symbol: summary for summary in await services.views.summaries()}
    if wanted:
        having = {symbol for symbol, summary in summaries.items() if status(summary) == wanted}
        instruments = {symbol: instrument for symbol, instrument in instruments.items() if symbol in having}

    async def depth_of(symbol: str) -> Depth | None:
        return await services.views.depth(symbol, 1)

    depths = {depth.symbol: depth for depth in await read_each(depth_of, list(instruments))}
    symbols = [symbol_info(each, summaries.get(symbol), depths.get(symbol)) for symbol, each in instruments.items()]
    if not show_sets:
        symbols = [{**each, "permissionSets": []} for each in symbols]
    return {
        "timezone": "UTC",
        "serverTime": services.exchange.now_ms(),
        "rateLimits": [] if services.limits is None else rate_limits(services.settings.limits),
        "exchangeFilters": [],
        "symbols": symbols,
    }


def _permissions(asked: Parameters) -> list[str]:
    """Return the permissions that are asked for, one or a JSON array of them."""
    return asked.text("permissions").strip("[]").replace('"', "").split(",")


def _depth_weight(sent: Mapping[str, str]) -> int:
    text = sent.get("limit", "100")
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else LEVELS[1]
    return next((weight for most, weight in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


@get("/depth", opt=opt(_depth_weight))
async def depth(request: Asked, services: Services) -> dict[str, Any]:
    """Return the best prices of a book, as far as they are kept; `lastUpdateId` is the number of the book's last event in it."""
    asked = Parameters.of_query(request, "symbol", "limit")
    shown = await services.views.depth(asked.symbol(), min(asked.limit(*LEVELS), TOP_LEVELS))
    if shown is None:
        raise BinanceError(-1121)
    return {
        "lastUpdateId": shown.seq,
        "bids": [[level.price, level.quantity] for level in shown.bids],
        "asks": [[level.price, level.quantity] for level in shown.asks],
    }


@get("/trades", opt=opt(25))
async def trades(request: Asked, services: Services) -> list[dict[str, Any]]:
    """Return the newest trades, oldest first."""
    asked = Parameters.of_query(request, "symbol", "limit")
    return await _trades(services, asked.symbol(), asked.limit(*ROWS), None)


@get("/historicalTrades", opt=opt(25))
async def historical_trades(request: Asked, services: Services) -> list[dict[str, Any]]:
    """Return trades from a number on, oldest first, as far as they are kept."""
    asked = Parameters.of_query(request, "symbol", "limit", "fromId")
    return await _trades(services, asked.symbol(), asked.limit(*ROWS), asked.whole("fromId"))


async def _trades(services: Services, symbol: str, limit: int, from_id: int | None) -> list[dict[str, Any]]:
    instrument = await listed(services, symbol)
    found = await services.views.trades(symbol, limit if from_id is None else TRADES_MAX)
    ordered = [one for one in reversed(found or []) if from_id is None or one.seq >= from_id]
    return [trade(one, instrument) for one in ordered[:limit]]


@get("/aggTrades", opt=opt(4))
async def agg_trades(request: Asked, services: Services) -> list[dict[str, Any]]:
    """Return trades, those of one taker order at one price together, oldest first, as far as they are kept."""
    asked = Parameters.of_query(request, "symbol", "fromId", "startTime", "endTime", "limit")
    symbol, limit = asked.symbol(), asked.limit(*ROWS)
    from_id, start_ms, end_ms = asked.whole("fromId"), asked.whole("startTime"), asked.whole("endTime")
    if from_id is not None and asked.given("startTime", "endTime"):
        raise BinanceError(-1128)
    newest = await services.views.trades(symbol, TRADES_MAX)
    if newest is None:
        raise BinanceError(-1121)
    found = [one for one in whole_aggregates(newest, TRADES_MAX) if _within(one, from_id or 0, start_ms, end_ms)]
    return [one.row for one in (found[-limit:] if from_id is None and start_ms is None else found[:limit])]


def _within(one: Aggregate, from_id: int, start_ms: int | None, end_ms: int | None) -> bool:
    return one.first >= from_id and (start_ms or 0) <= one.time_ms and (end_ms is None or one.time_ms <= end_ms)


@get(["/klines", "/uiKlines"], opt=opt(2))
async def klines(request: Asked, services: Services) -> list[list[Any]]:
    """Return klines, oldest first: from `startTime` on, or else the last."""
    asked = Parameters.of_query(request, "symbol", "interval", "startTime", "endTime", "timeZone", "limit")
    symbol, name = asked.symbol(), asked.choice("interval", {one: one for one in INTERVALS}, BinanceError(-1120))
    zone = offset_ms(asked.text("timeZone", default="0"))
    if zone is None:
        raise BinanceError(-1130, "timeZone")
    start_ms, end_ms = asked.whole("startTime"), asked.whole("endTime")
    found = await read_klines(services.views, symbol, Interval(name, zone), asked.limit(*ROWS), start_ms, end_ms)
    if found is None:
        raise BinanceError(-1121)
    return [kline.row for kline in found]


HANDLERS: Final = [ping, time, exchange_info, depth, trades, historical_trades, agg_trades, klines]
