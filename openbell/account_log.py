"""What the log says of accounts: limits, reports, and a statement that is made by running the account's shard again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from exchange import topics
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.messages import AccountUpdate, Limits, ListInstrument, OrderReport, SetLimits, shard_of
from exchange.operating import ECHO
from exchange.packets import decode_account_inbox, decode_account_updates, decode_order_reports
from openbell.venue import Venue
from wire.reader import Reader, fresh

Event: TypeAlias = OrderReport | AccountUpdate
Progress: TypeAlias = Callable[[int, int], None]


def last_limits(at: Venue, account: str) -> Limits:
    """Return the limits that the log last gave an account; errors as in `wire.reader`."""
    with Reader(at.bootstrap_servers, at.name, [topics.ACCOUNT_INBOX]) as reader:
        return limits_in(reader.to_end(), account, shard_of(account, at.account_shards))


def limits_in(records: Iterable[Record], account: str, shard: str) -> Limits:
    """Return the limits that some records of `account-inbox` last gave an account of a shard."""
    found = Limits()
    for record in records:
        if record.key == shard and b'"SetLimits"' in record.value:
            for message in _messages(record):
                if isinstance(message, SetLimits) and message.account == account:
                    found = message.limits
    return found


def reports_in(records: Iterable[Record], seen: Inbound, account: str | None = None) -> Iterator[OrderReport]:
    """Yield the reports of an account, or of all that there are, in the log's order and once each; `seen` remembers what has been."""
    for report in fresh(seen, records, decode_order_reports):
        if report.account == account or (account is None and not report.account.startswith(ECHO)):
            yield report


class Rerun:
    """The shard of an account run again over its inbox: gives the account's events, and learns what is listed.

    `listed` has the instrument of each symbol and version, as the shard was told.
    """

    def __init__(self, at: Venue, account: str) -> None:
        from exchange.host import accounts_host

        self.account = account
        self.shard = shard_of(account, at.account_shards)
        self.listed: dict[tuple[str, int], Any] = {}
        self._host = accounts_host(at.clock, at.account_shards)
        self._entries: dict[str, str] = {}

    def take(self, record: Record) -> list[Event]:
        """Take in the next record of `account-inbox`, and return what it brings about for the account."""
        if record.key != self.shard:
            return []
        if b'"ListInstrument"' in record.value:
            for message in _messages(record):
                if isinstance(message, ListInstrument):
                    self.listed[message.instrument.symbol, message.version] = message.instrument
        outcome = self._host.process(record, lambda: self._entries)
        for name, text in outcome.changes.items():
            if text is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = text
        events: list[Event] = []
        for topic, _, value in outcome.records:
            if topic == topics.ORDER_REPORTS:
                events += decode_order_reports(value)
            elif topic == topics.ACCOUNT_UPDATES:
                events += decode_account_updates(value)
        return [event for event in events if event.account == self.account]


def rerun(at: Venue, account: str, progress: Progress | None = None) -> tuple[Rerun, list[Event]]:
    """Run an account's shard again over all of its inbox; return it and the account's events.

    Errors as in `wire.reader`.
    """
    again = Rerun(at, account)
    events: list[Event] = []
    with Reader(at.bootstrap_servers, at.name, [topics.ACCOUNT_INBOX]) as reader:
        for record in reader.to_end(progress):
            events += again.take(record)
    return again, events


def _messages(record: Record) -> list[Any]:
    try:
        return decode_account_inbox(record.value)
    except InvalidPacket:
        return []
