"""When a project first answers over trusted HTTPS."""

from __future__ import annotations

import threading
import time

import requests

from tests.box.lab import Lab, Login
from tests.box.web import session


class FirstAnswer:
    """Asks twice a second inside ``with``; afterwards ``seconds`` from its begin to the first 200."""

    def __init__(self, lab: Lab, login: Login, limit_s: float = 30.0) -> None:
        self.seconds = float("inf")
        self._lab, self._login, self._limit_s = lab, login, limit_s
        self._answered = threading.Event()
        self._over = threading.Event()
        self._asker = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> FirstAnswer:
        self._begin = time.monotonic()
        self._asker.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._answered.wait(self._limit_s):
            self._over.set()
            raise TimeoutError(f"{self._login.url} does not answer {self._limit_s:.0f} s after the run")
        self._over.set()
        self._asker.join(10)

    def _ask(self) -> None:
        with session(self._lab.domain, self._lab.gateway_ip, self._lab.ca_root) as web:
            while not self._over.wait(0.5):
                try:
                    answer = web.get(self._login.url, auth=self._login.auth, timeout=5)
                except requests.RequestException:
                    continue
                if answer.status_code == 200:
                    self.seconds = round(time.monotonic() - self._begin, 1)
                    self._answered.set()
                    return
