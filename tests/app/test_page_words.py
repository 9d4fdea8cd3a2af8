"""All that the page says, it says in both languages."""

import re
import string
from pathlib import Path

import numpy as np
import pytest
from vibevoice.engine import Refused
from vibevoice.jobs.desk import Desk, Order, Visitor
from vibevoice.jobs.errors import Conflict, TooManyWaiting
from vibevoice.jobs.store import Store
from vibevoice.script import ScriptError, parse
from vibevoice.settings import Settings
from vibevoice.ui import words
from vibevoice.ui.files import STATIC
from vibevoice.ui.page import FRAME
from vibevoice.ui.scripts import UnreadableScript, read
from vibevoice.voices import VoiceError, check

SCRIPTS = {path.name: path.read_text() for path in STATIC.glob("*.js")}
# Keys that are put together: what they begin with.
MADE = re.compile(r"say\(`(\w+_)\$\{|`(\w+_)\$\{\w+(?:\.\w+|\(job\))?\}(?:_title)?`")
CHINESE = re.compile("[\u4e00-\u9fff\uff01-\uff1f]")


def test_both_languages_have_the_same_words() -> None:
    assert list(words.EN) == list(words.ZH)


@pytest.mark.parametrize("key", words.EN)
def test_a_text_has_the_same_places_to_fill_in(key: str) -> None:
    places = [
        {name for _, name, _, _ in string.Formatter().parse(said[key]) if name}
        for said in (words.EN, words.ZH)
    ]
    assert places[0] == places[1]


@pytest.mark.parametrize("key", words.ZH)
def test_what_is_said_in_chinese_is_chinese(key: str) -> None:
    names = ("format_",)
    assert key.startswith(names) or CHINESE.search(words.ZH[key])


def used() -> set[str]:
    keys = set(re.findall(r'data-say(?:-\w+)?="(\w+)"', FRAME.read_text()))
    for code in SCRIPTS.values():
        keys |= set(re.findall(r'\bsay\("(\w+)"', code))
        keys |= {word for pair in re.findall(r'say\([^()"]+\? "(\w+)" : "(\w+)"', code) for word in pair}
        keys |= {f"error_{code}" for code in re.findall(r'code: "(\w+)"', code)}
    return keys


def test_everything_that_the_page_says_has_words() -> None:
    assert used() - set(words.EN) == set()


def test_no_words_are_left_over() -> None:
    everything = "\n".join([*SCRIPTS.values(), FRAME.read_text()])
    made = {one for pair in MADE.findall(everything) for one in pair if one}
    made |= {
        "doing_",
        "error_",
        "state_",
        "states_",
        "format_",
        "subtitles_",
        "example_",
        "examples_",
        "history_",
    }
    left = [key for key in words.EN if f'"{key}"' not in everything and not key.startswith(tuple(made))]
    assert left == []


def chinese(message: str) -> str | None:
    """As say.js translates it."""
    for pattern, template in words.ERRORS["zh"]:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return re.sub(
                r"\{(\d)\}", lambda n: chinese(match[int(n[1])] or "") or match[int(n[1])] or "", template
            )
    return None


@pytest.mark.parametrize(
    "script",
    [
        "",
        "Ana: [pause:1s Hello.",
        "Ana: [pause:soon] Hello.",
        "Ana: [pause:11s] Hello.",
        "Ana: Hello.\n" + "Ana: Well. [pause:10s]\n" * 61,
        "Ana: <|endoftext|>",
        *(
            f"{form.format(n='A')}\n{form.format(n='B')}\n" * 2
            + "".join(f"{form.format(n=n)}\n" * 2 for n in "CDE")
            for form in ("{n}: Hello.", "[{n}] Hello.", "Speaker {n}: Hello.")
        ),
    ],
)
def test_each_fault_of_a_script_is_told_in_chinese(script: str) -> None:
    with pytest.raises(ScriptError) as fault:
        parse(script)
    said = chinese(str(fault.value))
    assert said and CHINESE.search(said)
    assert (fault.value.line is None) or said.startswith(
        f"第 {fault.value.line} 行第 {fault.value.column} 列"
    )


@pytest.mark.parametrize(
    "order",
    [
        Order("Ana: " + "a" * 2000),
        Order("Ana: " + "Hello there. " * 100),
        Order("Ana: Hello.", title="a" * 201),
        Order("Ana: Hello.", title="a\nb"),
        Order("Ana: Hello.", seed=-1),
        Order("Ana: Hello.", guidance=0),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_each_fault_of_an_order_is_told_in_chinese(
    settings: Settings, tmp_path: Path, order: Order, count: int
) -> None:
    strict = settings.model_copy(update={"max_input_chars": 1500, "job_minutes": 1})
    desk = Desk(strict, Store(tmp_path), lambda: None)
    with pytest.raises((ScriptError, Refused)) as fault:
        desk.submit([order] * count, Visitor("", True, None))
    said = chinese(str(fault.value))
    assert said and CHINESE.search(said)


def test_a_full_queue_is_told_in_chinese(settings: Settings, tmp_path: Path) -> None:
    desk = Desk(settings.model_copy(update={"jobs_waiting": 1}), Store(tmp_path), lambda: None)
    visitor = Visitor("", True, None)
    with pytest.raises(TooManyWaiting) as at_once:
        desk.submit([Order("Ana: Hello."), Order("Ana: Hi.")], visitor)
    (job,) = desk.submit([Order("Ana: Hello.")], visitor)
    with pytest.raises(TooManyWaiting) as later:
        desk.submit([Order("Ana: Hello.")], visitor)
    with pytest.raises(Conflict) as conflict:
        Store(tmp_path).retry(job.id)
    for error in (at_once, later, conflict):
        said = chinese(str(error.value))
        assert said and CHINESE.search(said)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(24000, np.float32),
        np.ones(10, np.float32),
        np.zeros(0, np.float32),
        np.ones(61 * 24000, np.float32),
        np.full(24000, np.nan, np.float32),
        np.full(24000, 9.0, np.float32),
    ],
)
def test_each_fault_of_a_voice_is_told_in_chinese(samples: np.ndarray) -> None:
    with pytest.raises(VoiceError) as fault:
        check(samples, 24000)
    said = chinese(str(fault.value))
    assert said and CHINESE.search(said)


@pytest.mark.parametrize(
    ("name", "content"), [("a.doc", b""), ("a.txt", b""), ("a.srt", b"x"), ("a.txt", b"\xff" * 9)]
)
def test_each_fault_of_a_file_has_words(name: str, content: bytes) -> None:
    with pytest.raises(UnreadableScript) as fault:
        read(name, content)
    assert f"error_{fault.value.code}" in words.ZH
