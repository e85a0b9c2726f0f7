"""The gateway over TLS: clients that trust its certificate come in, others and those without TLS do not; and files that will not do."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import certificates
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.server import listening
from gateway.tls import tls_options
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import Floor, FloorCommands, app_over

DEADLINE_S = 20


@pytest.fixture
def files(tmp_path: Path) -> certificates.Certificates:
    return certificates.make(tmp_path)


@pytest.fixture
def port(redis_url: str, venue: str, files: certificates.Certificates) -> Iterator[int]:
    floor = Floor(redis_url, venue)
    app = app_over(floor, FloorCommands(floor), tls=True)
    options = tls_options(str(files.certificate), str(files.key))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None, **options))
    listener = listening("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        assert wait_until(lambda: server.started, DEADLINE_S, every=0.02)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_who_trusts_the_certificate_comes_in(port: int, files: certificates.Certificates) -> None:
    context = ssl.create_default_context(cafile=str(files.authority))
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=DEADLINE_S)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["strict-transport-security"]
    assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
    connection.close()


def test_who_does_not_trust_it_or_speaks_no_tls_or_an_old_one_does_not(port: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("localhost", port, timeout=DEADLINE_S).request("GET", "/health")
    plain = http.client.HTTPConnection("localhost", port, timeout=DEADLINE_S)
    plain.request("GET", "/health")
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        plain.getresponse()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        http.client.HTTPSConnection("localhost", port, context=old, timeout=DEADLINE_S).request("GET", "/health")


def test_without_files_there_is_no_tls() -> None:
    assert tls_options("", "") == {}


def test_files_that_will_not_do_are_told_in_one_line(tmp_path: Path, files: certificates.Certificates) -> None:
    other, locked, text = (tmp_path / name for name in ("other.key", "locked.key", "text"))
    key = ec.generate_private_key(ec.SECP256R1())
    other.write_bytes(certificates.private(key, serialization.NoEncryption()))
    locked.write_bytes(certificates.private(key, serialization.BestAvailableEncryption(b"x")))
    text.write_text("no certificate")
    for certificate, with_key, told in (
        (files.certificate, "", "both"),
        (files.certificate, other, "KEY_VALUES_MISMATCH"),
        (files.certificate, locked, "encrypted"),
        (text, files.key, "no certificate and its key"),
        (tmp_path / "none", files.key, "cannot be read: No such file"),
    ):
        with pytest.raises(ValueError, match=told) as caught:
            tls_options(str(certificate), str(with_key))
        assert len(str(caught.value).splitlines()) == 1
