"""What the environment says of how Kafka is reached, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire.errors import NotReachableError
from wire.reader import Reader
from wire.security import InvalidSecurityError, KafkaSecurity

SECRET = "correct horse"


def environment(**variables: object) -> dict[str, str]:
    return {f"OPENBELL_KAFKA_{name.upper()}": str(value) for name, value in variables.items()}


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    return file


def test_without_a_word_brokers_are_reached_in_the_clear() -> None:
    assert KafkaSecurity.read({}).options() == {"security_protocol": "PLAINTEXT"}


def test_a_password_is_read_from_its_file_anew_each_time_and_is_never_shown(password_file: Path) -> None:
    security = KafkaSecurity.read(environment(protocol="SASL_SSL", user="gateway", password_file=password_file))
    expected = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "gateway",
        "sasl_plain_password": SECRET,
    }
    assert security.options() == expected
    password_file.write_text("another")
    assert security.options()["sasl_plain_password"] == "another"
    assert SECRET not in repr(security)


def test_certificates_of_brokers_are_checked_against_those_that_are_named(password_file: Path) -> None:
    options = KafkaSecurity.read(environment(protocol="SSL", ca_file=password_file)).options()
    assert options == {"security_protocol": "SSL", "ssl_cafile": str(password_file)}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"protocol": "TLS"}, "PROTOCOL is 'TLS'; write PLAINTEXT or SSL or"),
        ({"protocol": "SASL_SSL", "user": "u", "password_file": "f", "mechanism": "PLAIN"}, "MECHANISM is 'PLAIN'"),
        ({"protocol": "SASL_SSL", "user": "u"}, "needs OPENBELL_KAFKA_USER and OPENBELL_KAFKA_PASSWORD_FILE"),
        ({"user": "u"}, "need OPENBELL_KAFKA_PROTOCOL SASL_PLAINTEXT or SASL_SSL"),
        ({"protocol": "SASL_SSL", "user": "u", "password_file": "/nowhere/f"}, "PASSWORD_FILE is /nowhere/f"),
        ({"protocol": "SSL", "ca_file": "/nowhere/f"}, "CA_FILE is /nowhere/f, which cannot be read: No such file"),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_with_the_variable(variables: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidSecurityError) as caught:
        KafkaSecurity.read(environment(**variables)).options()
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_every_client_of_the_process_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBELL_KAFKA_PROTOCOL", "odd")
    with pytest.raises(NotReachableError, match="OPENBELL_KAFKA_PROTOCOL is 'odd'"):
        Reader("127.0.0.1:1", "replay", ["trades"])
