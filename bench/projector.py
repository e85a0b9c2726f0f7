"""How fast a projector makes the views from nothing: the rate at which it catches up, and what a rebuild takes."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cluster import Cluster
from exchange import topics
from openbell.settings import Settings
from openbell.stack import Stack, ports, redis
from openbell.supervise.processes import wait_until

_REBUILT = re.compile(r"rebuilt the views from (\d+) messages in ([0-9.]+) s")


@dataclass(frozen=True)
class Rebuild:
    """One rebuild: what was read, in how many seconds."""

    messages: int
    seconds: float


def generate(stack: Stack, orders: int, accounts: int) -> None:
    """Let random flow through both jobs, and wait until all of it is settled."""
    command = [sys.executable, "-m", "openbell", "generate", "--orders", str(orders), "--accounts", str(accounts)]
    command += ["--symbols", "16", "--bootstrap-servers", stack.bootstrap_servers, "--venue", stack.venue]
    subprocess.run(command, check=True, capture_output=True)
    Cluster(stack).wait_quiet(stack.venue, topics.ORDER_REPORTS)
    Cluster(stack).wait_quiet(stack.venue, topics.BOOK_DELTAS)


def rebuild(stack: Stack) -> Rebuild:
    """Have a projector of its own rebuild the stack's venue in a Redis of its own."""
    with TemporaryDirectory(prefix="openbell-bench-") as folder:
        home = Path(folder)
        settings = ports.choose(Settings(home=home), {})
        service = redis.prepare(settings)
        server = subprocess.Popen(service.command, stdout=subprocess.DEVNULL)
        try:
            if not wait_until(lambda: redis.answers(settings), 20, every=0.05):
                raise TimeoutError("Redis did not start")
            return _rebuild(stack, redis.url(settings))
        finally:
            server.kill()
            server.wait()


def _rebuild(stack: Stack, redis_url: str) -> Rebuild:
    command = [sys.executable, "-m", "gateway.projector", "--bootstrap-servers", stack.bootstrap_servers]
    command += ["--venue", stack.venue, "--redis", redis_url]
    projector = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert projector.stderr is not None
    try:
        for line in projector.stderr:
            found = _REBUILT.search(line)
            if found:
                return Rebuild(int(found[1]), float(found[2]))
    finally:
        projector.terminate()
        projector.communicate()
    raise RuntimeError("the projector ended without a rebuild")
