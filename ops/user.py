"""The people of a site: pyinfra -y inventory/prod.py ops/user.py [--data user=NAME [--data do=end]]

Without a user: who there is. With one: an invitation, a link by which they set a password. With do=end: their
sessions and keys end at once, their password stays.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.door.people import end, invite, show
from steps.options import Mistake, option

site = host.data.site
user, do = option("user"), option("do") or "invite"
on_gateway = "gateway" in host.groups

if on_gateway and not user:
    show(name="Show the site's people")
if on_gateway and user and do == "invite":
    invite(name=f"Invite {user}", site=site, user=user)
if on_gateway and user and do == "end":
    end(name=f"End {user}'s sessions and keys", site=site, user=user)
if do not in ("invite", "end"):
    raise Mistake(f"do={do}: what shall become of {user}? Say do=invite or do=end.")
