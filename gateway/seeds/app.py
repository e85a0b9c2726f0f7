"""The application on the seeds' port: other designs' routes over the gateway's own services.

Nobody says who they are here: all of it trades for one account and is worth a market maker's rights, so the port is for clients that are
trusted (docs/SEEDS.md says how to bound it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from exchange.listing_file import StockDetails
from gateway.health import Measured
from gateway.identity.principal import Principal, Role
from gateway.limiting.bounds import Bounded
from gateway.ports import GatewayError, Outside
from gateway.problems import Problem, problem_json, problem_of
from gateway.requests_log import RequestLog
from gateway.security import Guard
from gateway.seeds import routes
from gateway.seeds.feed import Feed
from gateway.seeds.stocks import Stocks
from gateway.services import Services

BODY_MAX: Final = 65_536
"""Greatest size of a request's body, in bytes, but for bulk orders."""


def create_seed_app(
    services: Services,
    outside: Outside,
    account: str | None,
    details: Mapping[str, StockDetails] | None = None,
) -> Litestar:
    """Return the application; it lives as long as the one that `services` are of.

    It trades for `account`; None: then nobody trades here. `details` are the listing file's, by symbol.
    """
    role: Role = "viewer" if account is None else "market-maker"
    principal = Principal(user="", role=role, account=account)
    seeds = routes.Seeds(services, Feed(outside, services.views), account, Stocks(details or {}))
    app = Litestar(
        route_handlers=routes.HANDLERS,
        dependencies={
            "seeds": Provide(lambda: seeds, sync_to_thread=False),
            "principal": Provide(lambda: principal, sync_to_thread=False),
        },
        exception_handlers=dict.fromkeys((HTTPException, GatewayError, Problem, Exception), _answer),
        state=State({"principal": principal}),
        request_max_body_size=BODY_MAX,
        type_encoders={},
        openapi_config=None,
        logging_config=None,
    )
    settings = services.settings
    guarded = Guard(Bounded(Measured(app.asgi_handler, services.metrics)), settings.allowed_hosts)
    app.asgi_handler = RequestLog(guarded, settings.access_log, settings.trusted_proxies)
    return app


def _answer(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a request that raised with JSON, whatever its path."""
    return problem_json(problem_of(error))
