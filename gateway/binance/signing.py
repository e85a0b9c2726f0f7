"""Holds a request to its signature and its time, as Binance's clients sign: HMAC-SHA256 over exactly the bytes that were sent.

Theory of operation: what is signed is the query string followed by the body, with nothing between them and without the signature itself;
of a websocket request its parameters, sorted by name. All is verified over raw bytes, before anything is decoded. Nothing says where the
query ends and the body begins, so names must be plain letters and no value may hold a bare `=`: then the same bytes cut elsewhere are never
another request. Times are microseconds inside; clients send milliseconds or microseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.binance.errors import DUPLICATES, BinanceError
from gateway.binance.parameters import WHOLE

SIGNATURE: Final = "signature"
SIGNING: Final = ("apiKey", "timestamp", "recvWindow", SIGNATURE)
"""Parameters that say who asks and when, and nothing of what is asked."""
WINDOW_US: Final = 5_000_000
WINDOW_MAX_US: Final = 60_000_000
AHEAD_US: Final = 1_000_000
"""How far a client's clock may be ahead."""
MICROSECONDS_FROM: Final = 10**14
"""A timestamp from here on is in microseconds: as milliseconds it would lie beyond the year 5000."""

_NAME = re.compile(rb"[A-Za-z]{1,40}")
_HEX: Final = "^[A-Fa-f0-9]{64}$"
_WINDOW: Final = r"^[0-9]{1,20}(\.[0-9]{1,3})?$"
_ILLEGAL: Final = "Illegal characters found in a parameter."


class Signed(msgspec.Struct, frozen=True):
    """A request taken apart: what its signature is over, the signature, and its parameters without it."""

    payload: bytes
    signature: str
    params: dict[str, str]


def read_signed(query: bytes, body: bytes) -> Signed:
    """Take apart a request; a parameter that is in query and body is that of the query.

    Raises:
        BinanceError: -1100, -1101 or -1102, if it cannot have been signed.
    """
    payload, signatures = b"", list[str]()
    params: dict[str, str] = {}
    for raw in (query, body):
        kept, read = list[bytes](), dict[str, str]()
        for part in raw.split(b"&") if raw else ():
            name, equals, value = part.partition(b"=")
            if not (_NAME.fullmatch(name) and equals) or b"=" in value:
                raise BinanceError(-1100, text=_ILLEGAL)
            if name == SIGNATURE.encode():
                signatures.append(value.decode("latin-1"))
                continue
            kept.append(part)
            if name.decode() in read:
                raise BinanceError(-1101, text=DUPLICATES)
            read[name.decode()] = _decoded(value)
        payload += b"&".join(kept)
        params = {**read, **params}
    if len(signatures) > 1:
        raise BinanceError(-1101, text=DUPLICATES)
    if not signatures or not signatures[0]:
        raise BinanceError(-1102, SIGNATURE)
    return Signed(payload, signatures[0], params)


def read_signed_object(params: Mapping[str, Any]) -> Signed:
    """Take apart a websocket request's parameters, as its JSON has them. Errors as in `read_signed`."""
    texts = {name: _text(value) for name, value in params.items()}
    signature = texts.pop(SIGNATURE, "")
    if not signature:
        raise BinanceError(-1102, SIGNATURE)
    if not all(_NAME.fullmatch(name.encode()) for name in texts) or any(
        set(text) & set("&=") for text in texts.values()
    ):
        raise BinanceError(-1100, text=_ILLEGAL)
    return Signed("&".join(f"{name}={texts[name]}" for name in sorted(texts)).encode(), signature, texts)


def sign(secret: bytes, payload: bytes) -> str:
    """Return the signature of a payload, in lower-case hex."""
    return hmac.new(secret, payload, hashlib.sha256).hexdigest()


def check_signature(secret: bytes, signed: Signed) -> None:
    """Raise BinanceError -1022, or -1100, unless the request was signed with a secret."""
    if not re.fullmatch(_HEX[1:-1], signed.signature):
        raise BinanceError(-1100, SIGNATURE, _HEX)
    if not hmac.compare_digest(sign(secret, signed.payload), signed.signature.lower()):
        raise BinanceError(-1022)


def check_time(params: Mapping[str, str], now_ms: int) -> None:
    """Raise BinanceError -1021, or -1100, -1102, -1105 or -1131, unless a request was signed within its `recvWindow`."""
    text = params.get("timestamp")
    if not text:
        raise BinanceError(-1102, "timestamp")
    if not re.fullmatch("[0-9]{1,20}", text):
        raise BinanceError(-1100, "timestamp", WHOLE)
    sent_us = int(text) if int(text) >= MICROSECONDS_FROM else int(text) * 1_000
    late_us = now_ms * 1_000 - sent_us
    window_us = _window_us(params.get("recvWindow"))
    if late_us <= -AHEAD_US:
        raise BinanceError(-1021, text="Timestamp for this request was 1000ms ahead of the server's time.")
    if late_us > window_us:
        raise BinanceError(-1021)


def _window_us(text: str | None) -> int:
    if text is None:
        return WINDOW_US
    if not text:
        raise BinanceError(-1105, "recvWindow")
    if not re.fullmatch(_WINDOW[1:-1], text):
        raise BinanceError(-1100, "recvWindow", _WINDOW)
    whole, _, decimals = text.partition(".")
    window_us = int(whole) * 1_000 + int(decimals.ljust(3, "0"))
    if window_us > WINDOW_MAX_US:
        raise BinanceError(-1131)
    return window_us


def _decoded(value: bytes) -> str:
    try:
        return unquote_to_bytes(value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise BinanceError(-1100, text=_ILLEGAL) from error


def _text(value: Any) -> str:
    """Return a value of a websocket request as its client has written it into what it signed."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise BinanceError(-1100, text=_ILLEGAL)
