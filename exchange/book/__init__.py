"""The order book: one module an idea, `book.Book` puts them together."""

from exchange.book.book import META, Book
from exchange.book.orders import DEADLINES_SLACK_MAX
from exchange.book.reports import SNAPSHOT_EVERY, SNAPSHOT_LEVELS_MAX

__all__ = ["DEADLINES_SLACK_MAX", "META", "SNAPSHOT_EVERY", "SNAPSHOT_LEVELS_MAX", "Book"]
