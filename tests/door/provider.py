"""A real OpenID provider (oidc-provider-mock, served by Werkzeug over TLS or plain) that can also misbehave.

Run as a program it serves until it is ended; used as a module it serves in a thread:

    python provider.py --host 127.0.0.1 --port 9400 --tls-cert id.pem --tls-key id.key \
        --client-id door --client-secret … \
        --redirect-uri https://studio.lab.test/vibevoice/auth/corp/callback \
        --users '{"ana": {"email": "ana@example.com", "groups": ["podcast-team"]}}' [--crooked nonce]

Crooked providers sign what they should not: see CROOKED. Everything else they do as the honest one does. The
program takes another crookedness from each line of its standard input.
"""

import argparse
import base64
import contextlib
import functools
import hashlib
import hmac
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import flask
import oidc_provider_mock
import werkzeug.serving
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

Claims = dict[str, Any]
SIGNED = ["RS256", "ES256", "HS256", "none"]


class Signer:
    """The provider's keys, and what a crooked one makes of a token with them."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "first", "alg": "RS256", "use": "sig"})
        # Of the same name, and nobody's.
        self.stranger = RSAKey.generate_key(2048, {"kid": "first", "alg": "RS256", "use": "sig"})
        # What else stands in the key set, as it is written there.
        self.more: list[dict[str, Any]] = []

    def rotate(self) -> None:
        """A new key under a new name, in place of the old one."""
        self.key = RSAKey.generate_key(2048, {"kid": f"after {self.key.kid}", "alg": "RS256", "use": "sig"})

    def key_set(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False), *self.more]}

    def sign(self, claims: Claims, **header: Any) -> str:
        """As the honest provider signs."""
        return jwt.encode(
            {"alg": "RS256", "kid": self.key.kid, **header}, claims, self.key, algorithms=SIGNED
        )

    def unsigned(self, claims: Claims) -> str:
        """`alg: none`, and no signature."""
        parts = ({"alg": "none", "typ": "JWT"}, claims)
        return ".".join(_base64url(json.dumps(part).encode()) for part in parts) + "."

    def confused(self, claims: Claims) -> str:
        """`alg: HS256`, its secret the public key's PEM: whoever checks with "the key" believes it."""
        header = {"alg": "HS256", "typ": "JWT", "kid": self.key.kid}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        mac = hmac.digest(self.key.as_pem(private=False), signed.encode(), hashlib.sha256)
        return f"{signed}.{_base64url(mac)}"

    def forged(self, claims: Claims) -> str:
        """The right name of a key, another one's signature."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.stranger)

    def other_key(self, claims: Claims) -> str:
        """A key that stands in no key set, and says so."""
        key = ECKey.generate_key("P-256", {"kid": "unheard of"})
        return jwt.encode({"alg": "ES256", "kid": "unheard of"}, claims, key)

    def embedded(self, claims: Claims) -> str:
        """A key that comes with the token."""
        header = {"alg": "RS256", "jwk": self.stranger.as_dict(private=False)}
        return jwt.encode(header, claims, self.stranger)


# What a crooked provider puts into its id_token: a change of the claims, or another way to sign.
CROOKED: dict[str, Callable[[Signer, Claims], str]] = {
    "nonce": lambda signer, claims: signer.sign({**claims, "nonce": "of another try"}),
    "no-nonce": lambda signer, claims: signer.sign(_without(claims, "nonce")),
    "audience": lambda signer, claims: signer.sign({**claims, "aud": ["another client"]}),
    "azp": lambda signer, claims: signer.sign({**claims, "aud": [*claims["aud"], "another client"]}),
    "other-azp": lambda signer, claims: signer.sign({**claims, "azp": "another client"}),
    "expired": lambda signer, claims: signer.sign({**claims, "exp": int(time.time()) - 3600}),
    "no-exp": lambda signer, claims: signer.sign(_without(claims, "exp")),
    "future": lambda signer, claims: signer.sign({**claims, "iat": int(time.time()) + 3600}),
    "issuer": lambda signer, claims: signer.sign({**claims, "iss": "https://elsewhere.example.com"}),
    "none": lambda signer, claims: signer.unsigned(claims),
    "hs256": lambda signer, claims: signer.confused(claims),
    "forged": lambda signer, claims: signer.forged(claims),
    "key": lambda signer, claims: signer.other_key(claims),
    "embedded": lambda signer, claims: signer.embedded(claims),
    "at-hash": lambda signer, claims: signer.sign({**claims, "at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    "type": lambda signer, claims: signer.sign(claims, typ="logout+jwt"),
    "group": lambda signer, claims: signer.sign({**claims, "groups": ["people-of-the-moon"]}),
    "no-groups": lambda signer, claims: signer.sign(_without(claims, "groups")),
    "unverified": lambda signer, claims: signer.sign({**claims, "email_verified": False}),
    "missing": lambda signer, claims: "",
}


class OpenIdProvider:
    """The provider, one client and its users. Serves from `with`; `issuer` is its address then.

    Args:
        users: claims by the name that one signs in with, which is the subject.
        crooked: a name of CROOKED, or None; may be changed while it serves.
        tls: certificate and key, as files of PEM.
        post: the client's secret is taken in the form only.
    """

    def __init__(
        self,
        users: Mapping[str, Claims],
        *,
        client_id: str = "door",
        client_secret: str = "provider's secret",
        redirect_uri: str = "https://studio.lab.test/vibevoice/auth/corp/callback",
        host: str = "127.0.0.1",
        port: int = 0,
        tls: tuple[str, str] | None = None,
        crooked: str | None = None,
        post: bool = False,
    ) -> None:
        self.crooked, self.signer = crooked, Signer()
        self.client_id, self.client_secret, self.redirect_uri = client_id, client_secret, redirect_uri
        self.post = post
        # Discovery says so instead of the truth.
        self.claimed_issuer: str | None = None
        # Userinfo tells of this subject instead of the right one.
        self.userinfo_of: str | None = None
        # Answers nothing but 503.
        self.away = False
        self.asked: list[str] = []
        self._challenges: dict[str, str] = {}
        app = self._app(users)
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
        else:
            # Authlib's server, of which the package is made, wants to be told that this is meant.
            os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
        self._server = werkzeug.serving.make_server(
            host, port, app, threaded=True, ssl_context=context, request_handler=_Quiet
        )
        self.issuer = f"{'https' if tls else 'http'}://{host}:{self._server.server_port}"

    def __enter__(self) -> "OpenIdProvider":
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def serve(self) -> None:
        """Until it is shut down."""
        self._server.serve_forever(poll_interval=0.05)
        self._server.server_close()

    def _app(self, users: Mapping[str, Claims]) -> Any:
        """The package's application, with its places where something can be wrong wrapped."""
        known = [oidc_provider_mock.User(sub=name, claims=claims) for name, claims in users.items()]
        app = oidc_provider_mock.app(user_claims=known)
        # Without its debugger, which would run what anybody types.
        app.debug = False
        app.wsgi_app = app.wsgi_app.app  # type: ignore[attr-defined]
        for name, wrap in {
            "openid_config": self._discovery,
            "jwks": self._jwks,
            "authorize": self._authorize,
            "issue_token": self._token,
            "userinfo": self._userinfo,
        }.items():
            endpoint = f"oidc-provider-mock.{name}"
            app.view_functions[endpoint] = functools.partial(wrap, app.view_functions[endpoint])

        @app.before_request
        def arrive() -> Any:
            self.asked.append(flask.request.path)
            return ("Away.", 503) if self.away else None

        return app

    def _discovery(self, view: Callable[[], Any]) -> Any:
        document = flask.make_response(view()).get_json()
        method = "client_secret_post" if self.post else "client_secret_basic"
        document |= {
            "token_endpoint_auth_methods_supported": [method],
            "code_challenge_methods_supported": ["S256"],
        }
        return flask.jsonify(document | ({"issuer": self.claimed_issuer} if self.claimed_issuer else {}))

    def _jwks(self, view: Callable[[], Any]) -> Any:
        return flask.jsonify(self.signer.key_set())

    def _authorize(self, view: Callable[[], Any]) -> Any:
        asked = flask.request.args
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") != self.redirect_uri:
            return "Another client, or another way back.", 400
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "No challenge.", 400
        answer = flask.make_response(view())
        sent = dict(_query(answer.location or ""))
        if "code" in sent:
            self._challenges[sent["code"]] = asked["code_challenge"]
        if "error" in sent and "state" not in sent:
            # Which the package forgets (RFC 6749 4.1.2.1).
            answer.location = f"{answer.location}&{urlencode({'state': asked['state']})}"
        return answer

    def _token(self, view: Callable[[], Any]) -> Any:
        form = flask.request.form
        basic = flask.request.authorization
        given = (
            (form.get("client_id"), form.get("client_secret"))
            if self.post
            else (basic and basic.username, basic and basic.password)
        )
        if given != (self.client_id, self.client_secret):
            return flask.jsonify({"error": "invalid_client"}), 401
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if self._challenges.pop(form.get("code", ""), None) != _base64url(verifier):
            return flask.jsonify({"error": "invalid_grant"}), 400
        answer = flask.make_response(view())
        granted = answer.get_json()
        if "id_token" not in granted:
            return answer
        # Taken apart without a check: it was made two lines above.
        claims = json.loads(base64.urlsafe_b64decode(granted["id_token"].split(".")[1] + "=="))
        sign = CROOKED[self.crooked] if self.crooked else Signer.sign
        granted["id_token"] = sign(self.signer, claims)
        return flask.jsonify(granted)

    def _userinfo(self, view: Callable[[], Any]) -> Any:
        document = flask.make_response(view()).get_json()
        return flask.jsonify(document | ({"sub": self.userinfo_of} if self.userinfo_of else {}))


