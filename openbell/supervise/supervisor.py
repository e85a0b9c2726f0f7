"""Keeps a stack's services running, and leaves nothing behind.

Theory of operation. Each service runs in a process group of its own. When its first process ends, the whole group is killed before
the service is started anew, so a TaskManager's Python workers never live on as orphans; the dead leader is reaped only after that,
so that its group's number cannot mean another group by then. If the supervisor itself is killed, the kernel kills the services'
first processes, and the guard (guard.py) all others. SIGTERM stops the services one by one, the last started first.

It knows nothing about Kafka or Flink: the plan that `openbell up` wrote says what to run. All signals are taken at one place,
`sigtimedwait`, so there are no handlers and no races between them.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openbell.home import Home, read_json, write_json
from openbell.supervise.processes import MARK, adopt_orphans, die_with_parent, kill_group, sweep
from openbell.supervise.service import Service

SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
BACK_OFF_S = 0.5
BACK_OFF_MAX_S = 10.0
STEADY_S = 30.0


@dataclass
class Keeper:
    """A service and its life so far. Times are of the monotonic clock, in seconds."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started: float = 0.0
    back_off_s: float = BACK_OFF_S
    start_at: float = 0.0


class Supervisor:
    """Runs the services of a home's plan until it is told to stop."""

    def __init__(self, home: Home) -> None:
        self.home = home
        plan = read_json(home.plan)
        self.mark = f"{home.path}:{os.getpid()}-{time.time_ns()}"
        self.keepers = [Keeper(Service(**service)) for service in plan["services"]]
        self.guard: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start the services and keep them running until SIGTERM, SIGINT or SIGHUP; then stop them in reverse order."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        adopt_orphans()
        self._start_guard()
        try:
            while True:
                self._start_those_due()
                waits = [keeper.start_at - time.monotonic() for keeper in self.keepers if keeper.process is None]
                received = signal.sigtimedwait(SIGNALS, max(0.0, min([*waits, 60.0])))
                if received is not None and received.si_signo != signal.SIGCHLD:
                    break
                self._reap()
        finally:
            for keeper in reversed(self.keepers):
                self._stop(keeper)
            sweep(self.mark)
            self.home.state.unlink(missing_ok=True)

    def _start_guard(self) -> None:
        self.guard = subprocess.Popen(
            [sys.executable, "-P", "-m", "openbell.supervise.guard", self.mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _start_those_due(self) -> None:
        for keeper in self.keepers:
            if keeper.process is None and keeper.start_at <= time.monotonic():
                self._start(keeper)
        self._write_state()

    def _start(self, keeper: Keeper) -> None:
        service = keeper.service
        _say(f"starting {service.name}")
        with (self.home.logs / f"{service.name}.out").open("ab") as output:
            keeper.process = subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **service.environment, MARK: self.mark},
                process_group=0,
                preexec_fn=_in_child,  # noqa: PLW1509  (this process has one thread)
            )
        keeper.started = time.monotonic()

    def _reap(self) -> None:
        """Deal with every child that has ended: a service, the guard, or an orphan that became ours."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            keeper = next((k for k in self.keepers if k.process and k.process.pid == ended.si_pid), None)
            if keeper is not None:
                self._ended(keeper, ended.si_status)
            elif self.guard is not None and self.guard.pid == ended.si_pid:
                self.guard.wait()
                self._start_guard()
            else:
                os.waitpid(ended.si_pid, 0)

    def _ended(self, keeper: Keeper, status: int) -> None:
        assert keeper.process is not None
        kill_group(keeper.process.pid)
        keeper.process.wait()
        keeper.process = None
        now = time.monotonic()
        if now - keeper.started > STEADY_S:
            keeper.back_off_s = BACK_OFF_S
        keeper.start_at = now + keeper.back_off_s
        keeper.back_off_s = min(keeper.back_off_s * 2, BACK_OFF_MAX_S)
        keeper.restarts += 1
        _say(f"{keeper.service.name} ended with {status}; next start in {keeper.start_at - now:.1f} s")

    def _stop(self, keeper: Keeper) -> None:
        if keeper.process is None:
            return
        _say(f"stopping {keeper.service.name}")
        kill_group(keeper.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + keeper.service.stop_s
        while os.waitid(os.P_PID, keeper.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                _say(f"{keeper.service.name} did not stop in {keeper.service.stop_s:.0f} s; killed")
                break
            signal.sigtimedwait({signal.SIGCHLD}, left)
        kill_group(keeper.process.pid)
        keeper.process.wait()
        keeper.process = None
        self._write_state()

    def _write_state(self) -> None:
        state: dict[str, Any] = {
            "supervisor": os.getpid(),
            "services": {
                keeper.service.name: {
                    "pid": keeper.process.pid if keeper.process else None,
                    "restarts": keeper.restarts,
                }
                for keeper in self.keepers
            },
        }
        write_json(self.home.state, state)


def _in_child() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    die_with_parent()


def _say(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def main() -> None:
    """`python -m openbell.supervise.supervisor HOME`: become a daemon; where another one has the home, end at once."""
    if os.fork():
        os._exit(0)
    home = Home(Path(sys.argv[1]))
    lock = home.try_lock()
    if lock is None:
        _say("another supervisor has this home; leaving it alone")
        sys.exit(3)
    with lock:
        Supervisor(home).run()


if __name__ == "__main__":
    main()
