"""The site as the world sees it: HTTPS by its public name, with a certificate that has to be trusted."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from fleet.models import Site


class _Pinned(HTTPAdapter):
    """Connects to one address while name, certificate and Host header stay the site's."""

    def __init__(self, domain: str, address: str) -> None:
        self._domain, self._address = domain, address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, server_hostname=self._domain, assert_hostname=self._domain, **kwargs)  # type: ignore[misc]

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        port = f":{parts.port}" if parts.port else ""
        request.headers["Host"] = self._domain
        request.url = urlunsplit(parts._replace(netloc=f"{self._address}{port}"))
        response = super().send(request, *args, **kwargs)
        # Redirects and messages speak of the public name again.
        response.url = urlunsplit(parts)
        request.url = response.url
        return response


class _PlainPinned(_Pinned):
    """The same for plain HTTP, where there is no certificate to compare."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        HTTPAdapter.init_poolmanager(self, *args, **kwargs)


def public_address(site: Site) -> str | None:
    """The address to connect to where public DNS cannot know the name (.test is reserved for that)."""
    return site.gateway.address if site.domain.endswith(".test") else None


def session(site: Site) -> requests.Session:
    """A session that trusts what the site's visitors trust and reaches it the way they do.

    The caller adds a login per request: `session.get(url, auth=(user, password), timeout=…)`.
    """
    session = requests.Session()
    if site.acme.root is not None:
        session.verify = str(site.acme.root)
        # An environment's REQUESTS_CA_BUNDLE would replace the site's own root.
        session.trust_env = False
    address = public_address(site)
    if address is not None:
        session.mount(f"https://{site.domain}", _Pinned(site.domain, address))
        session.mount(f"http://{site.domain}", _PlainPinned(site.domain, address))
    return session


@dataclass(frozen=True)
class Certificate:
    """A certificate that visitors trust, but for its age: its signer, its end in seconds of the epoch."""

    issuer: str
    ends: float

    @property
    def days(self) -> float:
        """Days left; negative once it has ended."""
        return (self.ends - time.time()) / 86400


# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for: an expired one is to be read, too.
_ANY_TIME = 0x200000


def certificate(site: Site, timeout_s: float, port: int = 443) -> Certificate | str:
    """The certificate that the gateway shows, or why there is none that visitors would trust."""
    context = ssl.create_default_context(cafile=str(site.acme.root) if site.acme.root else None)
    context.verify_flags |= _ANY_TIME
    address = public_address(site) or site.domain
    try:
        with (
            socket.create_connection((address, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=site.domain) as tls,
        ):
            shown: Any = tls.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return f"no trusted certificate: {error.verify_message}"
    except ssl.SSLError as error:
        return f"no certificate ({error.reason})"
    except OSError as error:
        return f"port {port} of {address} does not answer: {error.strerror or error}"
    names = dict(pair for part in shown["issuer"] for pair in part)
    issuer = names.get("commonName") or names.get("organizationName") or "unknown"
    return Certificate(issuer, ssl.cert_time_to_seconds(shown["notAfter"]))
