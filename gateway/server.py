"""The server as a process: `python -m gateway.server --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, get_args

import uvicorn
import uvloop
from litestar import Litestar

from exchange import topics
from exchange.errors import ExchangeError
from exchange.topics import topic_name
from gateway.alert_rules import AlertPorts, RedisAlertRules
from gateway.app import create_app
from gateway.changes import RedisChanges
from gateway.kafka_commands import KafkaCommands
from gateway.security import ANY_HOST, LOCAL_HOSTS
from gateway.services import GatewaySettings
from gateway.shown import Span
from gateway.sockets import LiveProtocol
from gateway.views import RedisViews

STOP_S: Final = 3
"""How long connections may take to end after a signal to stop."""
PING_S: Final = 20.0
MESSAGE_MAX: Final = 1_024
"""Greatest message that a websocket may send, in bytes; nothing it sends is read."""
BACKLOG: Final = 2_048
SEND_BUFFER: Final = 131_072
"""How many bytes the kernel keeps for a peer that does not read; left to itself it would keep megabytes."""

LOG = logging.getLogger("openbell.gateway")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        topic_name(given.venue, topics.ACCOUNT_INBOX)
        listener = listening(given.host, given.port)
        app = _app(given)
    except (ExchangeError, OSError, ValueError) as error:
        parser.error(str(error))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("openbell", "gateway"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it is said by `kafka_commands`
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn stops for a signal, and then raises it once more
    LOG.info("serving venue=%s url=http://%s:%d", given.venue, _shown(given.host), listener.getsockname()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(configured(app)).serve(sockets=[listener]))
    LOG.info("stopped venue=%s", given.venue)


def configured(app: Litestar) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app,
        http="httptools",
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
    )


def _app(given: argparse.Namespace) -> Litestar:
    views = RedisViews(given.redis, given.venue)
    changes = RedisChanges(given.redis, given.venue)
    commands = KafkaCommands(given.bootstrap_servers, given.venue, given.account_shards)
    rules = RedisAlertRules(given.redis, given.venue)

    @asynccontextmanager
    async def ports(_: Litestar) -> AsyncIterator[None]:
        async with commands:
            await changes.start()
            try:
                yield
            finally:
                await changes.close()
                await views.close()
                await rules.close()

    settings = GatewaySettings(
        venue=given.venue,
        allowed_hosts=(*LOCAL_HOSTS, _shown(given.host), *given.allowed_host),
        demo_account=given.demo_account or None,
        span=given.span,
    )
    return create_app(settings, commands, views, changes, lifespan=[ports], alerts=AlertPorts(commands, rules))


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.server",
        description="Serve a venue's pages, websockets and REST: views come from Redis, commands go to Kafka.",
        epilog="example: python -m gateway.server --port 8000 --bootstrap-servers localhost:9092"
        " --redis redis://localhost:6379/0 --venue replay",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_number(0, 65_535), default=8_000, help="0: any free one (default: %(default)s)")
    parser.add_argument("--bootstrap-servers", required=True, type=_servers, help="Kafka, HOST:PORT[,HOST:PORT]")
    parser.add_argument("--redis", required=True, help="Redis, such as redis://localhost:6379/0")
    parser.add_argument("--venue", required=True, help="the venue's name, which its topics begin with")
    parser.add_argument(
        "--account-shards", type=_number(1, 720), default=16, help="the venue's account shards (default: %(default)s)"
    )
    parser.add_argument(
        "--demo-account",
        default="demo",
        help="the account that everybody trades with; empty: nobody trades here (default: %(default)s)",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a further host name to answer to, beside those of this machine; {ANY_HOST} allows all; may be given often",
    )
    parser.add_argument(
        "--span",
        choices=get_args(Span),
        default="1d",
        help="the candles that a page shows at first (default: %(default)s)",
    )
    return parser


def _number(least: int, greatest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= greatest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {greatest}")
        return int(text)

    return number


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
            raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT[,HOST:PORT]")
    return text


if __name__ == "__main__":
    main()
