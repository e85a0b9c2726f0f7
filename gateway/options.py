"""The options of the server's command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import get_args

from gateway.identity.principal import Role
from gateway.limiting.settings import LimitSettings
from gateway.logs import LogFormat
from gateway.requests_log import AccessLog
from gateway.security import ANY_HOST
from gateway.shown import Span

NOBODY = "none"
"""The role that says that a provider makes no users."""
NO_PORT = -1
"""The seeds' port that says that there is none."""


def parser() -> argparse.ArgumentParser:
    """Return what reads the options."""
    options = argparse.ArgumentParser(
        prog="python -m gateway.server",
        description="Serve a venue's pages, websockets and REST: views come from Redis, commands go to Kafka.",
        epilog="example: python -m gateway.server --port 8000 --bootstrap-servers localhost:9092"
        " --redis redis://localhost:6379/0 --venue replay --database sqlite+aiosqlite:////var/lib/openbell/identity.db"
        " --secret-key-file /var/lib/openbell/secret.key",
    )
    options.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    options.add_argument("--port", type=number(0, 65_535), default=8_000, help="0: any free one (default: %(default)s)")
    options.add_argument("--bootstrap-servers", required=True, type=_servers, help="Kafka, HOST:PORT[,HOST:PORT]")
    options.add_argument("--redis", required=True, help="Redis, such as redis://localhost:6379/0")
    options.add_argument("--venue", required=True, help="the venue's name, which its topics begin with")
    options.add_argument(
        "--account-shards", type=number(1, 720), default=16, help="the venue's account shards (default: %(default)s)"
    )
    options.add_argument(
        "--demo-account",
        default="demo",
        help="the account that everybody trades with who has not signed in; empty: they only look (default: %(default)s)",
    )
    options.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a further host name to answer to, beside those of this machine; {ANY_HOST} allows all; may be given often",
    )
    options.add_argument(
        "--span",
        choices=get_args(Span),
        default="1d",
        help="the candles that a page shows at first (default: %(default)s)",
    )
    _identity(options)
    _bounds(options)
    _seeds(options)
    return options


def _identity(options: argparse.ArgumentParser) -> None:
    options.add_argument("--database", help="where users are kept (docs/IDENTITY.md); without it nobody can sign in")
    options.add_argument("--secret-key-file", help="the key that secrets in the database are encrypted with")
    options.add_argument("--sign-up", choices=("on", "off"), default="on", help="whether everybody may become a user")
    options.add_argument(
        "--sandbox",
        choices=("on", "off"),
        default="on",
        help="whether new accounts are given paper money, and more when asked",
    )
    options.add_argument(
        "--oidc-issuer", default="", help="an OpenID Connect provider that lets users in (docs/IDENTITY.md)"
    )
    options.add_argument("--oidc-client-id", default="", help="what the provider calls this server")
    options.add_argument("--oidc-client-secret-file", help="the file with the secret that the provider knows it by")
    options.add_argument("--oidc-label", default="", help="what the page calls the provider")
    options.add_argument(
        "--oidc-role",
        choices=(NOBODY, *get_args(Role)),
        default="trader",
        help=f"the role of users that it brings; {NOBODY}: it brings none, and lets in those who linked it (default: %(default)s)",
    )
    options.add_argument("--audit-folder", help="where the audit log is kept until Kafka has it; without it in memory")
    options.add_argument(
        "--tls-certificate-file", help="the certificate and its chain, as PEM; without it there is no TLS here"
    )
    options.add_argument(
        "--tls",
        choices=("on", "off"),
        default="off",
        help="on: a load balancer before this server speaks TLS, so cookies are bound to it (default: %(default)s)",
    )
    options.add_argument("--tls-key-file", help="the certificate's key, as PEM")
    options.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        type=_network,
        metavar="NETWORK",
        help="a load balancer that may say for whom it asks (X-Forwarded-For); may be given often",
    )


def _bounds(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--limits",
        type=limits,
        default=LimitSettings(),
        help="limits that are not as usual, such as orders_10s=2000,weight_1m=12000 (docs/LIMITS.md)",
    )
    options.add_argument(
        "--gateways",
        type=number(1, 1_000),
        default=1,
        help="how many gateways the venue has, which share the limits while Redis is away (default: %(default)s)",
    )
    options.add_argument("--log-format", choices=get_args(LogFormat), default="text", help="(default: %(default)s)")
    options.add_argument(
        "--access-log",
        choices=get_args(AccessLog),
        default="notable",
        help="which requests are logged (default: %(default)s)",
    )


def _seeds(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--seed-port",
        type=number(NO_PORT, 65_535),
        default=NO_PORT,
        help=f"the port of the interfaces of docs/SEEDS.md; {NO_PORT}: none (default: %(default)s)",
    )
    options.add_argument(
        "--seed-account", default="demo", help="the account that these trade for; empty: none (default: %(default)s)"
    )


def limits(text: str) -> LimitSettings:
    """Read limits such as `orders_10s=2000,weight_1m=12000`. Raises ArgumentTypeError, which says what to write."""
    names = tuple(vars(LimitSettings()))
    wanted: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in names or not (value.isascii() and value.isdecimal()):
            raise argparse.ArgumentTypeError(f"{part!r} is no limit: write NAME=NUMBER, of {', '.join(names)}")
        wanted[name] = int(value)
    try:
        return replace(LimitSettings(), **wanted)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def number(least: int, greatest: int) -> Callable[[str], int]:
    """Return what reads a whole number in some bounds."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()) or not least <= int(text) <= greatest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {greatest}")
        return int(text)

    return read


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no network such as 10.0.0.0/8") from None


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
            raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT[,HOST:PORT]")
    return text
