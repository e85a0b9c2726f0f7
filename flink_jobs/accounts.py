"""The accounts job: an account shard per key, `account-inbox` -> `book-inbox`, `order-reports`, `account-updates`."""

from exchange import topics
from exchange.host import accounts_host
from flink_jobs.job import MachineJob, parse_venue

JOB = MachineJob(
    "accounts",
    (topics.ACCOUNT_INBOX,),
    (topics.BOOK_INBOX, topics.ORDER_REPORTS, topics.ACCOUNT_UPDATES, topics.ACCOUNT_INBOX, topics.DEAD_LETTERS),
    lambda venue: accounts_host(venue.clock, venue.shards),
)
build = JOB.build


def main() -> None:
    """Submit the job."""
    JOB.run(parse_venue(JOB.name))


if __name__ == "__main__":
    main()
