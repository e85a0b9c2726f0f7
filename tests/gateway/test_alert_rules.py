"""Alerts that are set over the REST API, and how each wrong field is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from litestar.testing import TestClient

from exchange.analysis import (
    ChangeReaches,
    IndicatorReaches,
    OrderFills,
    PriceCrosses,
    RemoveAlert,
    SetAlert,
    SignalAppears,
    VolumeSpikes,
)
from exchange.packets import encode
from gateway.alerts.rules import (
    RULES_MAX,
    AlertPorts,
    AlertService,
    InboxOnly,
    MemoryAlertRules,
    RedisAlertRules,
    TooManyAlerts,
)
from gateway.ports import NotTaken, UnknownOutcome, ViewsUnavailable
from tests.gateway.adapters import ACCOUNT, LOCAL, Bench, Floor, FloorCommands, app_over, running
from tests.gateway.let_in import House, house
from tests.gateway.notified import NOW_MS, Venue, played, until

API = "/api/native/alerts"
CROSSES: dict[str, Any] = {"type": "PriceCrosses", "price": 101.5, "direction": "up"}
GOOD: dict[str, Any] = {"symbol": "AAPLUSD", "condition": CROSSES, "channels": ["inbox"]}


@pytest.fixture(scope="module")
def bench(redis_url: str) -> Iterator[Bench]:
    with running(redis_url, "alerting") as started:
        yield started


@pytest.fixture
def home(redis_url: str, venue: str, tmp_path: Path) -> Iterator[House]:
    """An application of the test's own, with ann in it, who has the account that visitors share."""
    with house(redis_url, venue, tmp_path) as started:
        started.user("ann", account=ACCOUNT)
        yield started


@pytest.fixture
def fresh(redis_url: str, venue: str) -> Iterator[Bench]:
    """An application of the test's own."""
    with running(redis_url, venue) as started:
        yield started


def rule(name: str = "a", **fields: Any) -> SetAlert:
    given: dict[str, Any] = {"account": ACCOUNT, "condition": OrderFills(), "channels": ["inbox"], **fields}
    return SetAlert(alert=name, **given)


def test_alerts_are_set_replaced_shown_and_removed(home: House) -> None:
    client = home.client
    client.headers.update(home.key("ann", "read", "trade"))
    assert client.get(API).json() == []
    second = {
        "condition": {"type": "OrderFills"},
        "channels": ["webhook", "email"],
        "email": "ann@example.org",
        "webhook": "https://example.org/hook",
        "cool_down_ms": 60_000,
    }
    answers = [
        client.put(f"{API}/b", json=GOOD),
        client.put(f"{API}/b", json=second),
        client.put(f"{API}/a", json=GOOD),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    first_shown = {
        "name": "a",
        "symbol": "AAPLUSD",
        "condition": CROSSES,
        "channels": ["inbox"],
        "email": None,
        "webhook": None,
        "cool_down_ms": 0,
    }
    second_shown = {**second, "name": "b", "symbol": None, "channels": ["email", "webhook"]}
    assert answers[1].json() == second_shown
    assert client.get(API).json() == [first_shown, second_shown]
    for _ in range(2):
        answer = client.delete(f"{API}/a")
        assert (answer.status_code, answer.json()) == (200, {"name": "a"})
    assert client.get(API).json() == [second_shown]


SENT: Final[list[dict[str, Any]]] = [
    {"channels": ["email"], "email": "ann@example.org"},
    {"channels": ["webhook"], "webhook": "https://example.org/hook"},
    {"channels": ["inbox", "email"], "email": "ann@example.org"},
]
"""What has an alert go out."""


@pytest.mark.parametrize("sent", SENT)
def test_only_whoever_is_known_has_alerts_go_out(home: House, sent: dict[str, Any]) -> None:
    answer = home.client.put(f"{API}/out", json=GOOD | sent)
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "error": "INBOX_ONLY",
            "message": "Nothing was set: alerts go out by e-mail or webhook only for somebody who is signed in.",
            "fields": {"channels": 'Write ["inbox"], or send an API key with X-Api-Key.'},
        },
    )
    assert home.client.get(API).json() == []
    for known in (home.session("ann"), home.key("ann", "trade")):
        home.client.cookies.clear()
        assert home.client.put(f"{API}/out", json=GOOD | sent, headers=known).status_code == 200
    assert home.client.get(API).json()[0]["channels"] == sent["channels"]
    assert home.client.put(f"{API}/out", json=GOOD).json()["channels"] == ["inbox"]  # a visitor may keep it in
    assert home.client.delete(f"{API}/out").status_code == 200
    assert home.client.get(API).json() == []


