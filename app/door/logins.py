"""Names and passwords: proved, set, and the invitations to set one."""

import asyncio
from functools import partial
from typing import Literal

from itsdangerous import BadData

from .addresses import counted
from .passwords import Turns, check_new, hashed, verify
from .people import NotInvitable, Person, Refused, Slowed, WeakPassword
from .sessions import HOUR_S, Sessions, _text

# How long the answer to an attempt that came too soon is held back.
HELD_S = 0.2


class Logins(Sessions):
    """The part of the desk that knows passwords."""

    _turns: Turns

    async def log_in(
        self,
        name: str,
        password: str,
        address: str,
        cookie_header: str,
        via: Literal["password", "basic"] = "password",
    ) -> Person:
        """Who has this name and this password. Writes the audit log.

        Args:
            address: the client's.
            cookie_header: as the client sent it: tells whether this person logged in there before.

        Raises:
            Refused: nobody.
            Slowed: too many failures; nothing was verified.
        """
        # Half a surrogate pair may come from a program; nobody is called so, and no database stores it.
        name = name.encode(errors="replace").decode()
        known, hash = name in self.config.users, self._password(name)
        # Of strangers nothing is written down: it may be a password in the wrong field.
        noted = {"user": name if known else None, "address": address, "via": via}
        device = self.device(name, cookie_header)
        attempt = self.attempts.judge(name, address, device)
        try:
            self.attempts.look(attempt)
            right = await self._turns.take(
                f"device {device}" if device else counted(address),
                trusted=len(attempt.buckets) == 1,
                before=lambda: self.attempts.take(attempt),
                work=partial(verify, hash, password),
            )
        except Slowed:
            self.audit.write("login_slowed", **noted)
            # Whoever asks in a loop gets no further by it, and leaves the CPU to others.
            await asyncio.sleep(HELD_S)
            raise
        if not right:
            self.audit.write("login_failed", reason="wrong_password" if known else "unknown_user", **noted)
            raise Refused("the name or the password is wrong")
        self.audit.write("login", **noted)
        self.attempts.give_back(attempt)
        self.attempts.arrived(name, address)
        # Last of all: whoever knew the old password must not slip in while it changes.
        if hash != self._password(name):
            self.audit.write("login_failed", reason="changed_meanwhile", **noted)
            raise Refused("the password was changed meanwhile")
        return Person(name)

    def set_password(self, name: str, password: str) -> None:
        """Set an inventory user's password, which ends their sessions and keys.

        Raises:
            WeakPassword: not this one, or not here; see its reasons.
        """
        if name not in self.config.users or self.config.users[name] is not None:
            raise WeakPassword("elsewhere", "This password is set by whoever runs the site.")
        check_new(name, password)
        self.store.set_password(name, hashed(password), self.clock())

    def invite(self, name: str) -> str:
        """A token with which `name` may set a password, once, for some days. Raises NotInvitable."""
        if name not in self.config.users:
            raise NotInvitable(f"{name!r} is not among the users of any project. Add the name, and deploy.")
        if self.config.users[name] is not None:
            raise NotInvitable(
                f"The password of {name!r} is in the site's secrets. Change it there and deploy; or take it "
                "out there, deploy, and invite again."
            )
        return _text(self.signer("invite").dumps([name, self.stamp(name)]))

    def invited(self, token: str) -> str | None:
        """Whom a token invites, if it is still good: the password it would change is the one of then."""
        try:
            longest = int(self.config.invite_hours * HOUR_S)
            name, stamp = self.signer("invite").loads(token, max_age=longest)
        except (BadData, ValueError, TypeError):
            return None
        if self.config.users.get(name, "") is not None or stamp != self.stamp(name):
            return None
        return name
