"""The settings of a local stack: what each is called in the environment, its default and its bounds.

They are read once, by the command line, from a mapping; everything else is handed a `Settings`. docs/SETTINGS.md has them all in
a table, which a test holds to this module.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gateway.redis_url import PASSWORD_FILE
from openbell.errors import SettingError
from wire.security import VARIABLES

PREFIX = "OPENBELL_"
PORT_MAX = 65_535
CLIENTS = (*VARIABLES, PASSWORD_FILE)
"""What clients of a Kafka and a Redis with users read (docs/SECURITY.md); the local stack's own have none."""


@dataclass(frozen=True)
class Kind:
    """How a setting is written: its parser, which raises ValueError, and the words that say what to write."""

    parse: Callable[[str], Any]
    expected: str


def _whole(least: int, most: int) -> Kind:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Kind(parse, f"a whole number from {least} to {most}")


def _one_of(*words: str) -> Kind:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind(parse, " or ".join(words))


def _name() -> Kind:
    def parse(text: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", text):
            raise ValueError
        return text

    return Kind(parse, "1 to 32 lower-case letters, digits and hyphens, no hyphen first")


def _account() -> Kind:
    def parse(text: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
            raise ValueError
        return text

    return Kind(parse, "1 to 64 letters, digits and . _ -")


def _address() -> Kind:
    return Kind(lambda text: str(ipaddress.IPv4Address(text)), "an IPv4 address of this machine")


def _host_names() -> Kind:
    def parse(text: str) -> str:
        names = [name.strip().lower() for name in text.split(",") if name.strip()]
        if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name) for name in names):
            raise ValueError
        return ",".join(names)

    return Kind(parse, "names of hosts without ports, commas between them")


def _folder() -> Kind:
    def parse(text: str) -> Path:
        path = Path(text).expanduser().absolute()
        if not re.fullmatch(r"[\w./@+-]+", str(path), re.ASCII):
            raise ValueError
        return path

    return Kind(parse, "a folder whose full path has only letters, digits and . _ - + @ /")


def _file() -> Kind:
    def parse(text: str) -> str:
        return str(Path(text).expanduser().absolute()) if text else ""

    return Kind(parse, "a file")


def _mail_server() -> Kind:
    def parse(text: str) -> str:
        if text and not re.fullmatch(r"(smtp|smtp\+starttls|smtps)://[\x21-\x7e]+", text):
            raise ValueError
        return text

    return Kind(
        parse, "smtp://HOST, smtp+starttls://USER@HOST or smtps://USER@HOST, with :PORT behind where it is another"
    )


def _mail_address() -> Kind:
    def parse(text: str) -> str:
        if text and not re.fullmatch(r"[\x21-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,189}", text):
            raise ValueError
        return text

    return Kind(parse, "an e-mail address")


def _database() -> Kind:
    def parse(text: str) -> str:
        # libpq reads a password from where nobody else looks; this text is an argument, which everybody here can see
        password = re.search(r"^[a-z0-9+]+://[^/@]*:[^@]*@|[?&](ssl)?password=", text)
        if text and (password or not re.fullmatch(r"(sqlite\+aiosqlite|postgresql\+psycopg)://[\x21-\x7e]+", text)):
            raise ValueError
        return text

    return Kind(
        parse,
        "sqlite+aiosqlite:////PATH/TO/FILE or postgresql+psycopg://USER@HOST/NAME, its password not here but in PGPASSFILE",
    )


def _networks() -> Kind:
    def parse(text: str) -> str:
        return ",".join(str(ipaddress.ip_network(name.strip())) for name in text.split(",") if name.strip())

    return Kind(parse, "networks such as 10.0.0.0/8 or 127.0.0.1, commas between them")


def _limits() -> Kind:
    def parse(text: str) -> str:
        if text and not re.fullmatch(r"[a-z0-9_]{1,32}=[0-9]{1,12}(,[a-z0-9_]{1,32}=[0-9]{1,12})*", text):
            raise ValueError
        return text

    return Kind(parse, "NAME=NUMBER, commas between them")


