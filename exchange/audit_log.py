"""The audit log: what concerns safety, chained so that a change, a gap or another order shows.

Theory of operation: every process that writes is a source of its own, with a new name each time it starts. Its entries are numbered from 1, and
each bears the SHA-256 of its own canonical bytes, in which the hash of the one before stands. So nothing within a source can be changed,
taken out or moved without breaking the chain behind it. What a chain cannot show is that its last entries, or a whole source, are
gone: a source ends with the entry `log-closed` unless its process was killed, and whoever must be sure keeps the last hashes elsewhere.
Repeats of an entry are no fault, since the log is written at least once.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from exchange.messages import Message, Millis, Name, Seq

FIRST: Final = "0" * 64
"""What stands for the entry before the first."""
OPENED: Final = "log-opened"
CLOSED: Final = "log-closed"

Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Text = Annotated[str, Meta(max_length=256)]

FindingKind = Literal["changed", "dropped", "reordered", "broken"]


class AuditEntry(Message, frozen=True, kw_only=True, tag=True):
    """What somebody has done that concerns safety, or was refused. `hash` is the SHA-256 of the entry without it, `previous` that of the entry before."""

    source: Name
    seq: Seq
    time_ms: Millis
    actor: Text
    action: Text
    subject: Text = ""
    outcome: Literal["done", "refused"]
    address: Text = ""
    request_id: Text = ""
    details: dict[str, Text]
    previous: Hash
    hash: Hash


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source's chain has come: its last entry's number and hash, and whether it was closed in good order."""

    source: str
    entries: int
    seq: int
    hash: str
    closed: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a source's chain is broken first: the number of the entry, and where it stands in the log (`partition:offset`)."""

    source: str
    seq: int
    kind: FindingKind
    where: str


def digest(entry: AuditEntry) -> str:
    """Return the hash that an entry should bear."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "hash"}
    return sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


def chained(entry: AuditEntry) -> AuditEntry:
    """Return an entry with its hash."""
    return msgspec.structs.replace(entry, hash=digest(entry))


def verify(entries: Iterable[tuple[str, AuditEntry]]) -> tuple[list[Head], list[Finding]]:
    """Check all chains of a log, given with where each entry stands. Returns how far each goes, and the first fault of each that has one."""
    sources: dict[str, list[tuple[str, AuditEntry]]] = {}
    for where, entry in entries:
        sources.setdefault(entry.source, []).append((where, entry))
    heads, findings = [], []
    for source, own in sorted(sources.items()):
        found = _first_fault(own)
        if found is not None:
            findings.append(found)
        last = max((entry for _, entry in own), key=lambda entry: entry.seq)
        count = len({entry.seq for _, entry in own})
        heads.append(Head(source=source, entries=count, seq=last.seq, hash=last.hash, closed=last.action == CLOSED))
    return heads, findings


def _first_fault(own: list[tuple[str, AuditEntry]]) -> Finding | None:
    seen: dict[int, str] = {}
    last_seq, last_hash = 0, FIRST
    for position, (where, entry) in enumerate(own):
        kind: FindingKind | None = None
        if digest(entry) != entry.hash:
            kind = "changed"
        elif seen.get(entry.seq) == entry.hash:  # a repeat
            continue
        elif entry.seq in seen:
            kind = "changed"
        elif entry.seq != last_seq + 1:
            follows = any(later.seq == last_seq + 1 for _, later in own[position + 1 :])
            kind = "reordered" if follows else "dropped"
        elif entry.previous != last_hash:
            kind = "broken"
        if kind is not None:
            seq = last_seq + 1 if kind == "dropped" else entry.seq
            return Finding(source=entry.source, seq=seq, kind=kind, where=where)
        seen[entry.seq] = entry.hash
        last_seq, last_hash = entry.seq, entry.hash
    return None
