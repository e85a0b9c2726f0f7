"""How clients of Kafka show who they are, and whom they trust: the same for every client of a process, from its environment.

Theory of operation: a secret never stands in an argument, which everybody on the machine can see, but in a file that only its owner reads.
The file is read whenever a client is made, so a password may be changed while a process runs. Clients in Python are made with
`client_options`; what the Flink jobs' clients, which are Java's, are made with is told by `flink_jobs.kafka_security`.

| variable | default | what to write |
|---|---|---|
| `OPENBELL_KAFKA_PROTOCOL` | `PLAINTEXT` | `PLAINTEXT`, `SSL` (TLS), `SASL_PLAINTEXT` (a password), `SASL_SSL` (a password within TLS) |
| `OPENBELL_KAFKA_MECHANISM` | `SCRAM-SHA-512` | `SCRAM-SHA-512` or `SCRAM-SHA-256`: how the password is shown to be known |
| `OPENBELL_KAFKA_USER` | none | the user |
| `OPENBELL_KAFKA_PASSWORD_FILE` | none | a file with the password |
| `OPENBELL_KAFKA_CA_FILE` | the system's | a file with the certificates, as PEM, that brokers' are signed with |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wire.errors import NotReachableError

PREFIX: Final = "OPENBELL_KAFKA_"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256")


class InvalidSecurityError(NotReachableError):
    """The settings do not say how to reach the broker; names the variable and what to write."""


@dataclass(frozen=True)
class KafkaSecurity:
    """How a client reaches the brokers. Files are paths, empty where there is none.

    Raises:
        InvalidSecurityError: if the parts do not go together.
    """

    protocol: str = PROTOCOLS[0]
    mechanism: str = MECHANISMS[0]
    user: str = ""
    password_file: str = ""
    ca_file: str = ""

    def __post_init__(self) -> None:
        """Check what each must be."""
        for name, value, choices in (("PROTOCOL", self.protocol, PROTOCOLS), ("MECHANISM", self.mechanism, MECHANISMS)):
            if value not in choices:
                raise InvalidSecurityError(f"{PREFIX}{name} is {value!r}; write {' or '.join(choices)}")
        if self.has_password and not (self.user and self.password_file):
            raise InvalidSecurityError(f"{PREFIX}PROTOCOL {self.protocol} needs {PREFIX}USER and {PREFIX}PASSWORD_FILE")
        if not self.has_password and (self.user or self.password_file):
            raise InvalidSecurityError(
                f"{PREFIX}USER and {PREFIX}PASSWORD_FILE need {PREFIX}PROTOCOL SASL_PLAINTEXT or SASL_SSL"
            )

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> KafkaSecurity:
        """Return what an environment says. Raises InvalidSecurityError."""
        given = {name: environment.get(f"{PREFIX}{name.upper()}", "").strip() for name in cls.__dataclass_fields__}
        return cls(**{name: value for name, value in given.items() if value})

    @property
    def has_password(self) -> bool:
        """Whether a user shows a password."""
        return self.protocol.startswith("SASL_")

    @property
    def has_tls(self) -> bool:
        """Whether all is sent within TLS."""
        return self.protocol.endswith("SSL")

    def password(self) -> str:
        """Return what the password's file says, without line ends after it. Raises InvalidSecurityError if it cannot be read."""
        return _read("PASSWORD_FILE", self.password_file).rstrip("\r\n")

    def authority(self) -> str:
        """Return the file of the certificates that are trusted; empty: the system's. Raises InvalidSecurityError if it cannot be read."""
        if not (self.ca_file and self.has_tls):
            return ""
        _read("CA_FILE", self.ca_file)
        return self.ca_file

    def options(self) -> dict[str, Any]:
        """Return what a client of `kafka-python` is made with. Raises InvalidSecurityError if a file cannot be read."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.has_password:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password(),
            }
        if authority := self.authority():
            options["ssl_cafile"] = authority
        return options


VARIABLES: Final = tuple(f"{PREFIX}{name.upper()}" for name in KafkaSecurity.__dataclass_fields__)
"""All that an environment says of it."""


def process_security() -> KafkaSecurity:
    """Return what this process' environment says. Raises InvalidSecurityError."""
    return KafkaSecurity.read(os.environ)


def client_options() -> dict[str, Any]:
    """Return what every client of this process is made with, by its environment. Raises InvalidSecurityError."""
    return process_security().options()


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InvalidSecurityError(f"{PREFIX}{name} is {path}, which cannot be read: {reason}") from error