def _issuer() -> Kind:
    def parse(text: str) -> str:
        if text and not re.fullmatch(r"https?://[\x21-\x7e]+", text):
            raise ValueError
        return text

    return Kind(parse, "an https:// address")


def _words() -> Kind:
    def parse(text: str) -> str:
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{0,64}", text):
            raise ValueError
        return text

    return Kind(parse, "at most 64 characters")


def _setting(default: str, kind: Kind, meaning: str) -> Any:
    """A field of `Settings`; `default` is written as a user would write it."""
    return field(
        default_factory=lambda: kind.parse(default), metadata={"kind": kind, "meaning": meaning, "text": default}
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything about a local stack that may differ from one to the next. A port of 0 means: pick one, and keep it."""

    home: Path = _setting(".openbell", _folder(), "the stack's data, logs and state; one stack a home")
    jars: Path = _setting(".openbell/jars", _folder(), "the jars that Maven fetched; stacks may share it")
    venue: str = _setting("replay", _name(), "name of the venue: the prefix of its topics")
    clock: str = _setting("replay", _one_of("replay", "live"), "the venue's clock: the replayed data's or the broker's")
    partitions: int = _setting("4", _whole(1, 720), "partitions of each topic; fixed when the topics are made")
    account_shards: int = _setting("16", _whole(1, 720), "shards of the accounts; fixed for a venue's life")
    task_managers: int = _setting("4", _whole(1, 32), "TaskManagers, one slot each")
    parallelism: int = _setting("1", _whole(1, 32), "parallelism of each job when it is first submitted")
    checkpoint_ms: int = _setting("2000", _whole(100, 600_000), "milliseconds from one checkpoint to the next")
    kafka_port: int = _setting("0", _whole(0, PORT_MAX), "port of the Kafka broker")
    kafka_controller_port: int = _setting("0", _whole(0, PORT_MAX), "port of the broker's own controller")
    flink_rest_port: int = _setting("0", _whole(0, PORT_MAX), "port of Flink's REST API and web pages")
    flink_rpc_port: int = _setting("0", _whole(0, PORT_MAX), "port at which the TaskManagers reach the JobManager")
    redis_port: int = _setting("0", _whole(0, PORT_MAX), "port of the Redis server that holds the page's views")
    gateway_port: int = _setting("0", _whole(0, PORT_MAX), "port of the page; 0 takes 8000 where that is free")
    gateway_host: str = _setting("127.0.0.1", _address(), "where the page is served; 0.0.0.0 is every network")
    gateway_hosts: str = _setting("", _host_names(), "further names under which browsers may ask for the page")
    gateway_proxies: str = _setting("", _networks(), "load balancers that may say in X-Forwarded-For for whom they ask")
    tls_certificate_file: str = _setting("", _file(), "the file with the page's certificate and its chain, as PEM")
    tls_key_file: str = _setting("", _file(), "the file with the key of the page's certificate, as PEM")
    limits: str = _setting(
        "", _limits(), "limits of requests and orders that are not those of docs/LIMITS.md, such as orders_10s=2000"
    )
    gateways: int = _setting("1", _whole(1, 1_000), "how many gateways the venue has, which share the limits")
    log_format: str = _setting("text", _one_of("text", "json"), "how the gateway writes its log")
    access_log: str = _setting(
        "notable",
        _one_of("off", "notable", "all"),
        "which requests the gateway logs: notable are refused ones and failures",
    )
    tls: str = _setting(
        "off", _one_of("on", "off"), "on: a load balancer before the page speaks TLS, so cookies are bound to it"
    )
    seeds: str = _setting("on", _one_of("on", "off"), "the interfaces of docs/SEEDS.md on a port of their own, or none")
    seed_port: int = _setting("0", _whole(0, PORT_MAX), "port of these interfaces; 0 takes 5000 where that is free")
    seed_account: str = _setting("demo", _account(), "the account for which they trade")
    page: str = _setting("on", _one_of("on", "off"), "the page, with its Redis, projector and gateway, or none of them")
    analytics: str = _setting(
        "on", _one_of("on", "off"), "the jobs that compute candles, indicators and signals, or none of them"
    )
    lateness_ms: int = _setting(
        "5000",
        _whole(0, 3_600_000),
        "how many milliseconds older than the newest a trade or bar may be and still count",
    )
    models: Path = _setting(
        ".openbell/models",
        _folder(),
        "the forecast's models: the newest is in use, or where there is none the one that comes along",
    )
    demo_account: str = _setting(
        "demo", _account(), "the paper account with which everyone who sees the page trades; none: nobody"
    )
    database: str = _setting(
        "", _database(), "where users, sessions and keys are kept; without one, identity.db in the home is made"
    )
    secret_key_file: str = _setting(
        "",
        _file(),
        "the file with the key that secrets in the database are encrypted with; without one, secret.key in the home is made",
    )
    sign_up: str = _setting("on", _one_of("on", "off"), "whether everyone who sees the page may make an account")
    sandbox: str = _setting(
        "on", _one_of("on", "off"), "whether new accounts are given paper money, and more when asked"
    )
    oidc_issuer: str = _setting("", _issuer(), "an OpenID Connect provider that lets users in, beside passwords")
    oidc_client_id: str = _setting("", _words(), "what the provider calls this venue")
    oidc_client_secret_file: str = _setting("", _file(), "the file with the secret that the provider knows it by")
    oidc_label: str = _setting("", _words(), "what the page calls the provider")
    oidc_role: str = _setting(
        "trader",
        _one_of("none", "viewer", "trader", "market-maker", "operator", "admin"),
        "the role of users that the provider brings; none: it lets in only those who linked it",
    )
    smtp: str = _setting("", _mail_server(), "the mail server for alerts; without one, e-mails are given up")
    smtp_password_file: str = _setting("", _file(), "the file with the password of the mail server's user")
    mail_from: str = _setting("", _mail_address(), "the address that alerts come from")
    webhook_key_file: str = _setting(
        "",
        _file(),
        "the file with the secret that webhooks are signed with; without one, webhook.key in the home is made",
    )
    webhook_private: str = _setting(
        "off", _one_of("on", "off"), "whether webhooks may reach this machine and private networks"
    )
    kafka_heap_mb: int = _setting("320", _whole(128, 65_536), "megabytes of the broker's heap")
    jobmanager_mb: int = _setting("832", _whole(768, 65_536), "megabytes of the JobManager's process")
    taskmanager_mb: int = _setting(
        "1024", _whole(832, 65_536), "megabytes of each TaskManager's JVM, its Python not counted"
    )
    redis_mb: int = _setting("256", _whole(16, 65_536), "megabytes of views that Redis may hold")
    start_timeout_s: int = _setting("180", _whole(5, 3_600), "seconds to wait for the servers and jobs to be ready")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str]) -> "Settings":
        """Read the settings from an environment. Raises SettingError naming the variable and what to write."""
        values: dict[str, Any] = {}
        for item in fields(cls):
            name = variable(item.name)
            text = mapping.get(name, "").strip()
            if not text:
                continue
            kind: Kind = item.metadata["kind"]
            try:
                values[item.name] = kind.parse(text)
            except ValueError:
                raise SettingError(f"{name} is {text!r}; write {kind.expected}") from None
        return cls(**values)

    def to_mapping(self) -> dict[str, str]:
        """The inverse of `from_mapping`: each setting as a user would write it."""
        return {variable(item.name): str(getattr(self, item.name)) for item in fields(self)}


def variable(field_name: str) -> str:
    """The environment variable of a setting.

    >>> variable("kafka_port")
    'OPENBELL_KAFKA_PORT'
    """
    return PREFIX + field_name.upper()


def unknown_variables(mapping: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: most likely typing errors."""
    known = {variable(item.name) for item in fields(Settings)}.union(CLIENTS)
    return sorted(name for name in mapping if name.startswith(PREFIX) and name not in known)