def test_where_there_are_no_users_nobody_has_alerts_go_out(bench: Bench) -> None:
    answer = bench.client.put(f"{API}/out", json=GOOD | SENT[0])
    assert (answer.status_code, answer.json()["error"]) == (403, "INBOX_ONLY")
    assert "no users" in answer.json()["fields"]["channels"]


def test_the_service_itself_lets_nothing_out_whoever_calls_it() -> None:
    async def scenario() -> None:
        rules = MemoryAlertRules()
        inside, outside = (AlertService(AlertPorts(rules, rules), ACCOUNT, sends=sends) for sends in (False, True))
        out = rule(channels=["inbox", "webhook"], webhook="https://example.org/hook")
        with pytest.raises(InboxOnly):
            await inside.set(out)
        assert rules.written == []
        await outside.set(out)
        await inside.remove(out.alert)
        assert await inside.rules() == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (CROSSES, PriceCrosses(price=101.5, direction="up")),
        ({"type": "PriceCrosses", "price": 1, "direction": "either"}, PriceCrosses(price=1.0, direction="either")),
        ({"type": "ChangeReaches", "percent": 5}, ChangeReaches(percent=5.0)),
        ({"type": "VolumeSpikes", "times": 3.5, "span_ms": 60_000}, VolumeSpikes(times=3.5, span_ms=60_000)),
        (
            {"type": "IndicatorReaches", "name": "rsi(14)", "direction": "below", "value": 30, "span_ms": 60_000},
            IndicatorReaches(name="rsi(14)", direction="below", value=30.0, span_ms=60_000),
        ),
        (
            {"type": "IndicatorReaches", "name": "macd(12,26,9).signal", "direction": "above", "value": -0.5,
             "span_ms": 0, "source": "bokeh"},
            IndicatorReaches(name="macd(12,26,9).signal", direction="above", value=-0.5, span_ms=0, source="bokeh"),
        ),
        ({"type": "SignalAppears", "rule": "sma-cross(20,50)"}, SignalAppears(rule="sma-cross(20,50)")),
        ({"type": "SignalAppears", "rule": "vote", "action": "SELL"}, SignalAppears(rule="vote", action="SELL")),
        ({"type": "OrderFills"}, OrderFills()),
    ],
)  # fmt: skip
def test_every_condition_can_be_set(redis_url: str, venue: str, given: dict[str, Any], made: Any) -> None:
    rules = MemoryAlertRules()
    floor = Floor(redis_url, venue)
    with TestClient(app_over(floor, FloorCommands(floor), rules=rules), base_url=LOCAL) as client:
        answer = client.put(f"{API}/a", json={**GOOD, "condition": given})
        assert answer.status_code == 200, answer.text
        assert client.delete(f"{API}/a").status_code == 200
    assert rules.written == [rule(condition=made, symbol="AAPLUSD"), RemoveAlert(account=ACCOUNT, alert="a")]


