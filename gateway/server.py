"""The server as a process: `python -m gateway.server --help`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from litestar import Litestar

from exchange import topics
from exchange.errors import ExchangeError
from exchange.listing_file import StockDetails, decode_listings
from exchange.topics import topic_name
from gateway import logs
from gateway.admin.newest_audit import NewestAudit, ShowingSink
from gateway.alerts.rules import AlertPorts, RedisAlertRules
from gateway.app import create_app
from gateway.audit.kafka import KafkaSink
from gateway.audit.log import AuditLog
from gateway.audit.of_users import telling
from gateway.changes import RedisChanges
from gateway.identity.directory import Directory
from gateway.identity.oidc_settings import OidcSettings, oidc_settings
from gateway.identity.secrets import load_secret
from gateway.kafka_commands import KafkaCommands
from gateway.limiting.bounds import BoundedHttp
from gateway.limiting.redis_limits import RedisLimits
from gateway.options import NO_PORT, NOBODY, parser
from gateway.ports import GatewayError
from gateway.redis_url import with_password
from gateway.security import LOCAL_HOSTS
from gateway.seeds.app import create_seed_app
from gateway.seeds.serving import serve_together
from gateway.services import GatewaySettings
from gateway.tls import tls_options
from gateway.views import RedisViews
from gateway.websockets.page_sockets import LiveProtocol
from wire.errors import WireError
from wire.security import client_options

STOP_S: Final = 3
"""How long connections may take to end after a signal to stop."""
PING_S: Final = 20.0
MESSAGE_MAX: Final = 32_768
"""Greatest message that a websocket may send, in bytes: enough to subscribe to as many streams as one may have."""
BACKLOG: Final = 2_048
SEND_BUFFER: Final = 131_072
"""How many bytes the kernel keeps for a peer that does not read; left to itself it would keep megabytes."""
COLLECT_AFTER: Final = 20_000
"""How many objects may have come before the garbage collector looks: a request makes hundreds, and nearly all go by themselves."""

LOG = logging.getLogger("openbell.gateway")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = parser()
    given = options.parse_args(arguments)
    logs.configure(given.log_format, logging.WARNING)
    for name in ("openbell", "gateway"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it is said by `kafka_commands`
    with ExitStack() as closing:
        try:
            topic_name(given.venue, topics.ACCOUNT_INBOX)
            tls = tls_options(given.tls_certificate_file or "", given.tls_key_file or "")
            client_options()  # says at once what is wrong with them
            _need_both(given)
            listeners = [listening(given.host, given.port)]
            if given.seed_port != NO_PORT:
                listeners.append(listening(given.host, given.seed_port))
            apps = _apps(given, closing)
        except (ExchangeError, GatewayError, WireError, OSError, ValueError) as error:
            options.error(str(error))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # uvicorn stops for a signal, and then raises it once more
        told = (("serving", "https" if tls else "http"), ("serving the seeds' interfaces", "http"))
        for (what, scheme), listener in zip(told, listeners, strict=False):
            port = listener.getsockname()[1]
            LOG.info("%s venue=%s url=%s://%s:%d", what, given.venue, scheme, _shown(given.host), port)
        configs = [configured(apps[0], tls), *map(configured, apps[1:])]  # the seeds' clients speak no TLS
        gc.collect()
        gc.freeze()  # what is there from the start stays: the collector need not look through it again and again
        gc.set_threshold(COLLECT_AFTER, 20, 20)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            beside = list(zip(configs[1:], listeners[1:], strict=True))
            runner.run(serve_together(uvicorn.Server(configs[0]), listeners[0], beside))
    LOG.info("stopped venue=%s", given.venue)


def configured(app: Any, tls: Mapping[str, Any] | None = None) -> uvicorn.Config:
    """Return how an application is served; `tls` as `tls_options` gives it, None: without TLS."""
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws=LiveProtocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        ws_max_size=MESSAGE_MAX,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # it would compress each push anew for each client
        timeout_graceful_shutdown=STOP_S,
        **(tls or {}),
    )


def _apps(given: argparse.Namespace, closing: ExitStack) -> list[Litestar]:
    """Return the application, and that of the seeds' port where there is one."""
    redis = with_password(given.redis)
    views = RedisViews(redis, given.venue)
    changes = RedisChanges(redis, given.venue)
    commands = KafkaCommands(given.bootstrap_servers, given.venue, given.account_shards)
    rules = RedisAlertRules(redis, given.venue)
    limits = RedisLimits(redis, given.venue, gateways=given.gateways)
    folder = Path(given.audit_folder) if given.audit_folder else None
    sink = ShowingSink(KafkaSink(given.bootstrap_servers, given.venue), redis, given.venue)
    audit, newest_audit = AuditLog(sink, folder), NewestAudit(redis, given.venue)
    directory = None
    if given.database:
        secret = load_secret(Path(given.secret_key_file))
        directory = Directory(given.database, secret, tell=telling(audit), venue=given.venue)
    closing.enter_context(audit)

    @asynccontextmanager
    async def ports(_: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            await running.enter_async_context(commands)
            if directory is not None:
                await running.enter_async_context(directory.running())
            await changes.start()
            for port in (limits, rules, views, changes, newest_audit):
                running.push_async_callback(port.close)
            yield

    settings = GatewaySettings(
        venue=given.venue,
        allowed_hosts=(*LOCAL_HOSTS, _shown(given.host), *given.allowed_host),
        demo_account=given.demo_account or None,
        span=given.span,
        limits=given.limits,
        trusted_proxies=tuple(given.trusted_proxy),
        access_log=given.access_log,
        tls=given.tls == "on" or bool(given.tls_certificate_file),
        sandbox=given.sandbox == "on",
        sign_up=given.sign_up == "on",
        oidc=_provider(given),
    )
    app = create_app(
        settings,
        commands,
        views,
        changes,
        lifespan=[ports],
        alerts=AlertPorts(commands, rules),
        identities=directory,
        limits=limits,
        audit=audit,
        operator=commands,
        newest_audit=newest_audit,
    )
    if given.seed_port == NO_PORT:
        return [app]
    return [app, create_seed_app(app.state["services"], commands, given.seed_account or None, _details())]


def _provider(given: argparse.Namespace) -> OidcSettings | None:
    """Return who else may say who somebody is. Raises ValueError where what is said of it does not go together."""
    if not given.oidc_issuer:
        return None
    role = None if given.oidc_role == NOBODY else given.oidc_role
    secret_file = Path(given.oidc_client_secret_file or "")
    return oidc_settings(given.oidc_issuer, given.oidc_client_id, secret_file, given.oidc_label, role)


def _details() -> dict[str, StockDetails]:
    """What is known of the stocks of the listing file that is installed."""
    text = (files("exchange") / "data" / "listings.toml").read_text(encoding="utf-8")
    return {symbol: listing.details for symbol, listing in decode_listings(text).items()}


def _need_both(given: argparse.Namespace) -> None:
    """Raise ValueError where the database is named without the key of its secrets, or the key alone."""
    if bool(given.database) != bool(given.secret_key_file):
        raise ValueError("--database and --secret-key-file go together: give both, or neither")


def listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address (port 0: any free one). Raises OSError, which says the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {_shown(host)}:{port}: {error.strerror}") from error
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
