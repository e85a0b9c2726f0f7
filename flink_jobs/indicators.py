"""The indicators job: a watcher per symbol, the exchange's outputs and `market-data` -> candles, indicators, windows, summaries."""

from exchange import topics
from flink_jobs.job import MachineJob, parse_venue
from flink_jobs.machine_function import ClosingFunction
from udfs.watch import watch_host

JOB = MachineJob(
    "indicators",
    (topics.TRADES, topics.BOOK_DELTAS, topics.BOOK_SNAPSHOTS, topics.MARKET_DATA),
    (
        topics.CANDLES,
        topics.INDICATORS,
        topics.AVERAGES,
        topics.PROFITS,
        topics.SUMMARIES,
        topics.LATE_DATA,
        topics.DEAD_LETTERS,
    ),
    lambda venue: watch_host(venue.lateness_ms, closes=venue.clock == "live"),
    ClosingFunction,
    ticks_in_replay=True,
)
build = JOB.build


def main() -> None:
    """Submit the job."""
    JOB.run(parse_venue(JOB.name))


if __name__ == "__main__":
    main()