class _Quiet(werkzeug.serving.WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        pass


def _without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _query(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)


def _obey(provider: OpenIdProvider) -> None:
    """Each line of standard input is the next way to be crooked; an empty one: honest again."""
    for line in sys.stdin:
        provider.crooked = line.strip() or None
        print(f"crooked: {provider.crooked}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="An OpenID provider for tests, honest or crooked.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9400)
    parser.add_argument("--tls-cert", help="PEM; without it the provider speaks plain HTTP")
    parser.add_argument("--tls-key", help="PEM")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--client-secret", required=True)
    parser.add_argument("--redirect-uri", required=True)
    parser.add_argument("--users", type=json.loads, required=True, help="JSON: claims by name")
    parser.add_argument("--crooked", choices=sorted(CROOKED))
    asked = parser.parse_args()
    if bool(asked.tls_cert) != bool(asked.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    provider = OpenIdProvider(
        asked.users,
        client_id=asked.client_id,
        client_secret=asked.client_secret,
        redirect_uri=asked.redirect_uri,
        host=asked.host,
        port=asked.port,
        tls=(asked.tls_cert, asked.tls_key) if asked.tls_cert else None,
        crooked=asked.crooked,
    )
    print(f"serving {provider.issuer}", file=sys.stderr, flush=True)
    threading.Thread(target=_obey, args=(provider,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        provider.serve()


if __name__ == "__main__":
    main()
