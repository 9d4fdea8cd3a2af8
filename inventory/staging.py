"""The staging site: what pipelines deploy to and test before production."""

from fleet import site

gateway, gpu = site(__file__, {
    "domain": "studio.staging.example.com",
    # Let's Encrypt's staging authority: no rate limits to run into, and no browser trusts it.
    "acme": {
        "email": "ops@example.com",
        "server": "https://acme-staging-v02.api.letsencrypt.org/directory",
    },
    "gateway": {"host": "gw.staging.example.com"},
    "nodes": [
        {"host": "gpu-1.staging.example.com", "gpus": 1, "gpu_memory": "24GiB"},
    ],
    "projects": [
        {"name": "podcast", "node": "gpu-1.staging.example.com", "gpus": 1, "model": "1.5b", "users": ["ci"]},
    ],
})  # fmt: skip
