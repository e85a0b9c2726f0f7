"""The page of alerts: a form that says beside its fields what REST says of them, the list, and an inbox that knows what was read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from exchange import analysis as a
from exchange.analysis import SetAlert
from gateway.alerts.cookie import NAME
from gateway.alerts.form import CONDITIONS, TYPED, asked
from gateway.alerts.reading import CONDITIONS as READ
from gateway.alerts.rules import RULES_MAX, MemoryAlertRules
from gateway.ports import NotTaken, UnknownOutcome, ViewsUnavailable
from tests.gateway import facts
from tests.gateway.adapters import ACCOUNT, Bench, running
from tests.gateway.facts import say
from tests.gateway.let_in import House, house

GOOD = {
    "name": "dip",
    "symbol": "AAPLUSD",
    "type": "PriceCrosses",
    "price": "99.5",
    "crossing": "down",
    "inbox_on": "true",
}
OTHERS = {"percent": "", "times": "", "volume_span": "60000", "indicator": "rsi(14)", "beyond": "above", "value": "",
          "indicator_span": "60000", "rule": "vote", "action": "", "email": "", "webhook": "", "quiet": ""}  # fmt: skip
"""What a browser sends of the form's other fields, which are not seen."""


class Rules(MemoryAlertRules):
    """Rules that fail as a test asks."""

    failure: Exception | None = None
    hidden = False

    async def write(self, command: Any) -> None:
        if self.failure:
            raise self.failure
        await super().write(command)

    async def rules(self, account: str) -> list[SetAlert]:
        if self.hidden:
            raise ViewsUnavailable("no notifier has been at work")
        return await super().rules(account)


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def bench(redis_url: str, venue: str, rules: Rules) -> Iterator[Bench]:
    with running(redis_url, venue, rules=rules, answer_s=0.3) as started:
        yield started


@pytest.fixture
def member(redis_url: str, venue: str, tmp_path: Path) -> Iterator[House]:
    """The page of somebody who is signed in, and has the account that visitors share."""
    with house(redis_url, venue, tmp_path) as started:
        started.user("ann", account=ACCOUNT)
        started.client.headers.update(started.session("ann"))
        yield started


def written(home: House) -> list[Any]:
    """Return what was written of alerts."""
    return list(home.client.app.state["services"].alerts.commands.written)


def post(bench: Bench | House, **fields: str) -> Any:
    return bench.client.post("/alerts", data=OTHERS | GOOD | fields)


def wrong(html: str) -> dict[str, str]:
    """Return what is said beside fields."""
    return {field: unescape(what) for field, what in re.findall(r'<p class="error" id="(\w+)-error">([^<]*)</p>', html)}


CASES: list[tuple[dict[str, str], a.Condition]] = [
    ({"type": "PriceCrosses", "price": " 99.5 ", "crossing": "down"}, a.PriceCrosses(price=99.5, direction="down")),
    ({"type": "ChangeReaches", "percent": "5"}, a.ChangeReaches(percent=5.0)),
    ({"type": "VolumeSpikes", "times": "3", "volume_span": "300000"}, a.VolumeSpikes(times=3.0, span_ms=300_000)),
    (
        {"type": "IndicatorReaches", "indicator": "macd(12,26,9).signal", "beyond": "below", "value": "-0.5"},
        a.IndicatorReaches(name="macd(12,26,9).signal", direction="below", value=-0.5, span_ms=60_000),
    ),
    (
        {"type": "IndicatorReaches", "indicator": "spread", "value": "2"},
        a.IndicatorReaches(name="spread", direction="above", value=2.0, span_ms=1_000, source="@book"),
    ),
    ({"type": "SignalAppears", "rule": "vote", "action": "BUY"}, a.SignalAppears(rule="vote", action="BUY")),
    ({"type": "SignalAppears", "rule": "rsi-bounds(14,30,70)"}, a.SignalAppears(rule="rsi-bounds(14,30,70)")),
    ({"type": "OrderFills"}, a.OrderFills()),
]


