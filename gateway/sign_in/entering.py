"""The pages of signing up, in and out.

Theory of operation: who signs in gets a session of a token that nobody had before, and a session that the browser came with ends: nobody
can prepare one for somebody else. With a second factor the first token is in a cookie of its own, and opens nothing but the page that takes
the code. After it the browser is sent back to where it came from, only ever to a path of this server. What is answered to a name
that is not known, to a wrong password and to somebody who is shut out is one and the same.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from gateway.endowment import Faucet
from gateway.identity.errors import IdentityError
from gateway.identity.log_in import LogIn
from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.principal import Principal
from gateway.identity.users import SIGNED_UP
from gateway.limiting.address import network_of
from gateway.limiting.ports import Claim
from gateway.pages import account_context, form, html
from gateway.ports import GatewayError
from gateway.problems import Problem
from gateway.services import Services
from gateway.sign_in.cookies import PENDING, SESSION, cookie_name, forget, keep
from gateway.sign_in.forms import PASSWORD_HINT, Form, directory_of, failed, origin_of
from gateway.sign_in.ways import HOME, own_path

PENDING_S: Final = 300
"""How long a browser keeps that a password was right while the code is awaited."""
SIGN_UPS: Final = 10
SIGN_UPS_S: Final = 3_600
"""How many users may be made from one network in how many seconds."""

_Request = Request[Any, Any, Any]
_LOG = logging.getLogger(__name__)


@get("/sign-in", opt={"needs": "enter"})
async def sign_in_page(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Show the form that signs in; who is signed in already is sent on."""
    directory_of(services)
    way = own_path(request.query_params.get("next", HOME))
    if principal.grant == "session":
        return Redirect(way, status_code=303)
    answer = show_page(request, services, "sign_in", Form(), way)
    if request.cookies.get(cookie_name(SESSION, services.settings.tls)):  # of a session that has ended
        answer.cookies.append(forget(SESSION, services.settings.tls))
    return answer


@post("/sign-in", opt={"needs": "enter"})
async def sign_in(request: _Request, services: Services) -> Response[Any]:
    """Sign somebody in by name and password, or ask for the second factor."""
    directory, fields = directory_of(services), await form(request)
    way = own_path(fields.get("next", HOME))
    try:
        entered = await directory.door.log_in(fields.get("name", ""), fields.get("password", ""), origin_of(request))
    except (IdentityError, IdentitiesUnavailable) as error:
        return show_page(request, services, "sign_in", failed(error, fields), way)
    if entered.waiting:
        page = show_page(request, services, "second_factor", Form(), way)
        page.cookies.append(keep(PENDING, entered.token, services.settings.tls, PENDING_S))
        return page
    return await let_in(request, services, entered, way)


@post("/sign-in/second-factor", opt={"needs": "enter"})
async def second_factor(request: _Request, services: Services) -> Response[Any]:
    """Sign somebody in whose password was right, by the code of their authenticator or a recovery code."""
    directory, fields = directory_of(services), await form(request)
    way = own_path(fields.get("next", HOME))
    token = request.cookies.get(cookie_name(PENDING, services.settings.tls), "")
    try:
        entered = await directory.door.confirm(token, fields.get("code", ""), origin_of(request))
    except (IdentityError, IdentitiesUnavailable) as error:
        return show_page(request, services, "second_factor", failed(error, fields), way)
    return await let_in(request, services, entered, way)


@get("/sign-up", opt={"needs": "enter"})
async def sign_up_page(request: _Request, services: Services) -> Response[Any]:
    """Show the form that makes a user."""
    directory_of(services)
    return show_page(request, services, "sign_up", Form())


@post("/sign-up", opt={"needs": "enter"})
async def sign_up(request: _Request, services: Services) -> Response[Any]:
    """Make a user with an account of its own, and sign it in."""
    directory, fields, origin = directory_of(services), await form(request), origin_of(request)
    if not services.settings.sign_up:
        raise Problem(403, "NO_SIGN_UP", "This server takes no sign-ups: ask whoever runs it for a user.")
    if services.limits is not None:
        claim = Claim(f"sign-ups:{network_of(origin.address)}", 1, SIGN_UPS, SIGN_UPS_S)
        verdict = await services.limits.take([claim])
        if not verdict.granted:
            headers = {"Retry-After": str(verdict.retry_after_s)}
            what = "Too many have signed up from your address: try again later."
            raise Problem(429, "TOO_MANY_REQUESTS", what, headers=headers)
    try:
        entered = await directory.door.sign_up(fields.get("name", ""), fields.get("password", ""), origin)
    except (IdentityError, IdentitiesUnavailable) as error:
        return show_page(request, services, "sign_up", failed(error, fields))
    if services.settings.sandbox:
        try:
            await Faucet(services.commands, services.views).give(SIGNED_UP + entered.user, services.exchange.now_ms())
        except GatewayError as error:  # it can be asked for at the account's page
            _LOG.warning("a new account could not be given anything yet: %s", error)
    return await let_in(request, services, entered, "/account?welcome=1")


@post("/sign-out", opt={"needs": "enter"})
async def sign_out(request: _Request, services: Services) -> Response[Any]:
    """End the browser's session, if it has one."""
    await _end(request, services)
    return Redirect(HOME, status_code=303, cookies=[forget(SESSION, services.settings.tls)])


HANDLERS: Final = [sign_in_page, sign_in, second_factor, sign_up_page, sign_up, sign_out]


async def let_in(request: _Request, services: Services, entered: LogIn, way: str) -> Redirect:
    """Give a browser its new session in place of any it came with, and send it on."""
    await _end(request, services)
    tls = services.settings.tls
    cookies: list[Cookie] = [keep(SESSION, entered.token, tls), forget(PENDING, tls)]
    return Redirect(way, status_code=303, cookies=cookies)


async def _end(request: _Request, services: Services) -> None:
    token = request.cookies.get(cookie_name(SESSION, services.settings.tls))
    if token:
        await directory_of(services).sessions.log_out(token, origin_of(request))


def show_page(request: _Request, services: Services, name: str, shown: Form, way: str = HOME) -> Response[str]:
    """Answer with a page of signing in or up; `way` is where to go afterwards."""
    nobody = Principal(user="", role="viewer", account=None)
    label = None if services.provider is None else services.provider.settings.label
    context = account_context(request, services, nobody) | {"sign_in_way": None}
    page = services.renderer.page(
        name,
        form=shown,
        way=way,
        may_sign_up=services.settings.sign_up,
        oidc_label=label,
        password_hint=PASSWORD_HINT,
        **context,
    )
    answer = html(page, shown.status)
    answer.headers.update(shown.headers)
    return answer
