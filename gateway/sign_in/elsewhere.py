"""Signing in with an OpenID Connect provider, and linking one's user to it.

Theory of operation: a form of ours begins a visit to the provider, so that no other site can begin one. The browser is sent on by a page and
not by a redirect, because our pages let no form lead to another site. What it comes back with counts only together with the sealed cookie that
the visit was begun with, once, and of one network only so many reach the provider in a minute. Whoever signs in gets a new session, and the
one that the browser came with ends. Why somebody is not let in is for the logs: everybody is told the same. What comes back without a visit
is not written down anywhere: anybody can ask for that address at any time.
"""

from __future__ import annotations

import logging
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request, Response, get, post

from gateway.audit.event import AuditUnavailable
from gateway.endowment import Faucet
from gateway.identity.core import Origin
from gateway.identity.errors import IdentityError, LogInRefused, NotAllowed, TooManyAttempts
from gateway.identity.oidc_flow import FLOW_S, Flow
from gateway.identity.oidc_provider import Known, Provider, ProviderAway, ProviderRefused
from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.principal import Principal
from gateway.limiting.address import network_of
from gateway.limiting.ports import Claim
from gateway.pages import account_context, form, html
from gateway.ports import GatewayError
from gateway.problems import Problem
from gateway.services import Services
from gateway.sign_in.account_page import ACCOUNT, done, show_account
from gateway.sign_in.cookies import cookie_name, forget, keep
from gateway.sign_in.entering import let_in, show_page
from gateway.sign_in.forms import Form, directory_of, failed, origin_of
from gateway.sign_in.proof import prove, unproven
from gateway.sign_in.ways import HOME, own_path

VISIT: Final = "openbell-visit"
"""The cookie of a browser whose user is at the provider."""
CALLBACK: Final = "/sign-in/elsewhere/callback"
ANSWER_MAX: Final = 4_096
WAY_MAX: Final = 1_000
"""Greatest length of a way back that a cookie has room for."""
RETURNS: Final = 20
RETURNS_S: Final = 60
"""How many may come back from the provider to one network in how many seconds."""

_Request = Request[Any, Any, Any]
_LOG = logging.getLogger(__name__)


@post("/sign-in/elsewhere", opt={"needs": "enter"})
async def begin(request: _Request, services: Services) -> Response[str]:
    """Send a browser to the provider, to sign in."""
    way = own_path((await form(request)).get("next", HOME))
    try:
        return await _onward(request, services, way)
    except ProviderAway as error:
        return show_page(request, services, "sign_in", _away(services, error), way)


@post(f"{ACCOUNT}/elsewhere/link", opt={"needs": "manage-self"})
async def begin_link(request: _Request, services: Services, principal: Principal) -> Response[str]:
    """Send the browser of whoever proves to be the user to the provider, to link whoever comes back to them."""
    _provider(services)
    fields = await form(request)
    try:
        await prove(request, services, principal, "link", fields)
        return await _onward(request, services, ACCOUNT, principal.user)
    except ProviderAway as error:
        shown = _away(services, error)
    except (IdentityError, IdentitiesUnavailable) as error:
        shown = unproven(error, "link", {})
    return await show_account(request, services, principal, {"elsewhere": shown})


