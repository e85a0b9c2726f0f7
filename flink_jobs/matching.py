"""The matching job: a book per symbol, `book-inbox` -> `trades`, `book-deltas`, `book-snapshots`, and reports to `account-inbox`."""

from exchange import topics
from exchange.host import book_host
from flink_jobs.job import MachineJob, parse_venue

JOB = MachineJob(
    "matching",
    (topics.BOOK_INBOX,),
    (
        topics.TRADES,
        topics.BOOK_DELTAS,
        topics.BOOK_SNAPSHOTS,
        topics.BOOK_ORDERS,
        topics.ACCOUNT_INBOX,
        topics.BOOK_INBOX,
        topics.DEAD_LETTERS,
    ),
    lambda venue: book_host(venue.clock, venue.shards),
)
build = JOB.build


def main() -> None:
    """Submit the job."""
    JOB.run(parse_venue(JOB.name))


if __name__ == "__main__":
    main()
