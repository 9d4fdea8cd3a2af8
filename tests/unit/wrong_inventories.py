"""Ways to spoil tests/unit/inventories.py, and what is to be said of each."""

from __future__ import annotations

from typing import Any

GPU_1 = "gpu-1.example.com"
CORP = {"name": "corp", "issuer": "https://id.example.com", "client_id": "studio"}
CI = {"name": "ci", "issuer": "https://ci.example.com", "audience": "vibevoice"}
THIRD: dict[str, Any] = {"name": "news", "node": GPU_1, "gpus": 1, "model": "tiny", "users": ["ana"]}

# One change to a right inventory, and all that is then said.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no domain": ({"domain": None}, "domain is missing. It says: where browsers find the site."),
    "domain without a dot": (
        {"domain": "studio"},
        'domain is "studio", which is not a domain. Write the name that browsers use, such as '
        '"studio.example.com".',
    ),
    "domain with a path": (
        {"domain": "studio.example.com/x"},
        'domain is "studio.example.com/x", which is not a domain. Write the name that browsers use, such as '
        '"studio.example.com".',
    ),
    "misspelt section": ({"projetcs": []}, "projetcs is not a key that exists here. Did you mean projects?"),
    "misspelt key of a node": (
        {"nodes.0.gpu_memroy": "48GiB"},
        "nodes.gpu-1.example.com.gpu_memroy is not a key that exists here. Did you mean gpu_memory?",
    ),
    "misspelt knob": (
        {"traefik.log_levle": "INFO"},
        "traefik.log_levle is not a key that exists here. Did you mean log_level?",
    ),
    "misspelt key deep inside": (
        {"nodes.1.ssh.usr": "ops"},
        "nodes.gpu-2.lan.ssh.usr is not a key that exists here. Did you mean user?",
    ),
    "key like no other": (
        {"registry.colour": "red"},
        "registry.colour is not a key that exists here. Known are port.",
    ),
    "backups nowhere": (
        {"backup.repository": "backups.example.com"},
        'backup.repository is "backups.example.com", which is not a repository as restic names it: '
        "sftp:user@host:/path, rest:https://host/path, s3:https://host/bucket, or a path.",
    ),
    "backups without a key to log in with": (
        {"backup": {"repository": "sftp:vv@nas:/vv", "ssh_known_hosts": __file__}},
        "backup.ssh_key is missing. It is what an sftp: repository logs in with.",
    ),
    "backups at an hour that does not exist": (
        {"backup.at": "24:10"},
        'backup.at is "24:10", which is not a time of day. Write hours and minutes, such as "03:30".',
    ),
    "backups under a secret that is not named": (
        {"backup": {"repository": "rest:https://vv:${REST_PASWORD}@nas/vv/", "env": ["REST_PASSWORD"]}},
        "backup.repository names ${REST_PASWORD}, which is not in backup.env. Did you mean REST_PASSWORD?",
    ),
    "text for a number": (
        {"nodes.0.gpus": "four"},
        'nodes.gpu-1.example.com.gpus is "four", but must be a whole number, without quotes.',
    ),
    "number for a text": (
        {"projects.0.model": 7},
        "projects.podcast.model is 7, but must be text in quotes.",
    ),
    "text for a list": (
        {"projects.0.users": "ana"},
        'projects.podcast.users is "ana", but must be a list.',
    ),
    "dictionary for a list": (
        {"projects": {"podcast": {}}},
        "projects is {'podcast': {}}, but must be a list of groups of keys, [{…}, {…}].",
    ),
    "text for a group": (
        {"gateway": "gw.example.com"},
        'gateway is "gw.example.com", but must be a group of keys in braces, {"key": …}.',
    ),
    "no e-mail address": (
        {"acme.email": None},
        "acme.email is missing. It says: where the certificate authority sends its warnings.",
    ),
    "bad e-mail address": ({"acme.email": "ops"}, 'acme.email is "ops", which is not an e-mail address.'),
    "unknown challenge": (
        {"acme.challenge": "smtp"},
        'acme.challenge is "smtp", but must be http, tls or dns.',
    ),
    "dns challenge without provider": (
        {"acme.challenge": "dns"},
        'acme.dns_provider is missing, and challenge is "dns". Name the provider as Traefik does.',
    ),
    "provider without dns challenge": (
        {"acme.dns_provider": "gandiv5"},
        'acme.dns_provider is "gandiv5", but challenge is "http". Remove it, or choose "dns".',
    ),
    "bad URL": ({"acme.server": "ftp://x"}, 'acme.server is "ftp://x", which is not an http(s) URL.'),
    "missing certificate file": (
        {"acme.root": "/nowhere/root.pem"},
        "acme.root is /nowhere/root.pem, and there is no such file.",
    ),
    "no gateway": ({"gateway": {}}, "gateway.host is missing. It says: its name, in pyinfra and for SSH."),
    "bad address": (
        {"gateway.address": "192.0.2.300"},
        'gateway.address is "192.0.2.300", which is not an IP address, such as "192.0.2.10".',
    ),
    "bad host": (
        {"gateway.ssh.address": "10.0.0.999"},
        'gateway.ssh.address is "10.0.0.999", which is neither a host name nor an IP address.',
    ),
    "port too high": ({"gateway.ssh.port": 70000}, "gateway.ssh.port is 70000, but must be at most 65535."),
    "port zero": ({"wireguard.port": 0}, "wireguard.port is 0, but must be at least 1."),
    "missing key file": (
        {"gateway.ssh.key": "/nowhere/key"},
        "gateway.ssh.key is /nowhere/key, and there is no such file.",
    ),
    "bad memory size": (
        {"nodes.0.gpu_memory": "48 gigs"},
        'nodes.gpu-1.example.com.gpu_memory is "48 gigs", which is not a memory size. Write a number with '
        'its unit, such as "48GiB".',
    ),
    "memory without a unit": (
        {"nodes.0.gpu_memory": 48},
        "nodes.gpu-1.example.com.gpu_memory is 48, which is not a memory size. Write a number with its unit, "
        'such as "48GiB".',
    ),
    "no GPUs": ({"nodes.1.gpus": 0}, "nodes.gpu-2.lan.gpus is 0, but must be at least 1."),
    "negative number": ({"traefik.grace_s": -1}, "traefik.grace_s is -1, but must be at least 0."),
    "one machine under two names": (
        {
            "nodes.+": {
                "host": "gpu-3.lan",
                "gpus": 2,
                "gpu_memory": "16GiB",
                "ssh": {"jump": "gw.example.com", "address": "10.1.2.3"},
            }
        },
        "nodes.gpu-3.lan.ssh.address is 10.1.2.3 port 22, but so is nodes.gpu-2.lan's: that is one machine.",
    ),
    "gateway as a node": (
        {"nodes.1.host": "gw.example.com", "nodes.1.ssh": {}},
        "nodes.gw.example.com.host is gw.example.com, but so is gateway.host. Name every host once.",
    ),
    "a host twice": (
        {"nodes.1.host": GPU_1, "nodes.1.ssh": {}},
        "nodes[1].host is gpu-1.example.com, but so is nodes.gpu-1.example.com.host. Name every host once.",
    ),
    "unknown jump host": (
        {"nodes.1.ssh.jump": "gw.exmaple.com"},
        "nodes.gpu-2.lan.ssh.jump is gw.exmaple.com, which is no host of this inventory. "
        "Did you mean gw.example.com?",
    ),
    "host that jumps through itself": (
        {"nodes.1.ssh.jump": "gpu-2.lan"},
        "nodes.gpu-2.lan.ssh.jump goes round in a circle (gpu-2.lan → gpu-2.lan). "
        "Reach one of them straight.",
    ),
    "network too small": (
        {"wireguard.network": "10.88.0.0/29"},
        "wireguard.network is 10.88.0.0/29, too small for 2 nodes: addresses up to .12 are needed. "
        "A /24 is usual.",
    ),
    "no network": (
        {"wireguard.network": "10.88.0.1/24"},
        'wireguard.network is "10.88.0.1/24", which is not an IPv4 network. Write its first address and its '
        'length, such as "10.88.0.0/24".',
    ),
    "overlapping networks": (
        {"wireguard.network": "10.201.7.0/24"},
        "wireguard.network is 10.201.7.0/24, which overlaps docker.address_pool 10.201.0.0/16. Move one.",
    ),
    "host inside the private network": (
        {"wireguard.network": "10.1.2.0/24"},
        "wireguard.network is 10.1.2.0/24, but nodes.gpu-2.lan.ssh.address 10.1.2.3 lies in it. "
        "Choose another network.",
    ),
    "private address outside the network": (
        {"nodes.0.wg_address": "10.99.0.5"},
        "nodes.gpu-1.example.com.wg_address is 10.99.0.5, which no host can have in wireguard.network "
        "10.88.0.0/24.",
    ),
    "private address taken": (
        {"nodes.0.wg_address": "10.88.0.12"},
        "nodes.gpu-1.example.com.wg_address is 10.88.0.12, but nodes.gpu-2.lan has it. Choose another, "
        "or leave it out.",
    ),
    "registry on a taken port": (
        {"registry.port": 8080},
        "registry.port is 8080, but that is for the studios' entry point on wg0.",
    ),
    "image that is not pinned": (
        {"studio.external_image": "example.com/studio:latest"},
        'studio.external_image is "example.com/studio:latest", which does not say which image for good. '
        "Write it as name@sha256:<digest>.",
    ),
    "project name twice": (
        {"projects.+": THIRD | {"name": "podcast", "node": "gpu-2.lan"}},
        'projects[2].name is "podcast", but another project has that name. Rename one.',
    ),
    "more GPUs than are left": (
        {"projects.0.gpus": 4},
        "projects.podcast.gpus is 4, but only 3 GPUs are left (gpu-1.example.com has 4, debate holds 1). "
        "Lower it, or add a GPU host.",
    ),
    "more GPUs than the node has": (
        {"projects.0.node": "gpu-2.lan", "projects.0.gpus": 3},
        "projects.podcast.gpus is 3, but only 2 GPUs are left (gpu-2.lan has 2). "
        "Lower it, or add a GPU host.",
    ),
    "unknown node": (
        {"projects.0.node": "gpu-1"},
        "projects.podcast.node is gpu-1, which is no node. Did you mean gpu-1.example.com?",
    ),
    "gateway as a project's node": (
        {"projects.0.node": "gw.example.com"},
        "projects.podcast.node is gw.example.com, the gateway, which holds no studios. "
        "Name one of the nodes.",
    ),
    "unknown model": (
        {"projects.0.model": "70b"},
        'projects.podcast.model is "70b", which is no model. '
        "Known are tiny, 1.5b and 7b; others go into models.",
    ),
    "model larger than the GPU": (
        {"models.0.memory": "20GiB", "projects.0.node": "gpu-2.lan"},
        'projects.podcast.model is "tiny", which needs 20GiB, but a GPU of gpu-2.lan has 16GiB. '
        "Take a smaller model, or another node.",
    ),
    "both gpus and slots": (
        {"projects.1.gpus": 1},
        "projects.debate has both gpus and slots. Keep slots to choose the GPUs, else gpus.",
    ),
    "neither gpus nor slots": (
        {"projects.1.slots": None},
        "projects.debate.gpus is missing. It says: how many GPUs; or name them in slots instead.",
    ),
    "no slot": (
        {"projects.1.slots": []},
        "projects.debate.slots is [], but must not be empty.",
    ),
    "slot out of range": (
        {"projects.1.slots": [3, 4]},
        "projects.debate.slots has 4, but the slots of gpu-1.example.com are 0 to 3.",
    ),
    "a slot named twice": (
        {"projects.1.slots": [3, 3]},
        "projects.debate.slots is [3, 3], which names a slot twice.",
    ),
    "negative slot": ({"projects.1.slots": [-1]}, "projects.debate.slots[0] is -1, but must be at least 0."),
    "overlapping slots": (
        {"projects.0.gpus": None, "projects.0.slots": [2, 3]},
        "projects.debate.slots has 3, which podcast has too. Choose another slot of gpu-1.example.com.",
    ),
    "user twice": (
        {"projects.0.users": ["ana", "li", "ana"]},
        'projects.podcast.users has "ana" 2 times. Once is enough.',
    ),
    "group of nobody": (
        {"projects.0.groups": ["podcast-team"]},
        'projects.podcast.groups has "podcast-team", which does not say whose group it is. '
        'Write "<sign_on or issuer>:<group>".',
    ),
    "group of an unknown provider": (
        {"sign_on": [CORP], "projects.0.groups": ["crop:podcast-team"]},
        'projects.podcast.groups has "crop:podcast-team", but there is no provider crop. Did you mean corp?',
    ),
    "group without any provider": (
        {"projects.0.groups": ["corp:podcast-team"]},
        'projects.podcast.groups has "corp:podcast-team", but there is no provider corp. '
        "Add it to sign_on or issuers.",
    ),
    "provider without https": (
        {"sign_on": [CORP | {"issuer": "http://id.example.com"}]},
        'sign_on.corp.issuer is "http://id.example.com", which is not an https URL.',
    ),
    "provider named like an issuer": (
        {"sign_on": [CORP], "issuers": [CI | {"name": "corp"}]},
        'issuers.corp.name is "corp", but sign_on.corp has that name. Rename one.',
    ),
    "provider that names nobody": (
        {"sign_on": [CORP | {"scopes": ["email"]}]},
        'sign_on.corp.scopes lacks "openid", without which no provider says who it is.',
    ),
    "provider with a colon": (
        {"sign_on": [CORP | {"name": "co:rp"}]},
        'sign_on.co:rp.name is "co:rp", but small letters, digits and hyphens inside, at most 20, '
        "are all it may have.",
    ),
    "shared secret as a signature": (
        {"issuers": [CI | {"algorithms": ["HS256"]}]},
        'issuers.ci.algorithms[0] is "HS256", but must be RS256, RS384, RS512, PS256, PS384, PS512, ES256, '
        "ES384, ES512 or EdDSA.",
    ),
    "missing authority of an issuer": (
        {"issuers": [CI | {"ca": "ca.pem"}]},
        "issuers.ci.ca is ca.pem, and there is no such file.",
    ),
    "no requests at all": (
        {"projects.0.limits": {"requests_per_s": 0}},
        "projects.podcast.limits.requests_per_s is 0, but must be at least 1.",
    ),
    "upload without a unit": (
        {"projects.0.limits": {"upload": 100}},
        "projects.podcast.limits.upload is 100, which is not a memory size. Write a number with its unit, "
        'such as "48GiB".',
    ),
    "no job at all": (
        {"projects.0.limits": {"jobs_waiting": 0}},
        "projects.podcast.limits.jobs_waiting is 0, but must be at least 1.",
    ),
    "disk without a unit": (
        {"projects.0.limits": {"disk": "50GB"}},
        'projects.podcast.limits.disk is "50GB", which is not a memory size. Write a number with its unit, '
        'such as "48GiB".',
    ),
    "shared with somebody": (
        {"projects.0.shared": "yes"},
        'projects.podcast.shared is "yes", but must be True or False.',
    ),
    "disclaimer of two lines": (
        {"studio.disclaimer": "This is generated.\nBy AI."},
        'studio.disclaimer is "This is generated.\nBy AI.", which is not a sentence: words on one line, at '
        "most 500 characters.",
    ),
    "idle by halves": (
        {"studio.idle_minutes": 0.5},
        "studio.idle_minutes is 0.5, but must be a whole number, without quotes.",
    ),
    "door that is not pinned": (
        {"door.external_image": "registry.example.com/door:1"},
        'door.external_image is "registry.example.com/door:1", which does not say which image for good. '
        "Write it as name@sha256:<digest>.",
    ),
    "model described twice": (
        {"models.+": {"name": "tiny", "repo": "lab/tiny", "memory": "1GiB"}},
        'models[1].name is "tiny", but another model has that name. Rename one.',
    ),
    "bad repository": (
        {"models.0.repo": "tiny"},
        'models.tiny.repo is "tiny", which is not of the form "owner/name".',
    ),
}
