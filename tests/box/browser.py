"""Debian's Chromium as a visitor at home: it resolves the domain to the lab and trusts the lab's root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.box.lab import Lab, Login

CHROMIUM = "/usr/bin/chromium"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium(lab: Lab, home: Path, *also_trusted: Path) -> Iterator[Browser]:
    """A headless browser; ``home`` is the empty folder that it finds its certificates below."""
    _trust([lab.ca_root, *also_trusted], home)
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--autoplay-policy=no-user-gesture-required",
        f"--host-resolver-rules=MAP {lab.domain} {lab.gateway_ip}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments, env={**os.environ, "HOME": str(home)}
        )
        yield browser
        browser.close()


def log_in(page: Page, login: Login) -> None:
    """Open a project as a person does: to its address, through the login page, and back there."""
    page.goto(login.url)
    page.locator("input[name=name]").fill(login.user)
    page.locator("input[name=password]").fill(login.password)
    page.locator("button[type=submit]").first.click()
    page.wait_for_url(f"{login.url}**")


def open_studio(page: Page, login: Login) -> None:
    """Log in, and wait until the page's own script has everything in its place."""
    log_in(page, login)
    page.locator("#studio[data-ready]").wait_for(timeout=30_000)


def fits(page: Page) -> bool:
    """Whether nothing of the page is wider than the window."""
    size = page.viewport_size
    return bool(size) and page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]


def _trust(roots: list[Path], home: Path) -> None:
    """A certificate store with the lab's roots in it: errors stay errors."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    base = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*base, "-N", "--empty-password"], check=True)
    for number, root in enumerate(roots):
        subprocess.run([*base, "-A", "-t", "C,,", "-n", f"lab-{number}", "-i", str(root)], check=True)


class Complaints(list[str]):
    """What a page's developer would see in red, ``watch`` a page to gather it."""

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.append(f"script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium may ask for the domain's icon before Gradio's script has named the page's own. A matter
        # between browser and domain: no studio serves the domain's root.
        url = urlsplit(message.location.get("url") or "")
        if message.type == "error" and url.path != "/favicon.ico":
            self.append(f"console: {message.text} ({message.location.get('url')})")

    def _failed(self, request: Request) -> None:
        # What the page itself gives up, such as an event stream it closes, is no failure.
        if request.failure != "net::ERR_ABORTED":
            self.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.append(f"{response.status}: {response.url}")
