"""What the generator of designs D and E posts: all of it is answered with 200 and is in the log, and what is wrong is told and kept."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from exchange import analysis as a
from exchange import topics
from exchange.host import Record
from exchange.packets import decode_dead_letters, decode_market_data
from gateway.seeds import feed
from gateway.seeds.ingest import InvalidIngest, read
from tests.gateway.projected import NOW_MS
from tests.seeds.seed_port import SeedPort
from udfs.watch import watch_host
from udfs.watch.outside import flaw_of_bar

SEED = 20_240_531
SYMBOLS = ("AAPL", "GOOGL", "AMZN", "MSFT", "TSLA")
BAR = {
    "stock_symbol": "AAPL",
    "opening_price": 101.5,
    "closing_price": 102.25,
    "high": 103,
    "low": 99.75,
    "volume": 12_345,
    "timestamp": 1_700_000_000.123,
}
OTHERS: dict[str, dict[str, Any]] = {
    "order_book": {"stock_symbol": "TSLA", "order_type": "sell", "price": 250.5, "quantity": 40},
    "news_sentiment": {"stock_symbol": "MSFT", "sentiment_score": -0.5, "sentiment_magnitude": 0.25},
    "market_data": {"stock_symbol": "AMZN", "market_cap": 1.5e12, "pe_ratio": 40.25},
    "economic_indicator": {"indicator_name": "GDP Growth Rate", "value": -2.5},
}
OTHER_MESSAGES = [{"data_type": kind, "timestamp": 1_700_000_000.5, **fields} for kind, fields in OTHERS.items()]
READ = [
    a.OutsideQuote(source="ingest", symbol="TSLA", time_ms=1_700_000_000_500, side="sell", price=250.5, quantity=40),
    a.NewsSentiment(source="ingest", symbol="MSFT", time_ms=1_700_000_000_500, score=-0.5, magnitude=0.25),
    a.Fundamentals(source="ingest", symbol="AMZN", time_ms=1_700_000_000_500, market_cap=1.5e12, pe_ratio=40.25),
    a.EconomicIndicator(source="ingest", name="GDP Growth Rate", time_ms=1_700_000_000_500, value=-2.5),
]


class Generator:
    """The given generator, in what it sends and how: a new connection each, and any status but 200 is a failure."""

    def __init__(self, port: SeedPort, seed: int) -> None:
        self.port = port
        self.dice = random.Random(seed)
        self.seconds = NOW_MS / 1_000
        self.failures: list[Any] = []

    def messages(self, count: int) -> Iterator[dict[str, Any]]:
        for _ in range(count):
            self.seconds += self.dice.uniform(0.01, 2)
            open_, close = self.dice.uniform(100, 1_000), self.dice.uniform(100, 1_000)
            yield {
                "stock_symbol": self.dice.choice(SYMBOLS),
                "opening_price": open_,
                "closing_price": close,
                "high": max(open_, close) + self.dice.uniform(0, 10),
                "low": min(open_, close) - self.dice.uniform(0, 10),
                "volume": self.dice.randint(1_000, 100_000),
                "timestamp": self.seconds,
            }
            kind = self.dice.choice(list(OTHERS))
            fields = OTHERS[kind]
            if "stock_symbol" in fields:
                fields = fields | {"stock_symbol": self.dice.choice(SYMBOLS)}
            yield {"data_type": kind, "timestamp": self.seconds, **fields}

    def send(self, message: dict[str, Any]) -> None:
        status, _ = self.port.ask("POST", "/ingest", message)
        if status != 200:
            self.failures.append((status, message))


def test_all_that_the_generator_sends_is_taken_and_is_in_the_log_once(port: SeedPort) -> None:
    generator = Generator(port, SEED)
    sent = list(generator.messages(60))
    for message in sent:
        generator.send(message)
    assert generator.failures == []
    recorded = port.written(topics.MARKET_DATA, decode_market_data)
    assert [round(one["timestamp"] * 1000) for one in sent] == [one.time_ms for one in recorded]
    assert {one.symbol for one in recorded} == {"AAPLUSD", "GOOGL", "AMZN", "MSFT", "TSLA", "@market"}
    assert port.written(topics.DEAD_LETTERS, decode_dead_letters) == []


def test_the_analysis_counts_bars_and_passes_over_what_it_does_not_use(port: SeedPort) -> None:
    for message in (BAR, *OTHER_MESSAGES):
        assert port.ask("POST", "/ingest", message)[0] == 200
    host, told = watch_host(5_000), []
    with port.floor.lock:
        venue = port.floor.projected.venue
        records = list(zip(venue.keys[topics.MARKET_DATA], venue.written[topics.MARKET_DATA], strict=True))
    for offset, (key, value) in enumerate(records):
        record = Record(f"replay.{topics.MARKET_DATA}", 0, offset, NOW_MS + 1_000, key, value)
        told += host.process(record, dict).records
    assert [(topic, key) for topic, key, _ in told] == [(topics.INDICATORS, "AAPLUSD")]


@pytest.mark.parametrize(("message", "expected"), zip(OTHER_MESSAGES, READ, strict=True), ids=list(OTHERS))
def test_each_kind_is_read_as_it_stands(message: dict[str, Any], expected: Any) -> None:
    assert read(json.dumps(message).encode(), lambda name: name) == expected


def test_a_bar_is_read_as_it_stands_under_the_name_that_is_listed() -> None:
    bar = read(json.dumps(BAR).encode(), lambda name: f"{name}USD")
    assert bar == a.OutsideBar(
        source="ingest",
        symbol="AAPLUSD",
        time_ms=1_700_000_000_123,
        open=101.5,
        high=103,
        low=99.75,
        close=102.25,
        volume=12_345,
    )


WRONG = [
    None,
    True,
    -1,
    1e16,
    "",
    "x",
    "1.5",
    [],
    {},
    math.nan,
    math.inf,
    10**400,
    "@market",
    "A B",
    "\u00e9",
    "9" * 65,
]


def test_every_field_wrong_in_every_way_is_refused_or_is_good_for_the_analysis_and_never_a_fault_of_the_server(
    port: SeedPort,
) -> None:
    refused, port.commands.shown = 0, False  # nobody looks at the views
    for message in (BAR, *OTHER_MESSAGES):
        bodies = [
            {name: value for name, value in message.items() if name != gone} for gone in message if gone != "data_type"
        ]
        bodies += [message | {field: wrong} for field in message for wrong in WRONG]
        bodies.append(message | {"more": 1})
        for body in bodies:
            raw = json.dumps(body).encode()
            status, answer = port.ask("POST", "/ingest", raw=raw)
            assert status in (200, 400), (body, answer)
            if status == 400:
                refused += 1
                assert answer["error"] == "INVALID_MESSAGE"
                assert answer["message"]
    letters = port.written(topics.DEAD_LETTERS, decode_dead_letters)
    assert len(letters) == refused > 200
    assert len({letter.offset for letter in letters}) == refused, "each has a name of its own"
    for one in port.written(topics.MARKET_DATA, decode_market_data):
        if isinstance(one, a.OutsideBar):
            assert flaw_of_bar(one, one.time_ms) is None


def test_a_dead_letter_has_what_was_sent_and_what_was_wrong(port: SeedPort) -> None:
    raw = json.dumps(BAR | {"high": 1}).encode()
    status, answer = port.ask("POST", "/ingest", raw=raw)
    assert (status, answer["message"]) == (400, "The message was not taken: high is below low.")
    status, answer = port.ask("POST", "/ingest", BAR | {"volume": "many"})
    assert (status, list(answer["fields"])) == (400, ["volume"])
    letter = port.written(topics.DEAD_LETTERS, decode_dead_letters)[0]
    assert (letter.topic, letter.reason, letter.detail, letter.raw) == (
        "/ingest",
        "INVALID_PACKET",
        "high is below low",
        raw,
    )


def test_what_is_no_object_is_refused(port: SeedPort) -> None:
    for raw in (b"", b"[]", b"null", b"\xff\xfe", b"{" * 5_000, b'{"timestamp": 1e999}'):
        assert port.ask("POST", "/ingest", raw=raw)[0] == 400
    assert port.ask("POST", "/ingest", raw=b" " * 70_000)[0] == 413


def test_a_client_that_asks_for_health_and_tries_again_on_5xx_gets_all_through(port: SeedPort) -> None:
    port.commands.up = False
    assert port.ask("GET", "/health")[0] == 503
    assert port.ask("POST", "/ingest", BAR)[0] == 503
    assert port.ask("POST", "/ingest", BAR | {"high": 1})[0] == 503, "what is wrong cannot be kept now, either"
    port.commands.up = True
    assert port.ask("GET", "/health")[0] == 200
    assert port.ask("POST", "/ingest", BAR)[0] == 200
    assert len(port.written(topics.MARKET_DATA, decode_market_data)) == 1


def test_endless_new_symbols_are_refused(monkeypatch: pytest.MonkeyPatch, port: SeedPort) -> None:
    monkeypatch.setattr(feed, "UNLISTED_MAX", 3)
    statuses = [port.ask("POST", "/ingest", BAR | {"stock_symbol": f"S{number}"})[0] for number in (1, 2, 3, 4, 1)]
    assert statuses == [200, 200, 200, 400, 200]
    assert port.ask("POST", "/ingest", BAR)[0] == 200, "listed ones go on"


def test_a_number_that_no_float_can_be_is_refused() -> None:
    with pytest.raises(InvalidIngest):
        read(json.dumps(OTHER_MESSAGES[3] | {"value": math.inf}).encode(), str)
