"""How the tables of a job reach the brokers: what `wire.security` says, in the words of Kafka's Java client.

Theory of operation: a table's options travel with the job and Flink may show them, so they hold no password but the path of its file.
Kafka's client puts in what stands there wherever it is made, on the JobManager and on each TaskManager, so the file must be there, too. It
puts it into the login's line as it is: within quotes, which Java's tokenizer ends at a quote or at a line end. The line has a line end there, so that one
after the password in its file means as little as it does to clients in Python. What would end the password earlier is refused.

The connector has Kafka's classes under names of its own. Where nothing is said of security, a table is what it was without this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wire.security import PREFIX, InvalidSecurityError, KafkaSecurity, process_security

_KAFKA: Final = "org.apache.flink.kafka.shaded.org.apache.kafka.common"
_PROVIDER: Final = "directory"
_LOGIN: Final = '{module} required username="{user}" password="${{{provider}:{folder}:{file}}}\n;'


def client_properties(security: KafkaSecurity) -> dict[str, str]:
    """Return the properties of a Kafka client in Java; none for brokers that are reached in the clear and without a password.

    Raises:
        InvalidSecurityError: if a file cannot be read where the job is submitted, has no absolute path, or holds what the client would not
            take as it is.
    """
    if not (security.has_password or security.has_tls):
        return {}
    properties = {"security.protocol": security.protocol}
    if security.has_password:
        properties |= {
            "sasl.mechanism": security.mechanism,
            "sasl.jaas.config": _login(security),
            "config.providers": _PROVIDER,
            f"config.providers.{_PROVIDER}.class": f"{_KAFKA}.config.provider.DirectoryConfigProvider",
        }
    if authority := security.authority():
        _need_absolute("CA_FILE", authority)
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": authority}
    return properties


def table_options(servers: str, security: KafkaSecurity) -> str:
    """Return a table's options, as SQL, that say where the brokers are and how they are reached. Raises InvalidSecurityError."""
    properties = {"bootstrap.servers": servers} | client_properties(security)
    return ", ".join(f"'properties.{name}' = {_quoted(value)}" for name, value in properties.items())


def connection(servers: str) -> str:
    """Return `table_options` by the environment of the process that submits the job. Raises InvalidSecurityError."""
    return table_options(servers, process_security())


def _login(security: KafkaSecurity) -> str:
    file = Path(security.password_file)
    _need_absolute("PASSWORD_FILE", security.password_file)
    if set(":}") & set(security.password_file):
        raise InvalidSecurityError(
            f"{PREFIX}PASSWORD_FILE is {file}; a job's Kafka client takes no path with ':' or '}}': name another one"
        )
    password = security.password()
    if not password or set('"\\\r\n') & set(password):
        raise InvalidSecurityError(
            f"{PREFIX}PASSWORD_FILE is {file}, whose password a job's Kafka client cannot take: it must not be empty"
            " nor have a double quote, a backslash or a line end in it"
        )
    if not security.user.isprintable():
        raise InvalidSecurityError(f"{PREFIX}USER is {security.user!r}; write a name that can be printed")
    return _LOGIN.format(
        module=f"{_KAFKA}.security.scram.ScramLoginModule",
        user=_escaped(security.user),
        provider=_PROVIDER,
        folder=file.parent,
        file=file.name,
    )


def _need_absolute(name: str, path: str) -> None:
    if not Path(path).is_absolute():
        raise InvalidSecurityError(
            f"{PREFIX}{name} is {path}; for a job write the whole path, which its TaskManagers read, too"
        )


def _escaped(text: str) -> str:
    """Keep text as it is within quotes of the login's line, and from being taken for the path of a file."""
    return "".join(f"\\{letter}" if letter in '\\"{' else letter for letter in text)


def _quoted(text: str) -> str:
    """Return text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
