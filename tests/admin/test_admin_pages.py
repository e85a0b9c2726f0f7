"""The pages of those who run a venue: what they show, what they do, to whom they refuse it, and that it is written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyotp import TOTP

from gateway.identity.errors import NotAllowed
from tests.admin.administered import Administered, administered
from tests.gateway.let_in import HERE, PASSWORD


@pytest.fixture(scope="module")
def home(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administered]:
    with administered(redis_url, "admin", tmp_path_factory.mktemp("admin"), answer_s=3.0) as started:
        yield started


def soon(what: Callable[[], Any]) -> Any:
    """Return what comes true within five seconds."""
    until = time.monotonic() + 5
    while not (found := what()):
        assert time.monotonic() < until, "not within five seconds"
        time.sleep(0.01)
    return found


def phase(home: Administered, symbol: str = "AAPLUSD") -> str:
    return str(home.client.get(f"/api/native/markets/{symbol}").json()["phase"])


# The market


def test_a_halt_is_seen_by_all_and_written_down(home: Administered) -> None:
    assert home.post("/admin/market/AAPLUSD/halt", "ora").headers["location"] == "/admin/market?done=phase&of=AAPLUSD"
    assert phase(home) == "halt"
    page = home.get("/admin/market?done=phase&of=AAPLUSD", "ora").text
    assert "The market of AAPLUSD has changed its phase." in page
    assert 'action="/admin/market/AAPLUSD/resume"' in page
    assert ("ora", "AAPLUSD", "done") in home.written("market-phase")
    assert home.post("/admin/market/AAPLUSD/resume", "ora").status_code == 303
    assert phase(home) == "continuous"


def test_what_is_not_halted_is_not_resumed(home: Administered) -> None:
    assert home.post("/admin/market/COINUSD/phase", "ora", phase="pre-open").status_code == 303
    answer = home.post("/admin/market/COINUSD/resume", "ora")
    assert (answer.status_code, "not in halt but in pre-open" in answer.text) == (422, True)
    assert home.post("/admin/market/COINUSD/phase", "ora", phase="continuous").status_code == 303
    assert ("ora", "COINUSD", "refused") in home.written("market-phase")


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("COINUSD/phase", {"phase": "nap"}, "no phase"),
        ("NONE/halt", {}, "NONE is not listed"),
        ("COINUSD/delist", {}, "Tick the box first"),
        ("list", {"symbol": "NONE"}, "Choose a symbol"),
        ("kill", {"account": "demo"}, "Tick the box first"),
        ("kill", {"account": "<script>", "sure": "yes"}, "letters, digits"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    home: Administered, path: str, fields: dict[str, str], said: str
) -> None:
    answer = home.post(f"/admin/market/{path}", "ora", **fields)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert "<script>" not in answer.text
    assert phase(home, "COINUSD") == "continuous"


def test_the_kill_switch_cancels_refuses_and_lets_go_on(home: Administered) -> None:
    home.fund("tom")
    order = {"symbol": "AAPLUSD", "side": "buy", "price": "90.00", "quantity": "1"}
    first = home.client.post("/api/native/orders", json=order, headers=home.session("tom")).json()
    assert first["order"]["state"] == "OPEN"
    answer = home.post("/admin/market/kill", "ora", account="tom", sure="yes")
    assert answer.headers["location"] == "/admin/market?done=killed&of=tom"
    seen = home.client.get(f"/api/native/orders/{first['order']['order_id']}", headers=home.session("tom")).json()
    assert (seen["state"], seen["reason"]) == ("CANCELLED", "KILL_SWITCH")
    second = home.client.post("/api/native/orders", json=order, headers=home.session("tom"))
    assert second.json()["error"] == "ACCOUNT_OFF"
    assert home.post("/admin/market/revive", "ora", account="tom").status_code == 303
    third = home.client.post("/api/native/orders", json=order, headers=home.session("tom")).json()
    assert third["order"]["state"] == "OPEN"
    assert home.written("market-killed") == [("ora", "tom", "done")]
    assert home.written("market-revived") == [("ora", "tom", "done")]


def test_an_instrument_is_listed_traded_and_delisted(home: Administered) -> None:
    wrong = home.post("/admin/market/list", "ora", symbol="AAPL")
    assert (wrong.status_code, "gives an asset other decimals than AAPLUSD" in wrong.text) == (422, True)
    symbol = "INFY"
    assert f"<option>{symbol}</option>" in home.get("/admin/market", "ora").text
    assert home.post("/admin/market/list", "ora", symbol=symbol).status_code == 303
    assert phase(home, symbol)
    assert f"<option>{symbol}</option>" not in home.get("/admin/market", "ora").text
    again = home.post("/admin/market/list", "ora", symbol=symbol)
    assert (again.status_code, "has been listed before" in again.text) == (422, True)
    assert home.post(f"/admin/market/{symbol}/delist", "ora", sure="yes").status_code == 303
    assert f"openbell market relist {symbol}" in home.get("/admin/market", "ora").text
    gone = home.post(f"/admin/market/{symbol}/halt", "ora")
    assert (gone.status_code, "is delisted" in gone.text) == (422, True)


def test_what_the_market_does_not_show_in_time_is_said_to_be_unknown(
    redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with administered(redis_url, "unseen", tmp_path_factory.mktemp("unseen"), answer_s=0.2) as late:
        nobody = late.post("/admin/market/kill", "ora", account="nobody", sure="yes")
        assert nobody.status_code == 504
        assert "where there is no account nobody, it is refused" in nobody.text
        assert late.details("market-killed", "nobody") == [("done", {}), ("done", {"result": "unknown"})]
        late.commands.up = False
        down = late.post("/admin/market/AAPLUSD/halt", "ora")
        assert (down.status_code, "nothing was sent" in down.text) == (503, True)
        assert late.details("market-phase", "AAPLUSD") == [
            ("done", {"phase": "halt"}),
            ("refused", {"phase": "halt", "why": "NOT_TAKEN"}),
        ]
        late.log._waiting_max = 0  # the audit log takes nothing more
        late.commands.up = True
        before = len(late.floor.projected.venue.written["book-inbox"])
        untold = late.client.post("/admin/market/AAPLUSD/halt", headers={**late.key("ora", "admin"), **HERE})
        assert untold.status_code == 503
        assert len(late.floor.projected.venue.written["book-inbox"]) == before
        late.log._waiting_max = 1_000


@pytest.mark.parametrize(
    ("path", "fields", "status", "said"),
    [
        ("COINUSD/halt", {}, 503, "nothing was sent"),
        ("NONE/halt", {}, 422, "NONE is not listed"),
    ],
)
def test_the_answer_is_the_same_when_only_the_action_could_be_written_down(
    home: Administered, path: str, fields: dict[str, str], status: int, said: str
) -> None:
    key = {**home.key("ora", "admin"), **HERE}
    home.client.cookies.clear()
    soon(lambda: home.log.waiting == 0)
    home.kept.up = home.commands.up = False
    home.log._waiting_max, before = 1, home.log._waiting_max
    try:
        answer = home.client.post(f"/admin/market/{path}", data=fields, headers=key)
        assert home.log.waiting == 1
    finally:
        home.kept.up = home.commands.up = True
        home.log._waiting_max = before
    assert (answer.status_code, said in answer.text) == (status, True)
    soon(lambda: home.log.waiting == 0)


# Users


def test_users_are_found_and_shown(home: Administered) -> None:
    page = home.get("/admin/users", "ada").text
    assert all(f'href="/admin/users/{name}"' in page for name in ("ada", "ora", "tom"))
    found = home.get("/admin/users?q=ACME", "ada").text
    assert 'href="/admin/users/tom"' in found
    assert 'href="/admin/users/ora"' not in found
    assert "No user is like that" in home.get("/admin/users?q=%22%3E%3Cscript%3E", "ada").text
    assert "acme-*" in home.get("/admin/users/TOM", "ada").text
    assert home.get("/admin/users/nobody", "ada").status_code == 404


def test_an_administrator_changes_role_and_accounts(home: Administered) -> None:
    home.user("vic", "viewer")
    role = home.post("/admin/users/vic/role", "ada", role="market-maker", role_password=PASSWORD)
    assert role.headers["location"].endswith("?done=role")
    accounts = {"account": "desk", "accounts": "a-* b", "accounts_password": PASSWORD}
    assert home.post("/admin/users/vic/accounts", "ada", **accounts).status_code == 303
    user = home.run(home.directory.users.get, "vic")
    assert (user.role, user.account, user.accounts) == ("market-maker", "desk", ("a-*", "b"))
    wrong = home.post("/admin/users/vic/role", "ada", role="king")
    assert (wrong.status_code, "There is no role" in wrong.text) == (422, True)
    bad = home.post("/admin/users/vic/accounts", "ada", account="no good")
    assert (bad.status_code, 'value="no good"' in bad.text) == (422, True)
    assert ("ada", "vic", "done") in home.written("role-changed")
    assert ("ada", "vic", "done") in home.written("accounts-changed")


@pytest.mark.parametrize(
    ("what", "fields"), [("role", {"role": "admin"}), ("accounts", {"account": "", "accounts": "demo"})]
)
def test_a_session_alone_gives_nobody_more_rights(home: Administered, what: str, fields: dict[str, str]) -> None:
    home.user(f"wes-{what}", "viewer")
    home.user(f"amy-{what}", "admin")  # of their own, since wrong passwords make wait
    before = home.run(home.directory.users.get, f"wes-{what}")
    for password in ("", "not forty green kettles"):
        shown = home.post(f"/admin/users/wes-{what}/{what}", f"amy-{what}", **fields, **{f"{what}_password": password})
        assert (shown.status_code, "This is not your password." in shown.text) == (422, True)
    key = home.client.post(
        f"/admin/users/wes-{what}/{what}", data=fields, headers={**home.key(f"amy-{what}", "admin"), **HERE}
    )
    assert key.status_code == 422
    assert home.run(home.directory.users.get, f"wes-{what}") == before


def test_an_administrator_with_a_second_factor_shows_it_to_change_a_role(home: Administered) -> None:
    home.user("ann", "admin")
    home.user("wim", "viewer")
    session = home.session("ann")
    setup = home.run(home.directory.second_factors.begin, "ann")
    confirmed = home.run(home.directory.second_factors.confirm, "ann", TOTP(setup.secret).now())
    session["cookie"] = f"{home.cookie}={confirmed.token}"
    wanted = {"role": "trader", "role_password": PASSWORD}
    assert 'name="role_code"' in home.client.get("/admin/users/wim", headers=session).text
    for code, status in (("000000x", 422), (confirmed.recovery_codes[0], 303), (confirmed.recovery_codes[0], 422)):
        home.client.cookies.clear()
        answer = home.client.post("/admin/users/wim/role", data={**wanted, "role_code": code}, headers=session)
        assert answer.status_code == status
    assert home.run(home.directory.users.get, "wim").role == "trader"


def test_who_is_shut_out_is_out_at_once_and_can_be_let_in_again(home: Administered) -> None:
    home.user("sid")
    cookie = home.session("sid")
    assert home.post("/admin/users/sid/disable", "ada").status_code == 422
    assert home.client.get("/account", headers=cookie).status_code == 200
    assert home.post("/admin/users/sid/disable", "ada", sure="yes").status_code == 303
    assert home.client.get("/account", headers=cookie).status_code == 303
    assert "Let in again" in home.get("/admin/users/sid", "ada").text
    assert home.post("/admin/users/sid/enable", "ada").status_code == 303
    assert home.run(home.directory.door.log_in, "sid", PASSWORD).user == "sid"
    assert ("ada", "sid", "done") in home.written("user-disabled")
    assert ("ada", "sid", "done") in home.written("user-enabled")


def test_all_sessions_of_a_user_end(home: Administered) -> None:
    home.user("sue")
    cookies = [home.session("sue") for _ in range(2)]
    assert home.post("/admin/users/sue/sessions/end", "ada").status_code == 303
    assert [home.client.get("/account", headers=each).status_code for each in cookies] == [303, 303]
    mine = home.session("ada")
    home.client.cookies.clear()
    assert home.client.post("/admin/users/ada/sessions/end", headers=mine).status_code == 303
    assert home.client.get("/admin/users", headers=mine).status_code == 200


@pytest.mark.parametrize(("what", "fields"), [("role", {"role": "viewer"}), ("disable", {"sure": "yes"})])
def test_nobody_shuts_themselves_out(home: Administered, what: str, fields: dict[str, str]) -> None:
    answer = home.post(f"/admin/users/ADA/{what}", "ada", **fields)
    assert (answer.status_code, "Another administrator must do that" in answer.text) == (422, True)
    user = home.run(home.directory.users.get, "ada")
    assert (user.role, user.disabled) == ("admin", False)


def test_the_last_administrator_stays_one(redis_url: str, tmp_path: Path) -> None:
    with administered(redis_url, "last", tmp_path) as home:
        users = home.directory.users
        home.user("eve", "admin")
        home.run(users.disable, "eve")  # who is shut out administers nothing
        for change, more in ((users.set_role, ("viewer",)), (users.disable, ())):
            with pytest.raises(NotAllowed, match="last administrator"):
                home.run(change, "ada", *more, spare_last_admin=True)
        home.run(users.enable, "eve")
        assert home.post("/admin/users/ada/role", "eve", role="viewer", role_password=PASSWORD).status_code == 303
        with pytest.raises(NotAllowed, match="last administrator"):
            home.run(users.set_role, "eve", "trader", spare_last_admin=True)


# Keys and the audit log


def test_keys_are_shown_without_secrets_and_revoked(home: Administered) -> None:
    key_id, secret = home.run(home.directory.keys.create, "tom", ("read",), label="bot of tom")
    page = home.get("/admin/keys?q=bot", "ada").text
    assert "bot of tom" in page
    assert secret not in page
    bearer = {"x-api-key": f"{key_id}.{secret}"}
    assert home.client.get("/api/native/balances", headers=bearer).status_code == 200
    assert home.post(f"/admin/keys/{key_id}/revoke?q=bot", "ada").headers["location"] == "/admin/keys?done=key&q=bot"
    assert home.client.get("/api/native/balances", headers=bearer).status_code == 401
    assert "revoked" in home.get("/admin/keys?q=bot", "ada").text
    assert home.post("/admin/keys/unknown/revoke", "ada").status_code == 404
    assert ("ada", "tom", "done") in home.written("key-revoked")


def test_the_newest_entries_of_the_audit_log_are_shown_of_all_or_of_one(home: Administered) -> None:
    home.user("una")
    home.run(home.directory.users.set_role, "una", "viewer", by="ada")

    def shown() -> str:
        text = str(home.get("/admin/audit?user=una", "ada").text)
        return text if "role-changed" in text else ""

    page = soon(shown)
    assert "before=trader after=viewer" in page.replace("after=viewer before=trader", "before=trader after=viewer")
    assert "key-revoked" not in page
    assert "openbell audit --verify" in page


# Who may, and from where


def test_others_are_refused_and_other_sites_too(home: Administered) -> None:
    assert home.get("/admin/market", "tom").status_code == 403
    assert home.get("/admin/users", "ora").status_code == 403
    assert home.client.get("/admin/users").headers["location"] == "/sign-in?next=/admin/users"
    assert home.get("/admin", "ora").headers["location"] == "/admin/market"
    home.client.cookies.clear()
    foreign = {"cookie": home.session("ora")["cookie"], "origin": "https://evil.example"}
    for path in ("/admin/market/AAPLUSD/halt", "/admin/market/kill", "/admin/users/tom/disable"):
        answer = home.client.post(path, data={"sure": "yes", "account": "tom"}, headers=foreign)
        assert (answer.status_code, answer.json()["error"]) == (403, "CROSS_SITE")
    assert phase(home) == "continuous"


def test_an_operator_sees_no_link_to_what_only_administrators_may(home: Administered) -> None:
    assert 'href="/admin/users"' not in home.get("/admin/market", "ora").text
    assert 'href="/admin/users"' in home.get("/admin/market", "ada").text
