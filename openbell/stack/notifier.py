"""The service that delivers alerts by e-mail and webhook, and the key that its webhooks are signed with. docs/ALERTS.md has the rest.

It runs where there is a page to set alerts on, and the jobs that tell them.
"""

import os
import secrets
from pathlib import Path

from openbell.errors import SettingError
from openbell.home import Home
from openbell.settings import Settings, variable
from openbell.stack import redis
from openbell.stack.python import python_service
from openbell.supervise.service import Service

KEY_BYTES = 32
"""How many random bytes a key is made of; they are written as twice as many hexadecimal digits."""
STOP_S = 20
"""Longer than attempts that are being made may take to end."""


def wanted(settings: Settings) -> bool:
    """Say whether a stack has this service."""
    return settings.page == "on" and settings.analytics == "on"


def prepare(settings: Settings) -> Service:
    """Make the key if it is missing, and return the service to run. Raises SettingError where mail cannot be sent as the settings say."""
    command = ["--bootstrap-servers", f"127.0.0.1:{settings.kafka_port}", "--redis", redis.url(settings)]
    command += ["--venue", settings.venue, "--webhook-key-file", str(_key_file(settings))]
    if settings.clock == "replay":
        command.append("--replay")
    if settings.webhook_private == "on":
        command.append("--allow-private")
    return python_service("notifier", "gateway.notifier", [*command, *_mail(settings)], stop_s=STOP_S)


def _mail(settings: Settings) -> list[str]:
    """The options that say how mail is sent; none where there is no mail server."""
    from gateway.notify.mail import InvalidServer, MailServer

    if not settings.smtp:
        return []
    if not settings.mail_from:
        raise SettingError(f"{variable('smtp')} needs {variable('mail_from')}, the address that alerts come from")
    options = ["--smtp", settings.smtp, "--mail-from", settings.mail_from]
    password = None
    if settings.smtp_password_file:
        options += ["--smtp-password-file", settings.smtp_password_file]
        password = _read(settings.smtp_password_file, "smtp_password_file")
    try:
        MailServer.from_url(settings.smtp, password)
    except InvalidServer as error:
        raise SettingError(f"{variable('smtp')}: {error}") from None
    return options


def _key_file(settings: Settings) -> Path:
    """The file with the secret that webhooks are signed with: the one that is named, else the home's own, which is made once and kept."""
    from gateway.notify.signing import NoSecret, read_secret

    path = Path(settings.webhook_key_file or Home(settings.home).path / "webhook.key")
    if not settings.webhook_key_file and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        draft.touch(0o600)
        draft.write_text(secrets.token_hex(KEY_BYTES) + "\n")
        draft.rename(path)
    try:
        read_secret(str(path))
    except NoSecret as error:
        raise SettingError(f"{variable('webhook_key_file')}: {error}") from None
    return path


def _read(path: str, setting: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingError(f"{variable(setting)} is {path}, which cannot be read: {error.strerror}") from None
