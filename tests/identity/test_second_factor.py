"""The second factor: each code lets in once, at both databases, and whoever guesses must wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pyotp
import pytest
from pyotp import TOTP

from gateway.identity.directory import Directory
from gateway.identity.errors import CodeRefused, TooManyAttempts
from gateway.identity.log_in import LogIn
from tests.identity.directories import HOME, PASSWORD, World, played


async def set_up(world: World, directory: Directory) -> tuple[TOTP, Sequence[str]]:
    """Make alice, with a second factor whose last code is used."""
    await directory.users.create("alice", PASSWORD)
    setup = await directory.second_factors.begin("alice")
    totp = TOTP(setup.secret)
    confirmed = await directory.second_factors.confirm("alice", code_now(world, totp))
    world.clock.pass_s(30)
    return totp, confirmed.recovery_codes


def code_now(world: World, totp: TOTP, steps: int = 0) -> str:
    return totp.generate_otp(world.clock.ms // 30_000 + steps)


def test_a_second_factor_is_on_only_once_a_code_of_it_was_shown_and_then_all_other_sessions_have_ended(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        old = (await directory.door.log_in("alice", PASSWORD)).token
        forgotten = await directory.second_factors.begin("alice")
        setup = await directory.second_factors.begin("alice")
        assert not (await directory.door.log_in("alice", PASSWORD)).waiting
        with pytest.raises(CodeRefused):
            await directory.second_factors.confirm("alice", code_now(world, TOTP(forgotten.secret)))
        confirmed = await directory.second_factors.confirm("alice", code_now(world, TOTP(setup.secret)))
        assert await directory.session(old) is None
        assert await directory.session(confirmed.token) is not None
        assert len(set(confirmed.recovery_codes)) == await directory.second_factors.codes_left("alice") == 10
        assert (await directory.users.get("alice")).second_factor
        with pytest.raises(CodeRefused):
            await directory.second_factors.begin("alice")
        assert pyotp.parse_uri(setup.uri).secret == setup.secret  # type: ignore[attr-defined]
        assert ET.fromstring(setup.qr_svg).tag == "{http://www.w3.org/2000/svg}svg"

    played(world, scenario)
    assert "second-factor-on" in world.events()


def test_the_password_alone_lets_nobody_in_and_the_code_once(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        totp, _ = await set_up(world, directory)
        waiting = await directory.door.log_in("alice", PASSWORD, HOME)
        assert waiting.waiting
        assert await directory.session(waiting.token) is None
        code = code_now(world, totp)
        done = await directory.door.confirm(waiting.token, f"{code[:3]} {code[3:]}", HOME)
        assert await directory.session(done.token) is not None
        again = await directory.door.log_in("alice", PASSWORD, HOME)
        for token, shown in ((again.token, code), (waiting.token, code_now(world, totp, 1)), ("x", code)):
            with pytest.raises(CodeRefused):
                await directory.door.confirm(token, shown, HOME)
        late = await directory.door.log_in("alice", PASSWORD, HOME)
        world.clock.pass_s(301)
        with pytest.raises(CodeRefused, match="too long"):
            await directory.door.confirm(late.token, code_now(world, totp), HOME)

    played(world, scenario)


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, False), (0, True), (1, True), (2, False)])
def test_codes_of_one_step_more_or_less_are_taken_but_none_older_than_the_last_used(url: str, steps: int, right: bool):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        totp, _ = await set_up(world, directory)  # which used the code of the step before this one
        waiting = await directory.door.log_in("alice", PASSWORD)
        if right:
            await directory.door.confirm(waiting.token, code_now(world, totp, steps))
        else:
            with pytest.raises(CodeRefused):
                await directory.door.confirm(waiting.token, code_now(world, totp, steps))

    played(world, scenario)


@pytest.mark.parametrize("kind", ["authenticator", "recovery code"])
def test_of_eight_who_show_one_code_at_once_at_two_gateways_one_gets_in(url: str, kind: str):
    world = World(url)

    async def scenario(one: Directory, two: Directory) -> None:
        totp, codes = await set_up(world, one)
        code = code_now(world, totp) if kind == "authenticator" else codes[3].upper()
        waiting = [await one.door.log_in("alice", PASSWORD, HOME) for _ in range(4)]
        tries = [(each, log_in.token) for log_in in waiting for each in (one, two)]
        said = await asyncio.gather(
            *(each.door.confirm(token, code, HOME) for each, token in tries), return_exceptions=True
        )
        assert sum(isinstance(answer, LogIn) for answer in said) == 1, said
        assert all(isinstance(answer, (LogIn, CodeRefused, TooManyAttempts)) for answer in said), said
        assert len(await one.sessions.of("alice")) == 2  # of the setting up, and this
        if kind == "recovery code":
            assert await two.second_factors.codes_left("alice") == 9

    played(world, scenario, directories=2)
    assert world.events().count("recovery-code-used") == (kind == "recovery code")


def test_of_200_guessed_codes_at_most_10_are_looked_at(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await set_up(world, directory)
        looked_at = 0
        waiting = await directory.door.log_in("alice", PASSWORD)
        for number in range(200):
            if number % 20 == 0:
                world.clock.pass_s(1)
            try:
                await directory.door.confirm(waiting.token, f"nonesuch-{number}")
            except CodeRefused:
                looked_at += 1
            except TooManyAttempts:
                continue
        assert 5 <= looked_at <= 10

    played(world, scenario)


def test_a_second_factor_is_turned_off_by_a_code_and_recovery_codes_are_replaced_by_one(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        totp, old = await set_up(world, directory)
        with pytest.raises(CodeRefused):
            await directory.second_factors.end("alice", "000000x")
        codes = await directory.second_factors.new_codes("alice", old[0])
        with pytest.raises(CodeRefused):
            await directory.second_factors.new_codes("alice", old[1])
        await directory.second_factors.new_codes("alice", codes[1])
        token = await directory.second_factors.end("alice", code_now(world, totp))
        assert await directory.session(token) is not None
        assert not (await directory.door.log_in("alice", PASSWORD)).waiting
        assert await directory.second_factors.codes_left("alice") == 0

    played(world, scenario)
    assert world.events()[-2:] == ["second-factor-off", "logged-in"]


def test_an_operator_helps_whoever_has_lost_it(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await set_up(world, directory)
        await directory.second_factors.reset("alice", by="root")
        assert not (await directory.door.log_in("alice", PASSWORD)).waiting

    played(world, scenario)
