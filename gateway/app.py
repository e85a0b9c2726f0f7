"""Puts the application together: routes over services over ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException

from gateway import alert_pages, assets, native, operations, pages, sockets
from gateway.alert_rules import AlertPorts, AlertService
from gateway.demo import DemoAccount
from gateway.health import Measured, Metrics
from gateway.listening import listen
from gateway.live import Hub
from gateway.ports import Changed, Changes, Commands, GatewayError, Views
from gateway.problems import Problem, ProblemHandler
from gateway.render import Renderer
from gateway.security import Guard
from gateway.services import GatewaySettings, Services
from gateway.tasks import stop
from gateway.trading import TradingService
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
) -> Litestar:
    """Return the application. `lifespan` are what must run around it, such as the ports' own lives; `now_ms` stamps commands.

    `alerts` None: no alerts can be set.
    """
    account = settings.demo_account
    metrics, renderer = Metrics(), Renderer()
    hub = Hub(views, renderer, metrics, account, clients_max=settings.clients_max)
    trading = None
    hearers: list[Callable[[Changed], None]] = [hub.hear]
    tasks: list[Any] = [hub.watch_status]
    if account is not None:
        trading = TradingService(commands, views, account, answer_s=settings.answer_s, now_ms=now_ms)
        demo = DemoAccount(commands, views, account, now_ms)
        hearers += [trading.hear, demo.hear]
        tasks += [trading.run, demo.run]
    alerting = AlertService(alerts, account) if alerts is not None and account is not None else None
    services = Services(settings, commands, views, renderer, metrics, hub, trading, alerting)

    @asynccontextmanager
    async def background(_: Litestar) -> AsyncIterator[None]:
        running = [asyncio.create_task(task()) for task in (*tasks, lambda: listen(changes, hearers))]
        try:
            yield
        finally:
            await stop(running)

    files, reports = assets.read_assets(), operations.Reports()
    handler = ProblemHandler(renderer)
    app = Litestar(
        route_handlers=[
            pages.markets_page,
            pages.market_page,
            pages.place_order,
            pages.cancel_order,
            *alert_pages.HANDLERS,
            sockets.live_markets,
            sockets.live_market,
            sockets.live_alerts,
            native.router(),
            operations.health,
            operations.ready,
            operations.metrics,
            operations.csp_reports,
            assets.static_file,
        ],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "assets": Provide(lambda: files, sync_to_thread=False),
            "reports": Provide(lambda: reports, sync_to_thread=False),
        },
        exception_handlers=dict.fromkeys((HTTPException, GatewayError, Problem, Exception), handler),
        lifespan=[*lifespan, background],
        request_max_body_size=BODY_MAX,
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = Guard(Measured(app.asgi_handler, metrics), settings.allowed_hosts)
    return app
