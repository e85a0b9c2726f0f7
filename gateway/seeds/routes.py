"""The routes on the seeds' port. docs/SEEDS.md describes each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from litestar import Request, Response, delete, get, post

from exchange.seed_formats import encode_seed
from gateway.keys import FILLS_MAX
from gateway.ports import UnknownOutcome, ViewsUnavailable
from gateway.problems import Problem
from gateway.refusals import REFUSALS
from gateway.seeds import bulk, orders
from gateway.seeds.feed import Feed
from gateway.seeds.ingest import InvalidIngest
from gateway.seeds.stocks import Stocks, StockShown, TradableShown, tradable
from gateway.services import Services
from gateway.shown import Answer, OrderShown
from gateway.tickets import new_request_id
from gateway.trading import TradingService

_Request = Request[Any, Any, Any]


@dataclass(frozen=True)
class Seeds:
    """What the routes need."""

    services: Services
    feed: Feed
    account: str | None
    stocks: Stocks

    @property
    def trading(self) -> TradingService:
        """What trades. Raises Problem where nobody trades by this port."""
        if self.account is None:
            raise Problem(404, "NO_ACCOUNT", "Nobody trades by this port: set an account for it.")
        return TradingService(self.services.exchange, self.account)


@get("/health", opt={"needs": "enter"})
async def health(seeds: Seeds) -> Response[dict[str, Any]]:
    """Say whether what is sent would be taken."""
    reasons = [] if seeds.services.commands.available() else ["Kafka takes nothing now"]
    try:
        await seeds.services.views.instruments()
    except ViewsUnavailable as error:
        reasons.append(str(error))
    return Response({"alive": True, "reasons": reasons}, status_code=503 if reasons else 200)


@post("/ingest", opt={"needs": "quote"}, status_code=200)
async def ingest(request: _Request, seeds: Seeds) -> dict[str, str]:
    """Record a message of market data."""
    try:
        await seeds.feed.take(await _json(request))
    except InvalidIngest as error:
        field, found, what = str(error).partition(": ")
        fields = {field: what} if found and field.isidentifier() else {}
        raise Problem(400, "INVALID_MESSAGE", f"The message was not taken: {error}.", fields) from error
    return {"status": "accepted"}


@get("/api/v1/stock/{symbol:str}", opt={"needs": "see-market"})
async def stock(seeds: Seeds, symbol: str) -> StockShown:
    """Tell of a stock."""
    views = seeds.services.views
    shown = seeds.stocks.show(unquote(symbol), await views.instruments(), await views.analytics.fundamentals())
    if shown is None:
        raise Problem(404, "NO_SUCH_STOCK", "There is no such stock: GET /api/v1/stocks has all that there are.")
    return shown


@get("/api/v1/stocks", opt={"needs": "see-market"})
async def stocks(seeds: Seeds) -> list[StockShown]:
    """Tell of all listed stocks."""
    views = seeds.services.views
    return seeds.stocks.show_all(await views.instruments(), await views.analytics.fundamentals())


@get("/api/v1/instruments", opt={"needs": "see-market"})
async def instruments(seeds: Seeds) -> list[TradableShown]:
    """Tell how the listed stocks are traded."""
    return tradable(await seeds.services.views.instruments())


@post("/api/v1/orders/place", opt={"needs": "trade"}, status_code=200)
async def place(request: _Request, seeds: Seeds) -> Response[bytes]:
    """Place an order."""
    trading, services = seeds.trading, seeds.services
    wanted = _one(await _json(request))
    order = await orders.read_order(wanted, services.views, trading.account, trading.now_ms())
    try:
        answer = await trading.place(order, new_id=True)
    except UnknownOutcome as error:
        told = {"request_id": f"Ask with GET /api/v1/requests/{order.request_id} what became of it."}
        raise Problem(504, "UNKNOWN_OUTCOME", f"{error}.", told) from error
    return _exact(await _placed(seeds, wanted, _granted(answer)))


@delete("/api/v1/orders/cancel", opt={"needs": "trade"}, status_code=200)
async def cancel(request: _Request, seeds: Seeds) -> Response[bytes]:
    """Cancel the open order that the same fields describe."""
    trading, views = seeds.trading, seeds.services.views
    wanted = _one(await _json(request))
    account = await views.account(trading.account)
    order_id = orders.meant(wanted, account.open_orders, await views.instruments(), trading.now_ms())
    if order_id is None:
        raise Problem(404, "NO_SUCH_ORDER", "There is no open order with these fields.")
    answer = await trading.cancel(order_id)
    return _exact({"trade": await _placed(seeds, wanted, _granted(answer))})


@post("/api/v1/orders/bulk", opt={"needs": "quote"}, status_code=200, request_max_body_size=bulk.BODY_MAX)
async def place_many(request: _Request, seeds: Seeds) -> bulk.BulkShown:
    """Send many orders at once."""
    trading, services = seeds.trading, seeds.services
    made_id = new_request_id()
    some = bulk.Bulk(await services.views.instruments(), trading.account, trading.now_ms(), made_id)
    bulk.read_bulk(await _json(request), some)
    try:
        await services.commands.write_many(some.commands)
    except UnknownOutcome as error:
        told = {
            "request_id": f"Ask with GET /api/v1/requests/ID for each: those without an id of their own are {made_id}-0, -1, ..."
        }
        raise Problem(504, "UNKNOWN_OUTCOME", f"{error}.", told) from error
    services.metrics.count_order("SENT", len(some.commands))
    return some.answer()


@get("/api/v1/requests/{request_id:str}", opt={"needs": "see-account"})
async def request_answer(seeds: Seeds, request_id: str) -> Answer:
    """Tell what became of an order that was sent."""
    answer = await seeds.trading.answer(unquote(request_id))
    if answer is None:
        raise Problem(404, "NO_SUCH_REQUEST", "Nothing is known of this request, or not yet: ask again in a moment.")
    return answer


HANDLERS: Final = [health, ingest, stock, stocks, instruments, place, cancel, place_many, request_answer]


async def _json(request: _Request) -> bytes:
    """Return the body of a request that says that it is JSON; so no page of another site can send it unasked."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send JSON with the header Content-Type: application/json.")
    return await request.body()


def _one(body: bytes) -> orders.Wanted:
    wanted = orders.decode(body)
    if wanted.request_id is not None:
        raise Problem(400, "UNKNOWN_FIELD", "Only bulk orders have a request_id: leave it away.")
    return wanted


def _granted(answer: Answer) -> OrderShown:
    """Return the order of a request that had an effect. Raises Problem if the market refused it."""
    if answer.refusal is not None:
        raise Problem(409, answer.refusal, REFUSALS[answer.refusal].sentence)
    if answer.order is None:
        raise Problem(409, "ORDER_GONE", "The order has ended too long ago to be shown.")
    return answer.order


async def _placed(seeds: Seeds, wanted: orders.Wanted, order: OrderShown) -> orders.Placed:
    fills = []
    if order.average is not None:
        fills = await seeds.services.views.fills(seeds.trading.account, FILLS_MAX, order.symbol)
    return orders.placed(wanted, order, fills)


def _exact(value: Any) -> Response[bytes]:
    """Answer with JSON whose decimals are numbers, digit by digit."""
    return Response(encode_seed(value), media_type="application/json")
