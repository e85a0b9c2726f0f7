"""Topic names and settings."""

from __future__ import annotations

import pytest

from exchange import topics
from exchange.errors import ExchangeError


@pytest.mark.parametrize("venue", ["", "Venue", "a.b", "-a", "a_b", "a" * 33, "a\n", "ü"])
def test_a_venue_with_a_wrong_name_is_refused(venue: str) -> None:
    with pytest.raises(ExchangeError, match="venue"):
        topics.topic_name(venue, topics.TRADES)


def test_every_topic_keeps_everything_for_ever() -> None:
    specs = topics.topic_specs("live-1", 4)
    assert [spec.name for spec in specs] == [f"live-1.{topic}" for topic in topics.ALL]
    assert {(spec.partitions, spec.config["retention.ms"], spec.config["retention.bytes"]) for spec in specs} == {
        (4, "-1", "-1")
    }


def test_inboxes_and_market_data_carry_the_brokers_time_and_nothing_else_does() -> None:
    stamped = {
        spec.name for spec in topics.topic_specs("v", 1) if spec.config.get("message.timestamp.type") == "LogAppendTime"
    }
    assert stamped == {"v.account-inbox", "v.book-inbox", "v.market-data"}


def test_a_dead_letter_holds_the_greatest_record_in_base64() -> None:
    spec = topics.topic_specs("v", 1)[-1]
    assert spec.name == "v.dead-letters"
    assert int(spec.config["max.message.bytes"]) > topics.RECORD_BYTES_MAX * 4 / 3 + 10_000
