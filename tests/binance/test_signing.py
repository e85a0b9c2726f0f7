"""What is signed is taken as it was signed and when, and nothing else is."""

from __future__ import annotations

import random
from urllib.parse import urlencode

import pytest

from gateway.binance.errors import BinanceError
from gateway.binance.order_terms import PLACE
from gateway.binance.parameters import Parameters
from gateway.binance.signing import SIGNING, check_signature, check_time, read_signed, read_signed_object, sign

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
FIRST = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
SECOND = b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
ALONE = b"c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = b"0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
NOW_MS = 1_499_827_319_559


def code(query: bytes, body: bytes = b"", now_ms: int = NOW_MS, secret: bytes = SECRET) -> int:
    """Return the code that a request is refused with; 0: it is taken."""
    try:
        signed = read_signed(query, body)
        check_signature(secret, signed)
        check_time(signed.params, now_ms)
        Parameters(signed.params.items(), (*PLACE, *SIGNING))  # as every route does
    except BinanceError as error:
        return error.code
    return 0


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (FIRST + b"&" + SECOND + b"&signature=" + ALONE, b""),
        (b"", FIRST + b"&" + SECOND + b"&signature=" + ALONE),
        (FIRST, SECOND + b"&signature=" + MIXED),
        (FIRST + b"&signature=" + MIXED, SECOND),
        (FIRST, b"signature=" + MIXED + b"&" + SECOND),
        (FIRST, SECOND + b"&signature=" + MIXED.upper()),
    ],
)
def test_the_vectors_that_binance_has_published_are_taken_wherever_the_signature_stands(
    query: bytes, body: bytes
) -> None:
    assert code(query, body) == 0
    assert code(query, body, secret=SECRET[:-1]) == -1022
    assert read_signed(query, body).params["timeInForce"] == "GTC"


def test_of_10_000_changed_requests_none_is_taken() -> None:
    seed = 20_261_122
    print(f"seed {seed}")
    dice = random.Random(seed)
    originals = [(FIRST + b"&" + SECOND, b"", ALONE), (b"", FIRST + b"&" + SECOND, ALONE), (FIRST, SECOND, MIXED)]
    taken = []
    for _ in range(10_000):
        parts = list(dice.choice(originals))
        which = dice.choice([number for number, part in enumerate(parts) if part])
        how = dice.randrange(5)
        before = tuple(parts)
        part, at = bytearray(parts[which]), dice.randrange(len(parts[which]))
        if how == 0:
            part[at] ^= 1 << dice.randrange(8)
        elif how == 1:
            del part[at]
        elif how == 2:
            part.insert(at, dice.randrange(256))
        elif how == 3:
            part[at] = dice.choice(b"0123456789abcdef&=%+")
        parts[which] = bytes(part)
        if how == 4:  # the same bytes, cut into query and body elsewhere
            whole = parts[0] + parts[1]
            cut = dice.randrange(len(whole) + 1)
            parts[:2] = [whole[:cut], whole[cut:]]
        query, body, signature = parts
        same = (query, body, signature.lower()) == before or (
            how == 4 and not (query and body) and not (before[0] and before[1])
        )
        if (
            same
        ):  # nothing was changed, or all of it was moved into the other place: another way to send the same request
            continue
        if code(query, body + (b"&" if body else b"") + b"signature=" + signature) == 0:
            taken.append((query, body, signature))
    assert taken == []


@pytest.mark.parametrize(
    ("late_ms", "window", "expected"),
    [
        (0, "", 0),
        (5_000, "", 0),
        (5_001, "", -1021),
        (-999, "", 0),
        (-1_000, "", -1021),
        (60_000, "60000", 0),
        (60_001, "60000", -1021),
        (10, "9.999", -1021),
        (10, "10.001", 0),
        (1, "0", -1021),
        (0, "60000.001", -1131),
        (0, "60001", -1131),
        (0, "1e3", -1100),
        (0, "-1", -1100),
        (0, "1.0001", -1100),
        (86_400_000 * 365, "60000", -1021),
    ],
)
def test_a_request_is_taken_within_its_window_and_never_replayed_after_it(
    late_ms: int, window: str, expected: int
) -> None:
    for timestamp in (NOW_MS, NOW_MS * 1_000):
        payload = urlencode(
            {"symbol": "X", "timestamp": timestamp} | ({"recvWindow": window} if window else {})
        ).encode()
        query = payload + b"&signature=" + sign(SECRET, payload).encode()
        assert code(query, now_ms=NOW_MS + late_ms) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"symbol=%41%C3%A9&timestamp=1499827319559", 0),
        ("symbol=Aé&timestamp=1499827319559".encode(), 0),
        (b"symbol=%FF&timestamp=1499827319559", -1100),
        (b"symbol=A&symbol=B&timestamp=1499827319559", -1101),
        (b"symbol=A&&timestamp=1499827319559", -1100),
        (b"sym%62ol=A&timestamp=1499827319559", -1100),
        (b"symbol=A=B&timestamp=1499827319559", -1100),
        (b"symbol=A", -1102),
        (b"symbol=A&timestamp=", -1102),
        (b"symbol=A&timestamp=today", -1100),
        ("timestamp=١٤٩٩".encode(), -1100),
    ],
)
def test_bytes_are_verified_as_they_were_sent_and_only_then_read(payload: bytes, expected: int) -> None:
    assert code(payload + b"&signature=" + sign(SECRET, payload).encode()) == expected


@pytest.mark.parametrize(
    ("signature", "expected"),
    [(b"", -1102), (ALONE + b"\n", -1100), (ALONE[:-1], -1100), (b"g" * 64, -1100), (b"0" * 64, -1022)],
)
def test_a_signature_of_another_form_is_none(signature: bytes, expected: int) -> None:
    assert code(FIRST + b"&" + SECOND + b"&signature=" + signature) == expected
    assert code(FIRST + b"&" + SECOND) == -1102


def test_two_signatures_are_not_taken_even_if_one_is_right() -> None:
    right = b"&signature=" + ALONE
    assert code(FIRST + b"&" + SECOND + right + right) == -1101
    assert code(FIRST + b"&" + SECOND + right, b"signature=" + ALONE) == -1101


def test_what_is_in_query_and_body_is_that_of_the_query() -> None:
    query, body = b"symbol=A&timestamp=1499827319559", b"symbol=B"
    body += b"&signature=" + sign(SECRET, query + body).encode()
    assert read_signed(query, body).params["symbol"] == "A"


def test_a_websocket_request_is_signed_over_its_parameters_by_name() -> None:
    params = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "newOrderRespType": "ACK",
        "recvWindow": 100,
        "timestamp": 1645423376532,
        "apiKey": KEY,
    }
    published = "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"
    check_signature(SECRET, read_signed_object({**params, "signature": published}))
    for changed in ({"quantity": "0.1"}, {"apiKey": KEY[:-1]}, {"recvWindow": 1000}, {"icebergQty": "1"}):
        with pytest.raises(BinanceError, match="-1022"):
            check_signature(SECRET, read_signed_object({**params, **changed, "signature": published}))
    for odd in ({"price": "1&side=BUY"}, {"price": ["1"]}, {"price": None}, {"pri&ce": "1"}):
        with pytest.raises(BinanceError, match="-1100"):
            read_signed_object({**params, **odd, "signature": published})
