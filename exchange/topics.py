"""The topics of a venue. Nothing else spells a topic's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from exchange.errors import ExchangeError

ACCOUNT_INBOX: Final = "account-inbox"
BOOK_INBOX: Final = "book-inbox"
ORDER_REPORTS: Final = "order-reports"
ACCOUNT_UPDATES: Final = "account-updates"
TRADES: Final = "trades"
BOOK_DELTAS: Final = "book-deltas"
BOOK_SNAPSHOTS: Final = "book-snapshots"
BOOK_ORDERS: Final = "book-orders"
MARKET_DATA: Final = "market-data"
CANDLES: Final = "candles"
INDICATORS: Final = "indicators"
AVERAGES: Final = "averages"
PROFITS: Final = "profits"
LEADERS: Final = "leaders"
SUMMARIES: Final = "summaries"
RANKINGS: Final = "rankings"
LATE_DATA: Final = "late-data"
SIGNALS: Final = "signals"
SCORES: Final = "scores"
ALERT_RULES: Final = "alert-rules"
ALERTS: Final = "alerts"
AUDIT: Final = "audit"
DEAD_LETTERS: Final = "dead-letters"

ALL: Final = (
    ACCOUNT_INBOX,
    BOOK_INBOX,
    ORDER_REPORTS,
    ACCOUNT_UPDATES,
    TRADES,
    BOOK_DELTAS,
    BOOK_SNAPSHOTS,
    BOOK_ORDERS,
    MARKET_DATA,
    CANDLES,
    INDICATORS,
    AVERAGES,
    PROFITS,
    LEADERS,
    SUMMARIES,
    RANKINGS,
    LATE_DATA,
    SIGNALS,
    SCORES,
    ALERT_RULES,
    ALERTS,
    AUDIT,
    DEAD_LETTERS,
)
INBOXES: Final = (ACCOUNT_INBOX, BOOK_INBOX)
APPENDED: Final = (*INBOXES, MARKET_DATA)
"""Topics whose records bear the broker's append time, whatever their writers say."""

RECORD_BYTES_MAX: Final = 1_048_576
LARGE_RECORD_BYTES_MAX: Final = 4 * RECORD_BYTES_MAX
"""A dead letter holds a whole refused record in base64, a snapshot up to `book.SNAPSHOT_LEVELS_MAX` prices: both must fit."""

SNAPSHOT_SEGMENT_BYTES: Final = 16_777_216
"""Kafka compacts whole segments only; with its default of 1 GB it would hardly ever."""

_VENUE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


@dataclass(frozen=True)
class TopicSpec:
    """A topic to create: its full name, number of partitions and Kafka settings."""

    name: str
    partitions: int
    config: dict[str, str]


def topic_name(venue: str, topic: str) -> str:
    """Return the full name of a venue's topic.

    >>> topic_name("replay", TRADES)
    'replay.trades'

    Raises:
        ExchangeError: if the venue's name is not 1 to 32 of a-z, 0-9 and '-'.
    """
    if not _VENUE.fullmatch(venue):
        raise ExchangeError(f"venue {venue!r} must be 1 to 32 of a-z, 0-9 and '-', and begin with a letter or digit")
    return f"{venue}.{topic}"


def topic_specs(venue: str, partitions: int) -> tuple[TopicSpec, ...]:
    """Return all topics of a venue.

    The log is the truth, so it is kept for ever; of the snapshots of a book, which say nothing new, only the last need be.
    Inboxes carry the broker's append time, which is a live venue's clock, and market data, whose own times are held against it.
    """
    specs = []
    for topic in ALL:
        config = {"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": str(RECORD_BYTES_MAX)}
        if topic in APPENDED:
            config["message.timestamp.type"] = "LogAppendTime"
        if topic in (DEAD_LETTERS, BOOK_SNAPSHOTS):
            config["max.message.bytes"] = str(LARGE_RECORD_BYTES_MAX)
        if topic == BOOK_SNAPSHOTS:
            config |= {"cleanup.policy": "compact", "segment.bytes": str(SNAPSHOT_SEGMENT_BYTES)}
        specs.append(TopicSpec(topic_name(venue, topic), partitions, config))
    return tuple(specs)
