"""Tiny checkpoints of the real architecture, each made once."""

from pathlib import Path

import pytest
from reference import enliven
from vibevoice import tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny.build(folder)
    return folder


@pytest.fixture(scope="session")
def lively(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with every weight doing something."""
    folder = tmp_path_factory.mktemp("lively")
    enliven(checkpoint, folder)
    return folder
