"""The production site. `make knobs` lists everything else that can be set here."""

from fleet import site

gateway, gpu = site(__file__, {
    "domain": "studio.example.com",
    "acme": {"email": "ops@example.com", "challenge": "http"},
    "gateway": {"host": "gw.example.com"},
    "nodes": [
        {"host": "gpu-1.example.com", "gpus": 4, "gpu_memory": "48GiB"},
        {"host": "gpu-2.lan", "gpus": 2, "gpu_memory": "24GiB",
         "ssh": {"user": "ops", "jump": "gw.example.com"}},
    ],
    "projects": [
        {"name": "podcast", "node": "gpu-1.example.com", "gpus": 2, "model": "1.5b", "users": ["ana", "li"]},
        {"name": "debate", "node": "gpu-1.example.com", "slots": [3], "model": "7b", "users": ["ana"]},
    ],
})  # fmt: skip
