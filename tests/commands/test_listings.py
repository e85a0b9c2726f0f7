"""`openbell listings`: the table, the details as JSON, and a file of one's own checked."""

import json
from pathlib import Path

from typer.testing import CliRunner

from openbell.cli import app


def test_the_table_has_every_symbol() -> None:
    done = CliRunner().invoke(app, ["listings"])
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "46 listings as of 2024-06-28"
    assert {line.split()[0] for line in done.output.splitlines()} >= {"SYMBOL", "AAPL", "RIL", "BHARTIARTL"}


def test_json_has_the_details() -> None:
    done = CliRunner().invoke(app, ["listings", "--json"])
    listed = json.loads(done.output)["AAPL"]
    assert listed["calendar"] == "XNYS"
    assert len(listed["details"]) == 17


def test_a_file_with_a_mistake_ends_with_2_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('as_of = "2024-06-28"\n[listings.AAPL]\ncalendar = "NYSE"\n')
    done = CliRunner().invoke(app, ["listings", "--check", str(file)])
    assert done.exit_code == 2
    assert "AAPL: calendar: Invalid enum value 'NYSE'" in done.output


def test_a_file_that_is_not_there_or_no_text_ends_with_2(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["listings", "--check", str(tmp_path / "none.toml")]).exit_code == 2
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert CliRunner().invoke(app, ["listings", "--check", str(binary)]).exit_code == 2
