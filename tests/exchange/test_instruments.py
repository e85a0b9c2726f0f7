"""What a tick and a lot are worth."""

from __future__ import annotations

import pytest

from exchange.errors import InvalidAmount, InvalidInstrument
from exchange.instruments import WORTH_MAX, Instrument


def test_a_share_in_cents() -> None:
    apple = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD")
    assert (apple.lot_units, apple.notional_units) == (1, 1)
    assert apple.price_ticks("101.25") == 10125
    assert apple.price_text(10125) == "101.25"
    assert apple.quantity_lots("3") == 3
    assert apple.quantity_text(3) == "3"


def test_a_coin_in_small_lots() -> None:
    coin = Instrument(
        symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.01", lot="0.00001", base_scale=8, quote_scale=8
    )
    assert (coin.lot_units, coin.notional_units) == (1_000, 10)
    assert coin.quantity_lots("0.5") == 50_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote": "AAPL"}, "both AAPL"),
        ({"tick": "0.001"}, "not a multiple"),
        ({"lot": "0.5"}, "not a multiple"),
        ({"lot": "0.1", "base_scale": 1}, "not a multiple"),
        ({"tick": "0"}, "worth 0 minor units"),
        ({"lot": "0"}, "worth 0 minor units"),
        ({"lot": str(WORTH_MAX + 1)}, "minor units, not 1 to"),
        ({"tick": "-0.01"}, "plain decimal"),
        ({"tick": "1e2"}, "plain decimal"),
        ({"tick": "NaN"}, "plain decimal"),
    ],
)
def test_an_instrument_that_cannot_be_paid_exactly_is_refused(change: dict[str, object], reason: str) -> None:
    fields = {"symbol": "AAPLUSD", "base": "AAPL", "quote": "USD"} | change
    with pytest.raises(InvalidInstrument, match=reason):
        Instrument(**fields)  # type: ignore[arg-type]


def test_an_off_tick_price_is_refused() -> None:
    nickels = Instrument(symbol="X", base="X", quote="USD", tick="0.05")
    assert nickels.price_ticks("1.15") == 23
    with pytest.raises(InvalidAmount, match=r"1\.01 is not a multiple of 0\.05"):
        nickels.price_ticks("1.01")


def test_two_instruments_agree_where_they_count_a_common_asset_alike() -> None:
    apple = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD")
    assert apple.agrees_with(Instrument(symbol="IBMUSD", base="IBM", quote="USD"))
    assert apple.agrees_with(Instrument(symbol="IBMEUR", base="IBM", quote="EUR", quote_scale=4))
    assert not apple.agrees_with(Instrument(symbol="IBMUSD", base="IBM", quote="USD", quote_scale=4))
    assert not apple.agrees_with(Instrument(symbol="USDEUR", base="USD", quote="EUR", base_scale=3))
