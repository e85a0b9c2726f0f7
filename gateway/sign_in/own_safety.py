"""What one's own page does for the second factor and for API keys. What is secret is shown once, in the answer to who made it."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from litestar import Request, Response, post

from gateway.identity.errors import IdentityError, InvalidField, LogInRefused
from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.principal import Principal
from gateway.pages import form
from gateway.services import Services
from gateway.sign_in.account_page import ACCOUNT, SCOPES, done, show_account
from gateway.sign_in.cookies import SESSION, keep
from gateway.sign_in.forms import Form, directory_of, failed, origin_of
from gateway.sign_in.proof import prove, unproven

FACTOR: Final = f"{ACCOUNT}/second-factor"
_Request = Request[Any, Any, Any]
_REFUSED: Final = (IdentityError, IdentitiesUnavailable)


@post(FACTOR, opt={"needs": "manage-self"})
async def begin_factor(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Make the secret of an authenticator, and show it."""
    directory, fields = directory_of(services), await form(request)
    try:
        password = fields.get("factor_password", "")
        await directory.reauthentication.first_factor(principal, password, origin_of(request))
        setup = await directory.second_factors.begin(principal.user)
    except LogInRefused as error:
        return await show_account(request, services, principal, {"factor": unproven(error, "factor", {})})
    except _REFUSED as error:
        return await show_account(request, services, principal, {"factor": failed(error, {})})
    image = f"data:image/svg+xml;base64,{b64encode(setup.qr_svg.encode()).decode()}"
    return await show_account(request, services, principal, {}, enrolment={"image": image, "secret": setup.secret})


@post(f"{FACTOR}/confirm", opt={"needs": "manage-self"})
async def confirm_factor(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Turn the second factor on by its first code, and show the recovery codes; all other sessions end."""
    directory, fields = directory_of(services), await form(request)
    try:
        confirmed = await directory.second_factors.confirm(principal.user, fields.get("code", ""), origin_of(request))
    except _REFUSED as error:  # the secret has been shown: the authenticator has it
        return await show_account(request, services, principal, {"factor": failed(error, {})}, enrolment={})
    told = {"factor": Form(notice="Your second factor is on.", tone="good")}
    renewed = await directory.session(confirmed.token) or principal
    answer = await show_account(request, services, renewed, told, recovery_codes=confirmed.recovery_codes)
    answer.cookies.append(keep(SESSION, confirmed.token, services.settings.tls))
    return answer


@post(f"{FACTOR}/codes", opt={"needs": "manage-self"})
async def new_codes(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Make new recovery codes in place of the old ones, and show them."""
    fields = await form(request)
    try:
        codes = await directory_of(services).second_factors.new_codes(
            principal.user, fields.get("code", ""), origin_of(request)
        )
    except _REFUSED as error:
        return await show_account(request, services, principal, {"factor": failed(error, {})})
    return await show_account(request, services, principal, {}, recovery_codes=codes)


@post(f"{FACTOR}/off", opt={"needs": "manage-self"})
async def end_factor(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Turn the second factor off; all other sessions end."""
    fields = await form(request)
    try:
        token = await directory_of(services).second_factors.end(
            principal.user, fields.get("code", ""), origin_of(request)
        )
    except _REFUSED as error:
        return await show_account(request, services, principal, {"factor": failed(error, {})})
    answer = done("factor-off")
    answer.cookies.append(keep(SESSION, token, services.settings.tls))
    return answer


@post(f"{ACCOUNT}/keys", opt={"needs": "manage-self"})
async def make_key(request: _Request, services: Services, principal: Principal) -> Response[Any]:
    """Make an API key for whoever proves to be the user, and show it with its secret."""
    directory, fields = directory_of(services), await form(request)
    try:
        wanted = (
            [scope for scope, _ in SCOPES if fields.get(f"scope-{scope}") == "true"],
            fields.get("networks", "").replace(",", " ").split(),
            _end_of(fields.get("expires", "")),
            fields.get("label", "").strip(),
        )
        account = fields.get("account", "").strip() or None
        directory.keys.checked(*wanted, account=account)  # first, so that no code is used up for what is mistyped
        await prove(request, services, principal, "key", fields)
        key = await directory.keys.create(principal.user, *wanted, account=account, origin=origin_of(request))
    except _REFUSED as error:
        return await show_account(request, services, principal, {"keys": unproven(error, "key", fields)})
    return await show_account(request, services, principal, {}, new_key=key)


@post(f"{ACCOUNT}/keys/{{key_id:str}}/revoke", opt={"needs": "manage-self"})
async def revoke_key(request: _Request, services: Services, principal: Principal, key_id: str) -> Response[Any]:
    """End one of one's own API keys."""
    try:
        await directory_of(services).keys.revoke(key_id, user=principal.user, origin=origin_of(request))
    except IdentityError as error:
        return await show_account(request, services, principal, {"keys": failed(error, {})})
    return done("key")


HANDLERS: Final = [begin_factor, confirm_factor, new_codes, end_factor, make_key, revoke_key]


def _end_of(day: str) -> int | None:
    """Return when a day ends (milliseconds since the epoch), None of no day. Raises InvalidField.

    >>> _end_of("2030-01-31"), _end_of("")
    (1896134400000, None)
    """
    if not day:
        return None
    try:
        midnight = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidField("expires", "Write a day such as 2030-01-31.") from None
    return int(midnight.timestamp() * 1_000)
