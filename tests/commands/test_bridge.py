"""What `openbell bridge` says when it is asked for what cannot be."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from openbell.cli import app


@pytest.mark.parametrize(
    "arguments",
    [
        ["bridge"],
        ["bridge", "seed-c"],
        ["bridge", "seed-a", "--rule", "fifo"],
        ["bridge", "seed-a", "--listings", "missing.toml"],
        ["bridge", "seed-b", "--bootstrap-servers", "127.0.0.1:1", "--venue", "No Venue"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_without_a_stack_it_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBELL_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["bridge", "seed-a"])
    assert done.exit_code == 3
    assert "no stack is up" in done.output


def test_without_a_broker_it_is_not_ready() -> None:
    done = CliRunner().invoke(app, ["bridge", "seed-a", "--bootstrap-servers", "127.0.0.1:1"])
    assert done.exit_code == 3


def test_help_ends_with_an_example() -> None:
    done = CliRunner().invoke(app, ["bridge", "--help"])
    assert done.exit_code == 0
    assert "Example:" in done.output
