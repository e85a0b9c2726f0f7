"""The whole exchange in one process: clients, both jobs, a log as Kafka keeps it and the projector. Whatever can go wrong does, by the dice.

Theory of operation: one turn is one thing happening: a client acts, a job reads a record, a sink writes one, a job takes
a checkpoint or crashes, the projector stores a batch or is killed. Records queue in a job's sink for each partition, so writes of different
partitions overtake each other. A checkpoint waits for the sink. A crash takes state and offsets back to the checkpoint; of what was queued some
is in the log already, some comes later, as a late writer's, some is lost; and what the job says again is cut into other packets.
"""

from __future__ import annotations

import random

from exchange import topics
from exchange.clock import VenueClock
from exchange.host import accounts_host, book_host
from tests.simulation.clients import Clients
from tests.simulation.job import Job
from tests.simulation.log import Log
from tests.simulation.views import Projector


class World:
    """Clients, both jobs, the projector and the log; `crashes` is how probable one is at each turn."""

    def __init__(self, seed: int, clock: VenueClock, *, crashes: float = 0.02, traders: bool = True) -> None:
        self.dice = random.Random(f"jobs {seed}")
        self.log = Log(clock)
        self.clients = Clients(self.log, random.Random(f"clients {seed}"), traders=traders)
        self.jobs = (
            Job(self.log, topics.ACCOUNT_INBOX, accounts_host, self.dice),
            Job(self.log, topics.BOOK_INBOX, book_host, self.dice),
        )
        self.projector = Projector(self.log, self.dice)
        self.crashes = crashes
        self.turns = 0
        self.crash_at: tuple[int, int] | None = None

    def run(self, actions: int) -> None:
        """Let clients act so many times while the jobs work, then let the jobs finish."""
        while actions:
            if self.dice.random() < 0.25:
                self.clients.act()
                actions -= 1
            self.turn()
        self.drain()

    def turn(self) -> None:
        """Let one job do one thing."""
        dice = self.dice
        self.turns += 1
        self.log.now_ms += dice.choice((0, 0, 1, 40))
        job = dice.choice(self.jobs)
        if self.crash_at is not None and self.crash_at[0] == self.turns:
            self.jobs[self.crash_at[1]].crash()
        what = dice.random()
        if what < self.crashes:
            job.crash()
        elif what < 0.08:
            job.take_checkpoint()
        elif what < 0.12:
            job.write_late()
        elif what < 0.15:
            job.tick()
        elif what < 0.16:
            self.projector.step(dice.randint(1, 20))
            if dice.random() < 10 * self.crashes:
                self.projector.crash()
        elif what < 0.40:
            job.write(dice.randint(1, 4))
        else:
            job.step()

    def drain(self) -> None:
        """Let everything that is on its way arrive, without further crashes; what the dead still write comes first."""
        for job in self.jobs:
            while job.late:
                job.write_late()
        self.log.now_ms += 60_000
        working = True
        while working:
            working = False
            for job in self.jobs:
                job.tick()
                while job.step():
                    working = True
                working = working or any(job.queues.values())
                job.flush()
