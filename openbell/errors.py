"""What a command tells its user when it cannot do what it was asked."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every `openbell` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_READY = 3


class OpenbellError(Exception):
    """An expected failure: one line that says what is wrong and what to do, and the exit code that goes with it."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NotReadyError(OpenbellError):
    """Something that must be there first is not: a running stack, a Java runtime, a free port."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.NOT_READY)


class SettingError(OpenbellError):
    """A setting has a value it cannot have."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)
