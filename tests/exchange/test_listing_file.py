"""The listing file that is installed, and every mistake that one of an operator's own can have."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from exchange.instruments import Instrument, Rules
from exchange.listing_file import InvalidListing, Listing, StockDetails, decode_listings

SAMPLE = (Path(__file__).parents[2] / "exchange" / "data" / "listings.toml").read_text()
SEEDS = {"RIL", "INFY", "ONGC", "TCS", "AAPL", "GOOGL", "AMZN", "MSFT", "TSLA"}
FIELDS = [
    "symbol",
    "name",
    "exchange",
    "currency",
    "country",
    "sector",
    "industry",
    "market_cap",
    "beta",
    "pe_ratio",
    "eps",
    "dividend_yield",
    "dividend_per_share",
    "dividend_pay_date",
    "dividend_ex_date",
    "last_split_factor",
    "last_split_date",
]
ONE = """
as_of = "2024-06-28"
[listings.AAPL]
calendar = "XNYS"
instrument = { base = "AAPL", quote = "USD", tick = "0.01", lot = "1", base_scale = 0, quote_scale = 2 }
rules = { matching = "pro-rata", top_order = true }
[listings.AAPL.details]
name = "Apple Inc."
exchange = "NASDAQ"
currency = "USD"
country = "USA"
sector = "Technology"
industry = "Consumer Electronics"
market_cap = 3_229_664_000_000
eps = 6.43
"""


def test_the_sample_has_the_seeds_symbols_and_is_dated_and_called_a_sample() -> None:
    listings = decode_listings(SAMPLE)
    assert set(listings) >= SEEDS
    assert {listing.as_of for listing in listings.values()} == {"2024-06-28"}
    assert "SAMPLE DATA" in SAMPLE
    assert "advice" in SAMPLE


def test_every_stock_has_exactly_the_seventeen_fields_in_their_order() -> None:
    assert list(StockDetails.__struct_fields__) == FIELDS
    for symbol, listing in decode_listings(SAMPLE).items():
        fields = msgspec.json.decode(msgspec.json.encode(listing.details))
        assert list(fields) == FIELDS
        assert fields["symbol"] == symbol == listing.instrument.symbol


def test_quotes_calendars_and_currencies_go_together() -> None:
    kinds = {(one.instrument.quote, one.details.currency, one.calendar) for one in decode_listings(SAMPLE).values()}
    assert kinds == {("USD", "USD", "XNYS"), ("INR", "INR", "XNSE")}


def test_facts_of_a_dividend_agree_with_one_another() -> None:
    for symbol, listing in decode_listings(SAMPLE).items():
        details = listing.details
        pays = details.dividend_per_share > 0
        assert pays == (details.dividend_yield > 0) == (details.dividend_ex_date is not None), symbol
        assert pays == (details.dividend_pay_date is not None), symbol
        assert (details.pe_ratio is None) == (details.eps <= 0), symbol


def test_a_file_of_ones_own_is_read_whole() -> None:
    assert decode_listings(ONE) == {
        "AAPL": Listing(
            instrument=Instrument(symbol="AAPL", base="AAPL", quote="USD"),
            rules=Rules(matching="pro-rata", top_order=True),
            calendar="XNYS",
            details=StockDetails(
                symbol="AAPL", name="Apple Inc.", exchange="NASDAQ", currency="USD", country="USA", sector="Technology",
                industry="Consumer Electronics", market_cap=3_229_664_000_000, beta=None, pe_ratio=None, eps=6.43,
                dividend_yield=0.0, dividend_per_share=0.0, dividend_pay_date=None, dividend_ex_date=None,
                last_split_factor=None, last_split_date=None,
            ),
            as_of="2024-06-28",
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("eps = 6.43", 'eps = "x"', "AAPL: details: eps: Expected `float`, got `str`"),
        ("eps = 6.43", "", "AAPL: details: Object missing required field `eps`"),
        ("eps = 6.43", "esp = 1\neps = 6.43", "AAPL: details: Object contains unknown field `esp`"),
        ("eps = 6.43", "eps = 6.43\ndividend_yield = 2", "AAPL: details: dividend_yield: Expected `float` <= 1.0"),
        ("eps = 6.43", 'eps = 6.43\ndividend_ex_date = "2024-13-01"', "AAPL: details: dividend_ex_date: Expected `str` matching"),
        ("eps = 6.43", 'eps = 6.43\nlast_split_factor = "4:1"', "AAPL: details.last_split_factor goes with"),
        ("eps = 6.43", 'eps = 6.43\nlast_split_factor = "four"', "AAPL: details: last_split_factor: Expected `str` matching"),
        ("eps = 6.43", 'eps = 6.43\nsymbol = "IBM"', "AAPL: symbol is the table's name"),
        ('tick = "0.01"', 'tick = "0.001"', "AAPL: instrument: AAPL: 0.001 is not a multiple of 0.01"),
        ("base_scale = 0", "base_scale = 13", "AAPL: instrument: base_scale: Expected `int` <= 12"),
        ('base = "AAPL"', 'base = "USD"', "AAPL: instrument: AAPL: base and quote are both USD"),
        ('"XNYS"', '"NYSE"', "AAPL: calendar: Invalid enum value 'NYSE'"),
        ("pro-rata", "by-lot", "AAPL: rules.matching: Invalid enum value 'by-lot'"),
        ('currency = "USD"', 'currency = "EUR"', "AAPL: details.currency is EUR, instrument.quote USD"),
        ('as_of = "2024-06-28"', "", "the file: Object missing required field `as_of`"),
        ("[listings.AAPL]", "[listings.aapl]", "aapl: Object missing required field"),
        ("[listings.AAPL]", "[[listings.AAPL]]", "the file: listings[...]: Expected `object`, got `array`"),
        ("eps = 6.43", "eps = 6.43\neps = 6.43", "not TOML: "),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_symbol_and_field(before: str, after: str, told: str) -> None:
    with pytest.raises(InvalidListing) as error:
        decode_listings(ONE.replace(before, after, 1))
    assert str(error.value).startswith(told)


def test_an_asset_has_the_same_decimals_everywhere() -> None:
    other = ONE.replace("AAPL", "IBM").replace("quote_scale = 2", "quote_scale = 3").replace('as_of = "2024-06-28"', "")
    with pytest.raises(InvalidListing, match="IBM: USD has 3 decimals here and 2 in AAPL"):
        decode_listings(ONE + other)


def test_the_sample_is_toml_that_anything_can_read() -> None:
    assert len(tomllib.loads(SAMPLE)["listings"]) == len(decode_listings(SAMPLE)) >= 40
