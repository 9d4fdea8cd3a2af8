"""The site, from bare hosts to HTTPS studios: pyinfra inventory/prod.py deploy.py

One line a role, in the order things happen. Each line runs on every host of its kind before the next begins.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.backup import backup
from roles.base import base
from roles.docker import docker
from roles.door import door
from roles.firewall import firewall
from roles.gateway import gateway
from roles.image import image
from roles.lock import lock, unlock
from roles.node_proxy import node_proxy
from roles.nvidia import nvidia
from roles.preflight import preflight
from roles.routes import routes
from roles.studios import studios
from roles.verify import verify
from roles.versions import prune, remember
from roles.watch import watch
from roles.weights import weights
from roles.wireguard import wireguard
from steps.barrier import everyone

site, member = host.data.site, host.data.member
on_gateway = "gateway" in host.groups
on_node = "gpu" in host.groups

# Look before anything is touched; then nobody else deploys until we are done.
preflight(site, member)
lock(site, member)

# Every host: itself, its walls, its private network, its containers.
base(site, member)
firewall(site, member)
wireguard(site, member)
docker(site, member)

# Backups, every night, to where the inventory says.
backup(site, member)

# GPU hosts: driver and devices.
if on_node:
    nvidia(site, member)

# The gateway: registry and Traefik, the images of door and studio, the door.
if on_gateway:
    gateway(site, member)
if on_gateway:
    image(site, member)
if on_gateway:
    door(site, member)

# GPU hosts: weights, proxy, one studio for each GPU, and what looks after them.
if on_node:
    weights(site, member)
if on_node:
    node_proxy(site, member)
everyone(name="Wait for image, door and every node")
if on_node:
    studios(site, member)
if on_node:
    watch(site, member)

# What the world sees, and the proof of it.
everyone(name="Wait for every studio")
if on_gateway:
    routes(site, member)
everyone(name="Wait for the routes")
verify(site, member)

# What can be gone back to (ops/rollback.py).
if on_gateway:
    remember(site, member)
if on_node:
    prune(name="Remove images that no version needs", site=site)
unlock(site, member)
