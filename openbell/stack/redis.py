"""One Redis server for the views, and for what the notifier has sent. It writes nothing to disk: the projector makes all views anew from Kafka.

It is bound in memory and evicts nothing: a view with holes would show a market that never was, so a write too many is refused.
"""

import re
import shutil
import subprocess

from openbell.errors import NotReadyError
from openbell.home import Home
from openbell.settings import Settings
from openbell.supervise.service import Service

_ANSWER_S = 2.0
INSTALL = "as root: apt-get install redis-server"


def find() -> str:
    """The path of `redis-server`. Raises NotReadyError."""
    path = shutil.which("redis-server")
    if path is None:
        raise NotReadyError(f"redis-server is missing; {INSTALL}")
    return path


def version(server: str) -> str:
    """The version of a server, such as 7.0.15. Raises OSError or ValueError when it is none."""
    answer = subprocess.run([server, "--version"], check=False, capture_output=True, text=True, timeout=30).stdout
    found = re.search(r" v=([0-9.]+)", answer)
    if found is None:
        raise ValueError(f"{server} --version said {answer.strip()!r}")
    return found[1]


def url(settings: Settings) -> str:
    """What clients connect to."""
    return f"redis://127.0.0.1:{settings.redis_port}/0"


def prepare(settings: Settings) -> Service:
    """Make the server's folder and return the service to run; its log is what it prints."""
    folder = Home(settings.home).data / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": str(settings.redis_port),
        "protected-mode": "yes",
        "dir": str(folder),
        "databases": "1",
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{settings.redis_mb}mb",
        "maxmemory-policy": "noeviction",
        "always-show-logo": "no",
        "daemonize": "no",
    }
    command = [find(), *(word for name, value in options.items() for word in (f"--{name}", value))]
    return Service(name="redis", command=command, stop_s=10)


def answers(settings: Settings) -> bool:
    """Say whether the server answers a PING."""
    from redis import Redis, RedisError

    with Redis(port=settings.redis_port, socket_timeout=_ANSWER_S, socket_connect_timeout=_ANSWER_S) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
