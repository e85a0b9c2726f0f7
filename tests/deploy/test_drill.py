"""The operator's drill: all FlinkDeployments run as they are written, lose a JobManager, are stopped, and go on at another parallelism."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from memory_venue import replayed
from venue import SHARDS, Venue

from exchange import topics
from exchange.packets import decode_trades
from openbell.settings import variable
from openbell.stack import Stack, jars, ports
from openbell.supervise.processes import marked, wait_until
from replay.bars import day_ms, load
from replay.history import History
from replay.orders import paper
from replay.plan import make_plan
from tests.deploy.applications import Application, Machine
from tests.deploy.files import JOBS, ROOT

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SYMBOLS = ("AAPLUSD", "IBMUSD")
HALF, WHOLE = date(2001, 12, 31), date(2003, 12, 31)
START_S = 180


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    folder = Path(os.environ.get(variable("jars"), str(ROOT / ".openbell" / "jars")))
    jars.fetch(folder)
    machine = Machine(tmp_path, folder)
    yield machine
    machine.end()
    assert marked(str(tmp_path)) == []


def test_what_the_manifests_say_runs_is_upgraded_and_loses_nothing(machine: Machine):
    machine.run_servers()
    applications = [Application(machine, job, port) for job, port in zip(JOBS, machine.rest_ports, strict=True)]
    accounts, matching, *others = applications
    assert wait_until(lambda: not ports.is_free(machine.settings.kafka_port), START_S), "Kafka does not listen"
    name = matching.argument("--venue")
    for _ in range(2):  # what is there stays as it is
        _make_topics(machine, name)
    for application in applications:
        application.start()
    for application in applications:
        application.wait_running(START_S)
    venue = Venue(Stack(machine.settings), name, "replay")
    first = _replay(venue, HALF)

    # A JobManager dies and is started anew, as Kubernetes and compose do. It goes on from the last checkpoint by itself.
    accounts.wait_checkpoint(START_S)
    machine.kill("accounts")
    accounts.start_job_manager()
    accounts.wait_running(START_S)
    assert "/chk-" in accounts.restored_from()

    # An upgrade falls into the replay: all stop with savepoints and start from these, one of them at another parallelism.
    _wait(first)
    second = _replay(venue, WHOLE)
    venue.wait_for_more(topics.TRADES, venue.count(topics.TRADES))
    assert second.poll() is None, "the upgrade falls into the middle of the replay"
    savepoints = [application.stop(START_S) for application in applications]
    accounts.start(savepoint=savepoints[0])
    matching.start(savepoint=savepoints[1], parallelism=2)
    for application, savepoint in zip(others, savepoints[2:], strict=True):
        application.start(savepoint=savepoint)
    for application, savepoint in zip(applications, savepoints, strict=True):
        application.wait_running(START_S)
        assert application.restored_from() == savepoint
    _wait(second)

    plan = make_plan(load().bars, SYMBOLS, first_ms=0, last_ms=day_ms(WHOLE), history=History(), accounts=paper(SHARDS))
    undisturbed = replayed(plan.days).read(topics.TRADES, decode_trades)
    trades = venue.wait_for(topics.TRADES, lambda found: len(found) >= len(undisturbed) and found, START_S)
    assert sorted(trades, key=lambda trade: trade.symbol) == sorted(undisturbed, key=lambda trade: trade.symbol)
    assert wait_until(lambda: _verified(venue), START_S, every=1), "the accounts never settle it all"
    for application in applications:
        for pod, (megabytes, bound) in application.memory_mb().items():
            print(f"{pod}: {megabytes:.0f} of {bound:.0f} MB")
            assert megabytes < bound, f"{pod} would be killed for its memory"


def _make_topics(machine: Machine, venue: str) -> None:
    command = ["topics", "--create", "--partitions", "4", "--bootstrap-servers", machine.servers, "--venue", venue]
    subprocess.run([sys.executable, "-m", "openbell", *command], check=True, cwd=ROOT, timeout=START_S)


def _replay(venue: Venue, last: date) -> subprocess.Popen[str]:
    """Start a replay; it goes on after the last day that the venue has."""
    dates = ["--to", last.isoformat(), "--symbols", ",".join(SYMBOLS)]
    return venue.openbell("replay", "--as-fast-as-possible", *dates)


def _wait(replay: subprocess.Popen[str]) -> None:
    out, err = replay.communicate(timeout=START_S)
    assert replay.returncode == 0, out + err


def _verified(venue: Venue) -> bool:
    """Say whether the venue is whole and at rest; that it is not yet at rest is no fault."""
    verify = venue.openbell("verify", "--quiesced")
    out, _ = verify.communicate(timeout=START_S)
    return verify.returncode == 0 and "is whole" in out
