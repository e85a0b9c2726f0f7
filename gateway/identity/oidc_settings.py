"""What a server must know of an OpenID Connect provider to let people in by it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.identity.principal import Role

LABEL: Final = "single sign-on"


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A provider. `label` is what people call it; `create` the role of whoever comes for the first time (None: only who is linked may enter)."""

    issuer: str
    client_id: str
    client_secret: str
    label: str = LABEL
    create: Role | None = "trader"

    def __repr__(self) -> str:
        """Leave the secret out, which a log could keep."""
        return f"OidcSettings(issuer={self.issuer!r}, client_id={self.client_id!r})"


def oidc_settings(
    issuer: str, client_id: str, secret_file: Path, label: str = LABEL, create: Role | None = "trader"
) -> OidcSettings:
    """Return the settings, with the secret that stands in a file. Raises ValueError, which says what is wrong."""
    if not is_trusted(issuer):
        raise ValueError(f"the provider's issuer {issuer!r} must be an https:// address (http:// only of this machine)")
    if not client_id:
        raise ValueError("the provider knows this server by a client id: give it, too")
    try:
        secret = secret_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"the provider's client secret cannot be read from {secret_file}: {reason}") from error
    if not secret:
        raise ValueError(f"the provider's client secret file {secret_file} is empty")
    return OidcSettings(issuer=issuer, client_id=client_id, client_secret=secret, label=label or LABEL, create=create)


def is_trusted(url: str) -> bool:
    """Say whether nobody on the way can change what an address says: it is of TLS, or of this very machine.

    >>> is_trusted("https://id.example"), is_trusted("http://127.0.0.1:9"), is_trusted("http://id.example"), is_trusted("https://")
    (True, True, False, False)
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and is_loopback(host)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