@pytest.mark.parametrize(("fields", "condition"), CASES)
def test_every_condition_can_be_set_and_is_listed(
    bench: Bench, rules: Rules, fields: dict[str, str], condition: a.Condition
) -> None:
    answer = post(bench, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?set=dip")
    expected = SetAlert(account=ACCOUNT, alert="dip", condition=condition, channels=["inbox"], symbol="AAPLUSD")
    assert rules.written == [expected]
    html = bench.client.get(answer.headers["location"]).text
    assert "dip is set" in html
    assert 'action="/alerts/dip/remove"' in html


def test_every_condition_has_its_place_in_the_form() -> None:
    assert [kind for kind, _ in CONDITIONS] == list(READ)
    for kind, (_, readers) in READ.items():
        assert set(asked({"type": kind})["condition"]) | {"source"} == {"type", "source", *readers}


OUT = {"email_on": "true", "email": "ann@example.org", "webhook_on": "true", "webhook": "https://example.org/h"}
"""What has an alert go out."""


def test_channels_targets_and_quiet_minutes_are_taken(member: House) -> None:
    assert post(member, **OUT, symbol="", quiet="5").status_code == 303
    assert written(member) == [
        SetAlert(
            account=ACCOUNT, alert="dip", condition=a.PriceCrosses(price=99.5, direction="down"),
            channels=["inbox", "email", "webhook"], email="ann@example.org", webhook="https://example.org/h", cool_down_ms=300_000,
        )
    ]  # fmt: skip


@pytest.mark.parametrize("channel", ["email", "webhook"])
def test_a_visitors_alert_goes_out_to_nobody(bench: Bench, rules: Rules, channel: str) -> None:
    form = bench.client.get("/alerts").text
    assert re.findall(r'name="(\w+)" type="checkbox"', form) == ["inbox_on"]
    assert not set(re.findall(r' name="(\w+)"', form)) & {"email", "webhook"}
    assert "everybody else shares this account" in form
    only = {name: value for name, value in OUT.items() if name.startswith(channel)}
    answer = post(bench, **only, price="77")
    assert answer.status_code == 403
    assert set(wrong(answer.text)) == {"channels"}
    assert "sign in for the other ways" in wrong(answer.text)["channels"]
    assert 'value="77"' in answer.text
    assert rules.written == []


def test_where_one_can_sign_in_the_form_leads_there_and_for_who_has_it_offers_all_ways(
    bench: Bench, member: House
) -> None:
    own = member.client.get("/alerts").text
    assert re.findall(r'name="(\w+)" type="checkbox"', own) == ["inbox_on", "email_on", "webhook_on"]
    assert "shares this account" not in own
    member.client.headers.pop("cookie")
    assert '<a href="/sign-in?next=/alerts">Sign in</a> to have them.' in member.client.get("/alerts").text
    assert post(member, **OUT).status_code == 403
    assert written(member) == []
    assert "This server has no users" in bench.client.get("/alerts").text


def test_what_a_visitor_had_go_out_before_is_listed_replaced_and_removed(bench: Bench, rules: Rules) -> None:
    for name in ("dip", "old"):
        rules.written.append(
            SetAlert(account=ACCOUNT, alert=name, condition=a.OrderFills(), channels=["email"], email="ann@example.org")
        )
    assert bench.client.get("/alerts").text.count("To e-mail to ann@example.org") == 2
    assert post(bench).status_code == 303
    assert bench.client.post("/alerts/old/remove").status_code == 303
    html = bench.client.get("/alerts").text
    assert "ann@example.org" not in html
    assert re.findall(r'action="/alerts/(\w+)/remove"', html) == ["dip"]


WRONG: list[tuple[dict[str, str], set[str]]] = [
    ({"name": ""}, {"name"}),
    ({"name": "a b"}, {"name"}),
    ({"name": "<b>"}, {"name"}),
    ({"symbol": "NOPE"}, {"symbol"}),
    ({"type": "Astrology"}, {"type"}),
    ({"type": ""}, {"type"}),
    *(({"price": price}, {"price"}) for price in ("", "0", "-1", "abc", "1e5", "NaN", "1_000", "\uff19", "9" * 20)),
    ({"crossing": "sideways"}, {"crossing"}),
    ({"type": "ChangeReaches", "percent": "1001"}, {"percent"}),
    ({"type": "VolumeSpikes", "times": "1", "volume_span": "7"}, {"times", "volume_span"}),
    ({"type": "IndicatorReaches", "indicator": "R S I", "value": "x"}, {"indicator", "value"}),
    ({"type": "IndicatorReaches", "value": "1", "indicator_span": "1000"}, {"indicator_span"}),
    ({"type": "SignalAppears", "rule": "", "action": "MAYBE"}, {"rule", "action"}),
    ({"inbox_on": ""}, {"channels"}),
    *(({"quiet": quiet}, {"quiet"}) for quiet in ("-1", "1.5", "soon", "43201")),
]


@pytest.mark.parametrize(("fields", "places"), WRONG)
def test_what_is_wrong_is_said_beside_its_field_which_is_shown_as_typed(
    bench: Bench, rules: Rules, fields: dict[str, str], places: set[str]
) -> None:
    refused(post(bench, **fields), fields, places)
    assert rules.written == []


def refused(answer: Any, fields: dict[str, str], places: set[str]) -> None:
    """Assert that something is said beside some fields, which are shown as they were typed."""
    assert answer.status_code == 422
    assert set(wrong(answer.text)) == places
    for name in {"name", "price", "percent", "value", "quiet", "email", "webhook"} & set(fields):
        shown = re.search(rf'id="{name}" name="{name}"[^>]* value="([^"]*)"', answer.text)
        assert shown
        assert unescape(shown[1]) == fields[name]


def test_what_is_wrong_with_an_address_is_said_beside_it(member: House) -> None:
    for fields, place in (
        ({"email": "ann@example.org"}, "email"),
        ({"email_on": "true"}, "email"),
        ({"webhook_on": "true", "webhook": "ftp://example.org"}, "webhook"),
    ):
        refused(post(member, **fields), fields, {place})
    assert written(member) == []


def test_a_form_that_is_typed_again_keeps_its_boxes_and_choices(member: House) -> None:
    html = post(member, price="x", crossing="up", email_on="true", email="ann@example.org").text
    assert re.findall(r'name="(\w+)" type="checkbox" value="true" checked', html) == ["inbox_on", "email_on"]
    assert '<option value="up" selected>' in html
    assert "<option selected>AAPLUSD</option>" in html
    assert set(TYPED) <= set(re.findall(r' name="(\w+)"', html))


def test_a_removed_alert_is_gone_and_one_that_never_was_can_be_removed(bench: Bench) -> None:
    post(bench)
    for _ in range(2):
        answer = bench.client.post("/alerts/dip/remove")
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?removed=dip")
    html = bench.client.get("/alerts?removed=dip").text
    assert "dip is removed" in html
    assert "None yet: set one" in html
    assert bench.client.post("/alerts/%3Cb%3E/remove").status_code == 404


def test_more_alerts_than_one_may_have_are_refused(bench: Bench, rules: Rules) -> None:
    for number in range(RULES_MAX):
        rules.written.append(
            SetAlert(account=ACCOUNT, alert=f"a{number}", condition=a.OrderFills(), channels=["inbox"])
        )
    answer = post(bench)
    assert answer.status_code == 409
    assert f"the account has {RULES_MAX} alerts" in answer.text


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [(NotTaken("nothing was sent"), 503, "Nothing was sent."), (UnknownOutcome("it was sent"), 504, "Set it again")],
)
def test_an_alert_that_is_not_taken_or_not_confirmed_stays_in_the_form(
    bench: Bench, rules: Rules, failure: Exception, status: int, words: str
) -> None:
    rules.failure = failure
    answer = post(bench)
    assert answer.status_code == status
    assert words in answer.text
    assert 'value="99.5"' in answer.text


