"""Who sends signed requests: finds the key that a request names, holds the request to it, and says which account it is about."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.binance.errors import BinanceError
from gateway.binance.signing import Signed, check_signature, check_time
from gateway.identity.principal import Principal
from gateway.identity.roles import Action, may
from gateway.limiting.address import is_within
from gateway.ports import Views
from gateway.services import Services
from gateway.trading import TradingService

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
NOT_ALLOWED: Final = -2015


class Caller(msgspec.Struct, frozen=True):
    """Who asks, the account that is asked about, and what answers. All that trades or looks here is given one, and no request."""

    principal: Principal
    account: str
    services: Services

    @property
    def views(self) -> Views:
        """Where the account is read."""
        return self.services.views

    @property
    def trading(self) -> TradingService:
        """What trades for the account."""
        return TradingService(self.services.exchange, self.account)

    def allow(self, action: Action) -> None:
        """Raise BinanceError -2015 if the caller may not do something."""
        if not may(self.principal, action):
            raise BinanceError(NOT_ALLOWED)


async def let_in(
    services: Services, key_id: str | None, signed: Signed, host: str | None, account: str | None
) -> Caller:
    """Return who has signed a request.

    `host` is the client's address; `account` names another account than the key's own, which its user must be let use.

    Raises:
        BinanceError: -2014, -2015, and all that `signing` raises.
        IdentitiesUnavailable: if nobody can say whose key it is.
    """
    if not key_id or not _KEY.fullmatch(key_id):
        raise BinanceError(-2014)
    key = None if services.identities is None else await services.identities.key(key_id)
    if key is None or not is_within(host, key.networks):
        raise BinanceError(NOT_ALLOWED)
    check_signature(key.secret, signed)
    check_time(signed.params, services.exchange.now_ms())
    return caller_of(services, key.principal, account)


def caller_of(services: Services, principal: Principal, account: str | None = None) -> Caller:
    """Return somebody who is known already as a caller. Raises BinanceError -2015 if there is no such account for them."""
    named = principal.account if account is None else account
    if named is None or not principal.may_use(named):
        raise BinanceError(NOT_ALLOWED)
    return Caller(principal, named, services)
