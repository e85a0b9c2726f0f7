"""Signs webhooks, so that a receiver knows who sent them and when. `docs/ALERTS.md` says how to verify.

Each account has a key of its own, made from the venue's secret: whoever can verify what it is sent cannot sign what others are sent.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

SECRET_MIN: Final = 32
"""Least length of the venue's secret, in bytes."""
VERSION: Final = "v1"


class NoSecret(Exception):
    """A file has no secret that is good enough: one sentence that says why."""


def read_secret(path: str) -> bytes:
    """Return the venue's secret from a file, without white space around it.

    Raises:
        NoSecret: if it cannot be read or is too short.
    """
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        raise NoSecret(f"{path}: {error.strerror}") from error
    if len(secret) < SECRET_MIN:
        raise NoSecret(f"{path} has {len(secret)} bytes: write at least {SECRET_MIN} random ones")
    return secret


def account_key(secret: bytes, account: str) -> str:
    """Return the key with which an account's webhooks are signed: 64 hexadecimal digits, used as ASCII text."""
    return hmac.new(secret, b"openbell webhook " + account.encode(), hashlib.sha256).hexdigest()


def signature(key: str, timestamp: str, body: bytes) -> str:
    """Return the value of the header `Openbell-Signature`: HMAC-SHA256 (RFC 2104) over timestamp, a full stop and the body.

    >>> signature("key", "1700000000", b"{}")
    'v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae'
    """
    signed = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"{VERSION}={signed.hexdigest()}"
