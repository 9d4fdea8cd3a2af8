"""OpenID Connect as the door uses it: a way to the provider, and from its code to a person. Pages: sso.py."""

import warnings
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from . import fetch, signed
from .config import SignOn
from .fetch import Unreachable
from .keysets import KeySets, Source, UnknownKey, address
from .people import Person

with warnings.catch_warnings():
    # It prefers httpx2 to httpx, and says so whenever a program starts.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client

ID_TOKEN_TYPES = frozenset({"jwt"})


class SignOnFailed(Exception):
    """Nobody was signed on. `text` is the key of the words for the person, `reason` is for the audit log."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(reason)
        self.text, self.reason = text, reason


@dataclass(frozen=True)
class Flow:
    """One try to sign on, from the start to the answer; kept by the browser, signed by us.

    Args:
        state: ties the provider's answer to this browser.
        nonce: ties the provider's token to this try.
        verifier: proves to the provider that who brings the code also started (PKCE).
        onward: where to go afterwards.
    """

    provider: str
    state: str
    nonce: str
    verifier: str
    onward: str


class Provider:
    """One provider for one request. `domain` is ours, where the provider sends people back to."""

    def __init__(self, settings: SignOn, domain: str, keys: KeySets) -> None:
        self._settings, self._keys = settings, keys
        self._source = Source(settings.issuer, settings.ca)
        self._callback = f"https://{domain}/vibevoice/auth/{settings.name}/callback"

    async def way_there(self, flow: Flow) -> str:
        """The provider's address at which a person agrees. Raises SignOnFailed if it cannot be reached."""
        document = await self._document()
        async with self._client(document) as client:
            url, _ = client.create_authorization_url(
                _endpoint(document, "authorization_endpoint"),
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.verifier,
            )
        return url

    async def check_sender(self, iss: str | None) -> None:
        """An answer that names its issuer must name this one (RFC 9207), and must if the provider says so."""
        document = await self._document()
        must = document.get("authorization_response_iss_parameter_supported") is True
        if (iss is None and must) or (iss is not None and iss != self._settings.issuer):
            raise SignOnFailed("sso_invalid", "answer of another issuer")

    async def person(self, flow: Flow, code: str) -> Person:
        """Who the provider says has signed on. Raises SignOnFailed."""
        settings = self._settings
        document = await self._document()
        granted = await self._granted(document, flow, code)
        claims = await self._believed(granted, flow)
        told = claims
        if None in (signed.claim(claims, settings.user_claim), signed.claim(claims, settings.group_claim)):
            told = await self._told(document, granted, claims)
        groups = signed.groups_of(claims, settings.group_claim, settings.name)
        if groups is None:
            groups = signed.groups_of(told, settings.group_claim, settings.name)
        about = told if signed.claim(claims, settings.user_claim) is None else claims
        try:
            name = signed.name_of(about, settings.user_claim)
        except signed.BadToken as error:
            raise SignOnFailed("sso_invalid", str(error)) from error
        return Person(name=f"{settings.name}:{name}", groups=groups or frozenset(), provider=settings.name)

    async def _document(self) -> dict[str, Any]:
        try:
            return await self._keys.document(self._source)
        except Unreachable as error:
            raise SignOnFailed("sso_unreachable", f"unreachable: {error}") from error

    def _client(self, document: dict[str, Any]) -> Any:
        """An AsyncOAuth2Client, of which type checkers do not see that it is httpx's client too."""
        settings = self._settings
        methods = document.get("token_endpoint_auth_methods_supported")
        offered = methods if isinstance(methods, list) else []
        post = "client_secret_post" in offered and "client_secret_basic" not in offered
        try:
            transport = fetch.Transport(settings.ca)
        except Unreachable as error:
            raise SignOnFailed("sso_unreachable", f"unreachable: {error}") from error
        return AsyncOAuth2Client(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            token_endpoint_auth_method="client_secret_post" if post else "client_secret_basic",
            scope=" ".join(settings.scopes),
            redirect_uri=self._callback,
            code_challenge_method="S256",
            transport=transport,
            timeout=fetch.TIMEOUT_S,
            trust_env=False,
        )

    async def _granted(self, document: dict[str, Any], flow: Flow, code: str) -> dict[str, Any]:
        url = _endpoint(document, "token_endpoint")
        try:
            async with fetch.limited(), self._client(document) as client:
                return await client.fetch_token(
                    url, grant_type="authorization_code", code=code, code_verifier=flow.verifier
                )
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            text = "sso_unreachable" if status >= 500 else "sso_provider"
            raise SignOnFailed(text, f"unreachable: {url}: status {status}") from error
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            raise SignOnFailed("sso_unreachable", f"unreachable: {error or type(error).__name__}") from error
        except AuthlibBaseError as error:
            # A code that was used already, for example: the provider takes each once.
            text = "sso_stale" if error.error == "invalid_grant" else "sso_provider"
            raise SignOnFailed(text, f"token: {error.error}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise SignOnFailed("sso_provider", "token answer is no JSON object") from error

    async def _believed(self, granted: dict[str, Any], flow: Flow) -> dict[str, Any]:
        """The claims of the provider's token about who signed on, once all of it is checked."""
        settings, token = self._settings, granted.get("id_token")
        if not isinstance(token, str):
            raise SignOnFailed("sso_invalid", "no id_token")
        try:
            unverified = signed.take_apart(token, signed.ALGORITHMS, ID_TOKEN_TYPES)
            key = await self._keys.key(self._source, unverified.algorithm, unverified.kid)
            claims = CodeIDToken(
                signed.verified(unverified, key),
                # Which hash of the access token may stand in it; the same for both names of Ed25519.
                {"alg": "EdDSA" if unverified.algorithm == "Ed25519" else unverified.algorithm},
                options={
                    "iss": {"essential": True, "value": settings.issuer},
                    "aud": {"essential": True, "value": settings.client_id},
                    "nonce": {"essential": True, "value": flow.nonce},
                },
                params={
                    "nonce": flow.nonce,
                    "client_id": settings.client_id,
                    "access_token": granted.get("access_token"),
                },
            )
            claims.validate(leeway=signed.LEEWAY_S)
        except (signed.BadToken, UnknownKey) as error:
            raise SignOnFailed("sso_invalid", str(error) or "unknown key") from error
        except JoseError as error:
            raise SignOnFailed("sso_invalid", error.description or error.error) from error
        except Unreachable as error:
            raise SignOnFailed("sso_unreachable", f"unreachable: {error}") from error
        return dict(claims)

    async def _told(
        self, document: dict[str, Any], granted: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """What the provider tells of a person on top of its token; nothing if it has no such place."""
        access = granted.get("access_token")
        if "userinfo_endpoint" not in document or not isinstance(access, str):
            return claims
        try:
            told = await fetch.get(_endpoint(document, "userinfo_endpoint"), self._settings.ca, bearer=access)
        except Unreachable as error:
            raise SignOnFailed("sso_unreachable", f"unreachable: {error}") from error
        # OpenID Core 5.3.2: else one person's token could come with another's groups.
        if told.get("sub") != claims["sub"]:
            raise SignOnFailed("sso_invalid", "userinfo of somebody else")
        return told


def _endpoint(document: dict[str, Any], name: str) -> str:
    try:
        return address(document, name)
    except Unreachable as error:
        raise SignOnFailed("sso_unreachable", f"unreachable: {error}") from error
