"""Who may enter: says of every request who asks, and lets it to a route only if that one may do what the route needs.

Theory of operation: every route names the action that it needs (`opt={"needs": ...}`), and the matrix of roles decides; a route that names
none is a fault that keeps the server from starting. Somebody is known by the header X-Api-Key, or else by a session's cookie; who gives
neither is a visitor, who trades with the demo account. Who names a key that is not valid, or one that is not theirs to use, is refused and
not taken for a visitor; a session that has ended still looks at markets, but touches no account: nobody trades with another account than
they think. Who trades for several accounts names one with X-Openbell-Account.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Any, Final, cast, get_args

import msgspec
from litestar import Litestar, WebSocket
from litestar.connection import ASGIConnection
from litestar.exceptions import WebSocketException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Scope

from gateway.identity.ports import Identities, IdentitiesUnavailable
from gateway.identity.principal import Principal, visitor
from gateway.identity.roles import SCOPES, Action, may
from gateway.limiting.address import client_address, is_within
from gateway.problems import Problem
from gateway.services import GatewaySettings
from gateway.sign_in.cookies import session_cookie_name
from gateway.websockets.closing import POLICY, TRY_LATER

KEY_HEADER: Final = "x-api-key"
"""Names an API key and its secret, as KEY.SECRET."""
ACCOUNT_HEADER: Final = "x-openbell-account"
"""Names the account that is asked about or traded with, of those that one may use."""

_PUBLIC: Final[frozenset[Action]] = frozenset(("enter", "see-market"))
"""What somebody whose session has ended may do as a visitor may."""
_WHO: Final = "openbell_who"
_Connection = ASGIConnection[Any, Any, Any, Any]


class _Who(msgspec.Struct, frozen=True):
    """Who asks; `ended`: by a session that is no longer valid."""

    principal: Principal
    ended: bool = False


class Entry:
    """Knows who asks, and guards the routes. `identities` None: nobody can say who they are, so all are visitors."""

    def __init__(self, settings: GatewaySettings, identities: Identities | None) -> None:
        self._demo_account = settings.demo_account
        self._cookie = session_cookie_name(settings.tls)
        self._identities = identities
        self._trusted_proxies = settings.trusted_proxies

    async def principal(self, scope: Scope) -> Principal:
        """Return who asks. Raises Problem if that is claimed and not so, and IdentitiesUnavailable."""
        return (await self._who(ASGIConnection(scope))).principal

    async def guard(self, connection: _Connection, handler: BaseRouteHandler) -> None:
        """Let a request to a route, or raise Problem; of a websocket WebSocketException."""
        needs: Action = handler.opt.get("needs", "enter")  # a browser's OPTIONS has none, and does nothing
        if needs == "enter":
            return
        try:
            _check(await self._who(connection), needs)
        except (Problem, IdentitiesUnavailable) as error:
            if isinstance(connection, WebSocket):
                code = POLICY if isinstance(error, Problem) else TRY_LATER
                raise WebSocketException(detail=str(error), code=code) from error
            raise

    async def _who(self, connection: _Connection) -> _Who:
        """Return who asks, which is asked once a request."""
        known = cast("_Who | None", connection.state.get(_WHO))
        if known is None:
            known = await self._let_in(connection)
            named = connection.headers.get(ACCOUNT_HEADER)
            if named is not None and not known.ended:
                known = msgspec.structs.replace(known, principal=_for_account(known.principal, named))
            connection.state[_WHO] = known
        return known

    async def _let_in(self, connection: _Connection) -> _Who:
        text = connection.headers.get(KEY_HEADER)
        if text is not None:
            return _Who(await self._by_key(text, connection))
        token = connection.cookies.get(self._cookie)
        if not token or self._identities is None:
            return _Who(visitor(self._demo_account))
        principal = await self._identities.session(token)
        return _Who(visitor(None), ended=True) if principal is None else _Who(principal)

    async def _by_key(self, text: str, connection: _Connection) -> Principal:
        key_id, _, secret = text.partition(".")
        key = None if self._identities is None else await self._identities.key(key_id)
        if not compare_digest(secret.encode(), b"" if key is None else key.secret) or key is None or not secret:
            what = {"X-Api-Key": "Write KEY.SECRET, of a key that has neither expired nor been revoked."}
            raise Problem(401, "INVALID_KEY", "This API key is not valid.", what, _CHALLENGE)
        if not is_within(client_address(connection.scope, self._trusted_proxies), key.networks):
            raise Problem(403, "ADDRESS_NOT_ALLOWED", "This API key may not be used from this address.")
        return key.principal


def check_needs(app: Litestar) -> None:
    """Raise AssertionError if a route does not say what it needs."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]:
            if getattr(handler, "http_methods", None) == {"OPTIONS"}:
                continue
            needs = handler.opt.get("needs")
            assert needs in get_args(Action), (
                f"{handler} at {route.path} needs {needs!r}, which is no action of the roles"
            )


def _for_account(principal: Principal, account: str) -> Principal:
    if not principal.may_use(account):
        what = {"X-Openbell-Account": "Name an account that you may use, or leave the header away for your own."}
        raise Problem(403, "ACCOUNT_NOT_ALLOWED", "This account is not one that you may use.", what)
    return msgspec.structs.replace(principal, account=account)


_CHALLENGE: Final = {"WWW-Authenticate": 'ApiKey realm="openbell"'}


def _check(who: _Who, needs: Action) -> None:
    """Raise Problem if somebody may not do something."""
    if who.ended and needs not in _PUBLIC:
        raise Problem(401, "SESSION_ENDED", "Your session has ended: sign in again.", headers=_CHALLENGE)
    if not may(who.principal, needs):
        raise _refusal(who.principal, needs)


def _refusal(principal: Principal, needs: Action) -> Problem:
    """Return why somebody may not do something, with what they can do about it."""
    if principal.grant == "visit":
        return Problem(
            401, "NOT_SIGNED_IN", "Sign in first, at /sign-in, or send an API key with X-Api-Key.", headers=_CHALLENGE
        )
    if principal.grant == "key" and may(msgspec.structs.replace(principal, grant="session"), needs):
        scope = next((scope for scope, actions in SCOPES.items() if needs in actions), None)
        if scope is None:
            return Problem(403, "FORBIDDEN", "No API key may do this: sign in at /sign-in.")
        return Problem(403, "FORBIDDEN", f"This API key may not do this: use one that has the scope {scope}.")
    return Problem(
        403, "FORBIDDEN", f"Your role, {principal.role}, may not do this: ask an administrator for another role."
    )
