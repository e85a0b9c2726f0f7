"""Settings are read from a mapping, refused in one clear line, and documented one and all."""

from dataclasses import fields
from pathlib import Path

import pytest

from openbell.errors import ExitCode, SettingError
from openbell.settings import Settings, unknown_variables, variable

DOCUMENT = Path(__file__).parents[2] / "docs" / "SETTINGS.md"


def test_the_defaults_hold_where_nothing_is_set() -> None:
    settings = Settings.from_mapping({"PATH": "/usr/bin", "OPENBELL_VENUE": " "})
    assert settings == Settings()
    assert (settings.venue, settings.clock, settings.partitions) == ("replay", "replay", 4)
    assert settings.home == Path.cwd() / ".openbell"


def test_what_is_written_is_read_back() -> None:
    settings = Settings.from_mapping(
        {"OPENBELL_VENUE": "eu-1", "OPENBELL_CLOCK": "live", "OPENBELL_KAFKA_PORT": "19092"}
    )
    assert (settings.venue, settings.clock, settings.kafka_port) == ("eu-1", "live", 19092)
    assert Settings.from_mapping(settings.to_mapping()) == settings


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("OPENBELL_PARTITIONS", "four", "a whole number from 1 to 720"),
        ("OPENBELL_PARTITIONS", "0", "a whole number from 1 to 720"),
        ("OPENBELL_PARTITIONS", "-1", "a whole number from 1 to 720"),
        ("OPENBELL_PARTITIONS", "4.0", "a whole number from 1 to 720"),
        ("OPENBELL_PARTITIONS", "٤", "a whole number from 1 to 720"),
        ("OPENBELL_PARTITIONS", "9" * 5_000, "a whole number from 1 to 720"),
        ("OPENBELL_KAFKA_PORT", "65536", "a whole number from 0 to 65535"),
        ("OPENBELL_CLOCK", "LIVE", "replay or live"),
        ("OPENBELL_VENUE", "New York", "1 to 32 lower-case letters, digits and hyphens, no hyphen first"),
        ("OPENBELL_PAGE", "yes", "on or off"),
        ("OPENBELL_DEMO_ACCOUNT", "dé mo", "1 to 64 letters, digits and . _ -"),
        ("OPENBELL_GATEWAY_HOST", "localhost", "an IPv4 address of this machine"),
        ("OPENBELL_GATEWAY_HOST", "127.0.0.256", "an IPv4 address of this machine"),
        ("OPENBELL_GATEWAY_HOSTS", "bell.example.org:80", "names of hosts without ports, commas between them"),
        ("OPENBELL_GATEWAY_HOSTS", "-bell", "names of hosts without ports, commas between them"),
        (
            "OPENBELL_SMTP",
            "localhost:25",
            "smtp://HOST, smtp+starttls://USER@HOST or smtps://USER@HOST, with :PORT behind where it is another",
        ),
        ("OPENBELL_MAIL_FROM", "Openbell <alerts@example.org>", "an e-mail address"),
        ("OPENBELL_HOME", "/tmp/my files", "a folder whose full path has only letters, digits and . _ - + @ /"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(name: str, value: str, advice: str) -> None:
    with pytest.raises(SettingError) as refusal:
        Settings.from_mapping({name: value})
    assert str(refusal.value) == f"{name} is {value!r}; write {advice}"
    assert refusal.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("password", ["u:secret@db/openbell", "u:se/cret@db/openbell", "u@db/openbell?password=secret"])
def test_a_database_s_password_is_not_taken_where_every_user_of_the_machine_can_see_it(password: str) -> None:
    with pytest.raises(SettingError, match="its password not here but in PGPASSFILE"):
        Settings.from_mapping({"OPENBELL_DATABASE": f"postgresql+psycopg://{password}"})


def test_names_of_hosts_are_tidied() -> None:
    settings = Settings.from_mapping({"OPENBELL_GATEWAY_HOSTS": " Bell.example.org, 192.168.1.5 ,"})
    assert settings.gateway_hosts == "bell.example.org,192.168.1.5"
    assert Settings.from_mapping(settings.to_mapping()) == settings


def test_a_mistyped_variable_is_noticed() -> None:
    assert unknown_variables({"OPENBELL_VENUE": "x", "OPENBELL_VENEU": "x", "HOME": "/"}) == ["OPENBELL_VENEU"]


def default(text: str) -> str:
    return f"`{text}`" if text else "none"


def test_the_document_has_every_setting_as_the_code_has_it() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `OPENBELL_")]
    assert rows == [
        f"| `{variable(item.name)}` | {default(item.metadata['text'])} | {item.metadata['kind'].expected} | {item.metadata['meaning']} |"
        for item in fields(Settings)
    ]
