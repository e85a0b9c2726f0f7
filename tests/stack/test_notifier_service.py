"""How the service that delivers alerts is told what it needs, and the key that the stack makes for it."""

import stat
import sys
from pathlib import Path

import pytest

from gateway.notify.signing import read_secret
from openbell.errors import SettingError
from openbell.settings import Settings
from openbell.stack import gateway, notifier


def settings(home: Path, **more: str) -> Settings:
    given = {"home": str(home), "kafka_port": "20001", "redis_port": "20002", "gateway_port": "20003"} | more
    return Settings.from_mapping({f"OPENBELL_{name.upper()}": value for name, value in given.items()})


def options(home: Path, **more: str) -> list[str]:
    return notifier.prepare(settings(home, **more)).command[4:]


def test_a_stack_delivers_webhooks_of_a_replay_and_no_mail_unless_told_more(tmp_path: Path) -> None:
    service = notifier.prepare(settings(tmp_path, venue="eu"))
    venue = ["--bootstrap-servers", "127.0.0.1:20001", "--redis", "redis://127.0.0.1:20002/0", "--venue", "eu"]
    key = ["--webhook-key-file", str(tmp_path / "webhook.key")]
    assert service.command == [sys.executable, "-P", "-m", "gateway.notifier", *venue, *key, "--replay"]


def test_a_live_venue_with_mail_and_receivers_in_its_own_network(tmp_path: Path) -> None:
    password, key = tmp_path / "password", tmp_path / "key"
    password.write_text("secret\n")
    key.write_text("f" * 64)
    more = {"smtp": "smtps://ann@mail.example.org", "mail_from": "alerts@example.org", "clock": "live"}
    more |= {"smtp_password_file": str(password), "webhook_key_file": str(key), "webhook_private": "on"}
    assert options(tmp_path, **more)[6:] == [
        *("--webhook-key-file", str(key), "--allow-private"),
        *("--smtp", "smtps://ann@mail.example.org", "--mail-from", "alerts@example.org"),
        *("--smtp-password-file", str(password)),
    ]
    assert not (tmp_path / "webhook.key").exists()


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    options(tmp_path / "home")
    key = tmp_path / "home" / "webhook.key"
    made = read_secret(str(key))
    options(tmp_path / "home")
    assert (read_secret(str(key)), stat.S_IMODE(key.stat().st_mode)) == (made, 0o600)
    assert [path.name for path in key.parent.iterdir()] == ["webhook.key"]
    options(tmp_path / "other")
    assert read_secret(str(tmp_path / "other" / "webhook.key")) != made


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"smtp": "smtp://localhost"}, "OPENBELL_SMTP needs OPENBELL_MAIL_FROM, the address that alerts come from"),
        (
            {"smtp": "smtp://ann@localhost", "mail_from": "a@example.org"},
            "OPENBELL_SMTP: a user needs a password, and a password a user: name both or neither",
        ),
        (
            {"smtp": "smtps://ann@h", "mail_from": "a@example.org", "smtp_password_file": "/none"},
            "OPENBELL_SMTP_PASSWORD_FILE is /none, which cannot be read: No such file or directory",
        ),
        ({"webhook_key_file": "/none"}, "OPENBELL_WEBHOOK_KEY_FILE: /none: No such file or directory"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_starts(
    tmp_path: Path, more: dict[str, str], reason: str
) -> None:
    with pytest.raises(SettingError) as refusal:
        options(tmp_path, **more)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("page", "analytics", "runs"), [("on", "on", True), ("on", "off", False), ("off", "on", False)]
)
def test_it_runs_where_alerts_can_be_set_and_are_told(tmp_path: Path, page: str, analytics: str, *, runs: bool) -> None:
    given = settings(tmp_path, page=page, analytics=analytics)
    assert notifier.wanted(given) is runs
    names = ["projector", "gateway", "notifier"] if runs else ["projector", "gateway"]
    assert [service.name for service in gateway.prepare(given)] == names
