"""The routes of Openbell's own REST API that set, show and remove alerts. `docs/REST.md` describes each of them."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, delete, get, put

from exchange.analysis import Channel, Condition, SetAlert
from gateway.alert_reading import CONDITION_FIELDS, FIELDS, read_alert, read_name
from gateway.alert_rules import AlertService, TooManyAlerts
from gateway.bodies import read_object
from gateway.problems import Problem
from gateway.reading import Reading
from gateway.services import Services
from gateway.shown import Shown
from gateway.tickets import InvalidTicket

_Request = Request[Any, Any, Any]


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


@get("/alerts")
async def alerts(services: Services) -> list[AlertRuleShown]:
    """Return the account's alerts, by name."""
    return [_shown(rule) for rule in await alerts_of(services).rules()]


@put("/alerts/{name:str}")
async def set_alert(request: _Request, services: Services, name: str) -> AlertRuleShown:
    """Set an alert, in the place of one of the same name."""
    service = alerts_of(services)
    fields = await read_object(request, FIELDS, {"condition": CONDITION_FIELDS})
    rule = read_alert(name, fields, await services.views.instruments(), service.account)
    try:
        await service.set(rule)
    except TooManyAlerts as error:
        raise Problem(
            409, "TOO_MANY_ALERTS", f"Nothing was set: {error}.", {"name": "Remove an alert first."}
        ) from error
    return _shown(rule)


@delete("/alerts/{name:str}", status_code=200)
async def remove_alert(services: Services, name: str) -> AlertRemoved:
    """Remove an alert, whether or not there is one of this name."""
    service, reading = alerts_of(services), Reading({})
    read_name(reading, name)
    if reading.errors:
        raise InvalidTicket(reading.errors)
    await service.remove(name)
    return AlertRemoved(name=name)


HANDLERS: Final = [alerts, set_alert, remove_alert]


def alerts_of(services: Services) -> AlertService:
    """Return the service that sets alerts, or raise Problem if there is none."""
    if services.alerts is None:
        raise Problem(404, "NO_ACCOUNT", "This server has no demo account to set alerts for.")
    return services.alerts


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
