"""What tests of several folders share: real stacks."""

import os
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


@pytest.fixture(scope="session")
def start_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStack]:
    """Start further stacks, in the way of `openbell up`."""
    started: list[Settings] = []
    jars = os.environ.get(variable("jars"), str(ROOT / ".openbell" / "jars"))

    def start(*, jobs: bool = True, **settings: Any) -> Stack:
        home = tmp_path_factory.mktemp("stack")
        wanted = {"home": home, "jars": jars, "start_timeout_s": 300} | settings
        read = Settings.from_mapping({variable(name): str(value) for name, value in wanted.items()})
        started.append(read)
        return local.up(read, jobs=jobs)

    yield start
    for settings in started:
        local.down(settings, savepoints=False)
    left = {str(settings.home): marked(str(settings.home)) for settings in started}
    assert not any(left.values()), f"processes outlived their stacks: {left}"


@pytest.fixture(scope="session")
def stack(start_stack: StartStack) -> Stack:
    """The one stack that most tests share: a replay venue with all jobs and the page, and a slot to spare for rescaling."""
    return start_stack(task_managers=5)
