"""What a stream has said survives a file, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.engine import Saved

SAVED = Saved("weights", 4, b"\n\x00\xff{" * 3, (1, 3), 2**64 - 1)
HEAD = b"vibevoice saved 1\n"


def test_a_saved_stream_counts_its_frames() -> None:
    assert SAVED.count == 3


@given(
    st.text(),
    st.integers(1, 8),
    st.binary(max_size=64),
    st.lists(st.integers(0, 8), max_size=3),
    st.integers(0, 2**64 - 1),
)
def test_a_file_gives_back_what_was_saved(
    weights: str, size: int, frames: bytes, parts: list[int], seed: int
) -> None:
    frames = frames[: len(frames) // size * size]
    count = len(frames) // size
    saved = Saved(weights, size, frames, tuple(sorted(min(part, count) for part in parts)), seed)
    assert Saved.from_bytes(saved.to_bytes()) == saved


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        HEAD,
        HEAD + b"null\n",
        HEAD + b"\xff\n",
        HEAD + b'{"weights": 1, "frame_bytes": 4, "parts": [], "seed": 0}\n',
        HEAD + b'{"weights": "w", "frame_bytes": 0, "parts": [], "seed": 0}\n',
        HEAD + b'{"weights": "w", "frame_bytes": 4, "parts": [2, 1], "seed": 0}\n' + bytes(8),
        HEAD + b'{"weights": "w", "frame_bytes": 4, "parts": ["1"], "seed": 0}\n' + bytes(8),
        HEAD + b'{"weights": "w", "frame_bytes": 4, "parts": [3], "seed": 0}\n' + bytes(8),
        SAVED.to_bytes()[:-1],
        SAVED.to_bytes()[:25],
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="saved stream"):
        Saved.from_bytes(content)
