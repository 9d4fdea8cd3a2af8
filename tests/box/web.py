"""The site as a browser at home would see it, without touching this machine's DNS or trust store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

TIMEOUT_S = 30
# Longer than the proxies take to hear of what was killed: a health check of 5 s, each second.
STAYS_S = 8.0


class _Resolving(HTTPAdapter):
    """Knows the address of one name; SNI, certificate and Host header stay those of the name."""

    def __init__(self, domain: str, address: str) -> None:
        self._domain, self._address = domain, address
        super().__init__()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        host: dict[str, Any]
        pool: dict[str, Any]
        host, pool = self.build_connection_pool_key_attributes(request, verify or False, cert)  # type: ignore[assignment]
        if host["scheme"] == "https":
            pool |= {"server_hostname": self._domain, "assert_hostname": self._domain}
        return self.poolmanager.connection_from_host(
            self._address, port=host["port"], scheme=host["scheme"], pool_kwargs=pool
        )

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.headers["Host"] = self._domain
        return super().send(request, *args, **kwargs)


def session(domain: str, address: str, ca_root: Path | None) -> requests.Session:
    """A session that finds ``domain`` at ``address``; trusts ``ca_root`` alone, or what Python trusts."""
    made = requests.Session()
    # Proxies and CA bundles of the machine's environment are none of the site's business.
    made.trust_env = False
    if ca_root:
        made.verify = str(ca_root)
    for scheme in ("http", "https"):
        made.mount(f"{scheme}://{domain}", _Resolving(domain, address))
    return made


def answers(web: requests.Session, url: str, auth: tuple[str, str], limit_s: float) -> float:
    """Seconds until ``url`` answers 200; AssertionError with the last answer after ``limit_s``."""
    begin = time.monotonic()
    last = "nothing"
    while time.monotonic() - begin < limit_s:
        try:
            answer = web.get(url, auth=auth, timeout=10)
            if answer.status_code == 200:
                return time.monotonic() - begin
            last = f"{answer.status_code} {answer.text[:200]}"
        except requests.RequestException as error:
            last = f"{error}"
        time.sleep(0.5)
    raise AssertionError(f"{url} did not answer within {limit_s:.0f} s; last: {last}")


def stays(
    web: requests.Session, url: str, auth: tuple[str, str], limit_s: float, quiet_s: float = STAYS_S
) -> None:
    """Wait until ``url`` has answered 200 for ``quiet_s`` without a break; AssertionError after ``limit_s``.

    What was killed is not back with its first answer: a request that found it dead is sent again for some
    seconds, and may be answered before the gateway, and Docker's health check, have heard of the death.
    """
    end = time.monotonic() + limit_s
    answers(web, url, auth, limit_s)
    since = time.monotonic()
    while time.monotonic() - since < quiet_s:
        assert time.monotonic() < end, f"{url} did not answer for {quiet_s:g} s on end within {limit_s:g} s"
        time.sleep(0.2)
        if web.get(url, auth=auth, timeout=10).status_code != 200:
            answers(web, url, auth, max(end - time.monotonic(), 0.0))
            since = time.monotonic()
