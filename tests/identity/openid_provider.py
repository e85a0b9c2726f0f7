"""A real OpenID Connect provider on this machine: authlib's own server side behind an HTTP server, which lies where a test asks it to."""

# ruff: noqa: ARG002, C901 - authlib says what these methods take, and that they are methods

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID = "openbell"
CLIENT_SECRET = "only-for-tests"


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"}, private=True)


class Client(ClientMixin):
    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.endswith("/sign-in/elsewhere/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code(AuthorizationCodeMixin):
    def __init__(self, code: str, payload: Any, user: str) -> None:
        self.code, self.user, self.scope = code, user, payload.scope
        self.redirect_uri, self.nonce = payload.redirect_uri, payload.data.get("nonce")
        self.code_challenge = payload.data.get("code_challenge")
        self.code_challenge_method = payload.data.get("code_challenge_method")

    def get_redirect_uri(self) -> Any:
        return self.redirect_uri

    def get_scope(self) -> Any:
        return self.scope

    def get_nonce(self) -> Any:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Request(OAuth2Request):
    """A request as authlib reads it; it runs on this machine, so what it asks of TLS is not asked here."""

    def __init__(self, method: str, path: str, headers: Any, fields: dict[str, str]) -> None:
        super().__init__(method, f"https://provider{path}", headers=headers)
        self.payload = BasicOAuth2Payload(fields)
        self._fields = fields

    @property
    def args(self) -> dict[str, str]:
        return self._fields

    @property
    def form(self) -> dict[str, str]:
        return self._fields


class OpenIdProvider:
    """`user` is who signs in there, `trades` how often a code was brought for a token; `claims` replace those of the ID token, `forge` the whole token, `signer` signs, `published` is what others know."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = self.signer = new_key()
        self.published = [self.key]
        self.user = "subject-1"
        self.name = "Zoë Q."
        self.claims: dict[str, Any] = {}
        self.forge: Callable[[str], str] = lambda token: token
        self.answer: dict[str, str] = {}
        self.metadata: dict[str, Any] = {}
        self.down = False
        self.key_reads = self.trades = 0
        self.codes: dict[str, Code] = {}
        self._server = _authorization_server(self)

    def rotate(self) -> None:
        """Sign with another key from now on, which takes the place of the old one."""
        self.key = self.signer = new_key()
        self.published = [self.key]

    def handle(self, method: str, path: str, headers: Any, fields: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        """Answer a request: status, body, headers."""
        if self.down:
            return 500, {}, {}
        if path == "/.well-known/openid-configuration":
            return 200, self._discovery() | self.metadata, {}
        if path == "/keys":
            self.key_reads += 1
            return 200, KeySet(self.published).as_dict(private=False), {}
        request = Request(method, path, headers, fields)
        if path == "/authorize":
            grant = self._server.get_authorization_grant(request)
            status, body, more = self._server.create_authorization_response(request, grant_user=self.user, grant=grant)
            if self.answer:
                more["Location"] += "".join(f"&{name}={value}" for name, value in self.answer.items())
            return status, body, more
        if path == "/token":
            self.trades += 1
            status, body, more = self._server.create_token_response(request)
            if "id_token" in body:
                body = body | {"id_token": self.forge(body["id_token"])}
            return status, body, more
        return 404, {}, {}

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }


@contextmanager
def provider() -> Iterator[OpenIdProvider]:
    """Run a provider at a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            self._answer(dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode())))

        def _answer(self, fields: dict[str, str]) -> None:
            status, body, headers = made.handle(self.command, urlsplit(self.path).path, self.headers, fields)
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**dict(headers), "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = OpenIdProvider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _authorization_server(own: OpenIdProvider) -> Any:
    class Server(AuthorizationServer):
        def query_client(self, client_id: str) -> Client | None:
            return Client() if client_id == CLIENT_ID else None

        def save_token(self, token: Any, request: Any) -> None:
            pass

        def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
            pass

        def create_oauth2_request(self, request: Any) -> Any:
            return request

        def handle_response(self, status: int, body: Any, headers: Any) -> Any:
            return status, body or {}, dict(headers)

    class Grant(AuthorizationCodeGrant):
        def save_authorization_code(self, code: str, request: Any) -> None:
            own.codes[code] = Code(code, request.payload, request.user)

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            return own.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del own.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.user

    class IdToken(OpenIDCode):
        def resolve_client_private_key(self, client: Any) -> Any:
            return own.signer

        def get_client_algorithm(self, client: Any) -> str:
            return "RS256"

        def get_encode_header(self, client: Any) -> dict[str, str]:
            return {"alg": "RS256", "kid": str(own.key.kid)}

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": own.issuer}

        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(code.nonce == nonce for code in own.codes.values())

        def generate_user_info(self, user: str, scope: str) -> UserInfo:
            return UserInfo({"sub": user, "preferred_username": own.name} | own.claims)

    server = Server()
    server.register_token_generator("default", BearerTokenGenerator(lambda **_: secrets.token_urlsafe(24)))
    server.register_grant(Grant, [IdToken(require_nonce=True), CodeChallenge(required=True)])
    return server
