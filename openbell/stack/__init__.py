"""A whole local stack: real Kafka, Flink and Redis and the page on this machine, under a supervisor of their own.

`up` starts it, `down` stops it, `running` finds one that is up. Every command and every test goes through these three.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from openbell.errors import NotReadyError, OpenbellError, SettingError
from openbell.home import Home, read_json
from openbell.settings import CLIENTS, Settings, variable
from openbell.stack import flink, gateway, jars, java, kafka, ports, redis, topics
from openbell.stack.jobs import Jobs, wanted_jobs
from openbell.supervise import daemon
from openbell.supervise.processes import resident_mb, sweep, wait_until

Say = Callable[[str], None]
STOP_S = 60


@dataclass(frozen=True)
class Stack:
    """A stack that is up. `settings` are those it was started with, its ports settled."""

    settings: Settings

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.settings.kafka_port}"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.flink_rest_port}"

    @property
    def has_page(self) -> bool:
        return self.settings.page == "on"

    @property
    def page_url(self) -> str:
        return gateway.url(self.settings)

    @property
    def redis_url(self) -> str:
        return redis.url(self.settings)

    @property
    def venue(self) -> str:
        return self.settings.venue

    @cached_property
    def home(self) -> Home:
        return Home(self.settings.home)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.settings)

    def services(self) -> dict[str, dict[str, Any]]:
        """Each service's `pid` (None while it is down) and number of `restarts`."""
        state = read_json(self.home.state) or {"services": {}}
        found: dict[str, dict[str, Any]] = state["services"]
        return found

    def pid(self, service: str) -> int:
        """The process id of a service, which is its process group's, too. Raises NotReadyError while it is down."""
        found = self.services().get(service, {}).get("pid")
        if found is None:
            raise NotReadyError(f"service {service} is not running; it is started again by itself in some seconds")
        return int(found)

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each service, in megabytes."""
        return {name: resident_mb(one["pid"]) if one["pid"] else 0.0 for name, one in self.services().items()}

    def wait_ready(self, seconds: float, *, task_managers: bool = True) -> None:
        """Wait until the broker and Redis answer and every TaskManager has registered. Raises OpenbellError naming who has not."""
        late = ""

        def ready() -> bool:
            nonlocal late
            late = self._late(task_managers)
            return not late

        if not wait_until(ready, seconds, every=0.2):
            raise OpenbellError(f"{late} is not ready after {seconds:.0f} s; see the logs in {self.home.logs}")

    def _late(self, task_managers: bool) -> str:
        """The part that is not ready yet; empty when all are."""
        try:
            there = {one["id"] for one in self.jobs.rest.task_managers()}
        except OpenbellError:
            return "jobmanager"
        missing = [name for name in flink.task_manager_names(self.settings) if name not in there]
        if missing and task_managers:
            return missing[0]
        if self.has_page and not redis.answers(self.settings):
            return "redis"
        return "" if topics.answers(self.bootstrap_servers) else "kafka"

    def wait_page(self, seconds: float, *, views: bool = True) -> None:
        """Wait until the gateway answers, with `views` that are those of now. Raises OpenbellError that says why not."""
        path = "/ready" if views else "/health"
        try:
            gateway.wait_answer(self.page_url + path, seconds)
        except OpenbellError as error:
            raise OpenbellError(f"{error}; see the logs in {self.home.logs}") from None


def running(settings: Settings) -> Stack:
    """The stack that is up in this home. Raises NotReadyError when there is none."""
    home = Home(settings.home)
    plan = read_json(home.plan) if home.supervised() else None
    if plan is None:
        raise NotReadyError(f"no stack is up in {home.path}; run 'openbell up'")
    return Stack(Settings.from_mapping(plan["settings"]))


def up(settings: Settings, *, jobs: bool = True, say: Say = lambda _: None) -> Stack:
    """Start what does not run yet: the servers, the topics, the jobs. A stack that is up already is completed, not restarted.

    Raises OpenbellError; what was started until then goes on, so that its logs can be read, until `down`.
    """
    home = Home(settings.home)
    wanted = wanted_jobs(settings)
    slots = len(wanted) * settings.parallelism
    if jobs and settings.task_managers < slots:
        raise SettingError(
            f"{variable('task_managers')} is {settings.task_managers}; write {slots} or more: {len(wanted)} jobs"
            f" at {variable('parallelism')}={settings.parallelism} need {slots}"
        )
    with home.changing():
        if home.supervised():
            stack = running(settings)
            _refuse_other(settings, stack.settings)
        else:
            stack = _start(settings, say)
        _complete(stack, jobs=jobs, say=say)
    return stack


def _complete(stack: Stack, *, jobs: bool, say: Say) -> None:
    """Make what a started stack still lacks, and wait until it is ready.

    A job can be submitted as soon as Kafka and the JobManager answer. Submitting takes seconds of computing, so the jobs are submitted
    side by side while the TaskManagers still start.
    """
    start_timeout_s = stack.settings.start_timeout_s
    say("waiting for Kafka and the JobManager")
    stack.wait_ready(start_timeout_s, task_managers=False)
    topics.create(stack.bootstrap_servers, stack.venue, stack.settings.partitions)
    wanted = wanted_jobs(stack.settings) if jobs else ()
    if wanted:
        missing = [name for name in wanted if stack.jobs.active_id(name) is None]
        say(f"submitting the jobs {' and '.join(missing)}")
        with ThreadPoolExecutor(len(wanted)) as pool:
            list(pool.map(lambda name: stack.jobs.submit(name, check_slots=False), missing))
    say("waiting for the TaskManagers")
    stack.wait_ready(start_timeout_s)
    for name in wanted:
        say(f"waiting for the {name} job")
        stack.jobs.wait_running(name, start_timeout_s)
    if stack.has_page:
        say("waiting for the page")
        stack.wait_page(start_timeout_s, views=jobs)


def down(settings: Settings, *, savepoints: bool = True, wipe: bool = False, say: Say = lambda _: None) -> list[str]:
    """Stop the jobs with savepoints, then the servers, and see that no process is left. Returns warnings.

    A stack that is not up is no error: what an earlier crash may have left is swept, and with `wipe` the data is deleted.
    """
    home = Home(settings.home)
    warnings: list[str] = []
    with home.changing():
        if home.supervised():
            if savepoints and not wipe:
                warnings = _stop_jobs(running(settings), say)
            say("stopping the servers")
        daemon.stop(home, STOP_S)
        if wipe:
            home.wipe()
    return warnings


def _stop_jobs(stack: Stack, say: Say) -> list[str]:
    warnings = []
    for name in wanted_jobs(stack.settings):
        say(f"stopping the {name} job with a savepoint")
        try:
            stack.jobs.stop(name)
        except OpenbellError as error:
            warnings.append(f"{error}; it will start from its last checkpoint")
    return warnings


def _start(settings: Settings, say: Say) -> Stack:
    for name in CLIENTS:
        if os.environ.get(name, "").strip():
            raise SettingError(f"{name} is for a Kafka or Redis with users, which a stack's own have not: unset it")
    java.find()
    if settings.page == "on":
        redis.find()
        gateway.need_address(settings.gateway_host)
    flink.need_shared_python()
    home = Home(settings.home)
    sweep(str(home.path))
    home.make()
    if jars.missing(settings.jars):
        say("fetching the Kafka and Flink jars by Maven")
        jars.fetch(settings.jars)
    before = read_json(home.plan)
    remembered = Settings.from_mapping(before["settings"]) if before else settings
    settled = ports.choose(settings, {name: getattr(remembered, name) for name in ports.PORTS})
    say("starting the servers")
    services = [kafka.prepare(settled), *flink.prepare(settled)]
    if settled.page == "on":
        services += [redis.prepare(settled), *gateway.prepare(settled)]
    daemon.start(home, settled.to_mapping(), services)
    return Stack(settled)


def _refuse_other(asked: Settings, has: Settings) -> None:
    """A running stack cannot take other settings. A port of 0 asks for none, and waiting times are no part of it."""
    for item in fields(Settings):
        wanted, got = getattr(asked, item.name), getattr(has, item.name)
        if wanted != got and item.name != "start_timeout_s" and not (item.name in ports.PORTS and wanted == 0):
            raise OpenbellError(
                f"the stack is up with {variable(item.name)}={got}, not {wanted}; run 'openbell down' first to change it"
            )
