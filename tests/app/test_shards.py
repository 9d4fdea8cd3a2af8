"""A file of weights that was not copied whole is told by its header, before a weight is read."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from vibevoice.engine import shards
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import CheckpointError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
COPY = f"Copy {WEIGHTS} again from where the checkpoint came from."
A_TENSOR = "model.diffusion_head.cond_proj.weight"


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(checkpoint, tmp_path / "checkpoint"))


@pytest.fixture(scope="session")
def sharded_checkpoint(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights in several files, as the released 1.5B and 7B have them."""
    folder = tmp_path_factory.mktemp("sharded") / "checkpoint"
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns(WEIGHTS))
    load(checkpoint, "cpu").model.save_pretrained(folder, max_shard_size="8MB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    return folder


@pytest.fixture
def sharded(sharded_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(sharded_checkpoint, tmp_path / "sharded"))


def complaint(folder: Path) -> str:
    """The one line that says why; the folder's own path is left out."""
    with pytest.raises(CheckpointError) as refused:
        shards.inspect(folder)
    [line] = str(refused.value).splitlines()
    return line.replace(f"{folder}/", "")


def edit_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header of a safetensors file and leave the numbers alone."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


def test_the_headers_tell_what_the_weights_need(checkpoint: Path) -> None:
    numbers = sum(tensor.numel() for tensor in load_file(checkpoint / WEIGHTS).values())
    assert shards.weights_bytes(shards.inspect(checkpoint), bytes_per_number=2) == 2 * numbers


def test_the_headers_of_several_files_tell_the_same(checkpoint: Path, sharded_checkpoint: Path) -> None:
    whole, parts = shards.inspect(checkpoint), shards.inspect(sharded_checkpoint)
    assert len(parts) > 1
    assert whole[0].tensors.keys() == {name for shard in parts for name in shard.tensors}


def test_weights_in_several_files_load_alike(checkpoint: Path, sharded_checkpoint: Path) -> None:
    whole, parts = (load(folder, "cpu").model.state_dict() for folder in (checkpoint, sharded_checkpoint))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_missing_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    assert complaint(folder) == f"{WEIGHTS} is missing. Neither it nor {INDEX} is there. {COPY}"


def test_weights_in_another_format(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    assert complaint(folder) == (
        f"{WEIGHTS} is missing. The folder has pytorch_model.bin, but the engine reads safetensors only."
    )


def test_a_truncated_file(folder: Path) -> None:
    size = (folder / WEIGHTS).stat().st_size
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(size - 1)
    assert (
        complaint(folder)
        == f"{WEIGHTS} is truncated: {size - 1} bytes of {size} that its header tells. {COPY}"
    )


def test_a_file_with_more_than_its_header_tells(folder: Path) -> None:
    size = (folder / WEIGHTS).stat().st_size
    with (folder / WEIGHTS).open("ab") as file:
        file.write(b"\0")
    assert (
        complaint(folder) == f"{WEIGHTS} is damaged: {size + 1} bytes of {size} that its header tells. {COPY}"
    )


@pytest.mark.parametrize("size", [1, 8, 1000])
def test_a_file_truncated_in_its_header(folder: Path, size: int) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(size)
    assert complaint(folder) == f"{WEIGHTS} is truncated in its header, at {size} bytes. {COPY}"


def test_a_file_of_length_zero(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"")
    assert complaint(folder) == f"{WEIGHTS} is empty. {COPY}"


def test_a_pointer_of_git_lfs(folder: Path) -> None:
    (folder / WEIGHTS).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0\nsize 12345\n"
    )
    assert complaint(folder) == (
        f"{WEIGHTS} is a pointer of git-lfs, not the weights. Run 'git lfs pull' in its folder."
    )


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + b"\xff" * 1000,
        b"<!DOCTYPE html><html>Not found</html>",
        b"\x02" + bytes(7) + b"[]",
        b"\x02" + bytes(7) + b"\xff\xff",
        b"\x07" + bytes(7) + b'{"a":1}',
        b"\x0e" + bytes(7) + b'{"a":{"b": 1}}',
    ],
)
def test_a_file_that_is_no_safetensors(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).write_bytes(content)
    assert complaint(folder) == f"{WEIGHTS} is not a safetensors file. {COPY}"


JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
)
ENTRIES = st.fixed_dictionaries({"dtype": JSON | st.just("F32"), "shape": JSON, "data_offsets": JSON})


@given(JSON | st.dictionaries(st.text(max_size=5), ENTRIES, min_size=1, max_size=2), st.binary(max_size=50))
def test_whatever_a_header_says_is_taken_or_refused_in_one_line(header: Any, numbers: bytes) -> None:
    text = json.dumps(header).encode()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + numbers)
        try:
            shards.inspect(Path(folder))
        except CheckpointError as error:
            refusal = str(error)
        else:
            return
    assert len(refusal.splitlines()) == 1


def test_a_file_without_tensors(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"\x02" + bytes(7) + b"{}")
    assert complaint(folder) == f"{WEIGHTS} holds no tensors. {COPY}"


def test_weights_quantised_without_a_word_in_the_configuration(folder: Path) -> None:
    edit_header(folder / WEIGHTS, lambda header: header[A_TENSOR].update(dtype="F8_E4M3"))
    assert complaint(folder) == (
        f"{WEIGHTS}: {A_TENSOR} is of type F8_E4M3, so the checkpoint is quantised. The engine takes full "
        "weights only (F64, F32, F16, BF16)."
    )


def test_a_header_that_contradicts_itself(folder: Path) -> None:
    edit_header(folder / WEIGHTS, lambda header: header[A_TENSOR].update(shape=[1, 2]))
    assert complaint(folder) == f"{WEIGHTS}: the size of {A_TENSOR} is not that of its shape. {COPY}"


def test_a_file_that_the_index_names_is_missing(sharded: Path) -> None:
    name = sorted(sharded.glob("model-*.safetensors"))[1].name
    (sharded / name).unlink()
    assert complaint(sharded) == (
        f"{name} is missing. {INDEX} names it. Copy {name} again from where the checkpoint came from."
    )


def test_a_truncated_file_of_several(sharded: Path) -> None:
    path = sorted(sharded.glob("model-*.safetensors"))[-1]
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)
    assert complaint(sharded) == (
        f"{path.name} is truncated: {size // 2} bytes of {size} that its header tells. "
        f"Copy {path.name} again from where the checkpoint came from."
    )


def test_a_tensor_that_the_index_promises_is_missing(sharded: Path) -> None:
    weights: dict[str, str] = json.loads((sharded / INDEX).read_text())["weight_map"]
    tensors = load_file(sharded / weights[A_TENSOR])
    del tensors[A_TENSOR]
    save_file(tensors, sharded / weights[A_TENSOR])
    assert complaint(sharded) == (
        f"{weights[A_TENSOR]} lacks the tensor {A_TENSOR}, which {INDEX} says it has: the two files are of "
        "different checkpoints. Copy the whole folder again."
    )


@pytest.mark.parametrize("index", [{}, {"weight_map": {}}, {"weight_map": []}, {"weight_map": {"a": 1}}])
def test_an_index_that_names_no_files(sharded: Path, index: dict[str, Any]) -> None:
    (sharded / INDEX).write_text(json.dumps(index))
    assert complaint(sharded) == (
        f"{INDEX} has no weight_map. Copy {INDEX} again from where the checkpoint came from."
    )
