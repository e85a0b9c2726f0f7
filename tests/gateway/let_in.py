"""The application with people who sign in: a real directory in a database of its own, with hashes that cost little."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from gateway.admin.newest_audit import NewestAudit
from gateway.alerts.rules import AlertPorts, MemoryAlertRules
from gateway.app import create_app
from gateway.audit.event import Audit
from gateway.audit.of_users import telling
from gateway.changes import RedisChanges
from gateway.identity.directory import Directory
from gateway.identity.principal import Role
from gateway.identity.secrets import SecretKey
from gateway.limiting.ports import Limits
from gateway.services import GatewaySettings
from gateway.views import RedisViews
from tests.gateway.adapters import ACCOUNT, LOCAL, Floor, FloorCommands
from tests.gateway.projected import NOW_MS

PASSWORD = "forty green kettles"
HERE = {"origin": LOCAL}
"""What a browser says of where a form was."""
T = TypeVar("T")


class House:
    """A running application, its directory, and the people who are in it."""

    def __init__(
        self, client: TestClient[Litestar], floor: Floor, commands: FloorCommands, directory: Directory, tls: bool
    ) -> None:
        self.client = client
        self.floor = floor
        self.commands = commands
        self.directory = directory
        self.cookie = "__Host-openbell" if tls else "openbell"

    def run(self, act: Callable[..., Awaitable[T]], *arguments: Any, **keywords: Any) -> T:
        """Do something in the application's loop."""

        async def acted() -> T:
            return await act(*arguments, **keywords)

        return self.client.blocking_portal.call(acted)

    def user(self, name: str, role: Role = "trader", *accounts: str, account: str | None = None) -> None:
        """Make a user; one who trades is funded under their own account."""
        self.run(self.directory.users.create, name, PASSWORD, role=role, account=account, accounts=accounts)

    def fund(self, account: str) -> None:
        """Give an account something to trade."""
        with self.floor.lock:
            self.floor.projected.fund(account, USD=10**12, AAPL=10_000)
            self.floor.projected.project(publish=True)

    def session(self, name: str) -> dict[str, str]:
        """Return the headers of a browser that a user has signed in with."""
        entered = self.run(self.directory.door.log_in, name, PASSWORD)
        return {"cookie": f"{self.cookie}={entered.token}", **HERE}

    def stands_behind(self, proxy: str) -> None:
        """Have every further request come by way of a load balancer at an address."""
        app = self.client.app
        inner = app.asgi_handler

        async def passed_on(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                scope = {**scope, "client": (proxy, 1)}
            await inner(scope, receive, send)

        app.asgi_handler = passed_on

    def key(self, name: str, *scopes: str, **options: Any) -> dict[str, str]:
        """Return the headers of a program that has a key of a user."""
        key, secret = self.run(self.directory.keys.create, name, scopes, **options)
        return {"x-api-key": f"{key}.{secret}"}


@dataclass
class Peopled:
    """An application that is not running yet, with what it works on."""

    app: Litestar
    floor: Floor
    commands: FloorCommands
    directory: Directory


def peopled(
    url: str,
    name: str,
    folder: Path,
    *,
    database: str | None = None,
    audit: Audit | None = None,
    newest_audit: NewestAudit | None = None,
    counted_by: Limits | None = None,
    **settings: Any,
) -> Peopled:
    """Make an application with a directory in `database` (None: SQLite in the folder); other keywords are fields of `GatewaySettings`."""
    floor = Floor(url, name)
    commands = FloorCommands(floor)
    views, changes = RedisViews(url, name, lambda: NOW_MS), RedisChanges(url, name)
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    told = {} if audit is None else {"tell": telling(audit)}
    database = database or f"sqlite+aiosqlite:///{folder}/{name}.db"
    directory = Directory(database, SecretKey.new(), hasher=cheap, **told)
    wanted = {"venue": name, "allowed_hosts": ("localhost", "127.0.0.1"), "demo_account": ACCOUNT}
    rules = MemoryAlertRules()

    @asynccontextmanager
    async def ports(_: Litestar) -> AsyncIterator[None]:
        async with directory.running():
            await changes.start()
            try:
                yield
            finally:
                await changes.close()
                await views.close()

    app = create_app(
        GatewaySettings(**{**wanted, **settings}),
        commands,
        views,
        changes,
        now_ms=lambda: NOW_MS,
        lifespan=[ports],
        alerts=AlertPorts(rules, rules),
        identities=directory,
        limits=counted_by,
        operator=commands,
        audit=audit,
        newest_audit=newest_audit,
    )
    return Peopled(app, floor, commands, directory)


@contextmanager
def house(url: str, name: str, folder: Path, *, tls: bool = False, **settings: Any) -> Iterator[House]:
    """Run the application with people, as `adapters.running` runs it without."""
    made = peopled(url, name, folder, tls=tls, **settings)
    with TestClient(made.app, base_url=LOCAL.replace("http:", "https:") if tls else LOCAL) as client:
        client.follow_redirects = False
        yield House(client, made.floor, made.commands, made.directory, tls)
