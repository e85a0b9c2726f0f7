"""What somebody trades and is told by: the services of the account of who asks. Routes get them as dependencies."""

from __future__ import annotations

from gateway.alerts.rules import AlertService
from gateway.identity.principal import Principal
from gateway.identity.roles import may
from gateway.problems import Problem
from gateway.services import Services
from gateway.trading import TradingService


def trading(services: Services, principal: Principal) -> TradingService:
    """Return what trades for the account of who asks. Raises Problem if there is none."""
    return TradingService(services.exchange, account_of(principal))


def alerting(services: Services, principal: Principal) -> AlertService:
    """Return what sets alerts for the account of who asks. Raises Problem if there is none, or nothing tells of alerts here."""
    if services.alerts is None:
        raise Problem(404, "NO_ACCOUNT", "This server sets no alerts: nothing is there that would tell of them.")
    return AlertService(services.alerts, account_of(principal), sends=may(principal, "send-alerts"))


def account_of(principal: Principal) -> str:
    """Return the account of who asks. Raises Problem if there is none."""
    if principal.account is None:
        raise Problem(404, "NO_ACCOUNT", "There is no account to look at or trade with: sign in, or name one.")
    return principal.account
