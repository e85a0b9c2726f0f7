"""`openbell run`."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer

from openbell.console import OUT, complain, progress, settings_of
from openbell.errors import OpenbellError
from openbell.home import Home

EXAMPLE = "openbell run"
STOP_S = 15
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks for an end; the first one is heard, for what was started is stopped however often one asks."""


def run(context: typer.Context) -> None:
    """Start the exchange and its page, replay real prices and show the market until Ctrl-C; then stop what was started here.

    A stack that was up before stays up. Where the output is no terminal, it shows the market once, at the end of the replay.
    """
    from openbell import stack

    settings = settings_of(context)
    was_up = Home(settings.home).supervised()
    _hear(_interrupt)
    try:
        with progress() as say:
            up = stack.up(settings, say=say)
        _show(up)
    except KeyboardInterrupt:
        pass
    finally:
        _hear(signal.SIG_IGN)
        if not was_up:
            with progress() as say:
                for warning in stack.down(settings, say=say):
                    complain(f"warning: {warning}")
            OUT.print("Openbell is down")


def _show(up: Any) -> None:
    """Replay in the background and watch in the foreground, until the watching ends."""
    log = up.home.logs / "replay.log"
    quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "start_new_session": True}
    with log.open("ab") as output, _running("replay", signal.SIGTERM, stdout=output, **quiet) as replay:
        OUT.print(f"Openbell is up and replays real prices (log: {log}). Ctrl-C stops it.", soft_wrap=True)
        if up.has_page:  # the last line above the table, so it stays in sight
            OUT.print(f"Open {up.page_url}", style="bold", soft_wrap=True)
        if not OUT.is_terminal:
            replay.wait()
        # Ctrl-C reaches the watching as well: it puts the terminal in order and ends by itself.
        with _running("watch", signal.SIGINT) as watch:
            if watch.wait():
                raise OpenbellError("the watching failed; 'openbell watch' by itself shows why")
        if replay.poll():
            complain(f"the replay failed; see {log}")


@contextmanager
def _running(command: str, end: signal.Signals, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Openbell, and end it by a signal when the block is left, however that is."""
    process = None
    try:
        late: list[bool] = []
        _hear(lambda *_: late.append(True))  # until it is known what there is to be ended
        process = subprocess.Popen([sys.executable, "-m", "openbell", command], **options)
        _hear(_interrupt)
        if late:
            _interrupt()
        yield process
    finally:
        if process is not None:
            _end(process, end)


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _hear(handler: Any) -> None:
    """Have a handler hear what asks for an end; a signal that is ignored from the beginning stays so, as in a background job of a shell."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    _hear(signal.SIG_IGN)
    raise KeyboardInterrupt
