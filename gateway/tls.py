"""Whether a server's certificate and key will do, told before it listens; and what makes uvicorn use them."""

from __future__ import annotations

import ssl
from typing import Any


def tls_options(certificate_file: str, key_file: str) -> dict[str, Any]:
    """Return arguments of `uvicorn.Config`: none where there are no files.

    Raises:
        ValueError: if one is missing, or they do not go together; the message says what to do.
    """
    if not certificate_file and not key_file:
        return {}
    if not (certificate_file and key_file):
        raise ValueError("TLS needs both a file with the certificate and its chain, and one with its key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate_file, key_file, password=_no_password)
    except ssl.SSLError as error:
        what = error.reason or str(error)
        raise ValueError(f"{certificate_file} and {key_file} are no certificate and its key, as PEM: {what}") from error
    except OSError as error:
        raise ValueError(f"{certificate_file} or {key_file} cannot be read: {error.strerror}") from error
    return {"ssl_certfile": certificate_file, "ssl_keyfile": key_file}


def _no_password() -> str:
    """Stand in for somebody who would type it: nobody is there."""
    raise ValueError("the key is encrypted: a server that starts by itself needs one without a password")
