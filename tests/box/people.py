"""Somebody who logs in at the door's pages without a browser, as a program with a cookie jar would."""

from __future__ import annotations

import html
import re
from types import TracebackType

import requests

from tests.box.lab import Lab
from tests.box.web import TIMEOUT_S, session

SESSION = "__Host-vv_session"
_FORM = re.compile(r'name="form" value="([^"]+)"')
_KEY = re.compile(r"\bvv_[A-Za-z0-9_-]{8}_[A-Za-z0-9_-]{43}\b")
_REVOKE = re.compile(r'name="key" value="([^"]+)"')


class Visitor:
    """A person with cookies. ``web`` is the session below it."""

    def __init__(self, lab: Lab) -> None:
        self.origin = f"https://{lab.domain}"
        self.web = session(lab.domain, lab.gateway_ip, lab.ca_root)
        self.web.headers["Accept"] = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.web.close()

    def get(self, path: str, **options: object) -> requests.Response:
        """A page of the site; redirects are not followed."""
        return self.web.get(self._url(path), timeout=TIMEOUT_S, allow_redirects=False, **options)  # type: ignore[arg-type]

    def submit(self, path: str, page: str | None = None, **fields: str) -> requests.Response:
        """Fill in the form of a page (by default the one at its own path) and send it as a browser does."""
        found = _FORM.search(self.get(page or path).text)
        assert found, f"no form at {page or path}"
        data = {"form": html.unescape(found[1]), **fields}
        headers = {"Origin": self.origin}
        url = self._url(path)
        return self.web.post(url, data=data, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)

    def log_in(self, user: str, password: str, onward: str = "") -> requests.Response:
        """Through the login page; the answer to the form."""
        path = "/vibevoice/login" + (f"?next={onward}" if onward else "")
        return self.submit(path, name=user, password=password)

    def log_out(self) -> requests.Response:
        return self.submit("/vibevoice/logout")

    def make_key(self, project: str, name: str = "test", days: int = 1) -> str:
        """A new key of a project, as the page shows it once."""
        answer = self.submit("/vibevoice/door/keys", project=project, name=name, days=str(days))
        found = _KEY.search(answer.text)
        assert found, f"{answer.status_code}: no key in the answer"
        return found[0]

    def revoke_key(self, key: str) -> None:
        """Revoke a key by its id, the middle part."""
        id_ = key.split("_", 1)[1][:8]
        answer = self.submit("/vibevoice/door/keys/revoke", page="/vibevoice/door/keys", key=id_)
        assert answer.status_code in (200, 303), answer.status_code

    @property
    def cookie(self) -> str | None:
        """The session's cookie."""
        return self.web.cookies.get(SESSION)

    def _url(self, path: str) -> str:
        return path if path.startswith("https://") else f"{self.origin}{path}"
