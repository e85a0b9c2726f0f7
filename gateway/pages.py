"""The pages for people: all markets, one market, and its order form, which works with and without JavaScript.

Theory of operation: a form posts to one address. htmx says that it asks (HX-Request) and gets the one partial back that the form is in; a
plain browser is sent on to the page, which shows what became of the request named in its address, so that reloading never places
an order twice. Either way the form keeps its request id until the market has answered.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast, get_args
from urllib.parse import parse_qsl, quote

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from exchange.money import UNITS_MAX
from gateway.alerts.cookie import alerts_read
from gateway.analytics.page import read_breadth, read_inbox, read_symbol
from gateway.analytics.studies import chosen
from gateway.identity.principal import Principal
from gateway.identity.roles import may
from gateway.ports import GatewayError, UnknownOutcome, ViewsUnavailable
from gateway.problems import Problem, problem_of
from gateway.refusals import REFUSALS
from gateway.services import Services
from gateway.shown import AccountShown, Answer, OrderShown, Span
from gateway.sign_in.ways import way_here, way_to_sign_in
from gateway.tickets import TYPED, TicketShown, Tone, blank, price_text, read_ticket, typed
from gateway.trading import TradingService
from gateway.words import ENDED, condition

SPANS: Final[tuple[Span, ...]] = get_args(Span)
FORM: Final = "application/x-www-form-urlencoded"
FIELDS_MAX: Final = 32
"""Greatest number of fields in a form."""
SHOWN_FIELDS: Final = frozenset({*TYPED, "expires_ms"})
"""Fields that the form has a place for a message beside; the others' are told in its notice."""
KEPT_FIELDS: Final = ("side", "kind", "time_in_force")
"""Fields that stand in the form for the next order as they were for the last one."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_Request = Request[Any, Any, Any]


@get("/", opt={"needs": "see-market"})
async def markets_page(request: _Request, services: Services, principal: Principal) -> Response[str]:
    """Show all symbols."""
    page = services.renderer.page(
        "markets",
        summaries=await services.views.summaries(),
        freshness=await services.views.freshness(),
        **await read_breadth(services.views.analytics),
        **await header(request, services, principal),
    )
    return html(page)


@get("/market/{symbol:str}", opt={"needs": "see-market"})
async def market_page(request: _Request, services: Services, principal: Principal, symbol: str) -> Response[str]:
    """Show a symbol, with what became of the request that the address names, if it does."""
    request_id = request.query_params.get("request", "")
    ticket = blank(symbol)
    if request_id and principal.account is not None:
        answer = await services.exchange.answer(principal.account, request_id)
        notice, tone = _UNHEARD if answer is None else told(answer)
        ticket = TicketShown(symbol=symbol, request_id=ticket.request_id, notice=notice, tone=tone)
    return await _market_page(request, services, principal, symbol, ticket)


@post("/market/{symbol:str}/orders", opt={"needs": "trade", "orders": 1})
async def place_order(
    request: _Request, services: Services, principal: Principal, trading: TradingService, symbol: str
) -> Response[str] | Redirect:
    """Place the order that the form asks for."""
    fields = await form(request)
    order = None
    try:
        ticket_fields = {**fields, "symbol": symbol, **_expiry(fields)}
        order = await read_ticket(ticket_fields, services.views, trading.account, trading.now_ms())
        answer = await trading.place(order)
        ticket, status = _answered(symbol, fields, answer)
    except GatewayError as error:
        problem = problem_of(error)
        if "symbol" in problem.fields:
            raise Problem(404, "NOT_FOUND", "There is no such symbol.") from error
        if order is not None and isinstance(error, UnknownOutcome):  # to send it again, it must be the same
            fields |= {"request_id": order.request_id, "price": await price_text(order, services.views)}
        ticket, status = _failed(symbol, fields, problem), problem.status
    if "hx-request" in request.headers:
        return html(services.renderer.partial("ticket", ticket=ticket), status)
    if order is not None and status in (200, 409):
        return Redirect(f"/market/{quote(symbol)}?request={quote(order.request_id, safe='')}", status_code=303)
    return await _market_page(request, services, principal, symbol, ticket, status)


@post("/market/{symbol:str}/orders/{order_id:int}/cancel", opt={"needs": "trade"})
async def cancel_order(
    request: _Request, services: Services, trading: TradingService, symbol: str, order_id: int
) -> Response[str] | Redirect:
    """Cancel an open order."""
    if abs(order_id) > UNITS_MAX:
        raise Problem(404, "UNKNOWN_ORDER", "There is no such order.")
    by_htmx = "hx-request" in request.headers
    try:
        answer = await trading.cancel(order_id)
    except GatewayError as error:
        problem = problem_of(error)
        if not by_htmx:
            raise
        return await _cancelled(services, trading.account, symbol, _not_done(problem), problem.status)
    if by_htmx:
        status = 409 if answer.refusal else 200
        return await _cancelled(services, trading.account, symbol, told(answer), status)
    return Redirect(f"/market/{quote(symbol)}?request={quote(answer.outcome.request_id, safe='')}", status_code=303)


async def _cancelled(
    services: Services, account: str, symbol: str, notice: tuple[str, Tone], status: int
) -> Response[str]:
    """Answer a cancellation with a notice, and the orders where they can be read."""
    text = services.renderer.partial("notice", notice=notice[0], tone=notice[1])
    with suppress(ViewsUnavailable):
        text += services.renderer.partial("orders", account=await services.views.account(account), symbol=symbol)
    return html(text, status)


def _not_done(problem: Problem) -> tuple[str, Tone]:
    """Say in a sentence for a person why a cancellation has no outcome."""
    if problem.code != "UNKNOWN_OUTCOME":
        return problem.message, "bad"
    return f"{problem.message} Look at the order's state, and try again if it is still open.", "unknown"


def told(answer: Answer) -> tuple[str, Tone]:
    """Say in a sentence for a person what became of a request."""
    order = answer.order
    if answer.refusal == "DUPLICATE" and order is not None:
        first = f"{_name(order)}: {_state(order)}."
        return f"Two orders were sent under one request id, and only the first was placed. {first}", "bad"
    if answer.refusal is not None:
        return REFUSALS[answer.refusal].sentence, "bad"
    if order is None:
        return "The exchange has accepted the request.", "good"
    good = order.filled != _nothing(order) or order.state == "OPEN" or order.reason == "REQUESTED"
    return f"{_name(order)}: {_state(order)}.", "good" if good else "bad"


def _name(order: OrderShown) -> str:
    return f"{order.side.capitalize()} {order.quantity} {order.symbol}, order {order.order_id}"


def _state(order: OrderShown) -> str:
    filled = order.filled != _nothing(order)
    parts = [f"{order.filled} traded at {order.average} on average"] if filled else []
    if order.state == "OPEN":
        parts.append(_waiting(order))
    elif order.state == "EXPIRED":
        parts.append("it has expired")
    elif order.reason is not None:
        parts.append(ENDED[order.reason][1])
    return ", ".join(parts)


def _waiting(order: OrderShown) -> str:
    """Say what an open order does."""
    if order.trigger == "WAITING":
        return f"{order.leaves} {condition(order)}"
    if order.kind == "pegged":
        return f"{order.leaves} follow the market, never beyond {order.price}"
    if order.all_or_none or order.time_in_force in ("OPG", "CLS"):
        return f"{order.leaves} are with the book at {order.price}"
    return f"{order.leaves} rest in the book at {order.price}"


def _nothing(order: OrderShown) -> str:
    """Return how a quantity of nothing is written among the order's own."""
    return order.filled.translate(str.maketrans("123456789", "000000000"))


