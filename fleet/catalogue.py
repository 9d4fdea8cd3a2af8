"""The models a project may name without describing them itself.

`revision` is a branch until `make weights-lock` pins it: what is deployed is the revision in the lock.
"""

from collections.abc import Mapping

CATALOGUE: tuple[Mapping[str, str], ...] = (
    {"name": "1.5b", "repo": "vibevoice/VibeVoice-1.5B-hf", "memory": "8GiB"},
    {"name": "7b", "repo": "bezzam/VibeVoice-7B-hf", "memory": "22GiB"},
)
