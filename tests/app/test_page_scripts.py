"""Scripts as people have them in files."""

import httpx
import pytest
from vibevoice.script import parse
from vibevoice.ui.scripts import LARGEST, UnreadableScript, read

SRT = """1
00:00:01,000 --> 00:00:03,000
ANA: Hello there,
welcome back.

2
00:00:03,200 --> 00:00:05,000
<i>It is</i> {\\an8}a fine day.

3
00:00:05,100 --> 00:00:06,000
- BEN: Indeed.
- ANA: Is it?

4
00:00:09,000 --> 00:00:10,000
It is.
"""


def test_subtitles_become_turns() -> None:
    assert read("show.srt", SRT.encode()) == (
        "ANA: Hello there, welcome back. It is a fine day.\nBEN: Indeed.\nANA: Is it?\nIt is."
    )


def test_who_speaks_in_subtitles_speaks_in_the_script() -> None:
    script = parse(read("show.srt", SRT.encode()))
    assert script.speakers == ("ANA", "BEN")
    assert [turn.speaker for turn in script.turns] == [0, 1, 0, 0]


def test_windows_lines_and_a_mark_at_the_beginning_change_nothing() -> None:
    windows = "\ufeff" + SRT.replace("\n", "\r\n")
    assert read("show.SRT", windows.encode()) == read("show.srt", SRT.encode())


def test_web_subtitles_name_their_voices() -> None:
    vtt = "WEBVTT\n\nNOTE a comment\n\n00:01.000 --> 00:02.000 align:start\n<v Ana>Hello &amp; welcome.\n"
    assert read("show.vtt", vtt.encode()) == "Ana: Hello & welcome."


def test_chinese_subtitles_are_joined_without_blanks() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n小安：你好，\n\n2\n00:00:02,100 --> 00:00:03,000\n欢迎回来。\n"
    assert read("播客.srt", srt.encode()) == "小安：你好，欢迎回来。"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_text_is_read_in_the_encodings_that_people_save_in(encoding: str) -> None:
    script = "Speaker 1: Hello.\n小安：你好，欢迎回来。"
    assert read("a.txt", script.encode(encoding)) == script


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.docx", b"PK\x03\x04", "script_file_kind"),
        ("a", b"Ana: Hello.", "script_file_kind"),
        ("a.txt", b"", "script_file_empty"),
        ("a.txt", b" \r\n\t", "script_file_empty"),
        ("a.srt", b"Ana: Hello.", "script_file_no_subtitles"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n\n", "script_file_empty"),
        ("a.txt", bytes(range(256)) * 8, "script_file_encoding"),
        ("a.txt", b"\xef\xbb\xbf\xff\xff", "script_file_encoding"),
        ("a.txt", b"a" * (LARGEST + 1), "script_file_large"),
    ],
)
def test_what_is_no_script_is_refused_by_name(name: str, content: bytes, code: str) -> None:
    with pytest.raises(UnreadableScript) as refused:
        read(name, content)
    assert refused.value.code == code


def test_a_file_is_read_over_http(api: httpx.Client) -> None:
    answer = api.post("/page/scripts", params={"name": "show.srt"}, content=SRT.encode())
    assert answer.json()["script"].startswith("ANA: Hello there")


def test_more_than_a_script_is_never_read_into_memory(api: httpx.Client) -> None:
    answer = api.post("/page/scripts", params={"name": "a.txt"}, content=b"a" * (20 * LARGEST))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "script_file_large"
