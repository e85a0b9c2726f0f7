"""The database of identities: SQLite or PostgreSQL, how it is reached, and that its tables are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Final
from weakref import WeakSet

import aiosqlite
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gateway.identity.ports import IdentitiesUnavailable
from gateway.ports import GatewayError

DRIVERS: Final = ("sqlite+aiosqlite", "postgresql+psycopg")
BUSY_MS: Final = 10_000
"""How long one who writes waits for another, in SQLite."""
ANSWER_S: Final = 5.0
"""How long PostgreSQL may take until all of a transaction is read. SQLite is no server that could go away."""
WRITTEN_S: Final = 60.0
"""The same of one that writes, as long as others hold it up or make the tables."""
CLOSED_S: Final = 5.0
"""How long a connection to SQLite may take to close."""
WRITERS: Final = 8
"""How many write to PostgreSQL at once; to SQLite one does. The others wait without a connection, so that those who read find one."""
_MIGRATING: Final = 0x6F70656E62656C6C
"""The lock in PostgreSQL under which tables are made."""
_WRITES: Final = "openbell_writes"


class BadDatabase(GatewayError):
    """The database that the settings name cannot be used as it is."""


class Database:
    """Reads and writes in transactions. What concerns its reachability is IdentitiesUnavailable."""

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url)
        except ArgumentError:
            raise BadDatabase("the database is no URL: write sqlite+aiosqlite:///FILE") from None
        if self._url.drivername not in DRIVERS:
            raise BadDatabase(f"the database's URL begins with {self._url.drivername}: write {' or '.join(DRIVERS)}")
        if not self.is_postgresql and self._url.database in (None, "", ":memory:"):
            raise BadDatabase("several processes read the database of identities: name a file for it")
        self._threads: WeakSet[Thread] = WeakSet()
        how: dict[str, Any] = {"pool_pre_ping": True} if self.is_postgresql else {"async_creator": self._open_file}
        self._engine = create_async_engine(self._url, hide_parameters=True, **how)
        self._writing = self._engine.execution_options(**{_WRITES: True})
        self._writers = asyncio.Semaphore(WRITERS if self.is_postgresql else 1)
        if not self.is_postgresql:
            event.listen(self._engine.sync_engine, "connect", _on_connect)
            event.listen(self._engine.sync_engine, "begin", _on_begin)

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL; else it is SQLite."""
        return self._url.get_backend_name() == "postgresql"

    def __repr__(self) -> str:
        """Show where it is, without a password."""
        return f"Database({self._url.render_as_string()})"

    async def start(self) -> None:
        """Make the tables, or bring them up to date; of several that start at once, one does. Raises IdentitiesUnavailable, BadDatabase."""
        if not self.is_postgresql:
            _make_private(Path(str(self._url.database)))
        async with self.write() as connection:
            if self.is_postgresql:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATING})
            try:
                await connection.run_sync(migrate)
            except CommandError:
                raise BadDatabase(
                    f"{self!r} was written by a newer Openbell: run that one, or name another database"
                ) from None

    async def stop(self) -> None:
        """Close all connections; what was cancelled while it read or wrote may need a moment, so wait until it has ended."""
        await self._engine.dispose()
        for thread in list(self._threads):
            await asyncio.to_thread(thread.join, CLOSED_S)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one state."""
        async with _unavailable(self), self._in_time(ANSWER_S), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose changes are kept at the end, all or, after an exception, none. SQLite has one writer at a time."""
        async with self._writers, _unavailable(self), self._in_time(WRITTEN_S), self._writing.begin() as connection:
            yield connection

    async def _open_file(self) -> aiosqlite.Connection:
        """Return a new connection to SQLite's file, whose thread answers to this event loop and so must end before it."""
        where, options = self._engine.dialect.create_connect_args(self._url)
        connection = aiosqlite.connect(*where, **options)
        thread = connection._thread  # noqa: SLF001 - nothing else tells when it has ended
        thread.daemon = True
        self._threads.add(thread)
        return await connection

    def _in_time(self, seconds: float) -> asyncio.Timeout:
        """Return what gives up a server that does not answer, so that nobody waits for it for ever."""
        return asyncio.timeout(seconds if self.is_postgresql else None)


def config() -> Config:
    """Return what Alembic must know."""
    found = Config()
    found.set_main_option("script_location", "gateway.identity:migrations")
    found.set_main_option("path_separator", "os")
    return found


def migrate(connection: Connection) -> None:
    """Bring the tables up to date inside the transaction that the connection is in."""
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


@asynccontextmanager
async def _unavailable(database: Database) -> AsyncIterator[None]:
    """Tell what the driver complains of as IdentitiesUnavailable; two who wrote the same is the caller's to understand."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise IdentitiesUnavailable(f"{database!r} does not answer: {_reason(error)}") from None


def _make_private(path: Path) -> None:
    """See to it that nobody else can read the file, nor those that SQLite makes beside it, which have its mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().partition("\n")[0] or "not in time"


def _on_connect(connection: Any, record: Any) -> None:
    """Let us begin transactions ourselves; readers do not wait for a writer, nor it for them."""
    del record
    connection.isolation_level = None
    cursor = connection.cursor()
    for line in (f"busy_timeout = {BUSY_MS}", "journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    """One who writes takes the lock at once: taken later it could be refused, after another's write."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
