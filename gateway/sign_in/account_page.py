"""The page of one's own user and account: what there is, the password, and where one is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.response import Redirect

from gateway.endowment import Faucet
from gateway.identity.errors import IdentityError, LogInRefused
from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.principal import Principal
from gateway.own import account_of
from gateway.pages import form, header, html
from gateway.ports import GatewayError
from gateway.problems import Problem
from gateway.services import Services
from gateway.sign_in.cookies import SESSION, keep
from gateway.sign_in.forms import PASSWORD_HINT, Form, directory_of, failed, origin_of
from gateway.sign_in.proof import asked_of

ACCOUNT: Final = "/account"
SCOPES: Final = (
    ("read", "See balances, orders and alerts"),
    ("trade", "Trade"),
    ("admin", "Do what your role may beyond trading"),
)
"""What a key may be let do, and how that is said."""
_SECTIONS: Final = ("who", "password", "elsewhere", "factor", "sessions", "keys")
_DONE: Final = {
    "faucet": Form(notice="Today's play money is on its way, unless you had it already.", tone="good"),
    "password": Form(notice="Your password is changed.", tone="good"),
    "factor-off": Form(notice="Your second factor is off.", tone="good"),
    "session": Form(notice="That session has ended.", tone="good"),
    "sessions": Form(notice="You are signed in only here.", tone="good"),
    "key": Form(notice="That key can no longer be used.", tone="good"),
    "linked": Form(notice="From now on you can sign in with it, too.", tone="good"),
    "unlinked": Form(notice="It lets you in no more.", tone="good"),
}
"""What the address of the page can say was done."""
_PLACES: Final = {
    "faucet": "who",
    "factor-off": "factor",
    "session": "sessions",
    "key": "keys",
    "linked": "elsewhere",
    "unlinked": "elsewhere",
}
_Request = Request[Any, Any, Any]


@get(ACCOUNT, opt={"needs": "manage-self"})
async def account(request: _Request, services: Services, principal: Principal) -> Response[str]:
    """Show everything of one's own."""
    done = request.query_params.get("done", "")
    forms = {_PLACES.get(done, done): _DONE[done]} if done in _DONE else {}
    if "welcome" in request.query_params:
        welcome = f"Welcome. Your name here is {principal.user}: you sign in with it, digits and all."
        forms["who"] = Form(notice=welcome, tone="good")
    return await show_account(request, services, principal, forms)


@post(f"{ACCOUNT}/faucet", opt={"needs": "trade"})
async def faucet(services: Services, principal: Principal) -> Redirect:
    """Give the account of who asks its endowment, once a day (UTC)."""
    if not services.settings.sandbox:
        raise Problem(403, "NO_SANDBOX", "This server trades in earnest: money is not given here.")
    await Faucet(services.commands, services.views).give(account_of(principal), services.exchange.now_ms())
    return done("faucet")


@post(f"{ACCOUNT}/password", opt={"needs": "manage-self"})
async def password(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Change the password, and end all sessions but this browser's, which gets a new one."""
    directory, fields = directory_of(services), await form(request)
    try:
        entered = await directory.door.change_password(
            principal.user, fields.get("current", ""), fields.get("password", ""), origin_of(request)
        )
    except LogInRefused:
        wrong = {"current": "This is not your password."}
        return await show_account(request, services, principal, {"password": Form(errors=wrong, status=422)})
    except (IdentityError, IdentitiesUnavailable) as error:
        return await show_account(request, services, principal, {"password": failed(error, {})})
    answer = done("password")
    answer.cookies.append(keep(SESSION, entered.token, services.settings.tls))
    return answer


@post(f"{ACCOUNT}/sessions/{{number:int}}/revoke", opt={"needs": "manage-self"})
async def revoke_session(request: _Request, services: Services, principal: Principal, number: int) -> Response[Any]:
    """End one of one's own sessions."""
    try:
        await directory_of(services).sessions.revoke(
            principal.user, min(max(number, 0), 2**63 - 1), origin=origin_of(request)
        )
    except IdentityError as error:
        return await show_account(request, services, principal, {"sessions": failed(error, {})})
    return done("session")


@post(f"{ACCOUNT}/sessions/revoke-others", opt={"needs": "manage-self"})
async def revoke_other_sessions(request: _Request, services: Services, principal: Principal) -> Redirect:
    """End all of one's own sessions but this one."""
    origin = origin_of(request)
    await directory_of(services).sessions.revoke_all(principal.user, but=principal.grant_id, origin=origin)
    return done("sessions")


HANDLERS: Final = [account, faucet, password, revoke_session, revoke_other_sessions]


async def show_account(
    request: _Request,
    services: Services,
    principal: Principal,
    forms: dict[str, Form],
    *,
    enrolment: dict[str, str] | None = None,
    recovery_codes: Sequence[str] = (),
    new_key: tuple[str, str] | None = None,
) -> Response[str]:
    """Answer with the page; `forms` are those of its sections that have something to say, the others are what is shown only once."""
    directory = directory_of(services)
    user, now_ms = await directory.users.get(principal.user), services.exchange.now_ms()
    keys, provider = await directory.keys.of(user.name), services.provider
    issuer = None if provider is None else provider.settings.issuer
    try:
        top = await header(request, services, principal)
    except GatewayError:  # what concerns safety can be done while the views cannot be read
        top = await header(request, services, Principal(user=principal.user, role="viewer", account=None))
        top |= {"here": False, "unread": 0}
    page = services.renderer.page(
        "account",
        **top | {"account_name": user.account} | await asked_of(services, principal),
        role=user.role,
        accounts=user.accounts,
        codes_left=await directory.second_factors.codes_left(user.name) if user.second_factor else 0,
        password_hint=PASSWORD_HINT,
        linked=issuer is not None and await directory.elsewhere.is_linked(user.name, issuer),
        sessions=await directory.sessions.of(user.name),
        number=principal.grant_id,
        keys=[key for key in keys if key.revoked_ms is None and (key.expires_ms is None or key.expires_ms > now_ms)],
        scopes=[(scope, words) for scope, words in SCOPES if scope != "admin" or user.role in ("operator", "admin")],
        forms={section: forms.get(section, Form()) for section in _SECTIONS},
        enrolment=enrolment,
        recovery_codes=recovery_codes,
        new_key=new_key,
    )
    status = max((each.status for each in forms.values()), default=200)
    answer = html(page, status)
    for each in forms.values():
        answer.headers.update(each.headers)
    return answer


def done(what: str) -> Redirect:
    """Send the browser back to the page, which says what was done."""
    return Redirect(f"{ACCOUNT}?done={what}", status_code=303)