_EXPIRY: Final = {
    True: "Only a GTD order expires, at a time after 1970: choose that time in force, or leave this empty.",
    False: "A GTD order needs the time at which it expires: choose one, in UTC.",
}
"""What is wrong with the form's time of expiry, where one was typed, and where none was."""
_UNHEARD: Final[tuple[str, Tone]] = ("Nothing is known of this request yet: reload the page to look again.", "unknown")


def _answered(symbol: str, fields: dict[str, str], answer: Answer) -> tuple[TicketShown, int]:
    """Return the form after the market's answer: empty for the next order, or as typed beside what it refused."""
    notice, tone = told(answer)
    if answer.refusal is None:
        kept = {name: fields[name] for name in KEPT_FIELDS if fields.get(name)}
        return msgspec.structs.replace(blank(symbol), **kept, notice=notice, tone=tone), 200
    refusal = REFUSALS[answer.refusal]
    errors = {refusal.field: refusal.sentence} if refusal.field in SHOWN_FIELDS else {}
    return typed(symbol, {**fields, "request_id": ""}, errors, notice, tone), 409


def _failed(symbol: str, fields: dict[str, str], problem: Problem) -> TicketShown:
    """Return the form as typed, under the same request id, with what is wrong."""
    if "expires_ms" in problem.fields:
        problem.fields["expires_ms"] = _EXPIRY[bool(fields.get("expires"))]
    hidden = [what for field, what in problem.fields.items() if field not in SHOWN_FIELDS]
    tone: Tone = "unknown" if problem.code == "UNKNOWN_OUTCOME" else "bad"
    advice = " Send it again as it is: it will not be placed twice." if tone == "unknown" else ""
    return typed(symbol, fields, problem.fields, " ".join((problem.message, *hidden)) + advice, tone)


