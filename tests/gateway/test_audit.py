"""The audit log as gateways write it: what is kept while the log is away, when a process is killed, and when nothing can be kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exchange.audit_log import AuditEntry, verify
from gateway.audit.event import AuditEvent, AuditUnavailable
from gateway.audit.journal import Journal, Left, left_behind
from gateway.audit.log import AuditLog
from openbell.supervise.processes import wait_until
from wire.errors import NotReachableError

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30


class MemorySink:
    """A log in memory, which can be away."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.up = True
        self.wrong: Exception = NotReachableError("it is away")
        """What is raised while it is not up."""
        self.tries = 0
        self.opened = threading.Event()
        self.opened.set()
        """Cleared: whoever writes waits, as for a broker that takes long."""

    def write(self, entries: Sequence[AuditEntry]) -> None:
        self.tries += 1
        assert self.opened.wait(DEADLINE_S)
        if not self.up:
            raise self.wrong
        self.entries += entries

    def close(self) -> None:
        pass

    def whole(self) -> bool:
        return not verify((str(number), entry) for number, entry in enumerate(self.entries))[1]

    def actions(self) -> list[str]:
        return [entry.action for entry in self.entries]


def event(action: str = "key-made", **fields: str) -> AuditEvent:
    return AuditEvent(actor="ann", action=action, subject="k1", details=fields)


def until(condition: Callable[[], bool]) -> None:
    assert wait_until(condition, DEADLINE_S, every=0.005)


def test_events_reach_the_log_as_a_chain_from_its_opening_to_its_close(tmp_path: Path) -> None:
    sink = MemorySink()
    with AuditLog(sink, tmp_path, now_ms=lambda: 7) as audit:
        for number in range(500):
            audit.note(event(scopes=str(number)))
    assert sink.actions() == ["log-opened", *["key-made"] * 500, "log-closed"]
    assert sink.whole()
    assert {entry.source for entry in sink.entries} == {audit.source}
    assert sink.entries[1].time_ms == 7
    assert list(tmp_path.iterdir()) == [], "nothing is left of what the log has"


