"""docs/SIM.md: its commands are accepted, its example of a test passes, its tables leave nothing out."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openbell.commands.sim import sim
from openbell.testing.venue import Venue

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "SIM.md").read_text()
TESTS, CONFTEST = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def _run(folder: Path) -> str:
    """Run the tests in a folder as somebody does who has installed Openbell, and return what was said."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "openbell.testing.plugin", "-p", "no:cacheprovider", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_of_a_bots_tests_passes(tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(TESTS)
    assert "2 passed" in _run(tmp_path)


def test_the_example_of_other_settings_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_settings.py").write_text(
        "def test_settings(openbell_venue):\n"
        "    assert openbell_venue.balance('INR') == 10_000\n"
        "    assert openbell_venue.place('RIL', 'buy', 1, '200.00').order.state == 'FILLED'\n"
    )
    assert "1 passed" in _run(tmp_path)


@pytest.mark.parametrize("line", re.findall(r"^openbell sim.*$", TEXT, re.MULTILINE))
def test_the_commands_have_options_that_exist(line: str) -> None:
    known = {f"--{name.replace('_', '-')}" for name in inspect.signature(sim).parameters}
    assert set(re.findall(r"--[a-z-]+", line)) <= known


def test_every_option_and_every_member_is_told() -> None:
    for name in inspect.signature(sim).parameters:
        assert f"`--{name.replace('_', '-')}" in TEXT, name
    for name in (name for name in dir(Venue) if not name.startswith("_")):
        assert re.search(rf"`{name}\b", TEXT), name
