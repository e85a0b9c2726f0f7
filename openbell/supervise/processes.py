"""What Linux says about processes, and how to be rid of them.

Each process of a stack carries `OPENBELL_STACK=<home>:<run>` in its environment, and so do its children, whatever they do to their
session, their group or their parent. `sweep` finds them by it, so nothing that a stack started can outlive it unseen.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MARK = "OPENBELL_STACK"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def wait_until(condition: Callable[[], bool], seconds: float, *, every: float = 0.05) -> bool:
    """Ask again and again until the condition holds; False when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, however that comes about."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind, so that it can be reaped."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_group(group: int, signal_number: int = signal.SIGKILL) -> None:
    """Send a signal to each process of a group; no such group is no error."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal_number)


def _process_ids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def marked(mark: str) -> list[int]:
    """The processes whose environment has `OPENBELL_STACK` set to the mark or to the mark and a run, `mark:run`."""
    found = []
    begin = f"{MARK}={mark}".encode()
    for process in _process_ids():
        try:
            environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(line == begin or line.startswith(begin + b":") for line in environment):
            found.append(process)
    return found


def sweep(mark: str, *, seconds: float = 10) -> list[int]:
    """Kill every process that carries the mark, and its children to come. Returns those still there in the end: none."""
    killed: set[int] = set()

    def none_left() -> bool:
        left = [process for process in marked(mark) if process != os.getpid()]
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        killed.update(left)
        return not any(alive(process) for process in killed)

    wait_until(none_left, seconds, every=0.02)
    return [process for process in killed if alive(process)]


def alive(process: int) -> bool:
    """Say whether a process is there and is not merely waiting to be reaped."""
    return _status(process)[:1] not in ([], ["Z"], ["X"])


def _status(process: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, group, ...; empty when there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def group_members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for process in _process_ids():
        status = _status(process)
        if len(status) > 2 and status[2] == str(group) and status[0] not in "ZX":
            found.append(process)
    return found


def resident_mb(group: int) -> float:
    """Resident memory of a process group in megabytes; a page shared by two processes counts half in each."""
    total_kb = 0
    for process in group_members(group):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(total_kb / 1024, 1)
