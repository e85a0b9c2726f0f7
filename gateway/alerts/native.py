"""The routes of Openbell's own REST API that set, show and remove alerts. `docs/REST.md` describes each of them."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, delete, get, put

from exchange.analysis import Channel, Condition, SetAlert
from gateway.alerts.reading import CONDITION_FIELDS, FIELDS, read_alert, read_name
from gateway.alerts.rules import AlertService, InboxOnly, TooManyAlerts
from gateway.bodies import read_object
from gateway.problems import Problem
from gateway.reading import Reading
from gateway.services import Services
from gateway.shown import Shown
from gateway.tickets import InvalidTicket

_Request = Request[Any, Any, Any]
_SIGN_IN: Final = 'Write ["inbox"], or send an API key with X-Api-Key.'
_NO_USERS: Final = 'Write ["inbox"]: this server has no users who could sign in.'


class AlertRuleShown(Shown, frozen=True):
    """An alert as it is set."""

    name: str
    symbol: str | None
    condition: Condition
    channels: list[Channel]
    email: str | None
    webhook: str | None
    cool_down_ms: int


class AlertRemoved(Shown, frozen=True):
    """The name of an alert that is no longer set."""

    name: str


@get("/alerts", opt={"needs": "see-account"})
async def alerts(alerting: AlertService) -> list[AlertRuleShown]:
    """Return the account's alerts, by name."""
    return [_shown(rule) for rule in await alerting.rules()]


@put("/alerts/{name:str}", opt={"needs": "trade"})
async def set_alert(request: _Request, services: Services, alerting: AlertService, name: str) -> AlertRuleShown:
    """Set an alert, in the place of one of the same name."""
    fields = await read_object(request, FIELDS, {"condition": CONDITION_FIELDS})
    rule = read_alert(name, fields, await services.views.instruments(), alerting.account)
    try:
        await alerting.set(rule)
    except InboxOnly as error:
        otherwise = _SIGN_IN if services.identities is not None else _NO_USERS
        raise Problem(403, "INBOX_ONLY", f"Nothing was set: {error}.", {"channels": otherwise}) from error
    except TooManyAlerts as error:
        raise Problem(
            409, "TOO_MANY_ALERTS", f"Nothing was set: {error}.", {"name": "Remove an alert first."}
        ) from error
    return _shown(rule)


@delete("/alerts/{name:str}", status_code=200, opt={"needs": "trade"})
async def remove_alert(alerting: AlertService, name: str) -> AlertRemoved:
    """Remove an alert, whether or not there is one of this name."""
    reading = Reading({})
    read_name(reading, name)
    if reading.errors:
        raise InvalidTicket(reading.errors)
    await alerting.remove(name)
    return AlertRemoved(name=name)


HANDLERS: Final = [alerts, set_alert, remove_alert]


def _shown(rule: SetAlert) -> AlertRuleShown:
    return AlertRuleShown(
        name=rule.alert,
        symbol=rule.symbol,
        condition=rule.condition,
        channels=rule.channels,
        email=rule.email,
        webhook=rule.webhook,
        cool_down_ms=rule.cool_down_ms,
    )
