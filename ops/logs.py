"""What studios and services say: pyinfra inventory/prod.py ops/logs.py --data project=NAME [--data …]

    project=podcast    the studios of a project, also those that have ended
    job=job_…          only lines that name this job
    service=traefik    or door, registry, node-proxy, docker-proxy: the site's own containers, instead
    host=gpu-1         on this host alone
    since=30m          not older than that: 90s, 30m, 2h, 1d
    lines=200          the newest so many
    json=1             a JSON object instead of lines

A studio's log never has a word of a script. The log of a container goes with it when it is replaced.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host
from pyinfra.api import DeployError

from roles.logs import logs
from roles.logs.wish import WrongWish, read

try:
    wish = read(host.data.site, host.data.dict())
except WrongWish as wrong:
    raise DeployError(str(wrong)) from None

logs(host.data.site, host.data.member, wish)
