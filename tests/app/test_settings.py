"""The environment is read completely, and refused in words."""

from pathlib import Path

import pytest
from vibevoice.settings import Settings, SettingsError


def test_the_environment_sets_every_knob() -> None:
    given = {
        "VV_PROJECT": "podcast",
        "VV_SLOT": "3",
        "VV_LOCK_DIR": "/gpus",
        "VV_PORT": "1234",
        "PATH": "/bin",
    }
    settings = Settings.from_env(given)
    assert (settings.project, settings.slot, settings.port) == ("podcast", 3, 1234)
    assert settings.lock_dir == Path("/gpus")


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_env({"VV_PORT": "", "VV_LOCK_DIR": ""}) == Settings.from_env({})


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"VV_PORT": "http", "VV_SLOT": "-1", "VV_ROOT_PATH": "vibevoice/"})
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "VV_SLOT is '-1'",
        "VV_ROOT_PATH is 'vibevoice/'",
        "VV_PORT is 'http'",
    ]


@pytest.mark.parametrize(
    ("size", "count"), [("20GiB", 20 * 2**30), ("1.5 GiB", 3 * 2**29), ("512MiB", 2**29), ("1000", 1000)]
)
def test_memory_is_given_in_bytes_or_larger_units(size: str, count: int) -> None:
    assert Settings.from_env({"VV_KV_MEMORY": size}).kv_memory == count


@pytest.mark.parametrize("name", ["disk", "disk_reserve"])
def test_disk_is_given_in_the_same_words_as_memory(name: str) -> None:
    assert getattr(Settings.from_env({f"VV_{name.upper()}": "3GiB"}), name) == 3 * 2**30


@pytest.mark.parametrize("size", ["0", "20GB", "-1GiB", "all", "1e9"])
def test_memory_in_other_words_is_refused(size: str) -> None:
    with pytest.raises(SettingsError, match="VV_KV_MEMORY"):
        Settings.from_env({"VV_KV_MEMORY": size})


@pytest.mark.parametrize(("word", "shared"), [("true", True), ("false", False), ("", False)])
def test_a_project_is_shared_only_if_it_is_said(word: str, shared: bool) -> None:
    assert Settings.from_env({"VV_SHARED": word}).shared is shared


def test_a_disclaimer_is_a_sentence_and_no_script() -> None:
    with pytest.raises(SettingsError, match="VV_DISCLAIMER"):
        Settings.from_env({"VV_DISCLAIMER": "word " * 101})


@pytest.mark.parametrize("key", [" ", "none", "AAAA", "A" * 43, "A" * 44, "-" * 43 + "=", "A" * 42 + "Ä="])
def test_a_door_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=r"VV_DOOR_KEY is .*: .*32 bytes"):
        Settings.from_env({"VV_DOOR_KEY": key})


def test_a_door_key_may_come_with_its_files_last_newline() -> None:
    assert Settings.from_env({"VV_DOOR_KEY": "A" * 43 + "=\n"}).door_key


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_knob_says_what_it_does(name: str) -> None:
    assert Settings.model_fields[name].description
