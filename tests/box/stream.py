"""A visitor who keeps a project's event stream open while something happens to the site."""

from __future__ import annotations

import threading
import time

import requests

from tests.box import web
from tests.box.lab import Lab, Login

# Studios send a heartbeat every 5 s.
LONGEST_SILENCE_S = 12.0


class EventStream:
    """Open from ``with`` to its end; afterwards ``complaint`` says what went wrong, None if nothing did."""

    def __init__(self, lab: Lab, login: Login) -> None:
        self.kinds: list[str] = []
        self.complaint: str | None = None
        self._numbers: list[int] = []
        self._times: list[float] = []
        self._leave = threading.Event()
        self._lab, self._login = lab, login
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> EventStream:
        self._reader.start()
        deadline = time.monotonic() + 30
        while not self.kinds and self._reader.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.kinds, f"no event from {self._login.url}: {self.complaint}"
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(6)  # one heartbeat more: the connection has outlived what happened
        silent_s = time.monotonic() - self._times[-1]
        self._leave.set()
        self._reader.join(LONGEST_SILENCE_S)
        gaps = [after - before for before, after in zip(self._times, self._times[1:], strict=False)]
        if max([silent_s, *gaps]) > LONGEST_SILENCE_S:
            self.complaint = self.complaint or f"silent for {max([silent_s, *gaps]):.1f} s"
        if self._numbers != list(range(len(self._numbers))):
            self.complaint = self.complaint or f"numbers {self._numbers}: lost or from another stream"

    def _read(self) -> None:
        try:
            with web.session(self._lab.domain, self._lab.gateway_ip, self._lab.ca_root) as session:
                self._follow(session)
        except (requests.RequestException, AssertionError) as error:
            if not self._leave.is_set():
                self.complaint = f"broke after {len(self.kinds)} events: {error!r}"

    def _follow(self, session: requests.Session) -> None:
        url = f"{self._login.url}v1/events"
        with session.get(url, auth=self._login.auth, stream=True, timeout=(10, 30)) as answer:
            assert answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}"
            for line in answer.iter_lines(decode_unicode=True):
                self._take(line)
                if self._leave.is_set():
                    return
        raise AssertionError("the server ended it")

    def _take(self, line: str) -> None:
        field, _, value = line.partition(": ")
        if field == "id":
            self._numbers.append(int(value))
        elif field == "event":
            self._times.append(time.monotonic())
            self.kinds.append(value)
