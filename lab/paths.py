"""Where the lab keeps its things on the machine, and where its checkout is."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent

STATE = Path("/var/lib/vibevoice-lab")
RUN = Path("/run/vibevoice-lab")
LOGS = Path("/var/log/vibevoice-lab")

BASES = STATE / "bases"
HOSTS = STATE / "hosts"
SSH = STATE / "ssh"
SSH_KEY = SSH / "id_ed25519"
SSH_CONFIG = SSH / "config"
SECRETS = STATE / "secrets.toml"
INTERNET = STATE / "internet"
CA_ROOT = INTERNET / "pebble" / "root.pem"

KNOWN_HOSTS = REPO / "inventory" / "lab.known_hosts"
SITE_SECRETS = REPO / "inventory" / "lab.secrets.toml"
