"""The rows that `openbell watch` shows."""

from exchange.host import Record
from exchange.instruments import Instrument
from exchange.messages import AuctionIndicated, BookDelta, BookSnapshot, PhaseChanged, Trade
from exchange.packets import encode
from openbell.market import Markets

LISTED = Instrument(symbol="X", base="A", quote="USD", tick="0.0001", lot="100")
TRADE = Trade(
    symbol="X", seq=1, time_ms=86_400_000, price=1_185_600, quantity=3, taker_side="buy", maker_order=1, taker_order=2
)
SNAPSHOT = BookSnapshot(symbol="X", seq=1, time_ms=0, delta=0, trade=0, listing=1, instrument=LISTED, bids=[], asks=[])
BID = BookDelta(symbol="X", seq=1, time_ms=86_400_000, side="buy", price=142_675, quantity=2)


def record(topic: str, message: object) -> Record:
    return Record(f"v.{topic}", 0, 0, 0, "X", encode(message))


def test_a_market_that_has_not_traded_is_shown_as_soon_as_it_is_listed() -> None:
    markets = Markets("v")
    assert (markets.snapshot(), markets.time_ms()) == ([], None)
    markets.add(record("book-snapshots", [SNAPSHOT]))
    assert [(row["symbol"], row["last"], row["bid"], row["trades"]) for row in markets.snapshot()] == [
        ("X", None, None, 0)
    ]


def test_prices_are_decimals_once_the_listing_is_known_and_repeats_count_once() -> None:
    markets = Markets("v")
    markets.add(record("trades", TRADE))
    assert markets.snapshot()[0]["last"] == "1185600 ticks"
    markets.add(record("book-snapshots", SNAPSHOT))
    markets.add(record("trades", [TRADE]))
    markets.add(record("book-deltas", BID))
    assert markets.snapshot() == [
        {
            "symbol": "X",
            "phase": "continuous",
            "last": "118.56",
            "change_percent": None,
            "bid": "14.2675",
            "bid_quantity": "200",
            "ask": None,
            "ask_quantity": None,
            "indicative_price": None,
            "indicative_volume": None,
            "indicative_imbalance": None,
            "day_volume": "300",
            "trades": 1,
            "time_ms": 86_400_000,
        }
    ]


def test_trades_a_second_are_those_of_the_last_seconds() -> None:
    markets = Markets("v")
    assert markets.trades_per_s("X") == 0.0
    markets.sample(0.0)
    markets.sample(100.0)
    markets.add(record("trades", TRADE))
    markets.sample(102.0)
    assert markets.trades_per_s("X") == 0.5


def test_a_market_that_is_before_an_auction_is_shown_with_its_phase_and_what_the_auction_would_do() -> None:
    markets = Markets("v")
    markets.add(record("book-snapshots", SNAPSHOT))
    phase = PhaseChanged(symbol="X", seq=1, time_ms=5, phase="closing-auction")
    indication = AuctionIndicated(symbol="X", seq=2, time_ms=6, price=142_675, volume=3, imbalance=-1)
    markets.add(record("book-deltas", [phase, indication]))
    [row] = markets.snapshot()
    assert [row[name] for name in ("phase", "indicative_price", "indicative_volume", "indicative_imbalance")] == [
        "closing-auction",
        "14.2675",
        "300",
        "-100",
    ]


def test_trades_are_counted_in_the_lots_of_their_own_version_of_the_listing() -> None:
    markets = Markets("v")
    later = Instrument(symbol="X", base="A", quote="USD", tick="0.01", lot="100")
    snapshot = BookSnapshot(
        symbol="X", seq=2, time_ms=0, delta=0, trade=0, listing=2, instrument=later, bids=[], asks=[]
    )
    early = Trade(
        symbol="X", seq=2, time_ms=86_400_000, price=500, quantity=1, taker_side="buy", maker_order=1, taker_order=2, listing=2
    )  # fmt: skip
    markets.add(record("book-snapshots", SNAPSHOT))
    markets.add(record("trades", [TRADE, early]))
    assert markets.snapshot()[0]["last"] == "118.56"
    markets.add(record("book-snapshots", snapshot))
    assert [markets.snapshot()[0][name] for name in ("last", "day_volume", "trades")] == ["5.00", "100", 2]
