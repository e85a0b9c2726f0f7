"""Keeps entries of the audit log in a file until Kafka has them, so that neither a killed process nor a broker that is away loses one.

A file has the entries of one source, a line each, and its process holds a lock on it; a file whose lock can be had is left of a process that
has ended, and whoever finds it sends what is in it. An entry is written before what it tells of is done; it is not forced to the disk:
it survives the process, not a loss of power.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from exchange.audit_log import AuditEntry

SUFFIX: Final = ".jsonl"
EMPTIED_AT: Final = 1_048_576
"""A file of which Kafka has everything is emptied once it is of so many bytes."""

_decode = msgspec.json.Decoder(AuditEntry).decode


class Journal:
    """The file of one source, in a folder of which all processes of this machine may have a file. Raises OSError."""

    def __init__(self, folder: Path, source: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / f"{source}{SUFFIX}"
        new = self.path.with_suffix(".new")  # it has its name only once it is locked
        self._file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(self.path)
        self._size = 0

    def append(self, entry: AuditEntry) -> None:
        """Write an entry, whole or not at all. Raises OSError."""
        line = msgspec.json.encode(entry) + b"\n"
        written = os.write(self._file, line)
        if written != len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(f"{self.path.name}: the disk has no room for an entry")
        self._size += len(line)

    def settled(self) -> None:
        """Take note that Kafka has everything."""
        if self._size >= EMPTIED_AT:
            os.ftruncate(self._file, 0)
            self._size = 0

    def close(self, *, keep: bool) -> None:
        """Let go of the file, which stays only if it is to be kept for another process."""
        if not keep:
            self.path.unlink(missing_ok=True)
        os.close(self._file)


class Left:
    """A file that an ended process has left. `delete` it once Kafka has its entries; use it as a context manager."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file

    @property
    def entries(self) -> list[AuditEntry]:
        """The entries; one that was being written when its process was killed is no entry yet."""
        raw = self.path.read_bytes()
        return [_decode(line) for line in raw[: raw.rfind(b"\n") + 1].splitlines()]

    def delete(self) -> None:
        """Remove the file. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def left_behind(folder: Path, unreadable: Callable[[Path, OSError], None]) -> Iterator[Left]:
    """Yield the files of processes that have ended, each locked as long as it is looked at; `unreadable` is told of one that cannot be opened."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # another process was quicker
            continue
        except OSError as error:  # such as that of another user
            unreadable(path, error)
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            continue
        with Left(path, file) as left:
            yield left
