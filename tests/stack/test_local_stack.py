"""Real Kafka, Flink and Redis, and the page: stacks side by side, kills, stops and starts."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support import StartStack
from typer.testing import CliRunner

from exchange.topics import topic_specs
from openbell import stack as local
from openbell.cli import app
from openbell.errors import NotReadyError, OpenbellError
from openbell.settings import variable
from openbell.stack import Stack, gateway, topics
from openbell.stack.jobs import JOBS
from openbell.supervise.processes import marked, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def command(stack: Stack, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env=stack.settings.to_mapping())
    return result.exit_code, result.stdout


def test_status_names_services_ports_jobs_and_logs(stack: Stack) -> None:
    code, output = command(stack, "status", "--json")
    found = json.loads(output)
    assert code == 0
    flink = ["jobmanager", *(f"taskmanager-{number}" for number in range(1, 6))]
    assert list(found["services"]) == ["kafka", *flink, "redis", "projector", "gateway", "notifier"]
    assert all(service["pid"] and service["memory_mb"] > 1 for service in found["services"].values())
    settings = stack.settings
    ports = {"kafka": settings.kafka_port, "redis": settings.redis_port, "jobmanager": settings.flink_rest_port}
    ports |= {"gateway": settings.gateway_port}
    assert {name: service["port"] for name, service in found["services"].items() if service["port"]} == ports
    assert (found["page_url"], found["redis_url"]) == (stack.page_url, stack.redis_url)
    assert {name: job["state"] for name, job in found["jobs"].items()} == dict.fromkeys(JOBS, "RUNNING")
    assert found["logs"] == str(stack.home.logs)
    assert (stack.home.logs / "kafka.log").stat().st_size > 0
    assert (stack.home.logs / "taskmanager-1.log").stat().st_size > 0


def test_the_topics_are_those_that_the_exchange_declares(stack: Stack) -> None:
    code, output = command(stack, "topics", "--json")
    declared = {spec.name: spec.partitions for spec in topic_specs(stack.venue, stack.settings.partitions)}
    assert code == 0
    assert {one["name"]: one["partitions"] for one in json.loads(output)} == declared
    assert topics.create(stack.bootstrap_servers, stack.venue, stack.settings.partitions) == []


def test_up_on_a_running_stack_starts_nothing_anew(stack: Stack) -> None:
    before = stack.services(), stack.jobs.status("matching").job_id
    assert local.up(stack.settings) == stack
    assert (stack.services(), stack.jobs.status("matching").job_id) == before
    with pytest.raises(
        OpenbellError, match="the stack is up with OPENBELL_VENUE=replay, not other; run 'openbell down' first"
    ):
        local.up(replace(stack.settings, venue="other"))


def test_a_job_is_stopped_with_a_savepoint_and_rescaled_from_it(stack: Stack) -> None:
    code, output = command(stack, "job", "matching", "--stop", "--json")
    stopped = json.loads(output)
    assert (code, stopped["state"]) == (0, "ABSENT")
    assert str(stack.jobs.start_point("matching")) == stopped["savepoint"]
    code, output = command(stack, "job", "matching", "--parallelism", "2", "--json")
    assert (code, json.loads(output)["state"], json.loads(output)["parallelism"]) == (0, "RUNNING", 2)
    with pytest.raises(NotReadyError, match="job matching needs 3 free slots and there are 0"):
        stack.jobs.submit("matching", parallelism=3)
    code, output = command(stack, "job", "matching", "--parallelism", "1", "--json")
    assert (code, json.loads(output)["state"], json.loads(output)["parallelism"]) == (0, "RUNNING", 1)


def test_a_killed_task_manager_comes_back_and_its_job_with_it(stack: Stack) -> None:
    before = stack.jobs.status("matching")
    name = before.task_managers[0]
    killed = stack.pid(name)
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: stack.services()[name]["pid"] not in {None, killed}, 30)
    assert wait_until(lambda: stack.jobs.status("matching").restarts > before.restarts, 60)
    after = stack.jobs.wait_running("matching", 120)
    stack.wait_ready(120)
    assert after.job_id == before.job_id


def test_a_killed_redis_comes_back_and_the_views_with_it(stack: Stack) -> None:
    killed = stack.pid("redis")
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: stack.services()["redis"]["pid"] not in {None, killed}, 30)
    stack.wait_ready(30)
    stack.wait_page(60)


def _commands_on(stack: Stack) -> list[bytes]:
    """Return the command lines of all `openbell ...` on a stack."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            home = f"{variable('home')}={stack.home.path}".encode()
            if b"openbell" in words and home in (process / "environ").read_bytes().split(b"\0"):
                found.append(b" ".join(words))
    return found


@pytest.mark.parametrize("lines", [1, 2])
def test_run_names_the_page_and_leaves_a_stack_up_that_was_up_and_no_process_of_its_own(
    stack: Stack, lines: int
) -> None:
    environment = {**os.environ, **stack.settings.to_mapping()}
    command = [sys.executable, "-m", "openbell", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout is not None
        said = [running.stdout.readline().strip() for _ in range(lines)]
        running.send_signal(signal.SIGINT)
        said += [line.strip() for line in running.stdout]
        assert running.wait(60) == 0
    assert _commands_on(stack) == []
    assert said[1:] in ([], [f"Open {stack.page_url}"])
    assert lines == 1 or len(said) == 2
    assert gateway.why_not(f"{stack.page_url}/health") == ""


def test_two_stacks_run_side_by_side_and_one_ends_alone(stack: Stack, start_stack: StartStack) -> None:
    untouched = stack.services()
    other = start_stack(jobs=False, task_managers=1, venue="other")
    kept = {name: getattr(other.settings, name) for name in local.ports.PORTS}
    assert command(other, "status")[0] == 0
    assert other.page_url != stack.page_url
    assert gateway.why_not(f"{other.page_url}/health") == ""
    assert {one.name.split(".")[0] for one in topics.state(other.bootstrap_servers, "other")} == {"other"}

    os.kill(json.loads(other.home.state.read_text())["supervisor"], signal.SIGKILL)
    assert wait_until(lambda: marked(str(other.home.path)) == [], 30)
    assert command(other, "status")[0] == 3

    again = local.up(replace(other.settings, page="off"), jobs=False)
    assert {name: getattr(again.settings, name) for name in local.ports.PORTS} == kept
    assert list(again.services()) == ["kafka", "jobmanager", "taskmanager-1"]
    assert json.loads(command(again, "status", "--json")[1])["page_url"] is None
    assert command(again, "down") == (0, "Openbell is down\n")
    assert marked(str(other.home.path)) == []

    assert stack.services() == untouched
    assert stack.jobs.status("accounts").state == "RUNNING"
