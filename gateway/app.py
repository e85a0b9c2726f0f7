"""Puts the application together: routes over services over ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from gateway import assets, operations, own, pages
from gateway.admin import routes as admin_routes
from gateway.admin.newest_audit import NewestAudit
from gateway.admin.operating import Operating, OperatorCommands
from gateway.alerts import pages as alert_pages
from gateway.alerts.rules import AlertPorts
from gateway.audit.event import Audit
from gateway.audit.of_users import audit_guard
from gateway.binance import routes as binance_routes
from gateway.binance import signed
from gateway.binance.errors import in_binance_form
from gateway.binance.streams.service import Streams
from gateway.binance.streams.socket import combined_streams, raw_streams
from gateway.binance.ws_api.socket import ws_api
from gateway.demo import DemoAccount
from gateway.entry import Entry, check_needs
from gateway.guarding import guarded
from gateway.health import Measured, Metrics
from gateway.identity.oidc_provider import Provider
from gateway.identity.ports import Identities
from gateway.limiting.bounds import Bounded
from gateway.limiting.charging import Charging, UsedShown, unless_refused
from gateway.limiting.ports import Limits
from gateway.listening import listen
from gateway.native import routes as native
from gateway.openapi import routes as openapi_routes
from gateway.ports import Changed, Changes, Commands, GatewayError, Views
from gateway.problems import Problem, ProblemHandler
from gateway.render import Renderer
from gateway.requests_log import RequestLog
from gateway.security import Guard
from gateway.services import GatewaySettings, Services
from gateway.sign_in import account_page, elsewhere, entering, own_safety
from gateway.tasks import stop
from gateway.trading import Exchange
from gateway.udf import routes as udf_routes
from gateway.websockets import page_sockets as sockets
from gateway.websockets.live import Hub
from wire.clock import wall_ms

BODY_MAX: Final = 65_536
"""Greatest size of a request's body, in bytes."""


def create_app(
    settings: GatewaySettings,
    commands: Commands,
    views: Views,
    changes: Changes,
    now_ms: Callable[[], int] = wall_ms,
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
    alerts: AlertPorts | None = None,
    identities: Identities | None = None,
    limits: Limits | None = None,
    audit: Audit | None = None,
    operator: OperatorCommands | None = None,
    newest_audit: NewestAudit | None = None,
) -> Litestar:
    """Return the application. `lifespan` are what must run around it, such as the ports' own lives; `now_ms` stamps commands.

    `alerts` None: no alerts can be set; `identities` None: nobody can say who they are; `limits` None: nothing is counted;
    `audit` None: nothing is written down; `operator` None: nobody runs the market from here; `newest_audit` None: no page shows what was
    written down.
    """
    account = settings.demo_account
    metrics, renderer = Metrics(identities.caches if identities else dict), Renderer()
    hub = Hub(views, renderer, metrics, clients_max=settings.clients_max)
    exchange = Exchange(commands, views, answer_s=settings.answer_s, now_ms=now_ms, count=metrics.count_order)
    streams = Streams(views, now_ms, metrics, settings.clients_max)
    hearers: list[Callable[[Changed], None]] = [hub.hear, exchange.hear, streams.hear]
    tasks: list[Any] = [hub.watch_status, exchange.run]
    if account is not None:
        demo = DemoAccount(commands, views, account, now_ms)
        hearers.append(demo.hear)
        tasks.append(demo.run)
    operating = None if operator is None else Operating(operator, views, now_ms, answer_s=settings.answer_s)
    provider = None if settings.oidc is None else Provider(settings.oidc)
    ports = (alerts, identities, limits, audit, operating, newest_audit, provider)
    services = Services(settings, commands, views, renderer, metrics, hub, exchange, streams, *ports)

    @asynccontextmanager
    async def background(_: Litestar) -> AsyncIterator[None]:
        running = [asyncio.create_task(task()) for task in (*tasks, lambda: listen(changes, hearers))]
        try:
            yield
        finally:
            await stop(running)
            await streams.close()

    files, reports = assets.read_assets(), operations.Reports()
    handler, entry = unless_refused(in_binance_form(ProblemHandler(renderer))), Entry(settings, identities)
    charging = Charging(services, entry.principal)
    app = Litestar(
        route_handlers=[
            pages.markets_page,
            pages.market_page,
            pages.place_order,
            pages.cancel_order,
            *alert_pages.HANDLERS,
            *entering.HANDLERS,
            *account_page.HANDLERS,
            *own_safety.HANDLERS,
            *elsewhere.HANDLERS,
            *admin_routes.HANDLERS,
            sockets.live_markets,
            sockets.live_market,
            sockets.live_alerts,
            raw_streams,
            combined_streams,
            ws_api,
            native.router(),
            binance_routes.router(),
            *signed.HANDLERS,
            udf_routes.router(),
            operations.health,
            operations.ready,
            operations.metrics,
            operations.csp_reports,
            *openapi_routes.HANDLERS,
            assets.static_file,
        ],
        dependencies={
            "principal": Provide(entry.principal),
            "trading": Provide(own.trading, sync_to_thread=False),
            "alerting": Provide(own.alerting, sync_to_thread=False),
            "services": Provide(lambda: services, sync_to_thread=False),
            "assets": Provide(lambda: files, sync_to_thread=False),
            "reports": Provide(lambda: reports, sync_to_thread=False),
        },
        middleware=[guarded(charging.guard, entry.guard, audit_guard(audit), charging.guard_orders)],
        after_exception=[charging.charge_unrouted],
        exception_handlers=dict.fromkeys((HTTPException, GatewayError, Problem, Exception), handler),
        lifespan=[*lifespan, background],
        state=State({"services": services}),
        request_max_body_size=BODY_MAX,
        openapi_config=None,
        logging_config=None,
    )
    check_needs(app)
    within = Guard(Bounded(Measured(app.asgi_handler, metrics)), settings.allowed_hosts, tls=settings.tls)
    app.asgi_handler = RequestLog(UsedShown(within), settings.access_log, settings.trusted_proxies)
    return app