async def _market_page(
    request: _Request, services: Services, principal: Principal, symbol: str, ticket: TicketShown, status: int = 200
) -> Response[str]:
    span = request.query_params.get("span", services.settings.span)
    if span not in SPANS:
        raise Problem(422, "INVALID_FIELDS", f"There are no candles of this span: choose one of {', '.join(SPANS)}.")
    market = await services.views.market(symbol, cast(Span, span))
    contexts = await read_symbol(services.views, symbol, cast(Span, span))
    if market is None or not contexts:
        raise Problem(404, "NOT_FOUND", "There is no such symbol.")
    account = AccountShown(account="", balances=[], open_orders=[], ended_orders=[])
    if principal.account is not None:
        account = await services.views.account(principal.account)
    query = request.query_params
    page = services.renderer.page(
        "market",
        **{name: value for context in contexts.values() for name, value in context.items()},
        **await header(request, services, principal),
        chosen=chosen(query, query.getall("line", [])),
        spans=SPANS,
        summary=market.summary,
        depth=market.depth,
        trades=market.trades,
        candles=market.candles,
        tick=market.summary.tick,
        lot=market.summary.lot,
        symbol=symbol,
        account=account,
        ticket=ticket,
        freshness=await services.views.freshness(),
    )
    return html(page, status)


async def header(request: _Request, services: Services, principal: Principal) -> dict[str, Any]:
    """Return what every page's header and footer show of who asks, and of the account."""
    shown = account_context(request, services, principal)
    if principal.account is None:
        return shown
    inbox = await read_inbox(services.views.analytics, principal.account, alerts_read(request, principal), here=False)
    return shown | inbox["unread"]


def account_context(request: _Request, services: Services, principal: Principal) -> dict[str, Any]:
    """Return what pages show of who asks: `account_name` None where there is none, `user` empty of visitors."""
    return {
        "account_name": principal.account,
        "user": principal.user,
        "runs_venue": may(principal, "operate"),
        "can_trade": principal.account is not None and may(principal, "trade"),
        "sign_in_way": None if services.identities is None else way_to_sign_in(way_here(request)),
        "sandbox": services.settings.sandbox,
    }


async def form(request: _Request) -> dict[str, str]:
    """Return a form's fields; of a field that comes twice, the last."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", f"This address takes a form ({FORM}).")
    body = (await request.body()).decode("ascii", errors="replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError as error:
        raise Problem(400, "BAD_REQUEST", f"This form has more than {FIELDS_MAX} fields.") from error


def _expiry(fields: dict[str, str]) -> dict[str, Any]:
    """Return the form's time of expiry, in UTC, as a ticket has it; what is no time is left for the ticket to refuse."""
    text = fields.get("expires", "")
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return {"expires_ms": text}
    return {"expires_ms": (at - EPOCH) // timedelta(milliseconds=1)}


def html(text: str, status: int = 200) -> Response[str]:
    """Answer with a page or partials, which nobody may keep."""
    return Response(text, status_code=status, media_type="text/html", headers={"Cache-Control": "no-store"})
