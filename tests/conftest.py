"""What tests of several folders share: real stacks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from support import StartStack

from openbell import stack as local
from openbell.settings import Settings, variable
from openbell.stack import Stack
from openbell.supervise.processes import marked

ROOT = Path(__file__).parent.parent


hypothesis_settings.register_profile("openbell", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("openbell")  # the same examples in each run, however slow the machine is


class Stacks:
    """Starts stacks in homes of their own, by `openbell up`, and ends them: each that is up slows down all tests that follow."""

    def __init__(self, homes: pytest.TempPathFactory) -> None:
        self._homes = homes
        self._jars = os.environ.get(variable("jars"), str(ROOT / ".openbell" / "jars"))
        self._started: list[Settings] = []

    def start(self, *, jobs: bool = True, **settings: Any) -> Stack:
        """Start a stack; keywords are fields of `Settings`."""
        wanted = {"home": self._homes.mktemp("stack"), "jars": self._jars, "start_timeout_s": 600} | settings
        read = Settings.from_mapping({variable(name): str(value) for name, value in wanted.items()})
        self._started.append(read)
        command = [sys.executable, "-m", "openbell", "up", *([] if jobs else ["--no-jobs"])]
        environment = {**os.environ, **read.to_mapping()}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return local.running(read)

    def end(self) -> None:
        """End all that were started."""
        for settings in self._started:
            local.down(settings, savepoints=False)
        left = {str(settings.home): marked(str(settings.home)) for settings in self._started}
        self._started.clear()
        assert not any(left.values()), f"processes outlived their stacks: {left}"


@pytest.fixture(scope="session")
def shared_stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    """The stacks that tests share, one at a time."""
    stacks = Stacks(tmp_path_factory)
    yield stacks
    stacks.end()


@pytest.fixture
def start_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStack]:
    """Start further stacks, which end with the test."""
    stacks = Stacks(tmp_path_factory)
    yield stacks.start
    stacks.end()


@pytest.fixture(scope="session")
def stack(shared_stacks: Stacks) -> Stack:
    """A replay venue with all jobs and the page, and a slot to spare for rescaling."""
    return shared_stacks.start(task_managers=5)


@pytest.fixture
def last_of_stack(stack: Stack) -> Stack:
    """The shared stack for the test that ends it: it comes after all others that need it."""
    return stack


@pytest.fixture(scope="session")
def bare_stack(shared_stacks: Stacks) -> Stack:
    """A stack without jobs and without the page, with slots for a venue's four jobs and one to spare for rescaling."""
    shared_stacks.end()
    return shared_stacks.start(jobs=False, task_managers=5, page="off")


@pytest.hookimpl(tryfirst=True)  # the groups are read by a hook after this one
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what needs `stack`, then what ends it, then what needs `bare_stack`; what starts servers of its own comes last, behind all the rest.

    Where the suite runs in two processes (`make test`), one has the shared stacks, of which the machine bears one at a time, while the other one
    does the rest, and last the tests that start servers of their own: begun beside a stack that begins, too, they would slow it down too much.
    """

    def place(item: pytest.Item) -> int:
        needed = getattr(item, "fixturenames", ())
        if "shared_stacks" in needed:
            return 2 if "bare_stack" in needed else int("last_of_stack" in needed)
        return 4 if item.get_closest_marker("stack") or item.get_closest_marker("flink") else 3

    items.sort(key=place)
    for item in items:
        if place(item) != 3:
            item.add_marker(pytest.mark.xdist_group("servers" if place(item) == 4 else "stack"))
