"""`openbell run`."""

import signal
import subprocess
import sys
from typing import Any

import typer

from openbell.console import OUT, complain, progress, settings_of
from openbell.errors import OpenbellError
from openbell.home import Home

EXAMPLE = "openbell run"
STOP_S = 15


def run(context: typer.Context) -> None:
    """Start the exchange and its page, replay real prices and show the market until Ctrl-C; then stop what was started here.

    A stack that was up before stays up. Where the output is no terminal, it shows the market once, at the end of the replay.
    """
    from openbell import stack

    settings = settings_of(context)
    was_up = Home(settings.home).supervised()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    try:
        with progress() as say:
            up = stack.up(settings, say=say)
        _show(up)
    except KeyboardInterrupt:
        pass
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)  # what was started is stopped, however often one asks
        if not was_up:
            with progress() as say:
                for warning in stack.down(settings, say=say):
                    complain(f"warning: {warning}")
            OUT.print("Openbell is down")


def _show(up: Any) -> None:
    """Replay in the background and watch in the foreground, until the watching ends."""
    log = up.home.logs / "replay.log"
    with log.open("ab") as output:
        replay = subprocess.Popen(
            [sys.executable, "-m", "openbell", "replay"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    OUT.print(f"Openbell is up and replays real prices (log: {log}). Ctrl-C stops it.", soft_wrap=True)
    if up.has_page:  # the last line above the table, so it stays in sight
        OUT.print(f"Open {up.page_url}", style="bold", soft_wrap=True)
    watch = None
    try:
        if not OUT.is_terminal:
            replay.wait()
        watch = subprocess.Popen([sys.executable, "-m", "openbell", "watch"])
        if watch.wait():
            raise OpenbellError("the watching failed; 'openbell watch' by itself shows why")
    finally:
        # Ctrl-C reached the watching as well: it puts the terminal in order and ends by itself.
        if watch is not None:
            _end(watch, signal.SIGINT)
        if replay.poll():
            complain(f"the replay failed; see {log}")
        _end(replay, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _interrupt(*_: object) -> None:
    """Take SIGTERM and SIGHUP for Ctrl-C, so that they, too, stop everything."""
    raise KeyboardInterrupt
