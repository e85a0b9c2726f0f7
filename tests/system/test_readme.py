"""The README's commands, run as they stand there, one after the other, as a newcomer would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openbell.stack import Stack
from openbell.supervise.processes import marked
from tests.clients.conftest import PYTHON as CLIENT_PYTHON

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def _steps() -> Iterator[tuple[str, str]]:
    """Yield what is to be run, each with its language: lines of shell, and whole programs of Python."""
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        if language == "python":
            yield language, block
        else:
            yield from (
                (language, line) for line in block.splitlines() if re.search(r"\.venv/bin/openbell|^curl", line)
            )


def test_every_command_and_the_example_of_the_readme_work(last_of_stack: Stack) -> None:
    """The stack was started by `openbell up`, and other symbols have been traded on it: that `verify` finds all of it whole covers those."""
    stack = last_of_stack
    environment = {**os.environ, **stack.settings.to_mapping()}
    said: dict[str, str] = {}
    for language, text in _steps():
        here = text.replace("http://127.0.0.1:8000", stack.page_url)
        if language == "python":
            key, secret = re.findall(
                r"^(?:key|secret) +(\S+)$", said["key create alice --scope read --scope trade"], re.MULTILINE
            )
            command = [
                str(CLIENT_PYTHON),
                "-I",
                "-c",
                f"KEY, SECRET = {key!r}, {secret!r}\n{here}\nprint(order['status'])",
            ]
        else:
            command = ["bash", "-c", here.replace(".venv/bin/openbell", f"{sys.executable} -m openbell")]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=300
        )
        assert done.returncode == 0, f"{text}: {done.stdout}{done.stderr}"
        said[text.rpartition("openbell ")[2] if language == "sh" else language] = done.stdout
    assert len({command.split()[0] for command in said}) >= 10
    assert said["python"] == "open\n"
    (placed,) = (json.loads(text) for command, text in said.items() if '-d \'{"symbol"' in command)
    assert placed["order"]["state"] == "OPEN"
    assert "proof: 12153 of 12153 bars" in said["replay --as-fast-as-possible --check"]
    assert "is whole" in said["verify"]
    assert "AAPLUSD" in said["watch --once"]
    assert '"price":"101.25"' in said["match"]
    assert not marked(str(stack.home.path)), "the README's last command leaves no process"
