"""What `matching` and `accounts` have in common: their arguments, and how machines are put between topics."""

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


@dataclass(frozen=True)
class Venue:
    """The venue that a job serves."""

    servers: str
    name: str
    clock: VenueClock
    shards: int


@dataclass(frozen=True)
class MachineJob:
    """A job that hosts one kind of machine: reads `inbox`, writes `outputs`."""

    name: str
    inbox: str
    outputs: tuple[str, ...]
    make_host: Callable[[VenueClock, int], Host]

    def build(self, records: KeyedStream, venue: Venue) -> DataStream:
        """Turn the inbox's records into rows of output records."""
        clock, shards, make_host = venue.clock, venue.shards, self.make_host
        function = MachineFunction(lambda: make_host(clock, shards), venue.name, self.inbox, clock == "live")
        return records.process(function, OUTPUT).name(self.name).uid(self.name)

    def run(self, venue: Venue) -> None:
        """Connect the job to Kafka and submit it."""
        env, tables = environments(f"{self.name}-{venue.name}")
        group = f"{venue.name}-{self.name}"
        records = read_keyed(tables, venue.servers, topic_name(venue.name, self.inbox), group)
        topics = [topic_name(venue.name, topic) for topic in self.outputs]
        write(tables, venue.servers, topics, self.build(records, venue))
        env.execute(f"{self.name}-{venue.name}")


def parse_venue(job: str, arguments: Sequence[str] | None = None) -> Venue:
    """Read a job's program arguments."""
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
    given = parser.parse_args(arguments)
    topic_name(given.venue, "")
    if given.account_shards < 1:
        parser.error("--account-shards must be 1 or more")
    return Venue(given.bootstrap_servers, given.venue, given.clock, given.account_shards)
