"""Single sign-on: the way to a provider and back, as pages."""

import secrets
import time
from dataclasses import asdict
from urllib.parse import quote

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .config import SignOn
from .cookies import PREFIX, clearing, setting
from .desk import Desk
from .keysets import KeySets
from .next import PORTAL, safe_next
from .oidc import Flow, Provider, SignOnFailed
from .pages.endpoint import Page
from .pages.login import enter
from .pages.visit import Refusal, Visit
from .people import Person

FLOW_COOKIE = f"{PREFIX}flow"
FLOW_S = 600
MAX_CODE_CHARS = 4096
# Errors of a provider that say something about the person and not about us.
_DECLINED = ("access_denied", "login_required", "consent_required", "interaction_required")


def routes(desk: Desk) -> list[BaseRoute]:
    """Start and end of a sign-on."""
    sign_on = SingleSignOn(desk)
    return [
        Route("/vibevoice/auth/{provider}", Page(desk, get=sign_on.start)),
        Route("/vibevoice/auth/{provider}/callback", Page(desk, get=sign_on.finish)),
    ]


class SingleSignOn:
    """Remembers, beside the providers' keys, which tries are over: none ends twice in one process.

    In two it could, but for the provider, which takes a code only once.
    """

    def __init__(self, desk: Desk, keys: KeySets | None = None) -> None:
        self._desk = desk
        self._keys = keys or KeySets()
        self._over: dict[str, float] = {}

    async def start(self, visit: Visit) -> Response:
        """To the provider, with a cookie that remembers what was asked."""
        settings = self._settings(visit)
        flow = Flow(
            provider=settings.name,
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            onward=safe_next(visit.request.query_params.get("next")),
        )
        try:
            way = await self._provider(settings).way_there(flow)
        except SignOnFailed as failed:
            return self._failed(visit, settings, failed, flow.onward)
        visit.set_cookie(setting(FLOW_COOKIE, self._signer().dumps(asdict(flow)), FLOW_S))
        return visit.go(way)

    async def finish(self, visit: Visit) -> Response:
        """Back from the provider: a session, or a page that says why there is none."""
        settings = self._settings(visit)
        # Whatever happens now: this try is over.
        visit.set_cookie(clearing(FLOW_COOKIE))
        onward = PORTAL
        try:
            flow = self._flow(visit, settings)
            onward = flow.onward
            person = await self._answered(visit, settings, flow)
        except SignOnFailed as failed:
            return self._failed(visit, settings, failed, onward)
        open_projects = self._desk.projects_of(person)
        # Somebody who lost their last group is remembered without it, so that their keys end too.
        if open_projects or self._desk.person(person.name):
            self._desk.remember(person)
        if not open_projects:
            return self._failed(
                visit, settings, SignOnFailed("sso_nothing", "no project"), onward, person.name
            )
        self._desk.audit.write("sso_login", user=person.name, address=visit.address, via="sso")
        return enter(visit, person, "sso", onward)

    async def _answered(self, visit: Visit, settings: SignOn, flow: Flow) -> Person:
        query = visit.request.query_params
        provider = self._provider(settings)
        await provider.check_sender(query.get("iss"))
        if error := query.get("error"):
            declined = error in _DECLINED
            raise SignOnFailed("sso_denied" if declined else "sso_provider", f"provider: {error}")
        code = query.get("code", "")
        if not 0 < len(code) <= MAX_CODE_CHARS:
            raise SignOnFailed("sso_invalid", "no code")
        return await provider.person(flow, code)

    def _flow(self, visit: Visit, settings: SignOn) -> Flow:
        """The try that this answer ends. Raises SignOnFailed unless this browser began it, here, lately."""
        try:
            flow = Flow(**self._signer().loads(visit.own_cookie(FLOW_COOKIE), max_age=FLOW_S))
        except (BadData, TypeError) as error:
            raise SignOnFailed("sso_stale", "no flow") from error
        state = visit.request.query_params.get("state", "")
        if flow.provider != settings.name or not secrets.compare_digest(flow.state.encode(), state.encode()):
            raise SignOnFailed("sso_stale", "state of another flow")
        now = time.monotonic()
        self._over = {over: at for over, at in self._over.items() if now - at <= FLOW_S}
        if flow.state in self._over:
            raise SignOnFailed("sso_stale", "flow used twice")
        self._over[flow.state] = now
        return flow

    def _settings(self, visit: Visit) -> SignOn:
        name = visit.request.path_params["provider"]
        for settings in self._desk.config.sign_on:
            if settings.name == name:
                return settings
        raise Refusal(404, "sso_unknown")

    def _provider(self, settings: SignOn) -> Provider:
        return Provider(settings, self._desk.config.domain, self._keys)

    def _signer(self) -> URLSafeTimedSerializer:
        return self._desk.signer("sso-flow")

    def _failed(
        self, visit: Visit, settings: SignOn, failed: SignOnFailed, onward: str, user: str | None = None
    ) -> Response:
        self._desk.audit.note(
            "sso_failed",
            user=user,
            address=visit.address,
            via="sso",
            reason=f"{settings.name}: {failed.reason}",
        )
        again = f"/vibevoice/auth/{quote(settings.name)}?next={quote(onward, safe='')}"
        status = {"sso_unreachable": 502, "sso_nothing": 403}.get(failed.text, 400)
        title = "sso_nothing_title" if failed.text == "sso_nothing" else "sso_title"
        # No switch of language: it would send the provider's answer again.
        return visit.message(status, title, failed.text, retry=again, switch=False, label=settings.label)