def test_events_of_many_threads_are_one_chain(tmp_path: Path) -> None:
    sink = MemorySink()
    with AuditLog(sink, tmp_path) as audit:
        threads = [threading.Thread(target=lambda: [audit.note(event()) for _ in range(100)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(sink.entries) == 802
    assert sink.whole()


@pytest.mark.parametrize("wrong", [OSError("no such thing"), ZeroDivisionError("a flaw")], ids=repr)
def test_whatever_goes_wrong_while_it_is_written_it_is_tried_again_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: Exception
) -> None:
    sink = MemorySink()
    with AuditLog(sink, tmp_path, retry_s=0.01) as audit:
        until(lambda: audit.waiting == 0)
        sink.wrong, sink.up, begun = wrong, False, sink.tries
        audit.note(event())
        until(lambda: sink.tries > begun + 3)
        sink.up = True
        until(lambda: audit.waiting == 0)
    assert sink.actions() == ["log-opened", "key-made", "log-closed"]
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.getMessage() == "the audit log cannot be written, its entries wait"
    assert told.exc_info is not None
    assert told.exc_info[1] is wrong


def test_nobody_waits_for_a_log_that_is_away_and_it_has_all_when_it_is_back(tmp_path: Path) -> None:
    sink = MemorySink()
    sink.up = False
    with AuditLog(sink, tmp_path, retry_s=0.01) as audit:
        begun = time.monotonic()
        for _ in range(100):
            audit.note(event())
        assert time.monotonic() - begun < 5
        until(lambda: sink.tries > 3)
        assert (audit.waiting, sink.entries) == (101, [])
        sink.up = True
        until(lambda: audit.waiting == 0)
    assert sink.whole()
    assert len(sink.entries) == 102


def test_a_log_that_takes_long_holds_nobody_up(tmp_path: Path) -> None:
    sink = MemorySink()
    sink.opened.clear()
    with AuditLog(sink, tmp_path) as audit:
        until(lambda: sink.tries == 1)
        begun = time.monotonic()
        audit.note(event())
        assert time.monotonic() - begun < 1
        sink.opened.set()
    assert sink.whole()


def test_what_the_log_has_not_when_a_gateway_ends_is_sent_by_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = MemorySink()
    sink.up = False
    with AuditLog(sink, tmp_path) as first:
        first.note(event("role-changed"))
    assert "3 entries of the audit log have not reached Kafka and are kept in the journal" in caplog.text
    sink.up = True
    with AuditLog(sink, tmp_path) as second:
        until(lambda: second.waiting == 0)
    assert sink.actions() == ["log-opened", "role-changed", "log-closed", "log-opened", "log-closed"]
    assert [entry.source for entry in sink.entries] == [first.source] * 3 + [second.source] * 2
    assert sink.whole()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_gateway_loses_nothing(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from gateway.audit.event import AuditEvent
from gateway.audit.kafka import KafkaSink
from gateway.audit.log import AuditLog
with AuditLog(KafkaSink("127.0.0.1:1", "replay"), Path({str(tmp_path)!r})) as audit:
    for number in range(50):
        audit.note(AuditEvent(actor="ann", action="key-made", subject=str(number)))
    print("noted", flush=True)
    sys.stdin.read()
"""
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"noted\n"
        sink = MemorySink()
        with AuditLog(sink, tmp_path) as audit:
            until(lambda: audit.waiting == 0)
        assert len(sink.entries) == 2, "the journal of a process that lives is its own"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(DEADLINE_S)
        with AuditLog(sink, tmp_path) as audit:
            until(lambda: audit.waiting == 0)
    assert [entry.subject for entry in sink.entries if entry.action == "key-made"] == [str(n) for n in range(50)]
    assert sink.whole()


def test_an_entry_that_was_not_written_whole_is_none(tmp_path: Path) -> None:
    sink = MemorySink()
    sink.up = False
    with AuditLog(sink, tmp_path):
        pass
    (left,) = tmp_path.iterdir()
    with left.open("ab") as file:
        file.write(b'{"type":"AuditEntry","source":"x"')
    sink.up = True
    with AuditLog(sink, tmp_path) as audit:
        until(lambda: audit.waiting == 0)
    assert sink.actions() == ["log-opened", "log-closed", "log-opened", "log-closed"]


def test_a_journal_that_is_no_journal_stays_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x.jsonl").write_text("nonsense\n")
    with AuditLog(MemorySink(), tmp_path) as audit:
        until(lambda: audit.waiting == 0)
    assert "x.jsonl cannot be read and stays where it is" in caplog.text
    assert (tmp_path / "x.jsonl").exists()


def test_a_journal_that_cannot_be_opened_holds_no_other_up_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = MemorySink()
    sink.up = False
    with AuditLog(sink, tmp_path) as gone:
        pass
    (tmp_path / "a.jsonl").mkdir()  # it comes first, and not even root can write to it
    begun = sink.tries
    with AuditLog(sink, tmp_path, retry_s=0.01) as audit:
        until(lambda: sink.tries > begun + 3)
        sink.up = True
        until(lambda: audit.waiting == 0)
    assert [entry.source for entry in sink.entries] == [gone.source] * 2 + [audit.source] * 2
    assert caplog.text.count("a.jsonl cannot be read and stays where it is: [Errno 21]") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_journal_that_cannot_be_removed_is_sent_once_and_holds_no_other_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stays(_: Left) -> None:
        sink.up = len(sink.entries) > 2  # and the log is away when the first was sent
        raise PermissionError("Operation not permitted")

    sink = MemorySink()
    sink.up = False
    gone = [AuditLog(sink, tmp_path) for _ in range(2)]
    for one in gone:
        with one:
            pass
    sink.up = True
    monkeypatch.setattr(Left, "delete", stays)
    with AuditLog(sink, tmp_path, retry_s=0.01) as audit:
        until(lambda: not sink.up)
        sink.up = True
        until(lambda: audit.waiting == 0)
    assert sorted(entry.source for entry in sink.entries[:4]) == sorted([gone[0].source, gone[1].source] * 2)
    assert [entry.source for entry in sink.entries[4:]] == [audit.source] * 2
    assert caplog.text.count("was sent and cannot be removed: Operation not permitted") == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_when_too_many_wait_events_are_refused_and_counted(tmp_path: Path) -> None:
    sink = MemorySink()
    sink.up = False
    with AuditLog(sink, tmp_path, waiting_max=10, retry_s=0.01) as audit:
        for _ in range(9):
            audit.note(event())
        assert not audit.available()
        with pytest.raises(AuditUnavailable, match="it was not done"):
            audit.note(event("role-changed"))
        assert audit.refused == 1
        sink.up = True
        until(audit.available)
        audit.note(event())
    assert sink.whole()
    assert "role-changed" not in sink.actions()


def test_when_neither_the_log_nor_the_journal_takes_them_events_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    sink = MemorySink()
    with AuditLog(sink, tmp_path, retry_s=0.01) as audit:
        until(lambda: audit.waiting == 0)
        monkeypatch.setattr(Journal, "append", full)
        audit.note(event())  # the log takes it
        until(lambda: audit.waiting == 0)
        assert audit.available()
        sink.up = False
        audit.note(event())  # nobody knows yet that the log is away
        until(lambda: not audit.available())
        with pytest.raises(AuditUnavailable):
            audit.note(event("role-changed"))
        sink.up = True
        until(audit.available)
    assert sink.whole()


def test_a_journal_of_which_the_log_has_all_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.audit.journal.EMPTIED_AT", 4_000)
    sizes = []
    with AuditLog(MemorySink(), tmp_path) as audit:
        for _ in range(50):
            audit.note(event())
            until(lambda: audit.waiting == 0)
            sizes.append(next(tmp_path.iterdir()).stat().st_size)
    assert max(sizes) < 6_000


def test_a_journal_that_cannot_be_emptied_grows_and_the_log_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Journal) -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(Journal, "settled", broken)
    sink = MemorySink()
    with AuditLog(sink, tmp_path) as audit:
        for _ in range(5):
            audit.note(event())
            until(lambda: audit.waiting == 0)
        assert audit.available()
    assert len(sink.entries) == 7
    assert caplog.text.count("the audit journal cannot be emptied and grows: Input/output error") == 1


def test_without_a_folder_events_are_kept_in_memory_alone() -> None:
    sink = MemorySink()
    with AuditLog(sink) as audit:
        audit.note(event())
    assert sink.actions() == ["log-opened", "key-made", "log-closed"]


def test_texts_are_cut_and_what_cannot_be_encoded_is_replaced() -> None:
    sink = MemorySink()
    with AuditLog(sink) as audit:
        audit.note(AuditEvent(actor="a\ud800" * 500, action="x", details={"reason": "\n" * 500}))
    entry = sink.entries[1]
    assert entry.actor == "a?" * 128
    assert len(entry.details["reason"]) == 256
    assert sink.whole()


@pytest.mark.parametrize("name", ["password", "new_password", "secret", "session_token", "totp", "signature"])
def test_a_detail_whose_name_is_that_of_a_secret_is_a_bug(name: str) -> None:
    with pytest.raises(AssertionError, match="may be a secret"):
        event(**{name: "x"})


def test_two_that_look_for_journals_at_once_do_not_send_one_twice(tmp_path: Path) -> None:
    Journal(tmp_path, "gone").close(keep=True)
    unreadable: list[Path] = []
    first = left_behind(tmp_path, lambda path, _: unreadable.append(path))
    assert next(first).path.name == "gone.jsonl"
    assert list(left_behind(tmp_path, lambda path, _: unreadable.append(path))) == []
    assert unreadable == []
    first.close()
