"""What the operator's commands say when their options, or a venue, are wrong or missing; and plans that need no venue."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openbell.cli import app
from openbell.commands import reports, sessions, statement
from openbell.commands.market import ACTIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "OPERATING.md"
EXAMPLES = [example for _, _, example in ACTIONS] + [sessions.EXAMPLE, reports.EXAMPLE, statement.EXAMPLE]


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENBELL_HOME", str(tmp_path))


def examples() -> list[str]:
    """Return the commands in docs/OPERATING.md."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def said(arguments: list[str]) -> tuple[int, str]:
    """Run a command; return its exit code and its output as one line."""
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "400", "TERM": "dumb"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize("line", examples())
def test_the_document_runs_commands_and_options_that_exist(line: str):
    words = shlex.split(line)
    command = words[1 : 3 if words[1] == "market" else 2]
    code, text = said([*command, "--help"])
    assert code == 0
    assert [word for word in words if word.startswith("--") and word not in text.split()] == []


def test_the_document_has_every_action_and_command():
    shown = {" ".join(line.split()[1 : 3 if line.split()[1] == "market" else 2]) for line in examples()}
    assert {f"market {name}" for name, _, _ in ACTIONS} | {"sessions", "reports", "statement"} <= shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_help_ends_with_an_example_and_without_a_stack_the_example_is_not_ready(example: str):
    words = shlex.split(example)[1:]
    command = words[: 2 if words[0] == "market" else 1]
    code, text = said([*command, "--help"])
    assert (code, text.endswith(f"Example: {example}")) == (0, True)
    assert said(words) == (3, "openbell: no stack is up in " + said(words)[1].partition("no stack is up in ")[2])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("market", "Run the market"),
        ("market sell AAPL", "No such command 'sell'"),
        ("market list", "name the symbols to list, or write --all"),
        ("market list AAPL --all", "name the symbols to list, or write --all"),
        ("market list NOPE", "the listing file has no NOPE"),
        ("market list --all --file missing.toml", "missing.toml"),
        ("market list --all --timeout 0", "--timeout"),
        ("market relist", "Missing argument"),
        ("market relist AAPL --rule best-price", "--rule is 'best-price'"),
        ("market relist AAPL --collar ten", "--collar is 'ten'; write percent"),
        ("market relist AAPL --collar -1", "--collar is '-1'; write percent"),
        ("market relist AAPL --collar 101", "--collar is 101; it is at most 100 percent"),
        ("market relist AAPL --band 0.00001", "--band is '0.00001'; write percent"),
        ("market relist AAPL --interruption 0", "--interruption"),
        ("market relist AAPL --minimum-lots x", "--minimum-lots"),
        ("market relist AAPL --window -1", "--window"),
        ("market relist AAPL --version 0", "--version"),
        ("market delist", "Missing argument"),
        ("market delist A B", "unexpected extra argument"),
        ("market fees AAPL", "Missing option '--tier'"),
        ("market fees AAPL --tier 5", "--tier is '5'; write maker:taker in percent"),
        ("market fees AAPL --tier 0:-1", "--tier is '-1'"),
        ("market fees AAPL --tier 0:11", "--tier is 11; it is at most 10 percent"),
        ("market phase AAPL", "Missing argument"),
        ("market phase AAPL open", "there is no phase 'open'; the phases are pre-open, opening-auction, continuous"),
        ("market phase AAPL halt --at tomorrow", "--at"),
        ("market phase AAPL halt --at 1969-01-01T00:00:00Z", "--at is before 1970"),
        ("market halt", "Missing argument"),
        ("market resume --symbol AAPL", "No such option"),
        ("market cancel", "Missing argument"),
        ("market bust AAPL", "Missing argument"),
        ("market bust AAPL 0", "trade"),
        ("market bust AAPL seven", "trade"),
        ("market release", "name the symbol of a book, or an --account of a shard"),
        ("market release AAPL --account alice", "name the symbol of a book, or an --account of a shard"),
        ("market limits", "Missing argument"),
        ("market limits '' --tier 1", "an account's name has 1 to 64 characters"),
        ("market limits alice --open-orders -1", "--open-orders"),
        ("market limits alice --tier 100", "--tier"),
        ("market limits alice --order-lots 9007199254740992", "--order-lots"),
        (f"market kill {'a' * 65}", "an account's name has 1 to 64 characters"),
        ("market revive", "Missing argument"),
        ("market show A B", "unexpected extra argument"),
        ("market show --venue 'No Venue' --bootstrap-servers 127.0.0.1:1", "venue 'No Venue' must be"),
        ("sessions", "name symbols of the listing file, or a --calendar"),
        ("sessions NOPE", "the listing file has no NOPE; name the --calendar"),
        ("sessions --calendar XLON", "there is no calendar 'XLON'; the calendars are XNSE, XNYS, 24/7"),
        ("sessions --calendar XNYS --write", "--write needs the symbols"),
        ("sessions --calendar XNYS --days 0", "--days"),
        ("sessions --calendar XNYS --days 367", "--days"),
        ("sessions --calendar XNYS --from soon", "--from"),
        ("sessions --calendar XNSE --from 1990-01-01", "the calendar XNSE does not know all days"),
        ("sessions --calendar XNYS --from 9999-12-31", "9999-12-31"),
        ("sessions --calendar XNYS --from 2026-03-02 --pre-open 1 --opening-auction 2", "cannot begin before pre-open"),
        ("sessions --calendar XNYS --from 2026-03-02 --closing-auction 400", "no time to trade"),
        ("sessions --calendar XNYS --closing-auction 721", "--closing-auction"),
        ("reports --account ''", "an account's name has 1 to 64 characters"),
        ("reports alice", "unexpected extra argument"),
        ("statement", "Missing argument"),
        ("statement ''", "an account's name has 1 to 64 characters"),
        ("statement alice bob", "unexpected extra argument"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(line: str, why: str):
    code, text = said(shlex.split(line))
    assert code == 2
    assert why in text


def test_a_broker_that_does_not_answer_is_not_ready():
    code, text = said(["market", "halt", "AAPL", "--bootstrap-servers", "127.0.0.1:1"])
    assert (code, "no Kafka broker answers at 127.0.0.1:1" in text) == (3, True)


def test_sessions_are_printed_in_utc():
    rows = ["03:30 pre-open", "03:38 opening-auction", "03:45 continuous", "10:00 closed"]
    assert said(shlex.split("sessions --calendar XNSE --from 2026-03-05 --days 1")) == (
        0,
        " ".join(["CALENDAR UTC PHASE", *(f"XNSE 2026-03-05 {row}" for row in rows)]),
    )
    assert said(shlex.split("sessions --calendar XNYS --from 2026-03-07 --days 1")) == (
        0,
        "there is no session on these days",
    )


def test_sessions_of_listed_symbols_are_those_of_their_calendars():
    code, text = said(shlex.split("sessions AAPL INFY MSFT --from 2026-03-05 --days 1 --pre-open 0 --json"))
    assert code == 0
    assert {name: [one["phase"] for one in plan] for name, plan in json.loads(text).items()} == {
        "XNYS": ["opening-auction", "continuous", "closing-auction", "closed"],
        "XNSE": ["opening-auction", "continuous", "closed"],
    }
