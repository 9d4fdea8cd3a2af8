"""The site as the world sees it: HTTPS by its public name, with a certificate that has to be trusted."""

from __future__ import annotations

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
