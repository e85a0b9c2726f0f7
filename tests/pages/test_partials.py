"""Every partial is one element with the id that it is swapped in by, whatever there is to show, and says so where there is nothing."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any, get_args

import msgspec
import pytest

from exchange import analysis as a
from exchange.messages import CancelReason, Phase
from gateway.alerts.form import TYPED as ALERT_TYPED
from gateway.alerts.form import AlertForm
from gateway.analytics.page import WindowShown
from gateway.analytics.shown import (
    AlertShown,
    AnalysisShown,
    FollowedUp,
    InboxShown,
    IndicatorsShown,
    LeaderShown,
    MarketAnalysisShown,
    RankShown,
    ScoreShown,
    SeriesShown,
    SignalShown,
    TotalsShown,
)
from gateway.analytics.studies import LINES, OUTPUTS, PANES
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
HOSTILE = "<b onclick='x'>\"&"
WARM: dict[str, float] = dict.fromkeys(OUTPUTS, 101.0033333)


def bar(bars: int, values: dict[str, float], **more: Any) -> IndicatorsShown:
    common: dict[str, Any] = {"start_ms": TIME_MS, "seq": bars, "closed": True, "volume": 9.0}
    prices = dict.fromkeys(("open", "high", "low", "close"), 101.5)
    return IndicatorsShown(bars=bars, values=values, **(common | prices | more))


TOTALS = TotalsShown(
    open="100.00",
    high="103.00",
    low="99.00",
    close="101.00",
    volume="9",
    turnover="911.0000",
    vwap=101.2222222,
    trades=1500,
)
ANALYSIS = AnalysisShown(
    symbol="AAPLUSD",
    seq=3,
    time_ms=TIME_MS,
    listing=1,
    session=TOTALS,
    day=TOTALS,
    change=0.01,
    change_24h=-0.02,
    previous_close="100.00",
    bid=None,
    ask=None,
    volatility=0.0015,
    profit=-0.5,
    late=2,
)
YOUNG = msgspec.structs.replace(ANALYSIS, previous_close=None, volatility=None, profit=None)
BREADTH = MarketAnalysisShown(
    time_ms=TIME_MS,
    symbols=9,
    advancers=5,
    decliners=3,
    unchanged=1,
    by_change=[RankShown(symbol=f"S{number}USD", value=(4 - number) / 100) for number in range(9)],
    by_turnover=[RankShown(symbol=HOSTILE, value=1_234_567.5)],
    by_profit=[RankShown(symbol=f"S{number}USD", value=4.0 - number) for number in range(9)],
)
NO_BREADTH = MarketAnalysisShown(
    time_ms=TIME_MS, symbols=0, advancers=0, decliners=0, unchanged=0, by_change=[], by_turnover=[], by_profit=[]
)
LEADER = LeaderShown(method="vwap-5m", start_ms=0, end_ms=TIME_MS, symbol=HOSTILE, profit=0.5, symbols=9)
SIGNAL = SignalShown(
    source="@trades",
    span_ms=60_000,
    start_ms=TIME_MS,
    time_ms=TIME_MS + 60_000,
    rule=HOSTILE,
    action="BUY",
    strength=0.7,
    price=101.5,
    reason=f"RSI 27.9 < 30 {HOSTILE}",
    numbers={},
    outcomes=[FollowedUp(horizon=5, time_ms=0, entry=1.0, price=1.02, gain=0.02)],
)
HOLD = msgspec.structs.replace(SIGNAL, action="HOLD", outcomes=[], source="elsewhere")
OPEN_SIGNAL = msgspec.structs.replace(SIGNAL, action="SELL", outcomes=[])
SCORE = ScoreShown(
    source="@trades",
    span_ms=60_000,
    rule=HOSTILE,
    horizon=5,
    time_ms=TIME_MS,
    seq=130,
    signals=4,
    hits=3,
    average=0.01,
    average_gain=0.02,
    average_loss=-0.02,
    random=0.001,
    random_hit_rate=0.5,
    hold=0.03,
)
SURE = msgspec.structs.replace(SCORE, signals=30, hits=10, source="elsewhere")
SILENT = msgspec.structs.replace(SCORE, rule="vote", signals=0, hits=0)
WINDOW = WindowShown(
    end_ms=TIME_MS, averages={"hopping-10m-5m": 101.5}, profits={"hopping-10m-5m": -0.25, "vwap-5m": 0.5}
)
TOLD = AlertShown(
    alert=HOSTILE, event="e", symbol="AAPLUSD", time_ms=TIME_MS, text=f"it fell {HOSTILE}", channels=["inbox"]
)
RULE = a.SetAlert(
    account="demo",
    alert="dip",
    condition=a.ChangeReaches(percent=5),
    channels=["inbox", "email"],
    email=HOSTILE,
    cool_down_ms=60_000,
)
CONDITIONS = [
    a.PriceCrosses(price=101.25, direction="up"), a.VolumeSpikes(times=3, span_ms=60_000), a.SignalAppears(rule=HOSTILE, action="BUY"),
    a.IndicatorReaches(name=HOSTILE, direction="below", value=-30, span_ms=0, source=HOSTILE), a.OrderFills(),
    a.IndicatorReaches(name="spread", direction="above", value=2, span_ms=1_000, source="@book"),
]  # fmt: skip
RULES_SET = [
    RULE,
    *(
        a.SetAlert(account="demo", alert=f"c{number}", condition=each, channels=["inbox"], symbol="AAPLUSD")
        for number, each in enumerate(CONDITIONS)
    ),
]
ALERT_FORM: dict[str, Any] = {"done": ("", ""), "symbols": ["AAPLUSD", HOSTILE], "sends": True}
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
        {"trades": [TradeShown(id="A-1", seq=1, time_ms=TIME_MS, price="12", quantity="3", taker_side="sell", taker_order=7)]},
        "2008-03-01 06:00:00",
    ),
    (
        "tape",
        {"trades": [TradeShown(id="A-1", seq=1, time_ms=TIME_MS, price="12", quantity="3", taker_side="sell", taker_order=7, auction=True)]},
        "Auction",
    ),
    (
        "tape",
        {"trades": [TradeShown(id="A-1", seq=1, time_ms=TIME_MS, price="12", quantity="3", taker_side="sell", taker_order=7, busted=True)]},
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
    ("studies", {"bars": [bar(19, {}, closed=False), bar(20, WARM)]}, "101.003"),
    ("studies", {"bars": [bar(19, {}, closed=False)]}, "so far"),
    ("studies", {"bars": []}, "No indicators yet"),
    ("indicators", {"newest": bar(12, {"ema(12)": 5.0}), "book": None, "outside": [], "span": "1m"}, "not warm yet: 12 of 20 bars"),
    ("indicators", {"newest": bar(12, {"ema(12)": 5.0}), "book": None, "outside": [], "span": "1m"}, "Nothing measured yet"),
    ("indicators", {"newest": bar(99, WARM, closed=False), "book": bar(3, {"spread": 2.0}), "outside": [], "span": "1m"}, "so far in the 1m candle of 2008-03-01 06:00:00"),
    ("indicators", {"newest": None, "book": bar(3, {"spread": 2.0}, closed=False), "outside": [], "span": "1m"}, "not known in this second"),
    ("indicators", {"newest": None, "book": None, "outside": [SeriesShown(source=HOSTILE, span_ms=0, newest=bar(7, {}))], "span": "1s"}, "as they come"),
    ("indicators", {"newest": None, "book": None, "outside": [], "span": "1s"}, "choose a span of 1m or more"),
    ("indicators", {"newest": None, "book": None, "outside": [], "span": "1h"}, "may be off, or still be reading"),
    ("figures", {"analysis": ANALYSIS, "behind_ms": None}, "as of 2008-03-01 06:00:00"),
    ("figures", {"analysis": ANALYSIS, "behind_ms": TIME_MS + 60_000}, "Behind the market, whose last trade is of 2008-03-01 06:01:00"),
    ("figures", {"analysis": YOUNG, "behind_ms": None}, "not warm yet"),
    ("figures", {"analysis": None, "behind_ms": None}, "Nothing has been computed of this symbol yet"),
    ("signals", {"signals": [SIGNAL, HOLD, OPEN_SIGNAL], "marks": [SIGNAL, HOLD, OPEN_SIGNAL], "span": "1m"}, f"RSI 27.9 < 30 {HOSTILE}"),
    ("signals", {"signals": [OPEN_SIGNAL], "marks": [], "span": "1m"}, "not known yet"),
    ("signals", {"signals": [HOLD], "marks": [], "span": "1m"}, "nothing to follow up"),
    ("signals", {"signals": [], "marks": [], "span": "1m"}, "No rule has said anything of bars of 1m yet"),
    ("signals", {"signals": [], "marks": [], "span": "1s"}, "choose a span of 1m or more"),
    ("scores", {"scores": [SCORE, SURE, SILENT], "span": "1m"}, "75.00"),
    ("scores", {"scores": [SCORE, SURE, SILENT], "span": "1m"}, "over 130 bars of 1m up to 2008-03-01 06:00:00"),
    ("scores", {"scores": [SCORE, SURE, SILENT], "span": "1m"}, "could be followed up so far: vote"),
    ("scores", {"scores": [SILENT], "span": "1m"}, "No signal of bars of 1m could be followed up yet"),
    ("scores", {"scores": [], "span": "1s"}, "choose a span of 1m or more"),
    ("windows", {"windows": [WINDOW]}, "\N{MINUS SIGN}0.25"),
    ("windows", {"windows": []}, "No window has ended yet"),
    ("breadth", {"breadth": BREADTH, "leaders": [LEADER]}, "5 rose"),
    ("breadth", {"breadth": BREADTH, "leaders": [LEADER]}, "Least profit"),
    ("breadth", {"breadth": NO_BREADTH, "leaders": []}, "Nobody yet"),
    ("breadth", {"breadth": None, "leaders": []}, "Nothing has been computed of the market yet"),
    ("unread", {"unread": 3, "here": False}, "3 unread"),
    ("unread", {"unread": 0, "here": True}, "Alerts"),
    ("inbox", {"inbox": InboxShown(told=7, alerts=[TOLD, TOLD]), "unread": 1}, "1 unread of 7"),
    ("inbox", {"inbox": InboxShown(told=7, alerts=[TOLD]), "unread": 0}, f"it fell {HOSTILE}"),
    ("inbox", {"inbox": InboxShown(told=0, alerts=[]), "unread": 0}, "Nothing yet"),
    ("alerts", {"rules_set": RULES_SET}, "the price crosses 101.25 from below"),
    ("alerts", {"rules_set": RULES_SET}, f"{HOSTILE} says BUY"),
    ("alerts", {"rules_set": RULES_SET}, "then quiet for 1 minute"),
    ("alerts", {"rules_set": []}, "None yet"),
    ("alerts", {"rules_set": None}, "cannot be listed now"),
    ("alert", {"form": AlertForm(), **ALERT_FORM}, "Set an alert"),
    (
        "alert",
        {"form": AlertForm(name='"><script>', errors=dict.fromkeys((*ALERT_TYPED, "channels"), HOSTILE), notice=HOSTILE, tone="bad"), **ALERT_FORM},
        HOSTILE,
    ),
    ("alert", {"form": AlertForm(), **ALERT_FORM, "done": ("dip is set.", "good")}, "dip is set."),
    ("alert", {"form": AlertForm(), **ALERT_FORM, "sends": False, "sign_in_way": "/sign-in"}, "everybody else shares this account. Sign in to have"),
    ("alert", {"form": AlertForm(), **ALERT_FORM, "sends": False, "sign_in_way": None}, "has no users"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "context", "words"), CASES)
def test_a_partial_is_one_element_that_says_what_there_is(name: str, context: dict[str, Any], words: str) -> None:
    roots = Roots(RENDERER.partial(name, **context))
    assert [(root["id"], root["hx-swap-oob"]) for root in roots.found] == [(name, "morph")]
    assert words in roots.text


@pytest.mark.parametrize(
    ("name", "context", "_"), [case for case in CASES if HOSTILE in repr(case[1]) or "<script>" in repr(case[1])]
)
def test_markup_in_what_others_wrote_is_only_text(name: str, context: dict[str, Any], _: str) -> None:
    html = RENDERER.partial(name, **context)
    assert "<b" not in html.replace("<button", "")
    assert "<script" not in html


def test_the_chart_is_handed_its_rows_and_marks_as_json() -> None:
    rows = re.search(r'data-rows="(.*?)"', RENDERER.partial("studies", bars=[bar(19, {"sma(20)": 1 / 3})]))
    assert rows
    assert json.loads(rows[1]) == [[TIME_MS, 1 / 3, *[None] * (len(OUTPUTS) - 1)]]
    told = [msgspec.structs.replace(OPEN_SIGNAL, start_ms=TIME_MS + 1), HOLD, SIGNAL]
    marks = re.search(r'data-marks="(.*?)"', RENDERER.partial("signals", signals=[], marks=told, span="1m"))
    assert marks
    assert json.loads(unescape(marks[1])) == [
        [TIME_MS, "BUY", HOSTILE, SIGNAL.reason],
        [TIME_MS + 1, "SELL", HOSTILE, SIGNAL.reason],
    ]


def test_the_style_sheet_hides_the_columns_of_whatever_is_not_chosen() -> None:
    style = (TEMPLATES.parent / "gateway" / "static" / "openbell.css").read_text()
    for study in (*LINES, *PANES):
        assert f")) .of-{study.key}" in style
    for number in range(1, len(LINES) + 1):
        assert style.count(f"--line-{number}: ") == 2
        assert f".ink-{number} " in style


def test_a_wrong_field_of_an_alert_is_tied_to_its_message() -> None:
    html = RENDERER.partial("alert", form=AlertForm(errors={"price": "Write a number."}), **ALERT_FORM)
    assert html.count('aria-invalid="true" aria-describedby="price-error"') == 1
    assert '<p class="error" id="price-error">Write a number.</p>' in html


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
