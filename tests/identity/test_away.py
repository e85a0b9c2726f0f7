"""The database of identities is away while clients trade: nobody is let in who should not be, nobody waits for ever, and markets go on."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.secrets import SecretKey
from openbell.supervise.processes import wait_until
from tests.binance import trading_desk
from tests.gateway.conftest import redis_url
from tests.identity import postgresql_server
from tests.identity.directories import PASSWORD, World

__all__ = ["redis_url"]
DEADLINE_S = 60


class Users(trading_desk.Users):
    """The users of a trading desk, in a database of any kind."""

    def __init__(self, url: str) -> None:
        self._url, self._secret = url, SecretKey.new()
        self.keys = asyncio.run(trading_desk._keys(self.directory()))


@pytest.fixture
def server() -> Iterator[Path]:
    """The folder of a PostgreSQL server that a test may kill."""
    with postgresql_server.running() as folder:
        yield folder


def processes(folder: Path) -> list[int]:
    """Return a PostgreSQL server's processes, the one that started the others first."""
    first = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    stopped = processes(folder)
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def test_signed_requests_wait_for_nobody_and_markets_go_on_while_postgresql_is_away(
    server: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = Users(postgresql_server.new_database(server, "away"))
    with trading_desk.desk(redis_url, "away", users) as at:
        assert at.get("/account")["balances"]

        def refused(who: str) -> bool:
            """Say whether a request is refused, and if not that it was one of a key that is remembered."""
            answer = at.send("GET", "/account", who=who)
            if answer.status_code == 200:
                return False
            assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, -1001, "1")
            return True

        monkeypatch.setattr("gateway.identity.database.ANSWER_S", 0.5)
        monkeypatch.setattr("gateway.identity.remembered.WAIT_S", 1.0)
        with frozen(server):
            begun = time.monotonic()
            assert wait_until(lambda: refused("demo"), DEADLINE_S, every=0.01)
            assert refused("bob"), "a key that nobody remembers"
            print(f"refused after {time.monotonic() - begun:.1f} s, PostgreSQL frozen")
            assert at.client.get("/api/v3/depth", params={"symbol": "AAPLUSD"}).status_code == 200
        assert wait_until(lambda: not refused("demo"), DEADLINE_S), "it is asked again as soon as it is back"
        os.kill(processes(server)[0], signal.SIGQUIT)
        assert wait_until(lambda: refused("demo"), DEADLINE_S, every=0.01)
        assert at.client.get("/api/v3/depth", params={"symbol": "AAPLUSD"}).status_code == 200


def test_who_is_let_in_already_is_let_out_if_a_frozen_database_cannot_say_that_they_may_stay(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(postgresql_server.new_database(server, "watched"))

    async def scenario() -> None:
        async with world.directory().running() as directory:
            await directory.users.create("ann", PASSWORD)
            key_id, _ = await directory.keys.create("ann", ("read",))
            key = await directory.key(key_id)
            assert key is not None
            ended = asyncio.create_task(directory.ended(key.principal))
            monkeypatch.setattr("gateway.identity.database.ANSWER_S", 0.2)
            monkeypatch.setattr("gateway.identity.watch.TRUST_S", 0.5)
            with frozen(server):
                entering = asyncio.create_task(directory.door.log_in("ann", PASSWORD))
                async with asyncio.timeout(DEADLINE_S):
                    await ended
                    with pytest.raises(IdentitiesUnavailable):
                        await entering

    asyncio.run(scenario())


def test_a_writer_that_holds_sqlite_keeps_nobody_from_trading(tmp_path: Path, redis_url: str) -> None:
    users = Users(f"sqlite+aiosqlite:///{tmp_path}/identity.db")
    with (
        trading_desk.desk(redis_url, "locked", users) as at,
        sqlite3.connect(tmp_path / "identity.db", isolation_level=None) as holder,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        for who in ("demo", "bob"):
            answer: Any = at.send("POST", "/order", {**trading_desk.LIMIT, "newClientOrderId": "held"}, who=who)
            assert (answer.status_code, answer.json()["status"]) == (200, "NEW")
        assert at.refused("GET", "/account", timestamp=0)[0] == -1021
        holder.execute("ROLLBACK")
