"""Every partial is one element with the id that it is swapped in by, whatever there is to show, and says so where there is nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, get_args

import msgspec
import pytest

from exchange.messages import CancelReason, Phase
from gateway.render import TEMPLATES, Renderer
from gateway.shown import (
    AccountShown,
    BalanceShown,
    CandleShown,
    Depth,
    Freshness,
    Indicative,
    Level,
    OrderShown,
    Summary,
    TradeShown,
)
from gateway.tickets import TYPED, TicketShown
from gateway.words import ENDED, PHASES

RENDERER = Renderer()
PARTIALS = sorted(path.stem for path in (TEMPLATES / "partials").glob("*.html"))
TIME_MS = 1_204_351_200_000
VOID = {"input", "rect", "meta", "link", "path"}


class Roots(HTMLParser):
    """Collects the outermost elements' attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "elements that are never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._open:
            self.found.append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  (the parser's own signature)
        assert self._open, f"{tag} is outside of the element"

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert self._open or not data.strip(), f"text outside of the element: {data}"
        self.text += data


def order(order_id: int, **more: Any) -> OrderShown:
    common: dict[str, Any] = {
        "request_id": "r", "symbol": "AAPLUSD", "side": "buy", "kind": "limit", "time_in_force": "GTC", "expires_ms": 0,
        "price": "1234.5000", "quantity": "10", "filled": "0", "leaves": "10", "average": None, "state": "OPEN",
        "reason": None, "placed_ms": TIME_MS, "time_ms": TIME_MS, "seq": 1,
    }  # fmt: skip
    return OrderShown(order_id=order_id, **(common | more))


SUMMARY = Summary(
    symbol="AAPLUSD", base="AAPL", quote="USD", tick="0.0001", lot="1", seq=7, time_ms=TIME_MS, last="1234.5000",
    change="-1.2500", change_percent="-0.10", open="1235", high="1236", low="1230", volume="5000", trades=1500, bid="1234",
    bid_quantity="10", ask="1235", ask_quantity="20", spread="1",
)  # fmt: skip
NEW = Summary(
    symbol="NEWUSD", base="NEW", quote="USD", tick="0.01", lot="1", seq=0, time_ms=0, last=None, change=None,
    change_percent=None, open=None, high=None, low=None, volume="0", trades=0, bid=None, bid_quantity=None, ask=None,
    ask_quantity=None, spread=None,
)  # fmt: skip
FLAT = Summary(
    **{name: getattr(SUMMARY, name) for name in SUMMARY.__struct_fields__} | {"high": "1230", "last": "1230"}
)
MIDNIGHT = Summary(
    **{name: getattr(SUMMARY, name) for name in SUMMARY.__struct_fields__}
    | {"change": "0.00", "change_percent": "0.00", "open": None, "high": None, "low": None, "volume": "0"}
)
CALL = msgspec.structs.replace(
    SUMMARY, phase="closing-auction", indicative=Indicative(price="1234.25", volume="400", imbalance="-60"), spread=None
)
HALT = msgspec.structs.replace(NEW, phase="halt", indicative=Indicative(price=None, volume="0", imbalance="0"))
ACCOUNT = AccountShown(
    account="demo",
    balances=[BalanceShown(asset="USD", available="1000000.00", reserved="5.00", total="1000005.00", seq=3)],
    open_orders=[
        order(16),
        order(32, side="sell", filled="4", leaves="6", average="1234.50"),
        order(33, kind="stop-limit", stop="1240.0000", trigger="WAITING", display="5"),
        order(34, kind="stop", stop="1230.0000", trigger="TRIGGERED"),
        order(35, kind="trailing-stop", trail="1.5000", trigger="WAITING"),
        order(36, kind="pegged", peg="mid", offset="-0.5000"),
        order(37, post_only="slide", min_quantity="2"),
        order(38, all_or_none=True, busted=True),
    ],
    ended_orders=[
        *(
            order(200 + number, state="CANCELLED", reason=reason)
            for number, reason in enumerate(get_args(CancelReason))
        ),
        order(48, state="CANCELLED", reason="IOC_REMAINDER", time_in_force="IOC", kind="market"),
        order(64, state="CANCELLED", reason="REQUESTED"),
        order(80, state="CANCELLED", reason="FOK_UNFILLED", time_in_force="FOK"),
        order(96, state="CANCELLED", reason="MARKET_REMAINDER", kind="market"),
        order(112, state="EXPIRED", time_in_force="GTD", expires_ms=TIME_MS),
        order(128, state="FILLED", symbol="IBMUSD"),
    ],
)
OWING = msgspec.structs.replace(
    ACCOUNT,
    balances=[
        BalanceShown(asset="USD", available="0.00", reserved="0.00", total="0.00", seq=3, owed="1.50"),
        BalanceShown(asset="AAPL", available="1", reserved="0", total="1", seq=4),
    ],
)
NOBODY = AccountShown(account="demo", balances=[], open_orders=[], ended_orders=[])
LEVELS = [Level(price="1234.00", quantity="10", total="10", share=100)]
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"freshness": Freshness(live=True, age_ms=1, reason="")}, "Live"),
    ("status", {"freshness": Freshness(live=False, age_ms=12_000, reason="Redis is gone")}, "Data is old: Redis is gone (for 12 seconds)"),
    ("status", {"freshness": Freshness(live=False, age_ms=None, reason="")}, "No data yet"),
    ("markets", {"summaries": [SUMMARY, NEW, FLAT]}, "1,234.50"),
    ("markets", {"summaries": []}, "No symbols are listed yet"),
    ("summary", {"summary": SUMMARY}, "\N{MINUS SIGN}1.25"),
    ("summary", {"summary": NEW}, "No trades yet"),
    ("summary", {"summary": MIDNIGHT}, "0.00"),
    ("markets", {"summaries": [MIDNIGHT]}, "1,234.50"),
    ("summary", {"summary": CALL}, "60 more to sell"),
    ("summary", {"summary": HALT}, "balanced"),
    ("summary", {"summary": SUMMARY}, "Phase: Continuous"),
    ("markets", {"summaries": [CALL]}, "Auction at 1,234.25 \N{MULTIPLICATION SIGN} 400, 60 more to sell"),
    ("markets", {"summaries": [HALT]}, "No auction price yet"),
    ("notice", {"notice": "<b>", "tone": "good"}, "<b>"),
    ("ladder", {"depth": Depth(symbol="A", seq=1, time_ms=0, bids=LEVELS, asks=LEVELS)}, "1,234.00"),
    ("ladder", {"depth": Depth(symbol="A", seq=0, time_ms=0, bids=[], asks=[])}, "No asks"),
    (
        "tape",
        {"trades": [TradeShown(id="A-1", seq=1, time_ms=TIME_MS, price="12", quantity="3", taker_side="sell")]},
        "2008-03-01 06:00:00",
    ),
    (
        "tape",
        {"trades": [TradeShown(id="A-1", seq=1, time_ms=TIME_MS, price="12", quantity="3", taker_side="sell", auction=True)]},
        "Auction",
    ),
    (
        "tape",
        {"trades": [TradeShown(id="A-1", seq=1, time_ms=TIME_MS, price="12", quantity="3", taker_side="sell", busted=True)]},
        "Undone",
    ),
    ("tape", {"trades": []}, "No trades yet"),
    (
        "candles",
        {
            "candles": [
                CandleShown(start_ms=TIME_MS, open="1", high="3", low="0.5", close="2", volume="1000", trades=4)
            ],
            "span": "1d",
            "tick": "0.01",
            "lot": "1",
        },
        "1,000",
    ),
    ("candles", {"candles": [], "span": "1m", "tick": "0.01", "lot": "1"}, "No candles yet"),
    ("ticket", {"ticket": TicketShown(symbol="A", request_id="r")}, "Place an order"),
    (
        "ticket",
        {
            "ticket": TicketShown(
                symbol="A", side="sell", kind="market", price='"><script>', quantity="x", time_in_force="FOK", request_id="r",
                errors=dict.fromkeys((*TYPED, "expires_ms"), "<b>"), notice="<i>", tone="bad",
            )
        },
        "<b>",
    ),
    ("orders", {"account": ACCOUNT, "symbol": "AAPLUSD"}, "rest of IOC"),
    ("orders", {"account": ACCOUNT, "symbol": "AAPLUSD"}, "stop 1,240.00, shows 5"),
    ("orders", {"account": ACCOUNT, "symbol": "AAPLUSD"}, "waiting for trigger"),
    ("orders", {"account": ACCOUNT, "symbol": "AAPLUSD"}, "triggered"),
    ("orders", {"account": ACCOUNT, "symbol": "AAPLUSD"}, "follows the middle \N{MINUS SIGN}0.50"),
    ("orders", {"account": ACCOUNT, "symbol": "AAPLUSD"}, "a trade was undone"),
    ("orders", {"account": NOBODY, "symbol": "AAPLUSD"}, "No orders yet"),
    ("balances", {"account": ACCOUNT}, "1,000,000.00"),
    ("balances", {"account": OWING}, "Owed"),
    ("balances", {"account": NOBODY}, "No balances yet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "context", "words"), CASES)
def test_a_partial_is_one_element_that_says_what_there_is(name: str, context: dict[str, Any], words: str) -> None:
    roots = Roots(RENDERER.partial(name, **context))
    assert [(root["id"], root["hx-swap-oob"]) for root in roots.found] == [(name, "morph")]
    assert words in roots.text


def test_what_a_screen_reader_says_of_the_status_does_not_change_with_its_age() -> None:
    def said(age_ms: int) -> list[str]:
        html = RENDERER.partial("status", freshness=Freshness(live=False, age_ms=age_ms, reason="Redis is gone"))
        assert html.count("role=") == 1
        return re.findall(r'role="status">(.*?)</span>', html)

    assert said(5_000) == said(6_000) == ["<strong>Data is old</strong>: Redis is gone"]


def test_there_are_words_for_every_phase_and_every_end() -> None:
    assert set(PHASES) == set(get_args(Phase))
    assert set(ENDED) == set(get_args(CancelReason))


def test_nothing_is_said_of_debts_where_there_are_none() -> None:
    assert "Owed" not in RENDERER.partial("balances", account=ACCOUNT)


def test_every_partial_is_among_the_cases() -> None:
    assert {name for name, _, _ in CASES} == set(PARTIALS)


def test_a_wrong_field_is_tied_to_its_message() -> None:
    ticket = TicketShown(symbol="A", request_id="r", errors={"price": "Write a number."})
    html = RENDERER.partial("ticket", ticket=ticket)
    assert html.count('aria-invalid="true" aria-describedby="price-error"') == 1
    assert '<p class="error" id="price-error">Write a number.</p>' in html
