"""Completes the address of Redis: with its password, which stands in a file, since arguments are seen by everybody on the machine, and over TLS
with the check of the server's host name, which redis-py leaves away unless it is told.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

PASSWORD_FILE: Final = "OPENBELL_REDIS_PASSWORD_FILE"  # noqa: S105  (it names the variable)


def with_password(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return an address such as `redis://USER@HOST:PORT/0` with the password of its user, as the variable's file has it.

    `rediss://` is TLS; `?ssl_ca_certs=FILE` behind it names the certificates that the server's is signed with. The server's must be for
    the address's host, unless the address says `ssl_check_hostname=false` or `ssl_cert_reqs=none`.

    Raises:
        ValueError: if the address has a password of its own, names no user where there is a password, or the file cannot be read.
    """
    url = _with_host_checked(url)
    parts, path = urlsplit(url), environment.get(PASSWORD_FILE, "").strip()
    if parts.password is not None:
        raise ValueError(
            f"the address of Redis has a password in it: write it into a file, and name that in {PASSWORD_FILE}"
        )
    if not path:
        return url
    if not parts.username:
        raise ValueError(f"{PASSWORD_FILE} needs an address with a user, such as redis://gateway@localhost:6379/0")
    try:
        password = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"{PASSWORD_FILE} is {path}, which cannot be read: {reason}") from error
    at = parts.netloc.rindex("@")
    return parts._replace(netloc=f"{parts.netloc[:at]}:{quote(password, safe='')}{parts.netloc[at:]}").geturl()


def _with_host_checked(url: str) -> str:
    """Have the host's name checked over TLS, unless the address says what is to be checked.

    >>> _with_host_checked("rediss://gateway@db:6379/0?ssl_ca_certs=ca.pem")
    'rediss://gateway@db:6379/0?ssl_ca_certs=ca.pem&ssl_check_hostname=true'
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if parts.scheme != "rediss" or "ssl_check_hostname" in query or query.get("ssl_cert_reqs") == ["none"]:
        return url
    return parts._replace(query=f"{parts.query}&ssl_check_hostname=true".lstrip("&")).geturl()
