"""Log-in by an OpenID Connect provider: a real one on this machine, with answers that are right, and with each that is wrong in one way."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
import redis_server
from joserfc import jwt
from joserfc.jwk import OctKey

from exchange.audit_log import AuditEntry
from gateway.audit.log import AuditLog
from gateway.identity.errors import NotAllowed
from gateway.identity.oidc_flow import FLOW_S, begun, returned, sealed
from gateway.identity.oidc_provider import REREAD_S
from gateway.identity.oidc_settings import OidcSettings, is_trusted, oidc_settings
from gateway.identity.secrets import SecretKey
from gateway.limiting.local import LocalLimits
from gateway.sign_in.elsewhere import RETURNS, RETURNS_S
from tests.gateway.let_in import HERE, PASSWORD, House, house
from tests.gateway.projected import NOW_MS
from tests.identity.directories import DATABASES, new_database
from tests.identity.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, new_key, provider

BEGIN = "/sign-in/elsewhere"
CALLBACK = f"{BEGIN}/callback"
VISIT, SESSION = "openbell-visit", "openbell"


@pytest.fixture(scope="module")
def op() -> Iterator[OpenIdProvider]:
    with provider() as started:
        yield started


@pytest.fixture(scope="module", params=DATABASES)
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, op: OpenIdProvider
) -> Iterator[House]:
    settings = OidcSettings(issuer=op.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, label="Acme ID")
    folder = tmp_path_factory.mktemp("oidc")
    database = new_database(request, folder)
    with redis_server.running(folder) as url, house(url, "oidc", folder, database=database, oidc=settings) as started:
        started.user("ann")
        started.user("bob")
        yield started


@pytest.fixture(autouse=True)
def _honest(op: OpenIdProvider) -> None:
    """Have the provider tell the truth again."""
    op.claims, op.answer, op.metadata, op.down = {}, {}, {}, False
    op.forge, op.signer, op.published = (lambda token: token), op.key, [op.key]
    op.user, op.name = "subject-1", "Zoë Q."
    op.codes.clear()


@dataclass
class Browser:
    """Keeps cookies and follows what it is told to, as a browser does."""

    home: House
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = ""

    def ask(self, method: str, path: str, **given: Any) -> Any:
        self.home.client.cookies.clear()
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers: dict[str, Any] = {"cookie": cookie.encode("latin-1")}
        headers |= HERE if method == "POST" else {"sec-fetch-site": "cross-site"}
        headers |= {"x-forwarded-for": self.address} if self.address else {}
        answer = self.home.client.request(method, path, headers=headers, **given)
        for kept in answer.headers.get_list("set-cookie"):
            name, _, rest = kept.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return answer

    def to_the_provider(self, path: str = BEGIN, **fields: str) -> str:
        """Begin, and return the address at the provider that the page leads to."""
        answer = self.ask("POST", path, data=fields or {"next": "/"})
        assert answer.status_code in (200, 201), answer.text
        (onward,) = re.findall(r'href="(http://127[^"]+)"', answer.text)
        assert answer.headers["refresh"] == f"0;url={unescape(onward)}"
        return unescape(onward)

    def sign_in(self, path: str = BEGIN, **fields: str) -> Any:
        """Go to the provider and come back."""
        return self.ask("GET", back(self.to_the_provider(path, **fields)))


def back(onward: str) -> str:
    """Sign in at the provider and return where it sends the browser."""
    answer = httpx.get(onward)
    assert answer.status_code == 302, answer.text
    to = urlsplit(answer.headers["location"])
    assert to.path == CALLBACK
    return f"{to.path}?{to.query}"


def who(browser: Browser) -> str:
    """Return whom a browser is signed in as, empty if nobody."""
    page = browser.ask("GET", "/account")
    found = re.search(r'<h1 class="page-title">([^<]+)', page.text)
    return found.group(1) if found and page.status_code == 200 else ""


def refused(browser: Browser, answer: Any, status: int = 403) -> None:
    assert answer.status_code == status, answer.text
    assert SESSION not in browser.cookies
    assert VISIT not in browser.cookies
    assert who(browser) == ""
    assert not any(word in answer.text for word in ("nonce", "signed", "iss", "Traceback", "token"))


# What is right


def test_who_comes_for_the_first_time_gets_a_user_and_later_the_same_one(home: House, op: OpenIdProvider) -> None:
    op.user = "new-comer"
    first = Browser(home)
    answer = first.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?welcome=1")
    name = who(first)
    assert re.fullmatch(r"ZoQ.-\d{5}", name)
    user = home.run(home.directory.users.get, name)
    assert (user.role, user.account, user.has_password) == ("trader", f"user.{name}", False)
    op.name = "renamed"
    again = Browser(home)
    answer = again.sign_in(next="/alerts")
    assert answer.headers["location"] == "/alerts"
    assert who(again) == name


def test_the_way_to_the_provider_has_pkce_state_and_nonce_and_none_twice(home: House) -> None:
    ways = [parse_qs(urlsplit(Browser(home).to_the_provider()).query) for _ in range(2)]
    assert {way["code_challenge_method"][0] for way in ways} == {"S256"}
    assert {way["redirect_uri"][0] for way in ways} == {f"http://127.0.0.1{CALLBACK}"}
    for name in ("state", "nonce", "code_challenge"):
        assert len({way[name][0] for way in ways}) == 2
        assert all(len(way[name][0]) >= 43 for way in ways)


def test_the_session_is_a_new_one_and_an_old_one_ends(home: House, op: OpenIdProvider) -> None:
    op.user = "rotating"
    browser = Browser(home, {SESSION: home.session("ann")["cookie"].partition("=")[2]})
    old = browser.cookies[SESSION]
    assert browser.sign_in().status_code == 303
    assert browser.cookies[SESSION] != old
    assert who(Browser(home, {SESSION: old})) == ""


def test_nobody_takes_over_a_user_of_the_same_name_or_mail(home: House, op: OpenIdProvider) -> None:
    op.user, op.name = "impostor", "ann"
    op.claims = {"email": "ann@example.com", "email_verified": True, "name": "ann"}
    browser = Browser(home)
    browser.sign_in()
    assert re.fullmatch(r"ann-\d{5}", who(browser))


def test_one_links_ones_own_user_and_comes_in_by_it_and_ends_it(home: House, op: OpenIdProvider) -> None:
    op.user = "ann-elsewhere"
    own = Browser(home, {SESSION: home.session("ann")["cookie"].partition("=")[2]})
    assert "not linked" in own.ask("GET", "/account").text
    answer = own.sign_in("/account/elsewhere/link", link_password=PASSWORD)
    assert answer.headers["location"] == "/account?done=linked"
    assert "Let it in no more" in own.ask("GET", "/account").text
    other = Browser(home)
    other.sign_in()
    assert who(other) == "ann"
    taken = Browser(home, {SESSION: home.session("bob")["cookie"].partition("=")[2]})
    answer = taken.sign_in("/account/elsewhere/link", link_password=PASSWORD)
    assert (answer.status_code, "linked to another user" in answer.text) == (422, True)
    assert own.ask("POST", "/account/elsewhere/unlink", data={"empty": ""}).status_code == 303
    gone = Browser(home)
    gone.sign_in()
    assert who(gone) not in ("ann", "")


def test_who_has_no_password_keeps_the_link(home: House, op: OpenIdProvider) -> None:
    op.user = "only-here"
    browser = Browser(home)
    browser.sign_in()
    with pytest.raises(NotAllowed, match="nothing lets you in"):
        home.run(home.directory.elsewhere.unlink, who(browser), op.issuer)


def test_a_provider_that_changes_its_keys_goes_on_letting_in(home: House, op: OpenIdProvider) -> None:
    op.user = "rotated"
    assert Browser(home).sign_in().status_code == 303
    op.rotate()
    known = home.client.app.state["services"].provider
    now = known._monotonic
    known._monotonic = lambda: now() + REREAD_S
    try:
        assert Browser(home).sign_in().status_code == 303
        reads = op.key_reads
        op.signer = new_key()  # which nobody knows: read once more at most
        for _ in range(3):
            browser = Browser(home)
            refused(browser, browser.sign_in())
        assert op.key_reads <= reads + 1
    finally:
        known._monotonic = now


# What is wrong


def unsigned(token: str) -> str:
    return f"eyJhbGciOiJub25lIn0.{token.split('.')[1]}."


def by_the_secret(_: str) -> str:
    claims = {"iss": "x", "sub": "y", "aud": CLIENT_ID, "exp": 2**40, "iat": 1}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET), ["HS256"])


def changed(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{'A' * 8}{signature[8:]}"


@pytest.mark.parametrize("forge", [unsigned, by_the_secret, changed, lambda _: "", lambda _: "a.b.c"])
def test_a_token_that_the_provider_has_not_signed_is_refused(home: House, op: OpenIdProvider, forge: Any) -> None:
    op.forge = forge
    browser = Browser(home)
    refused(browser, browser.sign_in())


def test_a_token_of_a_strangers_key_under_a_known_name_is_refused(home: House, op: OpenIdProvider) -> None:
    op.signer = new_key()
    browser = Browser(home)
    refused(browser, browser.sign_in())


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of-another-visit"},
        {"nonce": None},
        {"iss": "https://other.example"},
        {"aud": "another-client"},
        {"aud": ["another-client", CLIENT_ID]},  # and no azp
        {"aud": [CLIENT_ID, "other"], "azp": "other"},
        {"exp": 1},
        {"exp": None},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"at_hash": "wrong"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(home: House, op: OpenIdProvider, claims: dict[str, Any]) -> None:
    op.claims = claims
    browser = Browser(home)
    refused(browser, browser.sign_in())


def test_an_expired_token_is_taken_for_a_minute_only(home: House, op: OpenIdProvider) -> None:
    op.user = "slow"
    op.claims = {"exp": int(time.time()) - 30}
    assert Browser(home).sign_in().status_code == 303
    op.claims = {"exp": int(time.time()) - 90}
    browser = Browser(home)
    refused(browser, browser.sign_in())


def test_what_another_browser_began_lets_nobody_in(home: House) -> None:
    victim, attacker = Browser(home), Browser(home)
    way = back(attacker.to_the_provider())
    refused(victim, victim.ask("GET", way))
    began = Browser(home)
    began.to_the_provider()
    refused(began, began.ask("GET", way))  # its own cookie, the other's state


@pytest.mark.parametrize("state", ["", "wrong", "é"])
def test_a_wrong_state_is_refused_before_the_code_is_used(home: House, op: OpenIdProvider, state: str) -> None:
    browser = Browser(home)
    way = back(browser.to_the_provider())
    refused(browser, browser.ask("GET", re.sub(r"state=[^&]+", f"state={state}", way)))
    assert len(op.codes) == 1


def test_a_code_is_good_once(home: House, op: OpenIdProvider) -> None:
    op.user = "once"
    browser = Browser(home)
    onward = browser.to_the_provider()
    visit = browser.cookies[VISIT]
    way = back(onward)
    assert browser.ask("GET", way).status_code == 303
    replay = Browser(home, {VISIT: visit})
    refused(replay, replay.ask("GET", way))


def test_a_visit_reaches_the_provider_once_whatever_its_codes(home: House, op: OpenIdProvider) -> None:
    browser = Browser(home)
    onward, visit, before = browser.to_the_provider(), browser.cookies[VISIT], op.trades
    state = parse_qs(urlsplit(onward).query)["state"][0]
    for number in range(3):
        again = Browser(home, {VISIT: visit})
        refused(again, again.ask("GET", f"{CALLBACK}?code=junk{number}&state={state}"))
    assert op.trades == before + 1


def test_a_code_is_of_no_use_without_its_verifier(home: House) -> None:
    one, two = Browser(home), Browser(home)
    stolen = parse_qs(urlsplit(back(one.to_the_provider())).query)["code"][0]
    way = back(two.to_the_provider())
    refused(two, two.ask("GET", re.sub(r"code=[^&]+", f"code={stolen}", way)))


@pytest.mark.parametrize("cookie", ["", "garbage", "é" * 3, "gAAAAAB" + "x" * 100])
def test_a_cookie_that_is_none_of_ours_is_refused(home: House, cookie: str) -> None:
    browser = Browser(home)
    way = back(browser.to_the_provider())
    browser.cookies[VISIT] = cookie.encode().decode("latin-1")
    refused(browser, browser.ask("GET", way))


def test_an_answer_of_another_issuer_is_refused(home: House, op: OpenIdProvider) -> None:
    op.answer = {"iss": "https://other.example"}
    browser = Browser(home)
    refused(browser, browser.sign_in())
    flow, cookie = home.directory.elsewhere.begun("https://other.example", "/", "")
    mixed = Browser(home, {VISIT: cookie})
    refused(mixed, mixed.ask("GET", f"{CALLBACK}?code=x&state={flow.state}"))


def test_a_provider_that_says_no_is_a_clear_page(home: House) -> None:
    browser = Browser(home)
    state = parse_qs(urlsplit(browser.to_the_provider()).query)["state"][0]
    answer = browser.ask("GET", f"{CALLBACK}?error=access_denied&error_description=%3Cb%3Epurple&state={state}")
    refused(browser, answer)
    assert "Signing in with Acme ID did not work" in answer.text
    assert "purple" not in answer.text


def test_a_visit_lasts_ten_minutes_and_no_other_key_makes_one() -> None:
    key, issuer = SecretKey.new(), "https://id.example"
    flow = begun(issuer, "/", "", NOW_MS)
    cookie = sealed(flow, key)
    assert flow.state not in cookie
    for passed_ms, good in ((0, True), (FLOW_S * 1_000, True), (FLOW_S * 1_000 + 1, False), (-1, False)):
        assert (returned(cookie, flow.state, issuer, key, NOW_MS + passed_ms) is not None) is good
    assert returned(cookie, flow.state, issuer, SecretKey.new(), NOW_MS) is None


def test_linking_needs_a_form_of_ours_and_the_same_user(home: House, op: OpenIdProvider) -> None:
    session = home.session("bob")
    home.client.cookies.clear()
    foreign = {"cookie": session["cookie"], "origin": "https://evil.example"}
    assert home.client.post("/account/elsewhere/link", data={"x": ""}, headers=foreign).status_code == 403
    assert home.client.get("/account/elsewhere/link", headers=session).status_code == 405
    op.user = "attackers"
    attacker = Browser(home, {SESSION: home.session("ann")["cookie"].partition("=")[2]})
    way = back(attacker.to_the_provider("/account/elsewhere/link", link_password=PASSWORD))
    victim = Browser(home, {SESSION: session["cookie"].partition("=")[2], VISIT: attacker.cookies[VISIT]})
    assert victim.ask("GET", way).status_code == 403
    assert not home.run(home.directory.elsewhere.is_linked, "bob", op.issuer)


@pytest.mark.parametrize("fields", [{"empty": ""}, {"link_password": "forty brown kettles"}], ids=["none", "wrong"])
def test_a_session_alone_links_nobody(home: House, op: OpenIdProvider, fields: dict[str, str]) -> None:
    op.user = "thief"
    browser = Browser(home, {SESSION: home.session("bob")["cookie"].partition("=")[2]})
    answer = browser.ask("POST", "/account/elsewhere/link", data=fields)
    assert answer.status_code == 422
    assert '<p class="error" id="link_password-error">This is not your password.</p>' in answer.text
    assert "forty brown kettles" not in answer.text
    assert VISIT not in browser.cookies
    assert "refresh" not in answer.headers
    assert not home.run(home.directory.elsewhere.is_linked, "bob", op.issuer)


def test_of_who_has_a_second_factor_linking_takes_a_code_too(home: House, op: OpenIdProvider) -> None:
    home.user("cat")
    setup = home.run(home.directory.second_factors.begin, "cat")
    confirmed = home.run(home.directory.second_factors.confirm, "cat", pyotp.TOTP(setup.secret).now())
    op.user = "cat-elsewhere"
    browser = Browser(home, {SESSION: confirmed.token})
    refusal = browser.ask("POST", "/account/elsewhere/link", data={"link_password": PASSWORD, "link_code": "x"})
    assert (refusal.status_code, 'id="link_code-error"' in refusal.text) == (422, True)
    proven = {"link_password": PASSWORD, "link_code": confirmed.recovery_codes[0]}
    assert browser.sign_in("/account/elsewhere/link", **proven).headers["location"] == "/account?done=linked"


LASTING = ("/account/keys", "/account/second-factor", "/account/elsewhere/link")


def test_who_has_no_password_makes_what_lasts_only_after_a_fresh_sign_in(home: House, op: OpenIdProvider) -> None:
    op.user = "no-password"
    browser = Browser(home)
    browser.sign_in()
    name, asked = who(browser), {"scope-read": "true"}
    assert "_password" not in browser.ask("GET", "/account").text
    assert "your new key" in browser.ask("POST", "/account/keys", data=asked).text
    core = home.directory._core
    now_ms = core.now_ms
    later_ms = now_ms() + home.directory.reauthentication.fresh_ms + 1_000
    object.__setattr__(core, "now_ms", lambda: later_ms)
    try:
        page = browser.ask("GET", "/account").text
        assert not [path for path in LASTING if f'action="{path}"' in page]
        assert page.count("Sign in again with Acme ID") == 2
        assert page.count("less than 10 minutes ago") == 2
        for path in LASTING:
            answer = browser.ask("POST", path, data=asked)
            assert (answer.status_code, "sign in again first" in answer.text) == (422, True), path
            assert VISIT not in browser.cookies
        again = browser.sign_in(next="/account")
        assert (again.headers["location"], who(browser)) == ("/account", name)
        assert "your new key" in browser.ask("POST", "/account/keys", data=asked).text
    finally:
        object.__setattr__(core, "now_ms", now_ms)
    assert len(home.run(home.directory.keys.of, name)) == 2


def test_who_is_shut_out_is_not_let_in(home: House, op: OpenIdProvider) -> None:
    op.user = "out"
    browser = Browser(home)
    browser.sign_in()
    home.run(home.directory.users.disable, who(browser))
    other = Browser(home)
    answer = other.sign_in()
    refused(other, answer)
    assert "ask whoever runs this server" in answer.text


def test_where_no_users_are_made_only_those_linked_come_in(op: OpenIdProvider, tmp_path: Path) -> None:
    settings = OidcSettings(issuer=op.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, create=None)
    with redis_server.running(tmp_path) as url, house(url, "closed", tmp_path, oidc=settings) as closed:
        browser = Browser(closed)
        answer = browser.sign_in()
        refused(browser, answer)
        assert len(closed.run(closed.directory.users.all)) == 0


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://provider.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
    ids=str,
)
def test_a_discovery_document_that_cannot_be_trusted_is_not_used(
    home: House, op: OpenIdProvider, metadata: dict[str, Any]
) -> None:
    known = home.client.app.state["services"].provider
    known._metadata, op.metadata = None, metadata
    answer = Browser(home).ask("POST", BEGIN, data={"next": "/"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Acme ID cannot be reached now" in answer.text


def test_a_provider_that_is_down_is_said_so(home: House, op: OpenIdProvider) -> None:
    op.user = "down"
    browser = Browser(home)
    way = back(browser.to_the_provider())
    op.down = True
    refused(browser, browser.ask("GET", way), 503)
    assert home.client.get("/sign-in").status_code == 200


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    with redis_server.running(tmp_path) as url, house(url, "none", tmp_path) as plain:
        assert "/sign-in/elsewhere" not in plain.client.get("/sign-in").text
        assert Browser(plain).ask("POST", BEGIN, data={"next": "/"}).status_code == 404


# How often


class Written:
    """A log of all that is written down."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def write(self, entries: Sequence[AuditEntry]) -> None:
        self.entries += entries

    def close(self) -> None:
        pass

    def refusals(self) -> list[dict[str, str]]:
        return [entry.details for entry in self.entries if entry.action == "log-in-refused"]


