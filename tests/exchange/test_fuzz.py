"""Every command of the protocol, with anything in it, in any order: refused with a reason, a dead letter, or carried out. Never more.

Commands are made from the message types, so that new ones come by themselves. Most fields take values that can be met with (accounts, symbols, ids that exist), so
that the machines are reached; the rest is anything that the types allow, or what they do not.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exchange import messages as m
from exchange import packets, topics
from exchange.audits import TradeAudit
from exchange.host import Host, Record, accounts_host, book_host
from exchange.instruments import Rules
from exchange.packets import encode
from exchange.verify import DECODERS
from exchange.verify import _seen_hosts as seen_hosts
from tests.exchange.made import INSTRUMENTS, broken, message
from tests.simulation.log import SHARDS, Log, place_of

NOW = 1_700_000_000_000
FUNDS = 1_000_000
TRADERS = ("alice", "bob", "carol", "dave")
SHARD_KEYS = tuple(map(str, range(SHARDS)))
SYMBOLS = ("AAPLUSD", "GOOGUSD")
LISTED = {"AAPLUSD": INSTRUMENTS[0], "GOOGUSD": INSTRUMENTS[3]}
NUMBERED = (m.EnterOrder, m.EnterOco, m.PullOrder, m.ReviseOrder, m.SwapOrder)
OUTSIDE = (*get_args(m.AccountCommand), *get_args(m.AccountsOperation))
OPERATION = tuple(kind for kind in get_args(m.BookCommand) if kind not in NUMBERED)
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    phases=(Phase.explicit, Phase.generate),  # a failure is small enough; to make it smaller takes minutes
    suppress_health_check=list(HealthCheck),
)
OPEN_HANDED = "is undone as what it was not"
"""What `verify` says of a trade that an operator has undone under false terms, which a book cannot know."""

BY_ACCOUNTS = ("REQUESTED", "DEAD_MAN", "KILL_SWITCH")
"""What account shards pull orders for; a book repeats what it is told."""

near = st.integers(95, 105)
small = st.integers(1, 12)
ids = st.integers(1, 40).map("r{}".format)
USUAL: dict[str, st.SearchStrategy[Any]] = {
    "account": st.sampled_from(TRADERS),
    "buyer": st.sampled_from(TRADERS),
    "seller": st.sampled_from(TRADERS),
    "symbol": st.sampled_from(SYMBOLS),
    "request_id": ids,
    "order_request_id": ids,
    "order_id": st.integers(1, 60),
    "buy_order": st.integers(1, 60),
    "sell_order": st.integers(1, 60),
    "created_ms": st.just(NOW),
    "time_ms": st.just(NOW),
    "expires_ms": st.sampled_from((0, NOW + 5, NOW + 5_000)),
    "at_ms": st.sampled_from((0, NOW + 7, NOW + 700)),
    "timeout_ms": st.sampled_from((0, 10, 1_000)),
    "asset": st.sampled_from(("USD", "AAPL", "GOOG")),
    "amount": st.integers(1, 10_000),
    "price": near,
    "stop": near,
    "trail": small,
    "offset": st.integers(-3, 3),
    "quantity": small,
    "leaves": small,
    "display": small,
    "min_quantity": small,
    "listing": st.just(1),
    "version": st.integers(1, 3),
    "trade": st.integers(1, 5),
    "conditions": st.none(),
}


def command(kinds: tuple[Any, ...], **usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(kinds).flatmap(lambda kind: message(kind, USUAL | usual, often=0.9))


class Venue:
    """Both hosts over a log that `verify` can read; a record is followed until nothing more comes of it."""

    def __init__(self) -> None:
        self.log = Log("live")
        self.hosts: dict[str, Host] = {
            topics.ACCOUNT_INBOX: accounts_host("live", SHARDS),
            topics.BOOK_INBOX: book_host("live", SHARDS),
        }
        self.entries: dict[tuple[str, str], dict[str, str]] = {}
        self.letters: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.log.now_ms = NOW
        for symbol, instrument in LISTED.items():
            self.send(
                topics.BOOK_INBOX, symbol, encode(m.ListInstrument(key=symbol, instrument=instrument, rules=RULES))
            )
            for shard in SHARD_KEYS:
                listed = m.ListInstrument(key=shard, instrument=instrument, rules=RULES)
                self.send(topics.ACCOUNT_INBOX, shard, encode(listed))
        for name in TRADERS:
            shard = m.shard_of(name, SHARDS)
            self.send(topics.ACCOUNT_INBOX, shard, encode(m.OpenAccount(account=name, request_id="o", created_ms=NOW)))
            for asset in ("USD", "AAPL", "GOOG"):
                funds = m.Deposit(account=name, request_id=asset, created_ms=NOW, asset=asset, amount=FUNDS)
                self.send(topics.ACCOUNT_INBOX, shard, encode(funds))

    def send(self, topic: str, key: str, value: bytes) -> None:
        """Write a record and let the machines do what comes of it; each output must be a packet of its topic."""
        queue = deque([(topic, key, value)])
        while queue:
            topic, key, value = queue.popleft()
            self.log.append(topic, key, value)
            host = self.hosts.get(topic)
            if host is None:
                continue
            record = self.log.partitions[topic, place_of(key)][-1]
            entries = self.entries.setdefault((topic, key), {})
            outcome = host.process(record, lambda entries=entries: entries)  # type: ignore[misc]
            for name, text in outcome.changes.items():
                if text is None:
                    entries.pop(name, None)
                else:
                    entries[name] = text
            for to, _, out in outcome.records:
                self._look(to, out)
            queue.extend(outcome.records)

    def _look(self, topic: str, value: bytes) -> None:
        if topic == topics.DEAD_LETTERS:
            letter = packets.decode_dead_letters(value)[0]
            assert letter.reason != "BROKEN_INVARIANT", letter.detail
            self.letters[letter.reason] += 1
        elif topic in DECODERS:
            self.seen.update(type(event).__name__ for event in DECODERS[topic](value))

    def check(self) -> None:
        """Let verify audit all that has happened: balances, levels, lives of orders, trades."""
        verdict = self.log.verify(quiesced=True)
        finding = verdict.finding
        assert finding is None or OPEN_HANDED in finding.reason, finding
        assert not verdict.halted


RULES = Rules(order_by_order=True)

sent = st.one_of(
    *[st.tuples(st.just(topics.ACCOUNT_INBOX), command(get_args(m.AccountCommand)))] * 4,
    st.tuples(st.just(topics.ACCOUNT_INBOX), command(get_args(m.AccountsOperation), key=st.sampled_from(SHARD_KEYS))),
    st.tuples(st.just(topics.BOOK_INBOX), command(OPERATION, key=st.sampled_from(SYMBOLS))),
)


def key_of(topic: str, made: Any) -> str:
    """Return the key that a record with a command should have."""
    if topic == topics.BOOK_INBOX or not hasattr(made, "account") or hasattr(made, "key"):
        return str(made.key)
    return m.shard_of(made.account, SHARDS)


@settings(SETTINGS)
@given(st.lists(st.tuples(sent, st.integers(0, 30)), min_size=10, max_size=40), st.data())
def test_anything_from_outside_is_refused_dead_or_done(steps: list[Any], data: st.DataObject) -> None:
    venue = Venue()
    for (topic, made), chance in steps:
        venue.log.now_ms += chance
        key, value = key_of(topic, made), encode(made)
        if chance == 0:
            key = data.draw(st.sampled_from((*SHARD_KEYS, *SYMBOLS, "", "nowhere")))
        elif chance == 1:
            value = data.draw(broken(made))
        elif chance == 2:
            topic = topics.BOOK_INBOX if topic == topics.ACCOUNT_INBOX else topics.ACCOUNT_INBOX  # noqa: PLW2901
        for _ in range(2 if chance == 3 else 1):
            venue.send(topic, key, value)
    venue.check()


@settings(SETTINGS)
@given(
    st.lists(st.tuples(command(NUMBERED), st.integers(0, 30)), min_size=10, max_size=40),
    st.sampled_from(("price-time", "pro-rata", "exact", "equal-quantity")),
)
def test_whatever_a_shard_or_a_tape_sends_a_book_stands(steps: list[Any], matching: Any) -> None:
    """Shards never give an id twice, so orders of accounts have new ones; all else is as it comes."""
    host, _ = seen_hosts("live", SHARDS)
    audit, entries = TradeAudit(), {}  # type: ignore[var-annotated]
    now_ms = NOW

    def process(made: Any) -> None:
        outcome = host.process(Record(topics.BOOK_INBOX, 0, 0, now_ms, "AAPLUSD", encode(made)), lambda: entries)
        for to, _, value in outcome.records:
            if to == topics.DEAD_LETTERS:
                letter = packets.decode_dead_letters(value)[0]
                assert letter.reason != "BROKEN_INVARIANT", letter.detail
            elif to != topics.BOOK_SNAPSHOTS:
                DECODERS[to](value)
        book = host.machine("AAPLUSD", lambda: entries)
        for asked, events in book.steps:  # type: ignore[attr-defined]
            audit.take(asked, events)
        audit.settle(book.orders)  # type: ignore[attr-defined]
        book.steps.clear()  # type: ignore[attr-defined]

    rules = Rules(matching=matching, order_by_order=True)
    process(m.ListInstrument(key="AAPLUSD", instrument=INSTRUMENTS[0], rules=rules))
    seqs: Counter[str] = Counter()
    for number, (made, chance) in enumerate(steps, 1):
        now_ms += chance
        account = m.MARKET if chance % 3 == 0 else made.account
        source = "@tape" if account == m.MARKET else m.shard_of(account, SHARDS)
        if chance != 1:
            seqs[source] += 1
        process(_placed(made, account, source, seqs[source] or 1, number))


def _placed(made: Any, account: str, source: str, seq: int, number: int) -> Any:
    """Return a command with its place in a channel, and ids of its own for what it enters."""
    common = {"account": account, "source": source, "seq": seq, "symbol": "AAPLUSD"}
    sign = -1 if account == m.MARKET else 1
    replace = msgspec.structs.replace
    if isinstance(made, m.EnterOrder):
        return replace(made, **common, order_id=sign * 2 * number)
    if isinstance(made, m.EnterOco):
        first = replace(made.first, **common, order_id=sign * 2 * number)
        alike = {"side": first.side, "quantity": first.quantity, "listing": first.listing}
        return replace(
            made, **common, first=first, second=replace(made.second, **common, **alike, order_id=first.order_id + sign)
        )
    if isinstance(made, m.SwapOrder):
        return replace(
            made,
            **common,
            order_id=sign * made.order_id,
            order=replace(made.order, **common, order_id=sign * 2 * number),
        )
    if isinstance(made, m.PullOrder) and made.reason not in BY_ACCOUNTS:
        made = replace(made, reason="REQUESTED")
    return replace(made, **common, order_id=sign * made.order_id)


@settings(SETTINGS, max_examples=40)
@given(st.lists(command(get_args(m.BookReport), source=st.sampled_from(SYMBOLS)), min_size=1, max_size=10))
def test_reports_that_contradict_a_shard_halt_it_and_no_other(reports: list[Any]) -> None:
    """No book sends these; a shard that gets them must not settle them, nor take anybody else down."""
    host = accounts_host("live", SHARDS)
    entries: dict[str, dict[str, str]] = {shard: {} for shard in SHARD_KEYS}
    seqs: Counter[tuple[str, str]] = Counter()
    reasons: Counter[str] = Counter()

    def process(shard: str, made: Any) -> None:
        record = Record(topics.ACCOUNT_INBOX, 0, 0, NOW, shard, encode(made))
        outcome = host.process(record, lambda: entries[shard])
        for name, text in outcome.changes.items():
            if text is None:
                entries[shard].pop(name, None)
            else:
                entries[shard][name] = text
        for to, _, value in outcome.records:
            if to == topics.DEAD_LETTERS:
                reasons[packets.decode_dead_letters(value)[0].reason] += 1
            else:
                DECODERS[to](value)

    for shard in SHARD_KEYS:
        process(shard, m.ListInstrument(key=shard, instrument=LISTED["AAPLUSD"]))
    for report in reports:
        shard = m.shard_of(report.account, SHARDS)
        seqs[shard, report.source] += 1
        process(shard, msgspec.structs.replace(report, seq=seqs[shard, report.source]))
    for shard in SHARD_KEYS:
        process(shard, m.Resume(key=shard))
        assert not host.machines[shard].halted
    assert reasons.keys() <= {"BROKEN_INVARIANT", "INVALID_PACKET"}


@pytest.mark.parametrize("kind", sorted({*OUTSIDE, *get_args(m.BookCommand)}, key=lambda kind: kind.__name__))
def test_a_spoilt_command_is_a_dead_letter_and_changes_nothing(kind: Any) -> None:
    @settings(SETTINGS, max_examples=15)
    @given(message(kind).flatmap(broken), st.sampled_from((*SHARD_KEYS, *SYMBOLS, "")))
    def dead(raw: bytes, key: str) -> None:
        for topic, host in (
            (topics.ACCOUNT_INBOX, accounts_host("live", SHARDS)),
            (topics.BOOK_INBOX, book_host("live", SHARDS)),
        ):
            outcome = host.process(Record(topic, 0, 0, NOW, key, raw), dict)
            reasons = [
                packets.decode_dead_letters(value)[0].reason
                for to, _, value in outcome.records
                if to == topics.DEAD_LETTERS
            ]
            assert "BROKEN_INVARIANT" not in reasons
            if reasons == ["INVALID_PACKET"]:
                assert outcome.changes == {}

    dead()


def test_the_fuzz_reaches_the_machines() -> None:
    """With the same values, but none of them strange, orders trade."""
    seen: Counter[str] = Counter()

    @settings(SETTINGS)
    @given(st.lists(message(m.PlaceOrder, USUAL, often=1.0), min_size=10, max_size=20))
    def trade(orders: list[Any]) -> None:
        venue = Venue()
        for number, order in enumerate(orders):
            venue.send(
                topics.ACCOUNT_INBOX,
                m.shard_of(order.account, SHARDS),
                encode(
                    msgspec.structs.replace(
                        order, request_id=f"p{number}", kind="limit", time_in_force="GTC", expires_ms=0
                    )
                ),
            )
        venue.check()
        seen.update(venue.seen)

    trade()
    assert seen["Trade"] > 100