@pytest.mark.parametrize("source", ["@trades", "@book", "outside"])
def test_only_what_comes_from_outside_may_be_of_an_unlisted_symbol(bench: Bench, source: str) -> None:
    condition = {"type": "IndicatorReaches", "name": "spread", "direction": "above", "value": 1, "span_ms": 60_000}
    asked = {**GOOD, "symbol": "MSFT", "condition": {**condition, "source": source}}
    answer = bench.client.put(f"{API}/a", json=asked)
    assert answer.status_code == (200 if source == "outside" else 422)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"symbol": "NOPE"}, {"symbol"}),
        ({"symbol": 7}, {"symbol"}),
        ({"condition": None}, {"condition"}),
        ({"condition": "PriceCrosses"}, {"condition"}),
        ({"condition": {}}, {"condition.type"}),
        ({"condition": {"type": "Nonsense"}}, {"condition.type"}),
        ({"condition": {"type": "PriceCrosses"}}, {"condition.price", "condition.direction"}),
        ({"condition": {**CROSSES, "price": 0}}, {"condition.price"}),
        ({"condition": {**CROSSES, "price": -1}}, {"condition.price"}),
        ({"condition": {**CROSSES, "price": "101.5"}}, {"condition.price"}),
        ({"condition": {**CROSSES, "price": True}}, {"condition.price"}),
        ({"condition": {**CROSSES, "price": 1e300}}, {"condition.price"}),
        ({"condition": {**CROSSES, "direction": "sideways"}}, {"condition.direction"}),
        ({"condition": {**CROSSES, "percent": 5}}, {"condition.percent"}),
        ({"condition": {"type": "ChangeReaches", "percent": 0}}, {"condition.percent"}),
        ({"condition": {"type": "ChangeReaches", "percent": 1001}}, {"condition.percent"}),
        ({"condition": {"type": "VolumeSpikes", "times": 1, "span_ms": 60_000}}, {"condition.times"}),
        ({"condition": {"type": "VolumeSpikes", "times": 2, "span_ms": 61_000}}, {"condition.span_ms"}),
        ({"condition": {"type": "SignalAppears", "rule": "DROP TABLE"}}, {"condition.rule"}),
        ({"condition": {"type": "SignalAppears", "rule": "a" * 65}}, {"condition.rule"}),
        ({"condition": {"type": "SignalAppears", "rule": "vote", "action": "buy"}}, {"condition.action"}),
        (
            {"condition": {"type": "IndicatorReaches", "name": "rsi(14", "direction": "up", "value": None,
                           "span_ms": -1, "source": "a b"}},
            {"condition.name", "condition.direction", "condition.value", "condition.span_ms", "condition.source"},
        ),
        (
            {"condition": {"type": "IndicatorReaches", "name": "rsi(14)", "direction": "above", "value": 1, "span_ms": 1_000}},
            {"condition.span_ms"},
        ),
        ({"channels": []}, {"channels"}),
        ({"channels": "inbox"}, {"channels"}),
        ({"channels": ["inbox", "inbox"]}, {"channels"}),
        ({"channels": ["pigeon"]}, {"channels"}),
        ({"channels": ["inbox", {}]}, {"channels"}),
        ({"channels": ["email"]}, {"email"}),
        ({"channels": ["email"], "email": "ann"}, {"email"}),
        ({"channels": ["email"], "email": "ann@example.org\r\nBcc: all@example.org"}, {"email"}),
        ({"channels": ["webhook"]}, {"webhook"}),
        ({"channels": ["webhook"], "webhook": "ftp://example.org"}, {"webhook"}),
        ({"channels": ["webhook"], "webhook": "https://ann:secret@example.org"}, {"webhook"}),
        ({"email": "ann@example.org"}, {"email"}),
        ({"webhook": "https://example.org"}, {"webhook"}),
        ({"cool_down_ms": -1}, {"cool_down_ms"}),
        ({"cool_down_ms": 2_592_000_001}, {"cool_down_ms"}),
        ({"symbol": "NOPE", "channels": [], "condition": None}, {"symbol", "channels", "condition"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_set(bench: Bench, change: dict[str, Any], wrong: set[str]) -> None:
    answer = bench.client.put(f"{API}/wrong", json={**GOOD, **change})
    body = answer.json()
    assert (answer.status_code, body["error"], set(body["fields"])) == (422, "INVALID_FIELDS", wrong)
    assert all(text.endswith(".") for text in body["fields"].values())
    assert "wrong" not in [each["name"] for each in bench.client.get(API).json()]


@pytest.mark.parametrize("name", ["a b", "x" * 65, "%C3%BC", "a%0Ab"])
def test_a_name_that_no_alert_can_have_is_refused(bench: Bench, name: str) -> None:
    for answer in (bench.client.put(f"{API}/{name}", json=GOOD), bench.client.delete(f"{API}/{name}")):
        assert (answer.status_code, set(answer.json()["fields"])) == (422, {"name"})


def test_fields_that_do_not_exist_and_bodies_that_are_none_are_refused(bench: Bench) -> None:
    answer = bench.client.put(f"{API}/a", json={**GOOD, "account": "bob", "condition": {**CROSSES, "x": 1}})
    assert (answer.status_code, answer.json()["error"]) == (400, "UNKNOWN_FIELD")
    assert set(answer.json()["fields"]) == {"account", "condition.x"}
    assert bench.client.put(f"{API}/a", content=b"{").status_code == 415
    assert bench.client.put(f"{API}/a", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_an_account_has_a_bounded_number_of_alerts_and_may_still_replace_one() -> None:
    async def scenario() -> None:
        rules = MemoryAlertRules()
        service = AlertService(AlertPorts(rules, rules), ACCOUNT, sends=False)
        for number in range(RULES_MAX):
            await service.set(rule(f"n{number}"))
        with pytest.raises(TooManyAlerts, match="remove one first"):
            await service.set(rule("more"))
        await service.set(rule("n7", cool_down_ms=5))
        await service.remove("n8")
        await service.set(rule("more"))
        assert len(await service.rules()) == RULES_MAX

    asyncio.run(scenario())


def test_too_many_alerts_are_refused_with_what_to_do(fresh: Bench) -> None:
    for number in range(RULES_MAX):
        assert fresh.client.put(f"{API}/n{number}", json=GOOD).status_code == 200
    answer = fresh.client.put(f"{API}/more", json=GOOD)
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "error": "TOO_MANY_ALERTS",
            "message": "Nothing was set: the account has 100 alerts: remove one first.",
            "fields": {"name": "Remove an alert first."},
        },
    )


class FailingRules(MemoryAlertRules):
    """Rules whose log or view fails as a test asks."""

    def __init__(self, error: Exception, *, reads: bool) -> None:
        super().__init__()
        self.error = error
        self.reads = reads

    async def write(self, command: Any) -> None:
        del command
        raise self.error

    async def rules(self, account: str) -> list[SetAlert]:
        if self.reads:
            raise self.error
        return await super().rules(account)


@pytest.mark.parametrize(
    ("error", "reads", "status", "code"),
    [
        (NotTaken("nothing was sent"), False, 503, "NOT_TAKEN"),
        (UnknownOutcome("it was sent"), False, 504, "UNKNOWN_OUTCOME"),
        (ViewsUnavailable("no notifier"), True, 503, "VIEWS_UNAVAILABLE"),
    ],
)
def test_what_fails_behind_the_gateway_is_told(
    redis_url: str, venue: str, error: Exception, status: int, code: str, *, reads: bool
) -> None:
    floor = Floor(redis_url, venue)
    app = app_over(floor, FloorCommands(floor), rules=FailingRules(error, reads=reads))
    with TestClient(app, base_url=LOCAL) as client:
        answer = client.put(f"{API}/a", json=GOOD)
        assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_where_nobody_trades_nobody_sets_alerts(redis_url: str, venue: str) -> None:
    with running(redis_url, venue, demo_account=None) as started:
        answers = (
            started.client.get(API),
            started.client.put(f"{API}/a", json=GOOD),
            started.client.delete(f"{API}/a"),
        )
        assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
            (404, "NO_ACCOUNT"),
            (401, "NOT_SIGNED_IN"),
            (401, "NOT_SIGNED_IN"),
        ]


def test_rules_are_read_from_what_the_notifier_keeps_and_not_before_all_are_there(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        view = RedisAlertRules(redis_url, venue)
        with pytest.raises(ViewsUnavailable):
            await view.rules(ACCOUNT)
        kept = [rule("a", condition=PriceCrosses(price=1.5, direction="down"), symbol="AAPLUSD"), rule("b")]
        written = [
            kept[1],
            rule("gone"),
            rule("c", account="other"),
            kept[0],
            RemoveAlert(account=ACCOUNT, alert="gone"),
        ]
        for command in written:
            stage.log.append(stage.log.rules, command.account, encode(command), NOW_MS)
        async with stage.notifier({}):
            await until(lambda: stage.redis.hexists(stage.keys.position, "rules"))
            assert await view.rules(ACCOUNT) == kept
            assert await view.rules("nobody") == []
        await view.close()

    played(scenario)


def test_without_redis_the_rules_cannot_be_read() -> None:
    async def scenario() -> None:
        view = RedisAlertRules("redis://127.0.0.1:1/0", "v")
        with pytest.raises(ViewsUnavailable):
            await view.rules(ACCOUNT)
        await view.close()

    asyncio.run(scenario())