def test_without_a_notifier_the_page_says_that_it_cannot_list_the_alerts(bench: Bench, rules: Rules) -> None:
    rules.hidden = True
    html = bench.client.get("/alerts").text
    assert "cannot be listed now" in html
    assert "Inbox" in html


def test_the_inbox_counts_what_is_unread_until_it_is_marked_as_read(bench: Bench) -> None:
    say(bench.floor.projected, *(facts.alert(f"trade {number}", text=f"<b>{number}") for number in range(3)))
    bench.floor.projected.project()
    html = bench.client.get("/alerts").text
    assert "3 unread of 3" in html
    assert "&lt;b&gt;2" in html
    assert '<span class="badge">3<' in bench.client.get("/").text
    answer = bench.client.post("/alerts/read", data={"told": "3"})
    assert answer.status_code == 303
    assert re.search(rf"{NAME}=3;.*HttpOnly", answer.headers["set-cookie"])
    assert 'class="badge"' not in bench.client.get("/").text
    assert "0 unread of 3" in bench.client.get("/alerts").text
    assert bench.client.post("/alerts/read", data={"told": "many"}).status_code == 400


@pytest.mark.parametrize("kept", ["-1", "x", "9" * 20, "\xb2"])
def test_a_cookie_of_nonsense_has_read_nothing(bench: Bench, kept: str) -> None:
    say(bench.floor.projected, facts.alert())
    bench.floor.projected.project()
    assert "1 unread of 1" in bench.client.get("/alerts", headers={"cookie": f"{NAME}={kept}".encode("latin-1")}).text


def test_an_alert_comes_into_an_open_inbox_and_onto_every_page(bench: Bench) -> None:
    with (
        bench.client.websocket_connect("/live/alerts") as inbox,
        bench.client.websocket_connect("/live/market/AAPLUSD") as market,
    ):
        with bench.floor.lock:
            say(bench.floor.projected, facts.alert(text="it fell"))
            bench.floor.projected.project(publish=True)
        until(inbox, "it fell")
        until(market, '<span class="badge">1<')


def until(socket: Any, words: str) -> None:
    while words not in socket.receive_text():
        pass


def test_an_alert_of_a_symbol_begins_with_it_and_of_an_unknown_one_with_all(bench: Bench) -> None:
    assert "<option selected>COINUSD</option>" in bench.client.get("/alerts?symbol=COINUSD").text
    assert "<option selected>" not in form_symbols(bench.client.get("/alerts?symbol=<b>").text)


def form_symbols(html: str) -> str:
    return html[html.index('<select id="symbol"') : html.index("</select>", html.index('<select id="symbol"'))]
