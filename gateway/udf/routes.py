"""The routes of the data feed, `/udf/`. What is wrong with a request is told with status 200, as the protocol wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, Router, get
from litestar.exceptions import HTTPException

from exchange.instruments import Instrument
from gateway.binance.intervals import Interval
from gateway.binance.market_reads import read_traded
from gateway.keys import CANDLES_MAX, SIGNALS_MAX, TRADES_MAX
from gateway.parameters import is_whole
from gateway.ports import GatewayError
from gateway.problems import Problem, problem_of
from gateway.services import Services
from gateway.udf import shapes

Asked = Request[Any, Any, Any]

FOUND: Final = (30, 100)
"""How many symbols a search returns unless asked for another number, and at most."""
HEADERS: Final = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
"""What all answers say: a chart on a page of another site may read them."""
_SECONDS_MAX: Final = 250_000_000_000
"""Greatest time, in seconds: in the year 9892."""
_QUERY_MAX: Final = 64
_OPT: Final = {"needs": "see-market", "weight": 1}
_BARS_OPT: Final = {"needs": "see-market", "weight": 2}


class FeedError(Exception):
    """A request that cannot be answered: a sentence for a person."""


def refused(_: Asked, error: FeedError) -> Response[Any]:
    """Return an error as charts read it."""
    return _error(str(error), 200, {})


def failed(_: Asked, error: Exception) -> Response[Any]:
    """Return, as charts read it, that the server cannot answer now."""
    problem = problem_of(error)
    return _error(problem.message, problem.status, problem.headers)


def _error(message: str, status: int, headers: Mapping[str, str]) -> Response[Any]:
    body = {"s": "error", "errmsg": message}
    return Response(body, status_code=status, media_type="application/json", headers={**HEADERS, **headers})


def whole(request: Asked, name: str, default: int | None = None, greatest: int = _SECONDS_MAX) -> int:
    """Return a whole number of the query; no default: it must be there."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not is_whole(text, greatest):
        raise FeedError(f"{name}: write a whole number from 0 to {greatest}")
    return int(text)


def span(request: Asked) -> tuple[int, int]:
    """Return the times `from` and `to` of the query, in seconds."""
    return whole(request, "from"), whole(request, "to")


async def instrument(request: Asked, services: Services) -> Instrument:
    """Return the instrument that `symbol` names, with or without the exchange before it."""
    symbol = request.query_params.get("symbol", "").removeprefix(f"{shapes.EXCHANGE}:")
    known = (await services.views.instruments()).get(symbol)
    if known is None:
        raise FeedError("unknown_symbol")
    return known


def resolution(request: Asked) -> Interval:
    """Return the interval that `resolution` names."""
    name = request.query_params.get("resolution", "")
    interval = shapes.RESOLUTIONS.get(shapes.SHORT.get(name, name))
    if interval is None:
        raise FeedError(f"resolution: write one of {', '.join(shapes.RESOLUTIONS)}")
    return Interval(interval)


@get("/config", opt=_OPT)
async def config() -> dict[str, Any]:
    """Return what the feed can do."""
    return shapes.config()


@get("/time", opt=_OPT, media_type="text/plain")
async def time(services: Services) -> str:
    """Return the server's time in seconds."""
    return str(services.exchange.now_ms() // 1_000)


@get("/symbols", opt=_OPT)
async def symbols(request: Asked, services: Services) -> dict[str, Any]:
    """Return what a chart must know of a symbol."""
    return shapes.symbol_info(await instrument(request, services))


@get("/search", opt=_OPT)
async def search(request: Asked, services: Services) -> list[dict[str, Any]]:
    """Return the symbols that have a text in them; all for none."""
    asked = request.query_params
    limit = min(whole(request, "limit", FOUND[0]), FOUND[1])
    if asked.get("type", "") not in ("", "spot") or asked.get("exchange", "") not in ("", shapes.EXCHANGE):
        return []
    return shapes.matching(await services.views.instruments(), asked.get("query", "")[:_QUERY_MAX], limit)


@get("/history", opt=_BARS_OPT)
async def history(request: Asked, services: Services) -> dict[str, Any]:
    """Return the bars that begin from `from` on and before `to`, or the last `countback` of them before `to`, which then counts instead."""
    listed, interval = await instrument(request, services), resolution(request)
    to_ms, count = whole(request, "to") * 1_000, min(whole(request, "countback", 0), CANDLES_MAX)
    from_ms = whole(request, "from", 0 if count else None) * 1_000
    wanted = count or len_of(from_ms, to_ms, interval)
    found = await read_traded(services.views, listed.symbol, interval, to_ms, wanted)
    kept = found[-count:] if count else [kline for kline in found if kline.open_ms >= from_ms]
    return shapes.bars(kept) if kept else shapes.no_bars(found[-1] if found else None)


def len_of(from_ms: int, to_ms: int, interval: Interval) -> int:
    """Return how many bars there can be in a time, and one for what was before."""
    return min(max(to_ms - from_ms, 0) // interval.span_ms + 2, CANDLES_MAX)


@get("/marks", opt=_BARS_OPT)
async def marks(request: Asked, services: Services) -> list[dict[str, Any]]:
    """Return the signals to buy or sell, as far as they are kept, whatever the bars they were computed of."""
    listed, (from_s, to_s) = await instrument(request, services), span(request)
    resolution(request)
    signals = await services.views.analytics.signals(listed.symbol, SIGNALS_MAX)
    return shapes.marks(signals or [], from_s, to_s)


@get("/timescale_marks", opt=_BARS_OPT)
async def timescale_marks(request: Asked, services: Services) -> list[dict[str, Any]]:
    """Return the auctions among the newest trades."""
    listed, (from_s, to_s) = await instrument(request, services), span(request)
    resolution(request)
    return shapes.auctions(await services.views.trades(listed.symbol, TRADES_MAX) or [], from_s, to_s)


def router() -> Router:
    """Return all routes."""
    handlers = [config, time, symbols, search, history, marks, timescale_marks]
    answers: dict[Any, Any] = dict.fromkeys((HTTPException, GatewayError, Problem, Exception), failed)
    answers[FeedError] = refused
    return Router("/udf", route_handlers=handlers, response_headers=HEADERS, exception_handlers=answers)
