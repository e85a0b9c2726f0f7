"""The documents say what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from protocol_tables import CARRIED, PROTOCOL, kinds, split, tables

from exchange import decimal_protocol, topics

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path for folder in (ROOT, ROOT / "docs") for path in folder.glob("*.md"))


def test_the_protocol_tables_are_those_of_the_messages():
    hint = "run: python tests/protocol_tables.py"
    assert split(PROTOCOL.read_text())[1] == tables().strip(), hint


def test_every_topic_and_every_message_is_carried_somewhere():
    assert set(CARRIED) == set(topics.ALL)
    assert {kind for carried in CARRIED.values() for kind in carried} == set(kinds())


@pytest.mark.parametrize("topic", topics.ALL)
def test_the_protocol_explains_every_topic(topic: str):
    assert re.search(rf"^\| [^|]*`{topic}`[^|]* \|", split(PROTOCOL.read_text())[0], re.MULTILINE)


@pytest.mark.parametrize("command", get_args(decimal_protocol.Command), ids=lambda kind: kind.__struct_config__.tag)
def test_the_protocol_lists_the_fields_of_decimal_commands(command: Any):
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", split(PROTOCOL.read_text())[0], re.MULTILINE)
    fields = dict(rows)[command.__struct_config__.tag]
    assert set(re.findall(r"`([a-z_]+)`", re.sub(r"\(.*?\)", "", fields))) == set(command.__struct_fields__)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path):
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target


def _examples(text: str) -> list[str]:
    """Return the shell commands of the blocks that are marked as ```sh."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def test_the_readme_runs_commands_that_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = _examples((ROOT / "README.md").read_text())
    assert {"make run", "make test"} <= set(commands)
    for command in commands:
        words = command.replace(".venv/bin/", "").split()
        if words[0] == "make":
            assert words[1] in targets, command
        elif words[0] == "openbell":
            help_text = _help(*words[1 : 3 if words[1] == "market" else 2])
            assert all(option in help_text for option in re.findall(r"(?<= )--[a-z-]+", command)), command


def _help(*command: str) -> str:
    run = [sys.executable, "-m", "openbell", *command, "--help"]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": ""})
    return done.stdout