@contextmanager
def bounded(op: OpenIdProvider, folder: Path, written: Written, clock_s: list[float]) -> Iterator[House]:
    """Run the application with limits and an audit log, behind a load balancer; what is written is all there once it has ended."""
    settings = OidcSettings(issuer=op.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    with (
        AuditLog(written) as audit,
        redis_server.running(folder) as url,
        house(
            url,
            "bounded",
            folder,
            oidc=settings,
            audit=audit,
            counted_by=LocalLimits(now_s=lambda: clock_s[0]),
            trusted_proxies=("10.0.0.0/8",),
        ) as started,
    ):
        started.stands_behind("10.0.0.1")
        yield started


def test_who_comes_back_without_a_visit_is_refused_and_nothing_is_written_down(
    op: OpenIdProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written, before = Written(), op.trades
    with bounded(op, tmp_path, written, [0.0]) as asked:
        for cookie in ("", "garbage", "gAAAAAB" + "x" * 100) * RETURNS:
            browser = Browser(asked, {VISIT: cookie} if cookie else {}, "192.0.2.7")
            answer = browser.ask("GET", f"{CALLBACK}?code=x&state=y")
            assert (answer.status_code, "did not work" in answer.text, VISIT in browser.cookies) == (403, True, False)
    assert written.refusals() == []
    assert "nobody is let in" not in caplog.text
    assert op.trades == before


def test_of_one_network_so_many_a_minute_reach_the_provider_and_who_waits_can_still_come_in(
    op: OpenIdProvider, tmp_path: Path
) -> None:
    written, clock_s, before = Written(), [RETURNS_S + 10.0], op.trades
    with bounded(op, tmp_path, written, clock_s) as asked:
        for number in range(RETURNS + 5):
            browser = Browser(asked, address=f"2001:db8::{number + 1:x}")
            state = parse_qs(urlsplit(browser.to_the_provider()).query)["state"][0]
            answer = browser.ask("GET", f"{CALLBACK}?code=junk&state={state}")
            assert answer.status_code == (403 if number < RETURNS else 429)
        assert answer.headers["retry-after"] == str(RETURNS_S - 10)
        assert "Too many attempts" in answer.text
        assert op.trades == before + RETURNS
        assert Browser(asked, address="192.0.2.7").sign_in().status_code == 303
        late = Browser(asked, address="2001:db8::ff")
        way = back(late.to_the_provider())
        assert late.ask("GET", way).status_code == 429
        clock_s[0] += RETURNS_S
        assert late.ask("GET", way).status_code == 303
        assert who(late)
    assert len(written.refusals()) == RETURNS


# Settings


def test_settings_say_what_is_wrong_and_show_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    settings = oidc_settings("https://id.example", "me", file)
    assert (settings.client_secret, "s3cret" in repr(settings)) == ("s3cret", False)
    for issuer, client, path, told in (
        ("http://id.example", "me", file, "https://"),
        ("https://id.example", "", file, "client id"),
        ("https://id.example", "me", tmp_path / "none", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=told):
            oidc_settings(issuer, client, path)
    file.write_text(" \n")
    with pytest.raises(ValueError, match="is empty"):
        oidc_settings("https://id.example", "me", file)
    assert not is_trusted("https://[")


def test_the_password_still_lets_in_where_there_is_a_provider(home: House) -> None:
    assert home.run(home.directory.door.log_in, "bob", PASSWORD).user == "bob"
