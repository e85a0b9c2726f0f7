"""The page's services: the projector, which folds Kafka's logs into views in Redis, the gateway, which serves the pages, and the notifier.

All are told everything by arguments. They may start before Kafka has its topics: they wait for these by themselves.
"""

import http.client
import socket
import urllib.error
import urllib.request
from pathlib import Path

from openbell.errors import OpenbellError, SettingError
from openbell.home import Home
from openbell.settings import Settings, variable
from openbell.stack import notifier, redis
from openbell.stack.python import python_service
from openbell.supervise.processes import wait_until
from openbell.supervise.service import Service

NOBODY = "none"
"""The demo account that says that nobody trades by the page."""
_FIRST_SPAN = {"replay": "1d", "live": "1m"}
"""The candles that a page shows at first: a replay has whole days in a second."""
_ANSWER_S = 5.0
_REASON_MAX = 300
_EVERYWHERE = "0.0.0.0"  # noqa: S104  (only compared with)


def url(settings: Settings) -> str:
    """The page's address, as a browser on this machine is given it."""
    host = "127.0.0.1" if settings.gateway_host == _EVERYWHERE else settings.gateway_host
    return f"http://{host}:{settings.gateway_port}"


def need_address(host: str) -> None:
    """Raise SettingError unless a server can listen on this address here."""
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise SettingError(
                f"{variable('gateway_host')} is {host}, which is no address of this machine ({error.strerror});"
                f" write 127.0.0.1, or {_EVERYWHERE} for all that it has"
            ) from None


def prepare(settings: Settings) -> list[Service]:
    """The services to run, the projector first. Raises SettingError where the settings do not go together."""
    venue = [
        "--bootstrap-servers",
        f"127.0.0.1:{settings.kafka_port}",
        "--redis",
        redis.url(settings),
        "--venue",
        settings.venue,
    ]
    pages = [
        "--host",
        settings.gateway_host,
        "--port",
        str(settings.gateway_port),
        *venue,
        "--account-shards",
        str(settings.account_shards),
        "--demo-account",
        "" if settings.demo_account == NOBODY else settings.demo_account,
        "--span",
        _FIRST_SPAN[settings.clock],
    ]
    for name in filter(None, settings.gateway_hosts.split(",")):
        pages += ["--allowed-host", name]
    pages += [*_safety(settings), *_seeds(settings)]
    services = [
        python_service("projector", "gateway.projector", venue),
        python_service("gateway", "gateway.server", pages),
    ]
    return [*services, notifier.prepare(settings)] if notifier.wanted(settings) else services


def _safety(settings: Settings) -> list[str]:
    """The options that say who may come in, and how much they may ask for."""
    options = ["--database", database_url(settings), "--secret-key-file", str(secret_key_file(settings))]
    options += ["--sign-up", settings.sign_up, "--sandbox", settings.sandbox, "--limits", settings.limits]
    options += ["--gateways", str(settings.gateways), "--log-format", settings.log_format, "--tls", settings.tls]
    options += ["--audit-folder", str(Home(settings.home).path / "audit"), "--access-log", settings.access_log]
    for network in filter(None, settings.gateway_proxies.split(",")):
        options += ["--trusted-proxy", network]
    if settings.oidc_issuer:
        secret = ["--oidc-client-secret-file", settings.oidc_client_secret_file]
        options += ["--oidc-issuer", settings.oidc_issuer, "--oidc-client-id", settings.oidc_client_id, *secret]
        options += ["--oidc-label", settings.oidc_label, "--oidc-role", settings.oidc_role]
    files = (settings.tls_certificate_file, settings.tls_key_file)
    if any(files) and not all(files):
        raise SettingError(f"{variable('tls_certificate_file')} and {variable('tls_key_file')} go together: set both")
    return options + (["--tls-certificate-file", files[0], "--tls-key-file", files[1]] if all(files) else [])


def _seeds(settings: Settings) -> list[str]:
    if settings.seeds == "off":
        return []
    account = "" if settings.seed_account == NOBODY else settings.seed_account
    return ["--seed-port", str(settings.seed_port), "--seed-account", account]


def database_url(settings: Settings) -> str:
    """Where users are kept."""
    return settings.database or f"sqlite+aiosqlite:///{Home(settings.home).path / 'identity.db'}"


def secret_key_file(settings: Settings) -> Path:
    """The file with the key that secrets in the database are encrypted with; the home's own is made once, and kept. Raises SettingError."""
    from gateway.identity.secrets import BadSecretKey, load_secret

    path = Path(settings.secret_key_file or Home(settings.home).path / "secret.key")
    if settings.secret_key_file and not path.exists():
        raise SettingError(f"{variable('secret_key_file')} is {path}, which is not there")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        load_secret(path)
    except (BadSecretKey, OSError) as error:
        raise SettingError(f"{variable('secret_key_file')}: {error}") from None
    return path


def wait_answer(url: str, seconds: float) -> None:
    """Wait until a page answers with 200. Raises OpenbellError with the last reason why it did not."""
    reason = ""

    def good() -> bool:
        nonlocal reason
        reason = why_not(url)
        return not reason

    if not wait_until(good, seconds, every=0.2):
        raise OpenbellError(f"the page is not ready after {seconds:.0f} s: {url} {reason}")


def why_not(url: str) -> str:
    """Say why a page does not answer with 200; empty when it does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_ANSWER_S):
            return ""
    except urllib.error.HTTPError as error:
        return f"answers {error.code}: {error.read(_REASON_MAX).decode(errors='replace').strip()}"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {getattr(error, 'reason', error)}"
