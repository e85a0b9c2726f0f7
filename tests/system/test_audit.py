"""The audit log in a real broker: gateways' entries, the broker's absence, and the command that lists and checks them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from venue import Venue

from exchange import topics
from exchange.packets import decode_audit
from gateway.audit.event import AuditEvent
from gateway.audit.kafka import KafkaSink
from gateway.audit.log import AuditLog
from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from wire.writer import PacketWriter

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DEADLINE_S = 60


def run(venue: Venue, *arguments: str, code: int = 0) -> str:
    done = venue.openbell("audit", *arguments)
    out, err = done.communicate(timeout=DEADLINE_S)
    assert done.returncode == code, (out, err)
    assert "Traceback" not in err
    return out


def listed(venue: Venue, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(run(venue, *arguments, "--json")))


def event(actor: str, action: str, **details: str) -> AuditEvent:
    return AuditEvent(actor=actor, action=action, subject="bob", address="192.0.2.1", details=details)


def test_what_gateways_write_down_is_listed_and_checked_and_a_forged_entry_found(
    bare_stack: Stack, tmp_path: Path
) -> None:
    venue = Venue(bare_stack, "audited", "live")
    with AuditLog(KafkaSink(venue.servers, venue.name), tmp_path) as first:
        first.note(event("ann", "role-changed", before="trader", after="admin\x1b[31m[red]"))
    with AuditLog(KafkaSink(venue.servers, venue.name), tmp_path, retry_s=0.1) as second:
        assert wait_until(lambda: second.waiting == 0, DEADLINE_S)
        broker = venue.stack.pid("kafka")
        os.kill(broker, signal.SIGSTOP)
        try:
            second.note(event("carol", "user-disabled"))
            assert second.available()
            assert second.waiting == 1
        finally:
            os.kill(broker, signal.SIGCONT)
        assert wait_until(lambda: second.waiting == 0, DEADLINE_S)
    assert [entry["action"] for entry in listed(venue)] == [
        "log-opened", "role-changed", "log-closed", "log-opened", "user-disabled", "log-closed",
    ]  # fmt: skip
    assert [entry["actor"] for entry in listed(venue, "--user", "ann")] == ["ann"]
    assert len(listed(venue, "--user", "bob")) == 2
    assert listed(venue, "--since", "2100-01-01") == []
    table = run(venue)
    assert "\x1b" not in table
    assert "ann  role-changed  bob  done  address=192.0.2.1  before=trader  after=admin\\x1b[31m[red]" in table
    verdict = json.loads(run(venue, "--verify", "--json"))
    assert verdict["ok"]
    assert {head["source"]: (head["entries"], head["closed"]) for head in verdict["heads"]} == {
        first.source: (3, True),
        second.source: (3, True),
    }
    assert "is whole: 6 entries" in run(venue, "--verify")

    (written,) = [
        entry
        for record in venue.records(topics.AUDIT)
        for entry in decode_audit(record.value)
        if entry.action == "user-disabled"
    ]
    with PacketWriter(venue.servers, venue.name) as writer:
        writer.send(topics.AUDIT, second.source, [msgspec.structs.replace(written, actor="ann")])
        writer.send_raw(topics.AUDIT, "x", b"nonsense")
    told = run(venue, "--verify", code=1)
    assert f"FAILED: {second.source} 2 at " in told
    assert "this entry is not as it was written" in told
    assert "this record is no entry" in told
