"""Passwords let in those whose they are, tell nobody else anything, and can be tried only a few times."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from gateway.identity.core import Origin
from gateway.identity.directory import Directory
from gateway.identity.errors import InvalidField, LogInRefused, NameTaken, TooManyAttempts
from gateway.identity.log_in import LogIn
from gateway.identity.passwords import WAITING_MAX, check
from gateway.identity.ports import IdentitiesUnavailable
from tests.identity.directories import HOME, OTHER, PASSWORD, World, played

STRANGER = Origin("198.51.100.9", "curl")


async def refused(directory: Directory, name: str, password: str, origin: Origin = HOME) -> type[Exception] | LogIn:
    try:
        return await directory.door.log_in(name, password, origin)
    except (LogInRefused, TooManyAttempts) as error:
        return type(error)


def test_the_right_password_begins_a_session_whatever_the_case_of_the_name(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("Alice", PASSWORD, role="market-maker", account="mm-1", accounts=("mm-*",))
        first = await directory.door.log_in("aLICE", PASSWORD, HOME)
        again = await directory.door.log_in("Alice", PASSWORD, HOME)
        assert first.token != again.token
        who = await directory.session(first.token)
        assert who is not None
        assert (who.user, who.role, who.account, who.accounts) == ("Alice", "market-maker", "mm-1", ("mm-*",))
        assert (who.grant, who.may_use("mm-7"), who.may_use("x")) == ("session", True, False)
        assert await directory.session("nonesuch") is None
        assert await directory.session("") is None
        shown = await directory.sessions.of("alice")
        assert [(one.address, one.user_agent) for one in shown] == [("192.0.2.7", "Firefox")] * 2

    played(world, scenario)
    assert world.events() == ["user-created", "logged-in", "logged-in"]


def test_a_name_is_taken_whatever_its_case_and_two_who_want_it_at_once_do_not_both_get_it(url: str):
    async def scenario(one: Directory, two: Directory) -> None:
        made = await asyncio.gather(
            one.users.create("carol", PASSWORD), two.users.create("CAROL", PASSWORD), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in made) == ["NameTaken", "UserShown"]
        with pytest.raises(NameTaken):
            await one.users.create("Carol", PASSWORD)

    played(World(url), scenario, directories=2)


def test_who_signs_up_never_finds_the_name_taken_and_so_learns_of_nobody(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("dave", PASSWORD)
        first = await directory.door.sign_up("dave", PASSWORD, HOME)
        second = await directory.door.sign_up("dave", PASSWORD, HOME)
        assert first.user != second.user
        assert first.user.startswith("dave-")
        made = await directory.users.get(first.user)
        assert (made.role, made.account, made.accounts) == ("trader", f"user.{first.user}", ())
        assert (await directory.door.log_in(first.user, PASSWORD)).user == first.user

    played(world, scenario)
    assert world.events() == ["user-created", *["signed-up", "logged-in"] * 2, "logged-in"]


def test_who_signs_up_is_in_for_one_hash_whatever_was_wrong_at_their_address(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        while await refused(directory, "nobody", OTHER) is not TooManyAttempts:
            pass
        before = directory.hashes
        entered = await directory.door.sign_up("olga", PASSWORD, HOME)
        assert directory.hashes - before == 1
        principal = await directory.session(entered.token)
        assert principal is not None
        assert (principal.user, principal.grant) == (entered.user, "session")
        assert [(one.address, one.user_agent) for one in await directory.sessions.of(entered.user)] == [
            ("192.0.2.7", "Firefox")
        ]
        with pytest.raises(TooManyAttempts):  # what was wrong there is not forgiven by it
            await directory.door.log_in("nobody", OTHER, HOME)

    played(world, scenario)
    assert world.events()[-2:] == ["signed-up", "logged-in"]
    told = world.told[-1]
    assert (told.user, told.address, told.facts) == (world.told[-2].user, "192.0.2.7", {"how": "password"})


def test_who_signs_up_while_too_many_wait_to_be_hashed_is_not_made(tmp_path: Path):
    async def scenario(directory: Directory) -> None:
        said = await asyncio.gather(
            *(directory.door.sign_up(f"user{number}", PASSWORD, HOME) for number in range(WAITING_MAX + 5)),
            return_exceptions=True,
        )
        let_in = [entered.user for entered in said if isinstance(entered, LogIn)]
        assert sum(isinstance(error, IdentitiesUnavailable) for error in said) == 5
        assert len(let_in) == WAITING_MAX
        assert sorted(user.name for user in await directory.users.all()) == sorted(let_in)

    played(World(f"sqlite+aiosqlite:///{tmp_path}/identity.db"), scenario)


def test_unknown_names_wrong_passwords_and_those_shut_out_get_one_answer_for_one_hash_each(url: str):
    async def scenario(directory: Directory) -> None:
        await directory.users.create("erin", PASSWORD)
        await directory.users.create("frank", PASSWORD)
        await directory.users.create("oidc", None)
        await directory.users.disable("frank")
        said = []
        for name, password in (
            ("erin", OTHER),
            ("nobody", OTHER),
            ("frank", PASSWORD),
            ("oidc", OTHER),
            ("é\0", "\ud800" * 20),
        ):
            before = directory.hashes
            with pytest.raises(LogInRefused) as caught:
                await directory.door.log_in(name, password, HOME)
            said.append((str(caught.value), directory.hashes - before))
        assert len(set(said)) == 1
        assert said[0][1] == 1

    played(World(url), scenario)


def test_a_password_that_was_typed_for_a_name_is_told_to_nobody(tmp_path: Path):
    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        for name in (PASSWORD, "ALICE"):
            with pytest.raises(LogInRefused):
                await directory.door.log_in(name, OTHER)

    world = World(f"sqlite+aiosqlite:///{tmp_path}/identity.db")
    played(world, scenario)
    assert [event.user for event in world.told if event.what == "log-in-refused"] == ["", "alice"]


@pytest.mark.parametrize(("name", "times"), [("grace", 20), ("nobody", 3)])
def test_of_1000_wrong_passwords_at_two_gateways_50_at_once_at_most_10_reach_the_hash(url: str, name: str, times: int):
    world = World(url)
    times = times if url.startswith("sqlite") else 3  # the same code counts on both

    async def scenario(one: Directory, two: Directory) -> None:
        await one.users.create("grace", PASSWORD)
        before = one.hashes + two.hashes
        for _ in range(times):
            said = await asyncio.gather(
                *(refused(each, name, f"wrong-{number}") for number in range(25) for each in (one, two))
            )
            assert set(said) <= {LogInRefused, TooManyAttempts}
            world.clock.pass_s(0.5)  # 100 a second
        assert 5 <= one.hashes + two.hashes - before <= 10

    played(world, scenario, directories=2)


def test_of_150_names_tried_from_one_network_at_most_15_reach_the_hash(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        before = directory.hashes
        for number in range(150):
            await refused(directory, f"name{number}", "Password-Spray-1", Origin(f"2001:db8::{number:x}"))
            world.clock.pass_s(0.06)
        assert 8 <= directory.hashes - before <= 15

    played(world, scenario)


def test_what_strangers_have_wrong_keeps_the_owner_out_neither_at_home_nor_elsewhere_for_good(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("heidi", PASSWORD)
        await directory.door.log_in("heidi", PASSWORD, HOME)
        for number in range(100):
            await refused(directory, "heidi", OTHER, Origin(f"198.51.100.{number}"))
            world.clock.pass_s(10)
        elsewhere = Origin("203.0.113.5")
        with pytest.raises(TooManyAttempts) as caught:
            await directory.door.log_in("heidi", PASSWORD, elsewhere)
        assert 0 < caught.value.retry_after_s <= 900
        await directory.door.log_in("heidi", PASSWORD, HOME)
        world.clock.pass_s(caught.value.retry_after_s)
        await directory.door.log_in("heidi", PASSWORD, elsewhere)

    played(world, scenario)


def test_an_operator_who_sets_a_password_ends_all_sessions_and_waits(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("ivan", PASSWORD)
        token = (await directory.door.log_in("ivan", PASSWORD)).token
        for _ in range(10):
            await refused(directory, "ivan", OTHER, Origin())
        await directory.users.set_password("IVAN", OTHER, by="root")
        assert await directory.session(token) is None
        await directory.door.log_in("ivan", OTHER)

    played(world, scenario)
    assert [event.by for event in world.told if event.what == "password-changed"] == ["root"]


def test_a_changed_password_ends_all_other_sessions_and_the_old_password(url: str):
    async def scenario(directory: Directory) -> None:
        await directory.users.create("judy", PASSWORD)
        old = [(await directory.door.log_in("judy", PASSWORD)).token for _ in range(2)]
        with pytest.raises(LogInRefused):
            await directory.door.change_password("judy", "not-The-Old-1", OTHER)
        with pytest.raises(InvalidField):
            await directory.door.change_password("judy", PASSWORD, "short")
        fresh = await directory.door.change_password("judy", PASSWORD, OTHER)
        assert [await directory.session(token) for token in old] == [None, None]
        assert await directory.session(fresh.token) is not None
        assert await refused(directory, "judy", PASSWORD) is LogInRefused
        await directory.door.log_in("judy", OTHER)

    played(World(url), scenario)


def test_hashes_are_made_anew_when_they_shall_cost_more_and_a_password_is_one_however_it_is_typed(url: str):
    world = World(url)

    async def before(directory: Directory) -> None:
        await directory.users.create("ken", "\uff21ngstr\u00f6m-Battery")

    async def after(directory: Directory) -> None:
        assert (await directory.door.log_in("ken", "Angstro\u0308m-Battery")).user == "ken"
        made = directory.hashes
        await directory.door.log_in("ken", "Angstr\u00f6m-Battery")
        assert directory.hashes == made + 1

    played(world, before)
    played(world, after, hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))


def test_the_loop_goes_on_while_passwords_are_hashed_at_full_cost(tmp_path: Path):
    async def scenario(directory: Directory) -> None:
        made = asyncio.create_task(directory.users.create("laura", PASSWORD))
        turns = 0
        while not made.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns >= 10

    played(World(f"sqlite+aiosqlite:///{tmp_path}/identity.db"), scenario, hasher=None)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short-1", "10 to 128"),
        ("x" * 129, "10 to 128"),
        ("1234567890", "tried first"),
        ("Password123!", "tried first"),
        ("aaaaaaaaaaaaaa", "tried first"),
        ("mallory-7$kx9", "your name"),
        ("7$kx9-OPENBELL", "your name"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str, why: str):
    with pytest.raises(InvalidField, match=why) as caught:
        check(password, "Mallory", "openbell")
    assert caught.value.field == "password"
    assert password not in str(caught.value)


@pytest.mark.parametrize("password", [PASSWORD, "8264 918 273645", "пароль-для-меня", "x1" * 6 + "yz"])
def test_other_passwords_are_taken(password: str):
    check(password, "Mallory", "openbell")
