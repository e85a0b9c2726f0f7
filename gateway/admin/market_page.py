"""The page of the market: what is listed, halts and phases, listing and delisting, and accounts' kill switches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any, Final, get_args
from urllib.parse import urlencode

from litestar import Response, get, post

from exchange.listing_file import Listing, decode_listings
from exchange.messages import Phase
from gateway.admin.frame import ADMIN, SURE, AdminRequest, is_sure, note, page, sent_on
from gateway.admin.operating import NotOperated, Operating
from gateway.audit.event import AuditOutcome, AuditUnavailable
from gateway.identity.principal import ACCOUNT, Principal
from gateway.pages import form
from gateway.ports import GatewayError, UnknownOutcome, ViewsUnavailable
from gateway.problems import Problem, problem_of
from gateway.services import Services
from gateway.shown import Summary
from gateway.sign_in.forms import Form

MARKET: Final = f"{ADMIN}/market"
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
_DONE: Final = {
    "phase": "The market of {} has changed its phase.",
    "listed": "{} is listed.",
    "delisted": "{} is delisted, and its open orders are cancelled.",
    "killed": "The account {} can place no orders now, and its open ones are cancelled.",
    "revived": "The account {} can trade again.",
}
"""What the address of the page can say was done, and to whom."""
_OPERATE: Final = {"needs": "operate"}

Act = Callable[[Operating], Awaitable[str]]


@get(MARKET, opt=_OPERATE)
async def market(request: AdminRequest, services: Services, principal: Principal) -> Response[str]:
    """Show what is listed, and the forms."""
    query = request.query_params
    told, of = _DONE.get(query.get("done", "")), query.get("of", "")
    shown = Form(notice=told.format(of), tone="good") if told and ACCOUNT.fullmatch(of) else Form()
    return await _page(request, services, principal, shown)


@post(f"{MARKET}/{{symbol:str}}/phase", opt=_OPERATE)
async def set_phase(request: AdminRequest, services: Services, principal: Principal, symbol: str) -> Response[Any]:
    """Let a market go into a phase."""
    wanted = (await form(request)).get("phase", "")
    if wanted not in PHASES:
        return await _page(request, services, principal, _refused(f"There is no phase {wanted[:40]!r}.", 422))
    phase = wanted
    return await _act(
        request, services, principal, "phase", symbol, lambda market: market.set_phase(symbol, phase), phase=phase
    )


@post(f"{MARKET}/{{symbol:str}}/halt", opt=_OPERATE)
async def halt(request: AdminRequest, services: Services, principal: Principal, symbol: str) -> Response[Any]:
    """Stop trading in a symbol."""
    return await _act(
        request, services, principal, "phase", symbol, lambda market: market.set_phase(symbol, "halt"), phase="halt"
    )


@post(f"{MARKET}/{{symbol:str}}/resume", opt=_OPERATE)
async def resume(request: AdminRequest, services: Services, principal: Principal, symbol: str) -> Response[Any]:
    """End a halt."""

    def act(market: Operating) -> Awaitable[str]:
        return market.set_phase(symbol, "continuous", ending="halt")

    return await _act(request, services, principal, "phase", symbol, act, phase="continuous")


@post(f"{MARKET}/{{symbol:str}}/delist", opt=_OPERATE)
async def delist(request: AdminRequest, services: Services, principal: Principal, symbol: str) -> Response[Any]:
    """Take a symbol off the market."""
    if not is_sure(await form(request)):
        return await _page(request, services, principal, _refused(SURE, 422))
    return await _act(request, services, principal, "delisted", symbol, lambda market: market.delist(symbol))


@post(f"{MARKET}/list", opt=_OPERATE)
async def list_(request: AdminRequest, services: Services, principal: Principal) -> Response[Any]:
    """List a symbol of the listing file."""
    symbol = (await form(request)).get("symbol", "")
    listing = installed().get(symbol)
    if listing is None:
        return await _page(request, services, principal, _refused("Choose a symbol of the listing file.", 422))
    return await _act(request, services, principal, "listed", symbol, lambda market: market.list_instrument(listing))


@post(f"{MARKET}/kill", opt=_OPERATE)
async def kill(request: AdminRequest, services: Services, principal: Principal) -> Response[Any]:
    """Refuse an account's new orders, and cancel its open ones."""
    return await _switch(request, services, principal, on=True)


@post(f"{MARKET}/revive", opt=_OPERATE)
async def revive(request: AdminRequest, services: Services, principal: Principal) -> Response[Any]:
    """Let an account trade again."""
    return await _switch(request, services, principal, on=False)


HANDLERS: Final = [market, set_phase, halt, resume, delist, list_, kill, revive]


@cache
def installed() -> Mapping[str, Listing]:
    """Return what the listing file that is installed has, by symbol."""
    return decode_listings((files("exchange") / "data" / "listings.toml").read_text(encoding="utf-8"))


async def _switch(request: AdminRequest, services: Services, principal: Principal, *, on: bool) -> Response[Any]:
    fields = await form(request)
    account = fields.get("account", "").strip()
    typed = {"account": account[:64]}
    if not ACCOUNT.fullmatch(account):
        wrong = {"account": "An account's name has 1 to 64 letters, digits and . _ -"}
        return await _page(request, services, principal, Form(values=typed, errors=wrong, status=422))
    if on and not is_sure(fields):
        return await _page(request, services, principal, Form(values=typed, errors={"sure": SURE}, status=422))
    what = "killed" if on else "revived"
    return await _act(
        request, services, principal, what, account, lambda market: market.set_kill_switch(account, on=on)
    )


async def _act(
    request: AdminRequest,
    services: Services,
    principal: Principal,
    what: str,
    of: str,
    act: Act,
    **details: str,
) -> Response[Any]:
    """Write down what is asked for, do it, and say what came of it; what was not done, or may not have been, is written down as well."""
    if services.operating is None:
        raise Problem(404, "NOT_OPERATED_HERE", "This server does not operate its market.")

    def written(outcome: AuditOutcome, **more: str) -> None:
        note(request, services, principal, f"market-{what}", of, outcome, **details, **more)

    written("done")
    try:
        await act(services.operating)
    except GatewayError as error:
        with suppress(AuditUnavailable):  # the answer is the same
            match error:
                case UnknownOutcome():
                    written("done", result="unknown")
                case NotOperated():
                    written("refused")
                case _:
                    written("refused", why=problem_of(error).code)
        return await _page(request, services, principal, _not_done(error))
    return sent_on(f"{MARKET}?{urlencode({'done': what, 'of': of})}")


async def _page(request: AdminRequest, services: Services, principal: Principal, shown: Form) -> Response[str]:
    summaries: list[Summary] = []
    readable = True
    try:
        summaries = await services.views.summaries()
    except ViewsUnavailable:
        readable = False
    listed = {one.symbol for one in summaries}
    return await page(
        request,
        services,
        principal,
        "admin_market",
        "market",
        shown,
        summaries=summaries,
        readable=readable,
        phases=PHASES,
        unlisted=[symbol for symbol in installed() if symbol not in listed] if readable else [],
    )


def _not_done(error: GatewayError) -> Form:
    """Return what is shown of what was not done, or may not have been."""
    if isinstance(error, NotOperated):
        return _refused(f"{error}.", 422)
    problem = problem_of(error)
    tone = Form(tone="unknown" if isinstance(error, UnknownOutcome) else "bad").tone
    return Form(notice=problem.message, tone=tone, status=problem.status, headers=problem.headers)


def _refused(sentence: str, status: int) -> Form:
    return Form(notice=sentence, tone="bad", status=status)
