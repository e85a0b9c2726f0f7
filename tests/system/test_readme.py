"""The README's commands, run as they stand there, one after the other, as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openbell.stack import Stack
from openbell.supervise.processes import marked

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def _commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if ".venv/bin/openbell" in line]


def test_every_openbell_command_of_the_readme_works(last_of_stack: Stack):
    """The stack was started by `openbell up`, and other symbols have been traded on it: that `verify` finds all of it whole covers those."""
    stack = last_of_stack
    environment = {**os.environ, **stack.settings.to_mapping()}
    commands = _commands()
    assert len({command.split("openbell ")[1].split()[0] for command in commands}) >= 10
    said = {}
    for command in commands:
        line = command.replace(".venv/bin/openbell", f"{sys.executable} -m openbell")
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=300
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        said[command.split("openbell ")[1]] = done.stdout
    assert "proof: 12153 of 12153 bars" in said["replay --as-fast-as-possible --check"]
    assert "is whole" in said["verify"]
    assert "AAPLUSD" in said["watch --once"]
    assert '"price":"101.25"' in said["match"]
    assert not marked(str(stack.home.path)), "the README's last command leaves no process"
