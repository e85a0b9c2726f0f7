"""The chain of the audit log: every way in which somebody could falsify it is found and told where."""

from __future__ import annotations

import random
from hashlib import sha256

import msgspec
import pytest

from exchange.audit_log import CLOSED, FIRST, AuditEntry, Finding, chained, verify
from exchange.packets import decode_audit, encode


def chain(source: str, length: int, *, closed: bool = True) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for seq in range(1, length + 1):
        entry = AuditEntry(
            source=source,
            seq=seq,
            time_ms=1_700_000_000_000 + seq,
            actor="ann",
            action=CLOSED if closed and seq == length else "key-made",
            subject="ключ \U0001f511",
            outcome="done",
            address="192.0.2.1",
            request_id="r" * 16,
            details={"scopes": "read trade", "a": "\x1b[0m"},
            previous=entries[-1].hash if entries else FIRST,
            hash=FIRST,
        )
        entries.append(chained(entry))
    return entries


def found(entries: list[AuditEntry]) -> list[Finding]:
    read = [one for entry in entries for one in decode_audit(encode([entry]))]
    return verify((f"0:{number}", entry) for number, entry in enumerate(read))[1]


def other(entry: AuditEntry, **changes: object) -> AuditEntry:
    return msgspec.structs.replace(entry, **changes)


def finding(seq: int, kind: str, where: int) -> list[Finding]:
    return [Finding(source="a", seq=seq, kind=kind, where=f"0:{where}")]  # type: ignore[arg-type]


def test_chains_that_are_whole_are_so_however_their_sources_and_repeats_are_mixed() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chosen = random.Random(seed)
    a, b = chain("a", 20), chain("b", 10, closed=False)
    mixed: list[AuditEntry] = []
    left = {"a": list(a), "b": list(b)}
    while any(left.values()):
        source = chosen.choice([name for name, entries in left.items() if entries])
        mixed.append(left[source].pop(0))
        mixed += chosen.choices(mixed, k=chosen.randrange(2))  # said again
    assert found(mixed) == []
    heads, _ = verify((str(number), entry) for number, entry in enumerate(mixed))
    assert [(head.source, head.entries, head.seq, head.hash, head.closed) for head in heads] == [
        ("a", 20, 20, a[-1].hash, True),
        ("b", 10, 10, b[-1].hash, False),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "bob"},
        {"action": "key-revoked"},
        {"subject": ""},
        {"outcome": "refused"},
        {"address": "192.0.2.2"},
        {"request_id": ""},
        {"time_ms": 1},
        {"details": {"scopes": "read"}},
        {"details": {}},
        {"previous": "1" * 64},
        {"hash": "1" * 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_changed_entry_is_found(changes: dict[str, object]) -> None:
    entries = chain("a", 5)
    entries[2] = other(entries[2], **changes)
    assert found(entries) == finding(3, "changed", 2)


def test_a_changed_entry_whose_hash_was_made_anew_breaks_the_chain_behind_it() -> None:
    entries = chain("a", 5)
    entries[2] = chained(other(entries[2], actor="bob"))
    assert found(entries) == finding(4, "broken", 3)


def test_another_entry_under_a_number_that_is_taken_is_found() -> None:
    entries = chain("a", 5)
    assert found([*entries, chained(other(entries[2], actor="bob"))]) == finding(3, "changed", 5)


@pytest.mark.parametrize("position", range(4))
def test_a_dropped_entry_is_found(position: int) -> None:
    entries = chain("a", 5)
    del entries[position]
    assert found(entries) == finding(position + 1, "dropped", position)


@pytest.mark.parametrize("position", range(4))
def test_entries_in_another_order_are_found(position: int) -> None:
    entries = chain("a", 5)
    entries[position], entries[position + 1] = entries[position + 1], entries[position]
    assert found(entries) == finding(position + 2, "reordered", position)


def test_a_last_entry_that_is_gone_shows_by_a_source_that_is_not_closed() -> None:
    heads, findings = verify((str(number), entry) for number, entry in enumerate(chain("a", 5)[:-1]))
    assert (findings, heads[0].closed, heads[0].seq) == ([], False, 4)


def test_the_hash_is_the_one_that_is_documented() -> None:
    first = chain("a", 2)[0]
    canonical = (
        '{"action":"key-made","actor":"ann","address":"192.0.2.1","details":{"a":"\\u001b[0m","scopes":"read trade"},'
        '"outcome":"done","previous":"' + "0" * 64 + '","request_id":"rrrrrrrrrrrrrrrr","seq":1,"source":"a",'
        '"subject":"ключ \U0001f511","time_ms":1700000000001}'
    )

    assert first.hash == sha256(canonical.encode()).hexdigest()
