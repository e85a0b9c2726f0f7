"""The engines that Openbell is measured against, and an environment for each, made once."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

REQUIREMENTS: Final = Path(__file__).parent.parent / "requirements-engines.txt"
INSTALL_S_MAX: Final = 300


class Engine(NamedTuple):
    """A package: what it brings along, and how it was made."""

    package: str
    version: str
    licence: str
    built: str = "pure Python"
    needs: tuple[str, ...] = ()


ORDER_MATCHING_NEEDS: Final = (
    "annotated-types", "faker", "loguru", "mypy-extensions", "numpy", "packaging", "pandera", "polars", "polars-runtime-32", "pydantic",
    "pydantic-core", "typeguard", "typing-extensions", "typing-inspect", "typing-inspection",
)  # fmt: skip
ENGINES: Final = (
    Engine("pyorderbook", "0.4.9", "MIT"),
    Engine("lightmatchingengine", "2019.1.4", "MIT"),
    Engine("lobby", "0.1.3", "MIT"),
    Engine("fastlob", "0.0.24", "MIT", needs=("sortedcontainers", "termcolor")),
    Engine("manticore-orderbook", "1.0.1", "MIT", needs=("tabulate",)),
    Engine("order-matching", "0.12.0", "not said in the package", needs=ORDER_MATCHING_NEEDS),
    Engine("nanobook", "0.19.2", "MIT", built="compiled (Rust)"),
    Engine("litebook", "0.0.1", "MIT", built="compiled (Rust)"),
    Engine("orderly-chaos", "0.2.0", "MIT", built="compiled (C++)"),
)


class Unavailable(Exception):
    """An engine that cannot be installed here."""


def python(engine: Engine) -> Path:
    """Return the interpreter of the engine's environment, made now if it is not there yet.

    Raises:
        Unavailable: if its packages cannot be installed.
    """
    pinned = _pinned((engine.package, *engine.needs))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"{engine.package}-{engine.version}-{sha256((sys.version + pinned).encode()).hexdigest()[:12]}"
    home = cache / "openbell" / "engines" / name
    interpreter, requirements, installed = home / "bin" / "python", home / "requirements.txt", home / "installed"
    if not installed.exists():
        print(f"openbell: installing {engine.package} {engine.version} into {home}", file=sys.stderr)
        _command(engine, [sys.executable, "-m", "venv", "--clear", str(home)])
        requirements.write_text(pinned)
        _command(
            engine,
            [
                str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                "--require-hashes", "-r", str(requirements),
            ],
        )  # fmt: skip
        installed.touch()
    return interpreter


def _command(engine: Engine, words: list[str]) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{engine.package} is not installed after {INSTALL_S_MAX} s") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip().splitlines()
        raise Unavailable(f"{engine.package} cannot be installed: {reason[-1] if reason else error}") from error


def _pinned(packages: tuple[str, ...]) -> str:
    """Return the lock file's entries of some packages: a requirement and its hashes each."""
    entries = REQUIREMENTS.read_text().replace("\\\n", " ").splitlines()
    return "\n".join(entry for entry in entries if entry.partition("==")[0] in packages) + "\n"
