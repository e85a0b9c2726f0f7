"""The matching job with another layout of its state, for `bench state`; it is run by `flink run`."""

from __future__ import annotations

import argparse

from pyflink.common.typeinfo import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from bench.state_layouts import host
from exchange import topics
from exchange.book.book import META
from exchange.host import Outcome
from exchange.topics import topic_name
from flink_jobs.kafka_streams import OUTPUT, environments, read_keyed, write
from flink_jobs.machine_function import MachineFunction
from flink_jobs.matching import JOB


class WholeFunction(MachineFunction):
    """Keeps a machine that has a single entry in a value state."""

    def open(self, runtime_context: RuntimeContext) -> None:
        super().open(runtime_context)
        self._whole = runtime_context.get_state(ValueStateDescriptor("whole", Types.STRING()))

    def _load(self) -> dict[str, str]:
        text = self._whole.value()
        return {} if text is None else {META: text}

    def _store(self, outcome: Outcome) -> None:
        if outcome.changes:
            self._whole.update(outcome.changes[META])


def main() -> None:
    """Submit the job."""
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap-servers", "--venue", "--layout", "--resting", "--name"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    servers, venue, layout, resting = given.bootstrap_servers, given.venue, given.layout, int(given.resting)
    env, tables = environments(given.name)
    records = read_keyed(tables, servers, [topic_name(venue, topics.BOOK_INBOX)], venue)
    kind = WholeFunction if layout.startswith("value") else MachineFunction
    function = kind(lambda: host(layout, resting), venue, topics.BOOK_INBOX, True)
    rows = records.process(function, OUTPUT).name(JOB.name).uid(JOB.name)
    write(tables, servers, [topic_name(venue, topic) for topic in JOB.outputs], rows)
    env.execute(given.name)


if __name__ == "__main__":
    main()
