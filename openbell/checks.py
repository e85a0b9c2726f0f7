"""What `openbell doctor` looks at. Each check is a function that returns one finding and changes nothing."""

import importlib.metadata
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openbell.errors import OpenbellError
from openbell.home import Home
from openbell.settings import Settings, unknown_variables, variable
from openbell.stack import flink, jars, java, notifier, ports, redis

DISK_MB_LEAST = 2_000
OVERHEAD_MB = 300
PAGE_MB = 400
"""The gateway, and the projector while it makes all views anew."""
NOTIFIER_MB = 100


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; `advice` says what to do where it is not ok."""

    check: str
    ok: bool
    found: str
    advice: str = ""


def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Make all checks. Where the settings are wrong, that is the only finding."""
    try:
        settings = Settings.from_mapping(environment)
    except OpenbellError as error:
        return [Finding("settings", False, str(error), "docs/SETTINGS.md has all settings")]
    return [
        _settings(environment),
        _python(),
        _shared_python(),
        _java(),
        _redis(settings),
        _maven(settings),
        _jars(settings),
        _ports(settings),
        _disk(settings),
        _memory(settings),
    ]


def _settings(environment: Mapping[str, str]) -> Finding:
    unknown = unknown_variables(environment)
    advice = f"unset {' '.join(unknown)}, or write it as docs/SETTINGS.md does"
    return Finding("settings", not unknown, f"unknown {' '.join(unknown)}" if unknown else "all are known", advice)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    try:
        found += f", apache-flink {importlib.metadata.version('apache-flink')}"
    except importlib.metadata.PackageNotFoundError:
        return Finding("python", False, f"{found}, no apache-flink", "run 'make prepare', and use .venv/bin/openbell")
    return Finding("python", (3, 11) <= sys.version_info[:2] < (3, 13), found, "use Python 3.11 or 3.12")


def _shared_python() -> Finding:
    try:
        return Finding("libpython", True, flink.need_shared_python())
    except OpenbellError as error:
        problem, _, advice = str(error).partition("; ")
        return Finding("libpython", False, problem, advice)


def _java() -> Finding:
    advice = f"as root: apt-get install openjdk-{java.LEAST_VERSION}-jre-headless"
    try:
        version = java.version(java.find())
    except (OpenbellError, OSError, ValueError) as error:
        return Finding("java", False, str(error), advice)
    return Finding("java", version >= java.LEAST_VERSION, f"Java {version}", advice)


def _redis(settings: Settings) -> Finding:
    try:
        return Finding("redis", True, f"redis-server {redis.version(redis.find())}")
    except (OpenbellError, OSError, ValueError) as error:
        needed = settings.page == "on"
        found = str(error).partition("; ")[0]
        return Finding("redis", not needed, found if needed else f"{found}, and not needed", redis.INSTALL)


def _maven(settings: Settings) -> Finding:
    path = shutil.which("mvn")
    needed = bool(jars.missing(settings.jars))
    found = path or ("missing" if needed else "missing, and not needed: the jars are there")
    return Finding("maven", bool(path) or not needed, found, "as root: apt-get install maven")


def _jars(settings: Settings) -> Finding:
    missing = jars.missing(settings.jars)
    found = f"not fetched yet: {', '.join(missing)}; 'openbell up' does it" if missing else f"in {settings.jars}"
    return Finding("jars", True, found)


def _ports(settings: Settings) -> Finding:
    asked = {name: getattr(settings, name) for name in ports.needed(settings) if getattr(settings, name)}
    if Home(settings.home).supervised():
        return Finding("ports", True, "the stack is up")
    taken = [
        f"{variable(name)}={port}"
        for name, port in asked.items()
        if not ports.is_free(port, ports.host_of(settings, name))
    ]
    found = f"taken: {', '.join(taken)}" if taken else "free" if asked else "picked at the start"
    return Finding("ports", not taken, found, "set these to other ports, or to 0 to have free ones picked")


def _disk(settings: Settings) -> Finding:
    folder = next(parent for parent in (settings.home, *settings.home.parents) if parent.exists())
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    found = f"{free_mb:,} MB free for {settings.home}"
    advice = f"free some space, or set {variable('home')} to a folder on a disk with {DISK_MB_LEAST:,} MB"
    return Finding("disk", free_mb >= DISK_MB_LEAST, found, advice)


def _memory(settings: Settings) -> Finding:
    lines = Path("/proc/meminfo").read_text().splitlines()
    free_mb = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) // 1024
    task_managers_mb = settings.task_managers * (settings.taskmanager_mb + OVERHEAD_MB)
    page_mb = settings.redis_mb + PAGE_MB if settings.page == "on" else 0
    page_mb += NOTIFIER_MB if notifier.wanted(settings) else 0
    needed_mb = page_mb + settings.kafka_heap_mb + settings.jobmanager_mb + task_managers_mb + OVERHEAD_MB
    found = f"{free_mb:,} MB available, {needed_mb:,} MB at most for a stack"
    up = Home(settings.home).supervised()
    advice = f"stop other programs, or lower {variable('taskmanager_mb')} or {variable('task_managers')}"
    return Finding("memory", up or free_mb >= needed_mb, found, advice)
