"""The secret key, by which everything is sealed that must be read back, and how tokens are made and kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.ports import GatewayError

_LETTERS: Final = string.ascii_letters + string.digits


class BadSecretKey(GatewayError):
    """The secret key cannot be used: it is none, or others can read it, or the database was written with another."""


class SecretKey:
    """Seals and opens texts. Of several keys the first seals, and each opens: so a key is replaced by putting a new one in front."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise BadSecretKey("a secret key is 32 random bytes in URL-safe base64, one a line") from None

    @classmethod
    def new(cls) -> SecretKey:
        """Make one that nobody knows."""
        return cls([Fernet.generate_key()])

    def seal(self, text: bytes, about: str) -> bytes:
        """Encrypt and sign `text`; what is sealed opens only as what it is `about`, so that nobody can pass off one secret as another."""
        return self._fernet.encrypt(about.encode() + b"\0" + text)

    def open(self, sealed: bytes, about: str) -> bytes:
        """Return what `seal` was given. Raises BadSecretKey if it was sealed by another key or is about something else."""
        with contextlib.suppress(InvalidToken):
            said, _, text = self._fernet.decrypt(sealed).partition(b"\0")
            if said == about.encode():
                return text
        raise BadSecretKey("a secret in the database was not sealed by this secret key")

    def renewed(self, sealed: bytes) -> bytes:
        """Seal with the first key what any of the keys has sealed. Raises BadSecretKey."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise BadSecretKey("a secret in the database was not sealed by this secret key") from None


def load_secret(path: Path) -> SecretKey:
    """Read the secret key from a file, which is made with mode 600 if there is none. Raises BadSecretKey.

    The file has a key a line, the newest first; several processes may call this at once for one file.
    """
    if not path.exists():
        _make(path)
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise BadSecretKey(f"others can read {path} (mode {mode:o}): run 'chmod 600 {path}', and replace its keys")
        keys = file.read().split()
    if not keys:
        raise BadSecretKey(f"{path} has no key in it: put back the one that the database was written with")
    try:
        return SecretKey(keys)
    except BadSecretKey as error:
        raise BadSecretKey(f"{path}: {error}") from None


def _make(path: Path) -> None:
    """Write a new key such that the file is never seen without it, and that of two makers one wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def new_token() -> str:
    """Return 32 random bytes for a cookie."""
    return secrets.token_urlsafe(32)


def new_letters(count: int) -> str:
    """Return so many random letters and digits, each worth almost 6 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def digest(token: str) -> str:
    """Return what is kept of a token or code that is random enough not to be guessed: its SHA-256.

    >>> digest("token")[:8]
    '3c469e9d'
    """
    return hashlib.sha256(token.encode()).hexdigest()
