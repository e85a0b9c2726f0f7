"""Signing up, in and out, with and without a second factor, and what the pages must never do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sign_in.ways import own_path
from tests.gateway.adapters import LOCAL, running
from tests.gateway.let_in import HERE, PASSWORD, House, house

WRONG = "forty brown kettles"


@pytest.fixture(scope="module")
def home(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(redis_url, "signing", tmp_path_factory.mktemp("signing")) as started:
        for name in ("ann", "bob", "cat", "dan", "fay", "gus", "hal"):
            started.user(name)
        yield started


@pytest.fixture(autouse=True)
def _empty_handed(home: House) -> None:
    home.client.cookies.clear()


def send(home: House, path: str, headers: dict[str, str] | None = None, **fields: str) -> Any:
    return home.client.post(path, data=fields, headers=headers or HERE)


def cookies_of(answer: Any) -> dict[str, str]:
    """Return an answer's cookies: by name, all that is said of one."""
    return {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}


def test_who_signs_in_comes_back_to_where_they_were_and_trades_with_their_own_account(home: House) -> None:
    answer = send(home, "/sign-in", name="ann", password=PASSWORD, next="/market/AAPLUSD?span=1m")
    assert (answer.status_code, answer.headers["location"]) == (303, "/market/AAPLUSD?span=1m")
    page = home.client.get("/market/AAPLUSD?span=1m")
    assert "Orders of ann" in page.text
    assert 'href="/account"' in page.text
    assert 'href="/sign-in' not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert home.client.get("/sign-in?next=/alerts").headers["location"] == "/alerts"


