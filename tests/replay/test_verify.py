"""In which order the ends of the topics are noted."""

from __future__ import annotations

from exchange import topics
from exchange.verify import TOPICS
from replay.verify import EFFECTS_FIRST


def test_effects_are_noted_before_their_causes_and_all_of_them() -> None:
    assert EFFECTS_FIRST[-2:] == (topics.ACCOUNT_INBOX, topics.BOOK_INBOX)
    assert sorted(EFFECTS_FIRST) == sorted(TOPICS)
