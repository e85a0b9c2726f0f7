"""`openbell user` and `openbell key` on the settings' database, and docs/IDENTITY.md beside the code."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from gateway.identity import api_keys, log_in, passwords, second_factor, sessions, throttle, users, watch
from gateway.identity.core import Lifetimes
from gateway.identity.directory import Directory
from gateway.identity.events import SecurityEvent
from gateway.identity.models import Base
from gateway.identity.secrets import load_secret
from openbell.cli import app
from openbell.commands import key, user
from tests.identity.directories import CHEAP, OTHER, PASSWORD, until

DOCUMENT = (Path(__file__).parents[2] / "docs" / "IDENTITY.md").read_text()
LINES = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)[0].splitlines()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("OPENBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENBELL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(line: str, given: str | None = None) -> tuple[int, str]:
    """Run a command; return its exit code and its output."""
    done = CliRunner().invoke(app, shlex.split(line), input=given, env={"COLUMNS": "300", "TERM": "dumb"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def told(line: str, given: str | None = None) -> Any:
    """Run a command with --json; return what it prints."""
    code, output = run(f"{line} --json", given)
    assert code == 0, output
    return json.loads(output)


def test_users_and_keys_are_made_shown_changed_and_ended_and_the_audit_log_hears_of_it_from_a_gateway(home: Path):
    assert told("user create Acme --may 'acme-*'", PASSWORD + "\n")["account"] == "Acme"
    assert told("user role acme market-maker")["role"] == "market-maker"
    assert told("user accounts acme --account house --may x1 --may 'x2-*'")["accounts"] == ["x1", "x2-*"]
    made = told("key create acme --scope trade --network 192.0.2.7 --days 9 --account x2-7 --label bot")
    (listed,) = told("key list acme")
    assert (listed["key_id"], listed["networks"], listed["account"]) == (made["key_id"], ["192.0.2.7/32"], "x2-7")
    assert listed["expires_ms"] - listed["created_ms"] == pytest.approx(9 * 86_400_000, abs=60_000)
    assert told("user password ACME", OTHER + "\n")["name"] == "Acme"
    assert told("user disable acme")["disabled"]
    assert not told("user enable acme")["disabled"]
    assert told("user reset-second-factor acme")["second_factor"] is False
    told(f"key revoke {made['key_id']}")
    assert told("key list acme")[0]["revoked_ms"]
    assert told("key renew") == {"renewed": 2}
    assert [each["name"] for each in told("user list")] == ["Acme"]
    assert told("user show acme")["sessions"] == []
    events: list[SecurityEvent] = []

    async def tell(event: SecurityEvent) -> None:
        events.append(event)

    async def as_a_gateway() -> None:
        url, secret = f"sqlite+aiosqlite:///{home}/identity.db", load_secret(home / "secret.key")
        async with Directory(url, secret, tell=tell, hasher=CHEAP).running() as directory:
            assert (await directory.door.log_in("acme", OTHER)).user == "Acme"

            async def has_all() -> bool:
                async with directory._core.database.read() as connection:
                    return not (await connection.execute(text("SELECT count(*) FROM untold"))).scalar_one()

            await until(has_all, 5)

    asyncio.run(as_a_gateway())
    assert [event.what for event in events if event.by == f"command-line:{getpass.getuser()}"] == [
        *("user-created", "role-changed", "accounts-changed", "key-made", "password-changed"),
        *("user-disabled", "user-enabled", "second-factor-off", "key-revoked"),
    ]


@pytest.mark.parametrize(
    ("line", "given", "code", "says"),
    [
        ("user create alice", "short\n", 2, "10 to 128 characters"),
        ("user create alice", "", 2, "write it on stdin"),
        ("user create alice --role boss", PASSWORD, 2, "it is one of viewer, trader, market-maker, operator, admin"),
        ("user create al", PASSWORD, 2, "3 to 32 letters"),
        ("user show nobody", None, 1, "There is no user 'nobody'"),
        ("user role nobody admin", None, 1, "There is no user 'nobody'"),
        ("user accounts nobody", None, 2, "name their own account with --account, or say --none"),
        ("key create nobody", None, 1, "There is no user 'nobody'"),
        ("key list nobody", None, 1, "There is no user 'nobody'"),
        ("key revoke nonesuch", None, 1, "There is no such key"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line: str, given: str | None, code: int, says: str):
    ended, output = run(line, given)
    assert ended == code
    assert says in output
    assert len(output.strip().splitlines()) == 1
    assert PASSWORD not in output


def test_a_database_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("OPENBELL_DATABASE", f"postgresql+psycopg://openbell@/identity?host={tmp_path}")
    code, output = run("user list")
    assert code == 3
    assert "does not answer" in output


def test_another_secret_key_is_told(home: Path):
    told("user create alice", PASSWORD)
    (home / "secret.key").unlink()
    code, output = run("user list")
    assert code == 1
    assert "put that one back" in output


@pytest.mark.parametrize(("group", "actions"), [("user", user.ACTIONS), ("key", key.ACTIONS)])
def test_each_action_s_help_ends_with_an_example_and_the_document_has_it(group: str, actions: Any):
    for name, _, example in actions:
        code, output = run(f"{group} {name} --help")
        assert code == 0
        assert f"Example: {example}" in output
        assert any(line.startswith(f"openbell {group} {name}") for line in LINES), name
    assert not any("password" in word for line in LINES for word in shlex.split(line)[3:])


@pytest.mark.parametrize("line", LINES)
def test_the_document_runs_commands_and_options_that_exist(line: str):
    words = shlex.split(line)
    code, output = run(" ".join([*words[1:3], "--help"]))
    assert code == 0
    assert [word for word in words if word.startswith("--") and word not in output.split()] == []


def test_the_document_s_numbers_are_the_code_s():
    lifetimes, said = Lifetimes(), " ".join(DOCUMENT.split())
    for sentence in (
        f"{passwords.LENGTH_MIN} to {passwords.LENGTH_MAX} characters",
        f"up to {passwords.ADDED_MAX} digits or signs",
        f"After {log_in.USER_FREE} wrong attempts for a user, or {log_in.ADDRESS_FREE} from a network",
        f"at most {throttle.LONGEST_MS // 60_000} minutes",
        f"in the last {sessions.KEPT_MS // 86_400_000} days",
        f"{second_factor.CODES} recovery codes",
        f"within {lifetimes.second_factor_ms // 60_000} minutes",
        f"after {lifetimes.idle_ms // 3_600_000} hours without use, and {lifetimes.session_ms // 86_400_000} days",
        f"A user may have {api_keys.KEYS_MAX}",
        f"after {watch.TRUST_S:.0f} to {2 * watch.TRUST_S:.0f} s open websockets",
        f"the account `{users.SIGNED_UP}alice",
    ):
        assert sentence in said
    assert len(passwords.common()) >= 10_000
    assert len(Base.metadata.tables) == 9, "a new table belongs into the document's first table"
