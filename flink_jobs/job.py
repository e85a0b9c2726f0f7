"""What the jobs have in common: their arguments, and how machines are put between topics."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyflink.datastream import KeyedStream
from pyflink.datastream.data_stream import DataStream

from exchange.clock import VenueClock
from exchange.host import Host
from exchange.topics import topic_name
from flink_jobs.kafka_streams import OUTPUT, environments, read_keyed, write
from flink_jobs.machine_function import MachineFunction

LATENESS_MS = 5_000
LATENESS_MS_MAX = 3_600_000


@dataclass(frozen=True)
class Venue:
    """The venue that a job serves."""

    servers: str
    name: str
    clock: VenueClock
    shards: int = 16
    lateness_ms: int = LATENESS_MS
    models: str = ""
    """The folder of the forecast's models; empty: those that come with Openbell."""


@dataclass(frozen=True)
class MachineJob:
    """A job that hosts one kind of machine: reads `inputs`, writes `outputs`. What an idle machine needs is done by `function`."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    make_host: Callable[[Venue], Host]
    function: type[MachineFunction] = MachineFunction
    ticks_in_replay: bool = False
    """Whether the wall's clock counts in a replay, too: where it only spaces out what is told."""

    def build(self, records: KeyedStream, venue: Venue) -> DataStream:
        """Turn the inputs' records into rows of output records."""
        make_host = self.make_host
        ticking = venue.clock == "live" or self.ticks_in_replay
        function = self.function(lambda: make_host(venue), venue.name, self.inputs[0], ticking)
        return records.process(function, OUTPUT).name(self.name).uid(self.name)

    def run(self, venue: Venue) -> None:
        """Connect the job to Kafka and submit it."""
        env, tables = environments(f"{self.name}-{venue.name}")
        inputs = [topic_name(venue.name, topic) for topic in self.inputs]
        records = read_keyed(tables, venue.servers, inputs, f"{venue.name}-{self.name}")
        outputs = [topic_name(venue.name, topic) for topic in self.outputs]
        write(tables, venue.servers, outputs, self.build(records, venue))
        env.execute(f"{self.name}-{venue.name}")


def parse_venue(job: str, arguments: Sequence[str] | None = None) -> Venue:
    """Read a job's program arguments, which all jobs have in common."""
    parser = argparse.ArgumentParser(
        prog=f"flink run -pym flink_jobs.{job}",
        epilog=f"example: flink run -pym flink_jobs.{job} --bootstrap-servers localhost:9092 --venue replay --clock replay",
    )
    parser.add_argument("--bootstrap-servers", required=True, help="the Kafka brokers, HOST:PORT[,HOST:PORT]")
    parser.add_argument("--venue", required=True, help="the venue's name, which its topics begin with")
    parser.add_argument(
        "--clock", choices=("live", "replay"), required=True, help="whose time counts: the broker's or the data's"
    )
    parser.add_argument("--account-shards", type=int, default=16, help="fixed for the life of a venue (default 16)")
    parser.add_argument(
        "--lateness-ms",
        type=int,
        default=LATENESS_MS,
        help=f"how much older than the newest a trade or bar may be and still count (default {LATENESS_MS})",
    )
    parser.add_argument("--models", default="", help="folder of forecast models (default: the one that comes with it)")
    given = parser.parse_args(arguments)
    topic_name(given.venue, "")
    if given.account_shards < 1:
        parser.error("--account-shards must be 1 or more")
    if not 0 <= given.lateness_ms <= LATENESS_MS_MAX:
        parser.error(f"--lateness-ms must be 0 to {LATENESS_MS_MAX}")
    return Venue(
        given.bootstrap_servers, given.venue, given.clock, given.account_shards, given.lateness_ms, given.models
    )
