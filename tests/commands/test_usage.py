"""What the commands that need a venue say when it, or sense, is missing."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openbell.cli import app

NEED_A_STACK = ("replay", "generate", "watch")


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENBELL_HOME", str(tmp_path))


@pytest.mark.parametrize("command", [*NEED_A_STACK, "match"])
def test_help_ends_with_an_example(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "Example:" in done.output


@pytest.mark.parametrize("command", NEED_A_STACK)
def test_without_a_stack_a_command_is_not_ready(command: str) -> None:
    done = CliRunner().invoke(app, [command])
    assert done.exit_code == 3
    assert "no stack is up" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "--speed", "0"],
        ["replay", "--from", "yesterday"],
        ["replay", "--bootstrap-servers", "127.0.0.1:1", "--symbols", "TSLA"],
        ["generate", "--orders", "0"],
        ["generate", "--cancels", "2"],
        ["generate", "--stdout", "--rate", "5"],
        ["match", "--instrument", "{}"],
        ["match", "--instrument", "missing.json"],
        ["match", "--raw", "--instrument", "{}"],
        ["match", "missing.jsonl"],
        ["match", "--what"],
        ["watch", "--bootstrap-servers", "127.0.0.1:1", "--venue", "No Venue"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_live_venue_takes_no_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBELL_CLOCK", "live")
    done = CliRunner().invoke(app, ["replay", "--bootstrap-servers", "127.0.0.1:1"])
    assert done.exit_code == 2
    assert "live clock" in done.output


def test_generate_prints_the_same_lines_for_the_same_seed() -> None:
    arguments = ["generate", "--stdout", "--orders", "300", "--symbols", "3", "--seed", "5", "--packet", "7"]
    first, second = (CliRunner().invoke(app, arguments).stdout_bytes for _ in range(2))
    assert first == second
    packets = [json.loads(line) for line in first.splitlines()]
    assert max(map(len, packets)) <= 7
    kinds = [message["type"] for packet in packets for message in packet]
    assert kinds.count("PlaceOrder") + kinds.count("CancelOrder") == 300
