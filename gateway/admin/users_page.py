"""The pages of the users: all of them, and each with their role, accounts, sessions and keys.

Nobody takes their own role away or shuts themselves out here, and the last administrator stays one: else nobody could undo it here.
What gives a user more than they had takes the administrator's password once more.
"""

from __future__ import annotations

from typing import Any, Final, get_args
from urllib.parse import quote

import msgspec
from litestar import Response, get, post

from gateway.admin.frame import ADMIN, SURE, AdminRequest, is_sure, page, sent_on
from gateway.identity.errors import IdentityError, InvalidField, NotAllowed, NotFound
from gateway.identity.principal import Principal, Role
from gateway.identity.users import NAME, check_accounts, check_role, folded
from gateway.pages import form
from gateway.problems import Problem
from gateway.services import Services
from gateway.sign_in.forms import Form, directory_of, failed, origin_of
from gateway.sign_in.proof import asked_of, prove, unproven

USERS: Final = f"{ADMIN}/users"
SHOWN_MAX: Final = 200
ROLES: Final[tuple[Role, ...]] = get_args(Role)
_ADMINISTER: Final = {"needs": "administer"}
_DONE: Final = {
    "role": "The role is changed; it holds everywhere within a second.",
    "accounts": "The accounts are changed; it holds everywhere within a second.",
    "disabled": "This user is shut out: their sessions have ended and their keys are not taken.",
    "enabled": "This user is let in again.",
    "sessions": "All sessions of this user have ended.",
}
"""What the address of a user's page can say was done."""


@get(USERS, opt=_ADMINISTER)
async def users(request: AdminRequest, services: Services, principal: Principal) -> Response[str]:
    """List the users, or those in whose name or accounts a text is."""
    sought = request.query_params.get("q", "").strip()[:64]
    found = [
        user
        for user in await directory_of(services).users.all()
        if any(sought.lower() in text.lower() for text in (user.name, user.account or "", user.role, *user.accounts))
    ]
    context: dict[str, Any] = {"users": found[:SHOWN_MAX], "count": len(found), "sought": sought}
    return await page(request, services, principal, "admin_users", "users", **context)


@get(f"{USERS}/{{name:str}}", opt=_ADMINISTER)
async def user_page(request: AdminRequest, services: Services, principal: Principal, name: str) -> Response[str]:
    """Show a user with their forms."""
    told = _DONE.get(request.query_params.get("done", ""))
    return await _page(request, services, principal, name, Form(notice=told, tone="good") if told else Form())


@post(f"{USERS}/{{name:str}}/role", opt=_ADMINISTER)
async def set_role(request: AdminRequest, services: Services, principal: Principal, name: str) -> Response[Any]:
    """Give a user another role."""
    fields = await form(request)
    try:
        _not_oneself(principal, name, "your own role")
        role = check_role(fields.get("role", ""))  # first, so that no code is used up for what is mistyped
        await prove(request, services, principal, "role", fields)
        await directory_of(services).users.set_role(name, role, by=principal.user, spare_last_admin=True)
    except IdentityError as error:
        return await _refused(request, services, principal, name, unproven(error, "role", fields), error)
    return _done(name, "role")


@post(f"{USERS}/{{name:str}}/accounts", opt=_ADMINISTER)
async def set_accounts(request: AdminRequest, services: Services, principal: Principal, name: str) -> Response[Any]:
    """Say which account is a user's own, and which further ones they may use."""
    fields = await form(request)
    try:
        account = fields.get("account", "").strip() or None
        patterns = tuple(fields.get("accounts", "").replace(",", " ").split())
        check_accounts(account, patterns)
        await prove(request, services, principal, "accounts", fields)
        await directory_of(services).users.set_accounts(name, account, patterns, by=principal.user)
    except IdentityError as error:
        return await _refused(request, services, principal, name, unproven(error, "accounts", fields), error)
    return _done(name, "accounts")


@post(f"{USERS}/{{name:str}}/disable", opt=_ADMINISTER)
async def disable(request: AdminRequest, services: Services, principal: Principal, name: str) -> Response[Any]:
    """Shut a user out."""
    fields = await form(request)
    try:
        _not_oneself(principal, name, "yourself")
        if not is_sure(fields):
            raise InvalidField("sure", SURE)
        await directory_of(services).users.disable(name, by=principal.user, spare_last_admin=True)
    except IdentityError as error:
        return await _refused(request, services, principal, name, failed(error, {}), error)
    return _done(name, "disabled")


@post(f"{USERS}/{{name:str}}/enable", opt=_ADMINISTER)
async def enable(request: AdminRequest, services: Services, principal: Principal, name: str) -> Response[Any]:
    """Let a user in again."""
    try:
        await directory_of(services).users.enable(name, by=principal.user)
    except IdentityError as error:
        return await _refused(request, services, principal, name, failed(error, {}), error)
    return _done(name, "enabled")


@post(f"{USERS}/{{name:str}}/sessions/end", opt=_ADMINISTER)
async def end_sessions(request: AdminRequest, services: Services, principal: Principal, name: str) -> Response[Any]:
    """End all sessions of a user; of one's own all but this one."""
    directory = directory_of(services)
    user = await _known(services, name)
    own = principal.grant_id if folded(user) == folded(principal.user) and principal.grant == "session" else 0
    await directory.sessions.revoke_all(user, but=own, by=principal.user, origin=origin_of(request))
    return _done(name, "sessions")


HANDLERS: Final = [users, user_page, set_role, set_accounts, disable, enable, end_sessions]


async def _page(
    request: AdminRequest, services: Services, principal: Principal, name: str, shown: Form
) -> Response[str]:
    directory = directory_of(services)
    user = await directory.users.get(await _known(services, name))
    stands = {"account": user.account or "", "accounts": " ".join(user.accounts), "role": user.role}
    return await page(
        request,
        services,
        principal,
        "admin_user",
        "users",
        msgspec.structs.replace(shown, values=stands | shown.values),
        one=user,
        own=folded(user.name) == folded(principal.user),
        roles=ROLES,
        sessions=await directory.sessions.of(user.name),
        keys=[key for key in await directory.keys.of(user.name) if key.revoked_ms is None],
        **await asked_of(services, principal),
    )


async def _refused(
    request: AdminRequest,
    services: Services,
    principal: Principal,
    name: str,
    refused: Form,
    error: IdentityError,
) -> Response[str]:
    if isinstance(error, NotFound):
        raise error
    return await _page(request, services, principal, name, refused)


async def _known(services: Services, name: str) -> str:
    """Return a user's name as they write it. Raises Problem if there is no such user."""
    if not NAME.fullmatch(name):
        raise Problem(404, "NOT_FOUND", "There is no such user.")
    return (await directory_of(services).users.get(name)).name


def _not_oneself(principal: Principal, name: str, what: str) -> None:
    if folded(name) == folded(principal.user):
        raise NotAllowed(f"Another administrator must do that: nobody changes {what} here.")


def _done(name: str, what: str) -> Response[Any]:
    return sent_on(f"{USERS}/{quote(name, safe='')}?done={what}")
