"""Requests that concern safety and the audit log: what reaches it, and that nothing is done that it could not have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient

from exchange.audit_log import AuditEntry
from gateway.audit.log import AuditLog
from gateway.audit.of_users import telling
from gateway.identity.directory import Directory
from gateway.identity.events import SecurityEvent
from gateway.identity.secrets import SecretKey
from gateway.identity.untold import tell_all
from gateway.request_ids import REQUEST_ID
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import LOCAL, Floor, FloorCommands, app_over
from wire.errors import NotReachableError

DEADLINE_S = 30


class Away:
    """A log that is away until it is not."""

    def __init__(self) -> None:
        self.up = False
        self.entries: list[AuditEntry] = []

    def write(self, entries: Sequence[AuditEntry]) -> None:
        if not self.up:
            raise NotReachableError("it is away")
        self.entries += entries

    def close(self) -> None:
        pass


def test_where_nothing_can_be_written_down_nothing_that_must_be_is_done_and_all_else_goes_on(
    redis_url: str, venue: str
) -> None:
    floor, sink = Floor(redis_url, venue), Away()
    headers = {"origin": LOCAL}
    with (
        AuditLog(sink, waiting_max=1, retry_s=0.01) as audit,
        TestClient(app_over(floor, FloorCommands(floor), audit=audit), base_url=LOCAL) as client,
    ):
        for path in ("/sign-in", "/sign-up", "/sign-out"):
            refused = client.post(path, data={"name": "ann", "password": "x"}, headers=headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1"), path
            assert "was not done" in refused.text
        assert client.get("/api/native/markets").status_code == 200
        order = {"symbol": "AAPLUSD", "side": "buy", "kind": "limit", "price": "99.00", "quantity": "1"}
        assert client.post("/api/native/orders", json=order).status_code == 201
        signed = client.post("/api/v3/order", headers={"x-mbx-apikey": "nobody's"})
        assert signed.status_code < 500, "an order is none of it, however it is signed"
        assert "openbell_audit_waiting 1.0" in client.get("/metrics").text
        sink.up = True
        assert wait_until(audit.available, DEADLINE_S, every=0.005)
        answer = client.post("/sign-in", data={"name": "ann", "password": "x"}, headers=headers)
        assert answer.status_code == 404, "no users are kept here"


def test_what_the_directory_of_users_tells_is_written_down_with_the_request_that_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Away()
    sink.up = True
    named = REQUEST_ID.set("r" * 16)
    try:
        with AuditLog(sink) as audit:
            tell = telling(audit)
            asyncio.run(tell(SecurityEvent(what="log-in-refused", user="ann", at_ms=1, address="192.0.2.1")))
            facts = {"before": "trader", "after": "admin"}
            asyncio.run(tell(SecurityEvent(what="role-changed", user="ann", at_ms=1, by="root", facts=facts)))
    finally:
        REQUEST_ID.reset(named)
    refused, changed = sink.entries[1:3]
    assert (refused.actor, refused.action, refused.outcome) == ("ann", "log-in-refused", "refused")
    assert (refused.address, refused.request_id) == ("192.0.2.1", "r" * 16)
    assert (changed.actor, changed.subject, changed.outcome, changed.details) == ("root", "ann", "done", facts)
    full = AuditLog(Away(), waiting_max=0)
    asyncio.run(telling(full)(SecurityEvent(what="role-changed", user="ann", at_ms=1)))
    assert "an event is not in the audit log, action=role-changed" in caplog.text
    assert full.refused == 1


def test_what_the_command_line_did_waits_until_the_audit_log_takes_it(tmp_path: Path) -> None:
    url, cheap = (
        f"sqlite+aiosqlite:///{tmp_path}/identity.db",
        PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
    )
    full, sink = AuditLog(Away(), waiting_max=0), Away()
    sink.up = True

    async def scenario() -> None:
        async with Directory(url, SecretKey.new(), tell=None, hasher=cheap).running() as command_line:
            await command_line.users.create("ann", "forty green kettles", by="command-line:root")
            await command_line.users.set_role("ann", "viewer", by="command-line:root")
            database = command_line._core.database
            await tell_all(database, telling(full))
            assert full.refused == 0, "nothing was refused to anybody"
            with AuditLog(sink) as audit:
                await tell_all(database, telling(audit))
                await tell_all(database, telling(audit))

    asyncio.run(scenario())
    told = [(entry.actor, entry.action, entry.subject) for entry in sink.entries[1:-1]]
    assert told == [
        ("command-line:root", "user-created", "ann"),
        ("command-line:root", "role-changed", "ann"),
    ]
