"""What somebody can do wrong with users, sessions and keys: each says in one sentence for a person what is wrong and what to do."""

from __future__ import annotations

from gateway.ports import GatewayError


class IdentityError(GatewayError):
    """Base of what is refused because of what was asked for; nothing was changed."""


class InvalidField(IdentityError):
    """A value cannot be had. `field` names it: name, password, role, account, accounts, label, scopes, networks or expires."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NameTaken(IdentityError):
    """There is a user of this name. Only those who administer are told so: at sign-up no name is ever taken."""


class NotFound(IdentityError):
    """There is no such user, session or key, or it is not theirs."""


class LogInRefused(IdentityError):
    """The name or the password is wrong, or the user is shut out: which, nobody is told."""


class CodeRefused(IdentityError):
    """The code of the second factor is wrong, was used before, or came too late."""


class SignInAgain(IdentityError):
    """It is only for who has signed in of late, for they have no password to be asked for."""


class TooManyAttempts(IdentityError):
    """Too much was wrong of late: nothing was looked at. It may be tried again in `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts: try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class NotAllowed(IdentityError):
    """It is not for this user to have, such as a key for an account of somebody else."""