@post(f"{ACCOUNT}/elsewhere/unlink", opt={"needs": "manage-self"})
async def unlink(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Have the provider let one in no more."""
    issuer = _provider(services).settings.issuer
    try:
        await directory_of(services).elsewhere.unlink(principal.user, issuer, origin_of(request))
    except IdentityError as error:
        return await show_account(request, services, principal, {"elsewhere": failed(error, {})})
    return done("unlinked")


@get(CALLBACK, opt={"needs": "enter"})
async def come_back(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Let in, or link, whoever comes back from the provider."""
    directory, provider, origin = directory_of(services), _provider(services), origin_of(request)
    if services.audit is not None and not services.audit.available():
        raise AuditUnavailable("this cannot be written to the audit log now, so it was not done: try again later")
    query = {name: value[:ANSWER_MAX] for name, value in request.query_params.items()}
    cookie = request.cookies.get(cookie_name(VISIT, services.settings.tls), "")
    flow = directory.elsewhere.returned(cookie, query.get("state", ""), provider.settings.issuer)
    if flow is None:
        answer = show_page(request, services, "sign_in", _refusal(services, ProviderRefused("there is no such visit")))
    else:
        try:
            await _admit(services, origin)
            _check(flow, principal)
            await directory.elsewhere.use_up(flow)
            known = await provider.known(query, _callback(request, services), flow.nonce, flow.verifier)
            answer = await _enter(request, services, principal, flow, known)
        except TooManyAttempts as error:  # the visit is as good after the wait
            return await _refused(request, services, principal, flow, error)
        except (ProviderRefused, ProviderAway, LogInRefused, NotAllowed, IdentitiesUnavailable) as error:
            if isinstance(error, ProviderRefused):
                _LOG.warning("nobody is let in by the provider: %s", error)
                await directory.elsewhere.refused(str(error), origin)
            answer = await _refused(request, services, principal, flow, error)
    answer.cookies.append(forget(VISIT, services.settings.tls))
    return answer


HANDLERS: Final = [begin, begin_link, unlink, come_back]


async def _onward(request: _Request, services: Services, way: str, link: str = "") -> Response[str]:
    """Answer with a page that leads to the provider. Raises ProviderAway."""
    directory, provider = directory_of(services), _provider(services)
    flow, cookie = directory.elsewhere.begun(provider.settings.issuer, way if len(way) <= WAY_MAX else HOME, link)
    onward = await provider.way(_callback(request, services), flow.state, flow.nonce, flow.verifier)
    nobody = Principal(user="", role="viewer", account=None)
    context = account_context(request, services, nobody) | {"sign_in_way": None}
    label, host = provider.settings.label, urlsplit(onward).netloc
    answer = html(services.renderer.page("onward", onward=onward, label=label, host=host, **context))
    answer.headers["Refresh"] = f"0;url={onward}"
    answer.cookies.append(keep(VISIT, cookie, services.settings.tls, FLOW_S))
    return answer


async def _enter(
    request: _Request, services: Services, principal: Principal, flow: Flow, known: Known
) -> Response[Any]:
    directory, origin = directory_of(services), origin_of(request)
    if flow.link:
        await directory.elsewhere.link(principal.user, known, origin)
        return done("linked")
    create = services.provider.settings.create if services.provider is not None else None
    entered, new = await directory.elsewhere.log_in(known, create, origin)
    if not new:
        return await let_in(request, services, entered, own_path(flow.way))
    user = await directory.users.get(entered.user)
    if services.settings.sandbox and user.account is not None and user.role in ("trader", "market-maker"):
        try:
            await Faucet(services.commands, services.views).give(user.account, services.exchange.now_ms())
        except GatewayError as error:  # it can be asked for at the account's page
            _LOG.warning("a new account could not be given anything yet: %s", error)
    return await let_in(request, services, entered, f"{ACCOUNT}?welcome=1")


async def _admit(services: Services, origin: Origin) -> None:
    """Count a return from the provider. Raises TooManyAttempts if its network has had as many as it may."""
    if services.limits is None:
        return
    verdict = await services.limits.take([Claim(f"returns:{network_of(origin.address)}", 1, RETURNS, RETURNS_S)])
    if not verdict.granted:
        raise TooManyAttempts(max(1, verdict.retry_after_s))


def _check(flow: Flow, principal: Principal) -> None:
    """Raise ProviderRefused if a visit was to link somebody, and they are not who is signed in."""
    if flow.link and (principal.user != flow.link or principal.grant != "session"):
        raise ProviderRefused("whoever is signed in is not who began it")


async def _refused(
    request: _Request, services: Services, principal: Principal, flow: Flow, error: GatewayError
) -> Response[str]:
    """Answer somebody who is not let in, or not linked, with the page that their visit began at."""
    shown = _refusal(services, error)
    if flow.link and principal.user == flow.link:
        return await show_account(request, services, principal, {"elsewhere": shown})
    return show_page(request, services, "sign_in", shown, flow.way)


def _refusal(services: Services, error: GatewayError) -> Form:
    """Return what is said of what did not work: to whoever could be anybody no more than that."""
    label = _provider(services).settings.label
    match error:
        case ProviderAway():
            return _away(services, error)
        case LogInRefused():
            what = f"{label} knows you, but nobody here is linked to that log-in, or may enter now: ask whoever runs this server."
            return Form(notice=what, tone="bad", status=403)
        case ProviderRefused():
            return Form(notice=f"Signing in with {label} did not work: try it again from here.", tone="bad", status=403)
    return failed(error, {})


def _away(services: Services, error: ProviderAway) -> Form:
    label = _provider(services).settings.label
    _LOG.warning("the provider %s cannot be used: %s", label, error)
    headers = {"Retry-After": "5"}
    return Form(
        notice=f"{label} cannot be reached now: try again in a moment.", tone="bad", status=503, headers=headers
    )


def _provider(services: Services) -> Provider:
    if services.provider is None:
        raise Problem(404, "NO_PROVIDER", "This server lets nobody in by another provider.")
    return services.provider


def _callback(request: _Request, services: Services) -> str:
    """Return where the provider sends browsers back to: this server, by the name it was asked for under (one of those it answers to)."""
    scheme = "https" if services.settings.tls else "http"
    return f"{scheme}://{request.headers.get('host', '')}{CALLBACK}"
