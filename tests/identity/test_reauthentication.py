"""Whoever has a session proves once more who they are, at both databases: by password and code, or by having signed in of late."""

from __future__ import annotations

import msgspec
import pytest
from pyotp import TOTP

from gateway.identity.directory import Directory
from gateway.identity.errors import CodeRefused, LogInRefused, SignInAgain, TooManyAttempts
from gateway.identity.oidc_provider import Known
from gateway.identity.principal import Principal
from tests.identity.directories import HOME, OTHER, PASSWORD, World, played


async def signed_in(directory: Directory, name: str = "alice") -> Principal:
    """Return somebody who has just signed in by their password."""
    principal = await directory.session((await directory.door.log_in(name, PASSWORD, HOME)).token)
    assert principal is not None
    return principal


async def from_elsewhere(directory: Directory, subject: str = "s") -> Principal:
    """Return somebody who has no password, and has just been let in by another provider."""
    known = Known(issuer="https://id.example", subject=subject, name="zoe")
    entered, _ = await directory.elsewhere.log_in(known, "trader", HOME)
    principal = await directory.session(entered.token)
    assert principal is not None
    return principal


def test_the_password_is_asked_for_however_new_the_session(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        alice = await signed_in(directory)
        for wrong in (OTHER, ""):
            with pytest.raises(LogInRefused):
                await directory.reauthentication.all_factors(alice, wrong, "", HOME)
        await directory.reauthentication.all_factors(alice, PASSWORD, "", HOME)

    played(world, scenario)
    assert world.events() == ["user-created", "logged-in", "log-in-refused", "log-in-refused"]


def test_wrong_passwords_count_together_with_those_at_log_in(url: str):
    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        alice = await signed_in(directory)
        for _ in range(2):
            with pytest.raises(LogInRefused):
                await directory.door.log_in("alice", OTHER, HOME)
        for _ in range(3):
            with pytest.raises(LogInRefused):
                await directory.reauthentication.all_factors(alice, OTHER, "", HOME)
        with pytest.raises(TooManyAttempts):
            await directory.reauthentication.all_factors(alice, PASSWORD, "", HOME)
        with pytest.raises(TooManyAttempts):
            await directory.door.log_in("alice", PASSWORD, HOME)

    played(World(url), scenario)


def test_of_who_has_a_second_factor_a_code_is_asked_for_after_the_password_and_used_up(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        totp = TOTP((await directory.second_factors.begin("alice")).secret)
        code = lambda: totp.generate_otp(world.clock.ms // 30_000)  # noqa: E731
        confirmed = await directory.second_factors.confirm("alice", code(), HOME)
        alice = await directory.session(confirmed.token)
        assert alice is not None
        world.clock.pass_s(30)
        again, shown = directory.reauthentication, code()
        with pytest.raises(LogInRefused):
            await again.all_factors(alice, OTHER, shown, HOME)
        for wrong in ("", "nonesuch"):
            with pytest.raises(CodeRefused):
                await again.all_factors(alice, PASSWORD, wrong, HOME)
        await again.all_factors(alice, PASSWORD, shown, HOME)  # a wrong password had left it as it was
        with pytest.raises(CodeRefused):
            await again.all_factors(alice, PASSWORD, shown, HOME)
        await again.first_factor(alice, PASSWORD, HOME)
        recovery = confirmed.recovery_codes[0]
        await again.all_factors(alice, PASSWORD, recovery, HOME)
        with pytest.raises(CodeRefused):
            await again.all_factors(alice, PASSWORD, recovery, HOME)
        assert await directory.second_factors.codes_left("alice") == 9
        for _ in range(10):
            with pytest.raises((CodeRefused, TooManyAttempts)) as refused:
                await again.all_factors(alice, PASSWORD, "nonesuch", HOME)
        assert refused.type is TooManyAttempts

    played(world, scenario)
    assert world.events().count("recovery-code-used") == 1
    assert "second-factor-refused" in world.events()


def test_who_has_no_password_must_have_signed_in_of_late(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        zoe, again = await from_elsewhere(directory), directory.reauthentication
        await again.all_factors(zoe, "", "", HOME)
        world.clock.pass_s(again.fresh_ms // 1_000)
        await again.all_factors(zoe, "", "", HOME)
        world.clock.pass_s(1)
        for password in ("", PASSWORD):
            with pytest.raises(SignInAgain, match="sign in again first"):
                await again.all_factors(zoe, password, "", HOME)
        fresh = await from_elsewhere(directory)
        assert fresh.grant_id != zoe.grant_id
        await again.all_factors(fresh, "", "", HOME)
        with pytest.raises(SignInAgain):
            await again.all_factors(zoe, "", "", HOME)  # the old session stays old
        alice = await signed_in(directory)
        for other in (
            msgspec.structs.replace(fresh, grant_id=alice.grant_id),  # somebody else's session
            msgspec.structs.replace(fresh, grant="key"),
            msgspec.structs.replace(fresh, grant_id=10**6),
        ):
            assert not await again.is_fresh(other)

    played(world, scenario)


def test_who_has_no_password_shows_a_code_of_their_second_factor_all_the_same(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        zoe = await from_elsewhere(directory)
        totp = TOTP((await directory.second_factors.begin(zoe.user)).secret)
        confirmed = await directory.second_factors.confirm(zoe.user, totp.generate_otp(world.clock.ms // 30_000))
        renewed = await directory.session(confirmed.token)
        assert renewed is not None
        with pytest.raises(CodeRefused):
            await directory.reauthentication.all_factors(renewed, "", "", HOME)
        await directory.reauthentication.all_factors(renewed, "", confirmed.recovery_codes[0], HOME)

    played(world, scenario)