def test_who_signs_up_is_signed_in_with_a_name_of_their_own_and_play_money(home: House) -> None:
    answer = send(home, "/sign-up", name="zoe", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?welcome=1")
    assert re.search(r"Your name here is zoe-\d{5}", home.client.get("/account?welcome=1").text)
    balances = {each["asset"]: each["available"] for each in home.client.get("/api/native/balances").json()}
    assert set(balances) == {"USD", "AAPL", "COIN"}

    assert send(home, "/account/faucet").headers["location"] == "/account?done=faucet"  # the day's was given at sign-up
    again = {each["asset"]: each["available"] for each in home.client.get("/api/native/balances").json()}
    assert again == balances


def test_who_signs_up_behind_an_address_with_many_wrong_passwords_is_told_their_name(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with house(redis_url, venue, tmp_path_factory.mktemp("office"), trusted_proxies=("10.0.0.0/8",)) as office:
        office.stands_behind("10.0.0.1")
        own = {**HERE, "x-forwarded-for": "192.0.2.66"}
        stormed = [send(office, "/sign-in", own, name=f"w{number:02}", password=WRONG) for number in range(12)]
        assert stormed[-1].status_code == 429
        answer = send(office, "/sign-up", own, name="zoe", password=PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?welcome=1")
        assert re.search(r"Your name here is zoe-\d{5}", office.client.get("/account?welcome=1", headers=own).text)
        assert len(office.run(office.directory.users.all)) == 1


def test_nothing_is_told_of_a_name_that_is_taken_or_of_passwords(home: House) -> None:
    assert send(home, "/sign-up", name="ann", password=PASSWORD).status_code == 303
    home.client.cookies.clear()
    answers = [send(home, "/sign-in", name=name, password=WRONG) for name in ("bob", "bib")]
    assert [answer.status_code for answer in answers] == [422, 422]
    bob, nobody = (answer.text for answer in answers)
    assert bob.replace("bob", "NAME") == nobody.replace("bib", "NAME")
    assert "The name or the password is not right." in bob
    assert all(WRONG not in answer.text and "set-cookie" not in answer.headers for answer in answers)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "no good", "password": PASSWORD}, "A name has 3 to 26 letters"),
        ({"name": "new", "password": "short"}, "A password has 10 to 128 characters"),
        ({"name": "new", "password": "Password123456"}, "one of those that are tried first"),
        ({"name": "", "password": WRONG}, "A name has 3 to 26 letters"),
    ],
)
def test_a_sign_up_that_is_refused_says_why_beside_the_field_and_keeps_no_password(
    home: House, fields: dict[str, str], said: str
) -> None:
    answer = send(home, "/sign-up", **fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert fields["password"] not in answer.text


def test_a_session_is_of_a_token_that_nobody_had_before_and_ends_the_one_that_the_browser_came_with(
    home: House,
) -> None:
    fixed = {"cookie": f"{home.cookie}=chosen-by-somebody-else", **HERE}
    first = cookies_of(send(home, "/sign-in", fixed, name="cat", password=PASSWORD))[home.cookie]
    assert "chosen" not in first
    token = first.partition("=")[2].partition(";")[0]
    own = {"cookie": f"{home.cookie}={token}", **HERE}
    second = cookies_of(send(home, "/sign-in", own, name="cat", password=PASSWORD))[home.cookie]
    home.client.cookies.clear()
    assert token not in second
    ended = home.client.get("/api/native/orders", headers=own)
    assert (ended.status_code, ended.json()["error"]) == (401, "SESSION_ENDED")


def test_signing_out_ends_the_session_and_forgets_the_cookie(home: House) -> None:
    own = home.session("cat")
    answer = send(home, "/sign-out", own)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Max-Age=0" in cookies_of(answer)[home.cookie]
    assert home.client.get("/account", headers=own).headers["location"] == "/sign-in?next=/account"
    assert home.client.get("/", headers=own).status_code == 200
    assert "Max-Age=0" in cookies_of(home.client.get("/sign-in", headers=own))[home.cookie]


def test_who_was_signed_in_never_trades_with_the_account_of_visitors_instead(home: House) -> None:
    own = home.session("cat")
    send(home, "/sign-out", own)
    order = {"side": "buy", "price": "1.00", "quantity": "1", "kind": "limit"}
    page = "/market/AAPLUSD?span=1d"
    answer = home.client.post("/market/AAPLUSD/orders", data=order, headers={**own, "referer": f"{LOCAL}{page}"})
    assert answer.headers["location"] == "/sign-in?next=/market/AAPLUSD%3Fspan%3D1d"
    by_htmx = home.client.post("/market/AAPLUSD/orders", data=order, headers={**own, "hx-request": "true"})
    assert by_htmx.headers["hx-redirect"] == "/sign-in"
    assert not home.commands.written or home.commands.written[-1].account != "demo"


def test_signing_in_with_a_second_factor(home: House) -> None:
    own = home.session("dan")
    shown = send(home, "/account/second-factor", own, factor_password=PASSWORD).text
    assert "data:image/svg+xml" in shown
    secret = re.search(r'class="secret">([A-Z2-7]+)<', shown)
    assert secret
    clock = pyotp.TOTP(secret.group(1))
    assert "The code is not right" in send(home, "/account/second-factor/confirm", own, code="000000x").text
    answer = send(home, "/account/second-factor/confirm", own, code=clock.now())
    codes = re.findall(r"<li><code>([^<]+)</code>", answer.text)
    assert len(codes) == 10
    assert "this one" in answer.text
    fresh = {"cookie": cookies_of(answer)[home.cookie].partition(";")[0], **HERE}
    home.client.cookies.clear()
    assert codes[0] not in home.client.get("/account", headers=fresh).text
    home.client.cookies.clear()

    asked = send(home, "/sign-in", name="dan", password=PASSWORD, next="/alerts")
    assert asked.status_code == 200
    assert home.cookie not in cookies_of(asked)
    assert home.client.get("/account").status_code == 303  # the password alone lets nobody in
    wrong = send(home, "/sign-in/second-factor", code="nonsense", next="/alerts")
    assert (wrong.status_code, "The code is not right" in wrong.text) == (422, True)
    assert "nonsense" not in wrong.text
    done = send(home, "/sign-in/second-factor", code=codes[0], next="/alerts")
    assert done.headers["location"] == "/alerts"
    assert home.client.get("/account").status_code == 200
    off = send(home, "/account/second-factor/off", code=codes[1])
    assert off.headers["location"] == "/account?done=factor-off"
    assert "Your second factor is off." in home.client.get("/account?done=factor-off").text


def test_how_many_recovery_codes_are_left_is_shown_to_who_has_them(home: House) -> None:
    home.user("kim")
    assert "recovery codes" not in home.client.get("/account", headers=home.session("kim")).text
    setup = home.run(home.directory.second_factors.begin, "kim")
    confirmed = home.run(home.directory.second_factors.confirm, "kim", pyotp.TOTP(setup.secret).now())
    own = {"cookie": f"{home.cookie}={confirmed.token}", **HERE}
    shown = []
    for code in (None, *confirmed.recovery_codes):
        if code is not None:
            home.run(home.directory.second_factors.show, "kim", code)
        page = home.client.get("/account", headers=own).text
        shown += re.findall(r">(\w+ of your recovery codes [^<]+)<", page)
    assert shown == [
        *(f"{left} of your recovery codes are left." for left in range(10, 1, -1)),
        "1 of your recovery codes is left.",
        "None of your recovery codes is left: make new ones.",
    ]


def test_changing_the_password_ends_all_other_sessions(home: House) -> None:
    here, there = home.session("fay"), home.session("fay")
    wrong = send(home, "/account/password", here, current=WRONG, password="thirty red lamps")
    assert (wrong.status_code, "This is not your password." in wrong.text) == (422, True)
    answer = send(home, "/account/password", here, current=PASSWORD, password="thirty red lamps")
    fresh = {"cookie": cookies_of(answer)[home.cookie].partition(";")[0]}
    home.client.cookies.clear()
    seen = [home.client.get("/account", headers=each).status_code for each in (here, there, fresh)]
    assert seen == [303, 303, 200]


def test_keys_are_made_used_and_revoked_on_the_page(home: House) -> None:
    own = home.session("gus")
    refused = send(home, "/account/keys", own, label="bot", networks="nonsense", expires="2020-01-01")
    assert (refused.status_code, 'value="nonsense"' in refused.text) == (422, True)
    past = send(home, "/account/keys", own, expires="2020-01-01", **{"scope-read": "true"})
    assert "A key must expire in the future." in past.text
    made = send(home, "/account/keys", own, label="bot <1>", key_password=PASSWORD, **{"scope-read": "true"})
    key, secret = re.findall(r'class="secret">(\w+)<', made.text)
    assert "bot &lt;1&gt;" in made.text
    assert secret not in home.client.get("/account", headers=own).text
    by_key = {"x-api-key": f"{key}.{secret}"}
    assert home.client.get("/api/native/balances", headers=by_key).status_code == 200
    assert send(home, f"/account/keys/{key}/revoke", own).headers["location"] == "/account?done=key"
    assert home.client.get("/api/native/balances", headers=by_key).json()["error"] == "INVALID_KEY"


def test_a_session_alone_makes_no_key(home: House) -> None:
    home.user("ida")
    own = home.session("ida")
    asked = {"label": "bot", "networks": "192.0.2.7", "scope-trade": "true"}
    for password in ({}, {"key_password": ""}, {"key_password": WRONG}):
        refused = send(home, "/account/keys", own, **asked, **password)
        assert refused.status_code == 422
        assert '<p class="error" id="key_password-error">This is not your password.</p>' in refused.text
        assert 'aria-describedby="key_password-error"' in refused.text
        assert 'value="192.0.2.7"' in refused.text
        assert re.search('id="scope-trade"[^>]* checked', refused.text)
        assert WRONG not in refused.text
        assert 'class="secret"' not in refused.text
    assert home.run(home.directory.keys.of, "ida") == []
    made = send(home, "/account/keys", own, **asked, key_password=PASSWORD)
    assert len(re.findall(r'class="secret">(\w+)<', made.text)) == 2
    assert PASSWORD not in made.text


def test_wrong_passwords_for_keys_make_wait_and_keep_what_was_typed(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with house(redis_url, venue, tmp_path_factory.mktemp("guessed")) as stormed:
        stormed.user("ann")
        own = stormed.session("ann")
        asked = {"label": "bot", "scope-read": "true"}
        answers = [send(stormed, "/account/keys", own, **asked, key_password=WRONG) for _ in range(12)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert "Too many attempts" in answers[-1].text
        assert 'value="bot"' in answers[-1].text
        assert send(stormed, "/sign-in", name="ann", password=PASSWORD).status_code == 429
        assert stormed.run(stormed.directory.keys.of, "ann") == []


def test_of_who_has_a_second_factor_a_key_takes_a_code_too_which_a_mistake_elsewhere_does_not_use_up(
    home: House,
) -> None:
    home.user("jim")
    setup = home.run(home.directory.second_factors.begin, "jim")
    confirmed = home.run(home.directory.second_factors.confirm, "jim", pyotp.TOTP(setup.secret).now())
    own = {"cookie": f"{home.cookie}={confirmed.token}", **HERE}
    code, asked = confirmed.recovery_codes[0], {"scope-read": "true", "key_password": PASSWORD}
    for wrong in ({}, {"key_code": "nonsense"}):
        refused = send(home, "/account/keys", own, **asked, **wrong)
        assert refused.status_code == 422
        assert '<p class="error" id="key_code-error">The code is not right' in refused.text
        assert "nonsense" not in refused.text
    mistyped = send(home, "/account/keys", own, **asked, key_code=code, networks="nowhere")
    assert '<p class="error" id="networks-error">' in mistyped.text
    assert code not in mistyped.text
    assert "your new key" in send(home, "/account/keys", own, **asked, key_code=code).text
    assert 'id="key_code-error"' in send(home, "/account/keys", own, **asked, key_code=code).text
    assert len(home.run(home.directory.keys.of, "jim")) == 1


def test_sessions_are_listed_and_ended_but_only_ones_own(home: House) -> None:
    here, there, other = home.session("hal"), home.session("hal"), home.session("ann")
    page = home.client.get("/account", headers=here).text
    (number,) = re.findall(r"/account/sessions/(\d+)/revoke", page)
    assert send(home, f"/account/sessions/{number}/revoke", other).status_code == 404
    assert home.client.get("/account", headers=there).status_code == 200
    assert send(home, f"/account/sessions/{number}/revoke", here).headers["location"] == "/account?done=session"
    assert home.client.get("/account", headers=there).status_code == 303
    last = home.session("hal")
    assert send(home, "/account/sessions/revoke-others", here).headers["location"] == "/account?done=sessions"
    assert [home.client.get("/account", headers=each).status_code for each in (here, last)] == [200, 303]


def test_too_many_wrong_passwords_make_wait(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with house(redis_url, venue, tmp_path_factory.mktemp("wrong")) as stormed:
        answers = [send(stormed, "/sign-in", name="wil", password=WRONG) for _ in range(12)]
    last = answers[-1]
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
    assert "Too many attempts" in last.text


def test_behind_a_load_balancer_whoever_is_wrong_at_one_address_keeps_nobody_out_who_comes_from_another(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with house(redis_url, venue, tmp_path_factory.mktemp("behind"), trusted_proxies=("10.0.0.0/8",)) as behind:
        behind.user("ann")
        behind.stands_behind("10.0.0.1")
        wrong, right = ({**HERE, "x-forwarded-for": address} for address in ("192.0.2.66", "192.0.2.7"))
        stormed = [send(behind, "/sign-in", wrong, name=f"w{number:02}", password=WRONG) for number in range(12)]
        assert stormed[-1].status_code == 429
        assert send(behind, "/sign-in", right, name="ann", password=PASSWORD).status_code == 303
        assert [each.address for each in behind.run(behind.directory.sessions.of, "ann")] == ["192.0.2.7"]
        forged = {**HERE, "x-forwarded-for": "192.0.2.8, 192.0.2.66"}  # what the client has written itself stands first
        assert send(behind, "/sign-in", forged, name="ann", password=PASSWORD).status_code == 429


@pytest.mark.parametrize(
    "way",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/\t/evil.example",
        "\t//evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/sign-out",
        "/%0d%0aset-cookie:x" + "y" * 3_000,
        "",
    ],
)
def test_nobody_is_sent_to_another_server(home: House, way: str) -> None:
    own = home.session("hal")
    shown = home.client.get("/sign-in", params={"next": way}, headers=own)
    assert (shown.status_code, shown.headers["location"]) == (303, "/")


@given(st.text(alphabet="/\\:?#@.%ae \t\n\0é", max_size=12))
def test_a_way_is_of_this_server_or_home(way: str) -> None:
    path = own_path(way)
    assert path in ("/", way)
    assert re.match(r"/(?![/\\])", path)
    assert not set(path) & set("\\ \t\n\0é")


def test_cookies_are_for_this_host_alone_and_not_for_scripts(
    home: House, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = cookies_of(send(home, "/sign-in", name="gus", password=PASSWORD))[home.cookie]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(plain.split("; "))
    assert "Domain" not in plain
    with house(redis_url, "locked", tmp_path_factory.mktemp("locked"), tls=True) as locked:
        locked.user("ann")
        secure = {"origin": "https://127.0.0.1"}
        answer = locked.client.post("/sign-in", data={"name": "ann", "password": PASSWORD}, headers=secure)
        (name, cookie), *_ = cookies_of(answer).items()
        assert name == "__Host-openbell"
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"] == "max-age=63072000"
        insecure = locked.client.post("/sign-in", data={"name": "ann", "password": PASSWORD}, headers=HERE)
        assert insecure.json()["error"] == "CROSS_SITE"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "ORIGIN_NEEDED"),
        ({"origin": "null"}, "CROSS_SITE"),
        ({"origin": "https://evil.example"}, "CROSS_SITE"),
        ({"sec-fetch-site": "cross-site"}, "CROSS_SITE"),
        ({"sec-fetch-site": "same-site"}, "CROSS_SITE"),
    ],
)
@pytest.mark.parametrize(
    "path", ["/sign-in", "//sign-in", "/sign-up", "/sign-out", "/account/keys", "/api/native/orders"]
)
def test_no_other_site_signs_in_or_does_something_with_a_session(
    home: House, path: str, said: dict[str, str], code: str
) -> None:
    cookie = {} if path.endswith(("/sign-in", "/sign-up")) else {"cookie": home.session("ann")["cookie"]}
    form = {"name": "ann", "password": PASSWORD}
    answer = home.client.post(f"{LOCAL}{path}", data=form, headers={**cookie, **said})
    assert (answer.status_code, answer.json()["error"]) == (403, code)
    assert "set-cookie" not in answer.headers


def test_without_users_there_are_no_such_pages(redis_url: str, venue: str) -> None:
    with running(redis_url, venue) as bench:
        assert bench.client.get("/sign-in").status_code == 404
        assert bench.client.get("/account").status_code == 303
        assert "/sign-in" not in bench.client.get("/").text


def test_a_server_that_takes_no_sign_ups_says_so(
    redis_url: str, venue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with house(redis_url, venue, tmp_path_factory.mktemp("closed"), sign_up=False, sandbox=False) as closed:
        closed.user("ann")
        assert "takes no sign-ups" in closed.client.get("/sign-up").text
        assert send(closed, "/sign-up", name="zoe", password=PASSWORD).status_code == 403
        assert "faucet" not in closed.client.get("/account", headers=closed.session("ann")).text
        assert send(closed, "/account/faucet", closed.session("ann")).status_code == 403
