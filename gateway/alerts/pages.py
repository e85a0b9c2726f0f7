"""The page of alerts: the form that sets one, those that are set, and the inbox. It works with and without JavaScript.

Theory of operation: each form is a plain POST, after which the browser is sent on to the page, so that reloading repeats nothing. A rule
that was written is in the list a moment later; the answer waits for that, so that one sees what one did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.response import Redirect

from exchange.analysis import SetAlert
from gateway.alerts.cookie import alerts_read, read_cookie
from gateway.alerts.form import AlertForm, asked, inbox_only, typed
from gateway.alerts.reading import read_alert, read_name
from gateway.alerts.rules import AlertService, InboxOnly, TooManyAlerts
from gateway.analytics.page import read_inbox
from gateway.identity.principal import Principal
from gateway.pages import account_context, form, html
from gateway.parameters import is_whole
from gateway.ports import GatewayError, UnknownOutcome, ViewsUnavailable
from gateway.problems import Problem, problem_of
from gateway.reading import Reading
from gateway.services import Services
from gateway.tickets import Tone

ASK_S: Final = 0.05
"""How often it is looked whether a rule that was written is in the list."""
_REPEATABLE: Final = " Set it again: the same alert is never set twice."

_Request = Request[Any, Any, Any]


@get("/alerts", opt={"needs": "see-account"})
async def alerts_page(
    request: _Request, services: Services, principal: Principal, alerting: AlertService
) -> Response[str]:
    """Show the form, the alerts that are set, and the inbox."""
    instruments = await services.views.instruments()
    query = request.query_params
    symbol = query.get("symbol", "")
    shown = AlertForm(symbol=symbol if symbol in instruments else "", inbox_on="true")
    return await _page(request, services, principal, alerting, shown, *_done(query))


@post("/alerts", opt={"needs": "trade"})
async def set_alert(
    request: _Request, services: Services, principal: Principal, alerting: AlertService
) -> Response[str] | Redirect:
    """Set the alert that the form asks for."""
    fields = await form(request)
    name = fields.get("name", "").strip()
    try:
        rule = read_alert(name, asked(fields), await services.views.instruments(), alerting.account)
        await alerting.set(rule)
    except InboxOnly as error:
        shown = inbox_only(fields, f"Nothing was set: {error}.")
        return await _page(request, services, principal, alerting, shown, status=403)
    except TooManyAlerts as error:
        return await _page(
            request, services, principal, alerting, typed(fields, {}, f"Nothing was set: {error}.", "bad"), status=409
        )
    except GatewayError as error:
        problem = problem_of(error)
        tone: Tone = "unknown" if isinstance(error, UnknownOutcome) else "bad"
        notice = problem.message + (_REPEATABLE if tone == "unknown" else "")
        return await _page(
            request, services, principal, alerting, typed(fields, problem.fields, notice, tone), status=problem.status
        )
    await _until(alerting, lambda rules: rule in rules, services.settings.answer_s)
    return Redirect(f"/alerts?set={quote(name, safe='')}", status_code=303)


@post("/alerts/{name:str}/remove", opt={"needs": "trade"})
async def remove_alert(services: Services, alerting: AlertService, name: str) -> Redirect:
    """Remove an alert, whether or not there is one of this name."""
    reading = Reading({})
    read_name(reading, name)
    if reading.errors:
        raise Problem(404, "NOT_FOUND", "There is no such alert.")
    await alerting.remove(name)
    await _until(alerting, lambda rules: all(rule.alert != name for rule in rules), services.settings.answer_s)
    return Redirect(f"/alerts?removed={quote(name, safe='')}", status_code=303)


@post("/alerts/read", opt={"needs": "see-account"})
async def mark_read(request: _Request, principal: Principal) -> Redirect:
    """Have the browser keep that the alerts up to the one that the form names have been read."""
    count = (await form(request)).get("told", "")
    if not is_whole(count, 10**15):
        raise Problem(400, "BAD_REQUEST", "This form does not say how many alerts have been read.")
    return Redirect("/alerts", status_code=303, cookies=[read_cookie(int(count), principal)])


HANDLERS: Final = [alerts_page, set_alert, remove_alert, mark_read]


def _done(query: Any) -> tuple[str, Tone]:
    """Say what the address says was done."""
    if query.get("set"):
        return f"{query['set'][:64]} is set, and in force from now on.", "good"
    return (f"{query['removed'][:64]} is removed.", "good") if query.get("removed") else ("", "")


async def _page(
    request: _Request,
    services: Services,
    principal: Principal,
    alerting: AlertService,
    shown: AlertForm,
    notice: str = "",
    tone: Tone = "",
    status: int = 200,
) -> Response[str]:
    rules: list[SetAlert] | None = None
    with suppress(ViewsUnavailable):  # then the page says so, and the rest of it can be used
        rules = await alerting.rules()
    contexts = await read_inbox(services.views.analytics, alerting.account, alerts_read(request, principal), here=True)
    page = services.renderer.page(
        "alerts",
        form=shown,
        done=(notice, tone),
        rules_set=rules,
        sends=alerting.sends,
        symbols=sorted(await services.views.instruments()),
        freshness=await services.views.freshness(),
        **account_context(request, services, principal),
        **contexts["inbox"],
        here=True,
    )
    return html(page, status)


async def _until(alerting: AlertService, settled: Callable[[Collection[SetAlert]], bool], deadline_s: float) -> None:
    """Wait until the rules that are shown are as they must be, up to a deadline; what was written holds in any case."""
    ends = time.monotonic() + deadline_s
    with suppress(ViewsUnavailable):
        while not settled(await alerting.rules()) and time.monotonic() < ends:  # noqa: ASYNC110  (no event tells of it)
            await asyncio.sleep(ASK_S)
