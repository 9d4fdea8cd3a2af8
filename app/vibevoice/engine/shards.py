"""The weights files of a checkpoint, looked at without reading a weight: names, sizes and headers.

A file that was not copied whole is found in milliseconds here, not after minutes of loading. No torch.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .generation import CheckpointError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
# The format's own limit; a length beyond it means that the file is something else.
MAX_HEADER = 100_000_000
FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# Enough of each tensor to tell one training from another, little enough to read from a slow disk.
SAMPLE_BYTES = 64


@dataclass(frozen=True)
class Tensor:
    """Where a tensor's numbers lie: bytes `start` to `end` of its file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Shard:
    """One safetensors file: 8 bytes of length, a header in JSON, then the numbers."""

    path: Path
    size: int
    header: bytes
    tensors: dict[str, Tensor]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises CheckpointError."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing. {_copy_again(path)}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if path.stat().st_size == 0 else str(error)
        raise CheckpointError(f"{path} is not valid JSON ({reason}). {_copy_again(path)}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object. {_copy_again(path)}")
    return content


def inspect(folder: Path) -> list[Shard]:
    """The headers of all weights in a checkpoint's folder, by name of file.

    Raises CheckpointError where a file is missing, truncated, something else than safetensors, or lacks a
    tensor that the index promises.
    """
    # In the order of transformers, so that what is checked is what will be loaded.
    if (folder / SINGLE).exists() or not (folder / INDEX).exists():
        return [_inspect_file(folder / SINGLE)]
    index = read_json(folder / INDEX).get("weight_map")
    if not isinstance(index, dict) or not index or not all(isinstance(name, str) for name in index.values()):
        raise CheckpointError(f"{folder / INDEX} has no weight_map. {_copy_again(folder / INDEX)}")
    shards = {name: _inspect_file(folder / name) for name in sorted(set(index.values()))}
    for tensor, name in index.items():
        if tensor not in shards[name].tensors:
            raise CheckpointError(
                f"{folder / name} lacks the tensor {tensor}, which {INDEX} says it has: the two files are of "
                "different checkpoints. Copy the whole folder again."
            )
    return list(shards.values())


def weights_bytes(shards: list[Shard], bytes_per_number: int) -> int:
    """Memory the weights take, with each number in so many bytes."""
    return bytes_per_number * sum(
        math.prod(tensor.shape) for shard in shards for tensor in shard.tensors.values()
    )


def fingerprint(config: Path, shards: list[Shard], dtype: str) -> str:
    """16 hex digits that differ wherever the weights or the type they are computed in differ.

    Covers the configuration, the files' names, sizes and headers, and the middle of each tensor: a second
    training of one architecture differs in nothing else.
    """
    digest = hashlib.sha256(config.read_bytes())
    for shard in shards:
        digest.update(f"\n{shard.path.name} {shard.size}\n".encode())
        digest.update(shard.header)
        with shard.path.open("rb") as file:
            for tensor in shard.tensors.values():
                middle = max(tensor.start, (tensor.start + tensor.end - SAMPLE_BYTES) // 2)
                digest.update(os.pread(file.fileno(), min(SAMPLE_BYTES, tensor.end - middle), middle))
    digest.update(dtype.encode())
    return digest.hexdigest()[:16]


def _inspect_file(path: Path) -> Shard:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            header = file.read(length) if len(start) == 8 and length <= MAX_HEADER else b""
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing. {_missing(path)}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from None
    if size == 0:
        raise CheckpointError(f"{path} is empty. {_copy_again(path)}")
    if start == b"version ":
        raise CheckpointError(
            f"{path} is a pointer of git-lfs, not the weights. Run 'git lfs pull' in its folder."
        )
    if 8 + length > size and length <= MAX_HEADER:
        raise CheckpointError(f"{path} is truncated in its header, at {size} bytes. {_copy_again(path)}")
    try:
        tensors = _tensors(json.loads(header), 8 + length)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise CheckpointError(f"{path} is not a safetensors file. {_copy_again(path)}") from None
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors. {_copy_again(path)}")
    expected = max(tensor.end for tensor in tensors.values())
    if size != expected:
        state = "truncated" if size < expected else "damaged"
        raise CheckpointError(
            f"{path} is {state}: {size} bytes of {expected} that its header tells. {_copy_again(path)}"
        )
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            raise CheckpointError(
                f"{path}: {name} is of type {tensor.dtype}, so the checkpoint is quantised. The engine takes "
                f"full weights only ({', '.join(FLOATS)})."
            )
        if tensor.end - tensor.start != FLOATS[tensor.dtype] * math.prod(tensor.shape):
            raise CheckpointError(f"{path}: the size of {name} is not that of its shape. {_copy_again(path)}")
    return Shard(path, size, header, tensors)


def _tensors(header: dict[str, Any], offset: int) -> dict[str, Tensor]:
    """What a header lists; `offset` is where the numbers begin in the file."""
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (offset + int(number) for number in entry["data_offsets"])
        if not offset <= start <= end:
            raise ValueError("offsets out of order")
        tensors[name] = Tensor(str(entry["dtype"]), tuple(int(size) for size in entry["shape"]), start, end)
    return tensors


def _missing(path: Path) -> str:
    if path.name != SINGLE:
        return f"{INDEX} names it. {_copy_again(path)}"
    others = sorted(
        file.name for pattern in ("*.bin", "*.gguf", "*.pt") for file in path.parent.glob(pattern)
    )
    if others:
        return f"The folder has {others[0]}, but the engine reads safetensors only."
    return f"Neither it nor {INDEX} is there. {_copy_again(path)}"


def _copy_again(path: Path) -> str:
    return f"Copy {path.name} again from where the checkpoint came from."
