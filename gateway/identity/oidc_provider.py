"""Speaks with an OpenID Connect provider: where to send a browser, and who it is that comes back with a code.

Theory of operation: the authorization code flow with PKCE (RFC 7636). What the provider's discovery document says is taken only under the very
issuer that was set. An ID token counts only if a key of the provider has signed it, by an algorithm whose keys are not shared, and if issuer,
audience, times and nonce are what they must be. Keys are read again when a token names one that is not known, at most every `REREAD_S`, so that
a provider can change them. Every answer is bounded in time and size, and no redirect is followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.identity.oidc_settings import OidcSettings, is_loopback, is_trusted
from gateway.ports import GatewayError

TIMEOUT_S: Final = 5.0
ANSWER_MAX: Final = 262_144
"""Greatest answer of a provider, in bytes."""
METADATA_S: Final = 3_600
REREAD_S: Final = 5.0
LEEWAY_S: Final = 60
"""How far the provider's clock may be off."""
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SUBJECT_MAX: Final = 255


class ProviderAway(GatewayError):
    """The provider does not answer, or not as a provider does."""


class ProviderRefused(GatewayError):
    """Nobody is let in by what came back. The message is for the log, not for whoever asks."""


class Known(msgspec.Struct, frozen=True):
    """Somebody as a provider knows them; `name` is what they are called there, and proves nothing."""

    issuer: str
    subject: str
    name: str = ""


class _Metadata(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """One provider. `now_s` is the wall's clock, `monotonic` says when something is old."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        now_s: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._now_s = now_s
        self._monotonic = monotonic
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def way(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return where to send a browser. Raises ProviderAway."""
        metadata = await self._discovered()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}"

    async def known(self, answer: Mapping[str, str], redirect_uri: str, nonce: str, verifier: str) -> Known:
        """Return who has come back with an answer (the query of the redirect, whose state was compared). Raises ProviderAway, ProviderRefused."""
        metadata = await self._discovered()
        named = answer.get("iss")
        if named != metadata.issuer and (named is not None or metadata.authorization_response_iss_parameter_supported):
            raise ProviderRefused("the answer is of another issuer")
        if "error" in answer or not answer.get("code"):
            raise ProviderRefused(f"the provider said {answer.get('error', 'nothing')[:64]!r}")
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        tokens = await self._post(metadata, form)
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise ProviderRefused("the provider gave no ID token")
        claims = await self._checked(metadata, token, nonce, tokens.get("access_token"))
        subject, name = claims.get("sub"), claims.get("preferred_username") or claims.get("name")
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX:
            raise ProviderRefused("the ID token has no subject that can be kept")
        return Known(metadata.issuer, subject, name if isinstance(name, str) else "")

    async def _checked(self, metadata: _Metadata, token: str, nonce: str, access_token: Any) -> Mapping[str, Any]:
        """Return the claims of an ID token that counts."""
        try:
            decoded = self._decoded(token, await self._read_keys(metadata))
        except _Unsigned:
            if self._keys is None or self._monotonic() - self._keys[0] < REREAD_S:
                raise ProviderRefused("the ID token is not signed by the provider") from None
            self._keys = None  # it may have changed its keys
            try:
                decoded = self._decoded(token, await self._read_keys(metadata))
            except _Unsigned:
                raise ProviderRefused("the ID token is not signed by the provider") from None
        options = {
            "iss": {"essential": True, "value": metadata.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        given = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": access_token}
        claims: Any = CodeIDToken(decoded.claims, decoded.header, options, given)
        try:
            claims.validate(now=int(self._now_s()), leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderRefused(f"the ID token does not count: {type(error).__name__} {error}"[:200]) from None
        return dict(claims)

    def _decoded(self, token: str, keys: KeySet) -> jwt.Token:
        try:
            return jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _Unsigned from error

    async def _discovered(self) -> _Metadata:
        if self._metadata is not None and self._monotonic() - self._metadata[0] < METADATA_S:
            return self._metadata[1]
        issuer = self.settings.issuer
        raw = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            found = msgspec.convert(raw, _Metadata)
        except msgspec.ValidationError as error:
            raise ProviderAway(f"its discovery document is none: {error}") from None
        if found.issuer != issuer:
            raise ProviderAway("its discovery document is of another issuer")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            plain_is_fine = is_loopback(urlsplit(issuer).hostname or "")
            if not is_trusted(url) or (url.startswith("http:") and not plain_is_fine):
                raise ProviderAway("one of its addresses is not https")
        self._metadata = (self._monotonic(), found)
        return found

    async def _read_keys(self, metadata: _Metadata) -> KeySet:
        if self._keys is None or self._monotonic() - self._keys[0] > METADATA_S:
            raw = await self._get(metadata.jwks_uri)
            try:
                self._keys = (self._monotonic(), KeySet.import_key_set(raw))
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise ProviderAway(f"its keys cannot be read: {type(error).__name__}") from None
        return self._keys[1]

    async def _get(self, url: str) -> Any:
        status, body = await _answer("GET", url)
        if status != 200:
            raise ProviderAway(f"it answers with status {status}")
        return body

    async def _post(self, metadata: _Metadata, form: dict[str, str]) -> Any:
        """Trade a code for tokens, once."""
        given, auth = self.settings, None
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            auth = httpx.BasicAuth(quote(given.client_id, safe=""), quote(given.client_secret, safe=""))
        else:
            form = {**form, "client_id": given.client_id, "client_secret": given.client_secret}
        status, body = await _answer("POST", metadata.token_endpoint, data=form, auth=auth)
        if 400 <= status < 500:
            raise ProviderRefused(f"the provider took no code: {str(body.get('error', status))[:64]!r}")
        if status != 200:
            raise ProviderAway(f"it answers with status {status}")
        return body


class _Unsigned(Exception):
    """A token that none of the keys has signed."""


async def _answer(method: str, url: str, **given: Any) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of an answer. Raises ProviderAway."""
    headers = {"accept": "application/json"}
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream(method, url, headers=headers, **given) as answer,
        ):
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_MAX:
                    raise ProviderAway("its answer is too large")
    except httpx.HTTPError as error:
        raise ProviderAway(f"it does not answer: {type(error).__name__}") from None
    try:
        decoded = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ProviderAway("its answer is no JSON object")
    return answer.status_code, decoded
