"""What is uploaded as a voice becomes one, or is refused in words; it costs little, and opens nothing."""

import asyncio
import gzip
import io
import os
import random
import socket
import struct
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sounding import ffmpeg, hum, loudest
from test_voices import encode
from vibevoice import uploads, voices
from vibevoice.audio import SAMPLE_RATE, Samples
from vibevoice.audio.ffmpeg import Failed, Run
from vibevoice.voices import VoiceError

NOT_AUDIO = "The voice's file is not audio, or damaged; save it as WAV, MP3, M4A, FLAC, Ogg or WebM again."
CUT_OFF = "The voice's file ends before its sound does; upload the whole of it."
TOO_LONG = "The voice has more than 60 s; use at most that, 10 to 30 are best."


def convert(content: bytes) -> Samples:
    return asyncio.run(uploads.convert(content))


def refusal(content: bytes) -> str:
    """The one line that says why."""
    with pytest.raises(VoiceError) as refused:
        convert(content)
    [line] = str(refused.value).splitlines()
    return line


def saved(suffix: str, *options: str, seconds: float = 3, rate: int = 44_100) -> bytes:
    """A file as a program saves it that many people use: in stereo, at its own rate."""
    sound = encode(np.stack([hum(seconds, rate)] * 2, axis=1), rate=rate)
    path = Path(f"/tmp/voice-{os.getpid()}.{suffix}")
    try:
        ffmpeg("-i", "pipe:0", *options, str(path), content=sound)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


SAVED = {
    "wav": lambda: saved("wav"),
    "wav, 24 bits": lambda: saved("wav", "-c:a", "pcm_s24le"),
    "wav, floats": lambda: saved("wav", "-c:a", "pcm_f32le"),
    "wav, telephone": lambda: saved("wav", "-ar", "8000", "-c:a", "pcm_mulaw"),
    "mp3": lambda: saved("mp3"),
    "flac": lambda: saved("flac"),
    "ogg": lambda: saved("ogg"),
    "opus": lambda: saved("opus"),
    "m4a": lambda: saved("m4a"),
    "m4a, for streaming": lambda: saved("m4a", "-movflags", "faststart"),
    "m4a, lossless": lambda: saved("m4a", "-c:a", "alac"),
    "aac": lambda: saved("aac"),
    "webm": lambda: saved("webm"),
    "aiff": lambda: saved("aiff"),
    "caf": lambda: saved("caf"),
    "six channels": lambda: saved("flac", "-af", "aformat=cl=5.1"),
    "a video whose picture lasts longer": lambda: saved(
        "mp4", "-f", "lavfi", "-i", "testsrc=size=320x240:duration=6"
    ),
    "a video": lambda: saved("mp4", "-f", "lavfi", "-i", "testsrc=size=320x240", "-shortest"),
    "a video with several tracks": lambda: saved("mkv", "-map", "0:a", "-map", "0:a", "-map", "0:a"),
    "mp3 with a cover": lambda: with_cover(saved("mp3"), "mp3"),
    "m4a with a cover": lambda: with_cover(saved("m4a"), "m4a"),
    "flac with a cover": lambda: with_cover(saved("flac"), "flac"),
}


def with_cover(content: bytes, suffix: str) -> bytes:
    sound, made = Path(f"/tmp/sound-{os.getpid()}.{suffix}"), Path(f"/tmp/cover-{os.getpid()}.{suffix}")
    sound.write_bytes(content)
    picture = ("-f", "lavfi", "-i", "testsrc=size=640x480:rate=1:duration=1", "-c:v", "mjpeg")
    try:
        ffmpeg(
            *("-i", str(sound), *picture, "-map", "0", "-map", "1", "-c:a", "copy"),
            *("-disposition:v", "attached_pic", str(made)),
        )
        return made.read_bytes()
    finally:
        sound.unlink()
        made.unlink(missing_ok=True)


@pytest.fixture(scope="module", params=SAVED)
def file(request: pytest.FixtureRequest) -> bytes:
    """Each of the files that people have."""
    return SAVED[request.param]()


def test_what_people_have_becomes_mono_at_the_models_rate(file: bytes) -> None:
    voice = convert(file)
    assert (voice.dtype, voice.ndim) == (np.float32, 1)
    assert len(voice) == pytest.approx(3 * SAMPLE_RATE, abs=0.06 * SAMPLE_RATE)
    assert loudest(voice) == pytest.approx(loudest(hum()), abs=2)
    assert np.abs(voice).max() == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_what_is_right_already_is_not_touched(subtype: str) -> None:
    content = encode(hum(), subtype=subtype)
    np.testing.assert_array_equal(convert(content), voices.read(content))


def test_a_minute_is_a_voice_and_more_is_not_cut_down_but_refused() -> None:
    assert len(convert(encode(hum(60)))) == 60 * SAMPLE_RATE
    assert refusal(encode(hum(60.1))) == TOO_LONG
    assert refusal(encode(hum(300))) == TOO_LONG


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The voice's file is empty; upload it again."),
        (
            bytes(uploads.MAX_BYTES + 2**20),
            "The voice's file has 26 MiB, more than 60 s of sound need; cut it shorter.",
        ),
        (encode(hum(0.1)), "The voice has 0.10 s; use at least 1 s, better 10 to 30."),
        (encode(hum(0)), "The voice is empty; record at least a few seconds."),
        (encode(hum() * 0), "The voice is silent; record it louder, or pick another part of the recording."),
        (encode(hum())[:-1000], CUT_OFF),
        (b"%PDF-1.7\n" + bytes(1000), f"The voice's file is a PDF; save it as {uploads.NAMES}."),
        (b"Speaker 1: Hello.\n" * 1000, NOT_AUDIO),
        (b"<html><body>404 Not Found</body></html>", NOT_AUDIO),
        (b"\0" * 100_000, NOT_AUDIO),
    ],
)
def test_what_is_no_voice_is_refused_in_one_line(content: bytes, complaint: str) -> None:
    assert refusal(content) == complaint


def test_a_picture_or_a_video_without_sound_is_no_voice() -> None:
    video = ("-f", "lavfi", "-i", "testsrc=duration=1:size=320x240")
    assert refusal(ffmpeg(*video, "-f", "matroska", "pipe:1")) == NOT_AUDIO
    assert refusal(ffmpeg(*video, "-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "pipe:1")) == NOT_AUDIO


@pytest.mark.parametrize(
    "kind", ["wav", "mp3", "flac", "ogg", "opus", "m4a", "m4a, for streaming", "aac", "webm", "aiff"]
)
def test_a_file_that_was_cut_or_damaged_anywhere_is_a_voice_or_refused(kind: str) -> None:
    whole, dice = SAVED[kind](), random.Random(kind)

    async def attempt(content: bytes) -> None:
        with suppress(VoiceError):
            voice = await uploads.convert(content)
            np.testing.assert_array_equal(voice, voices.check(voice, SAMPLE_RATE))

    async def attempts() -> None:
        for _ in range(6):
            await attempt(whole[: dice.randrange(len(whole))])
            damaged = bytearray(whole)
            for _ in range(dice.choice([1, 10, 1000])):
                damaged[dice.randrange(dice.choice([200, len(whole)]))] = dice.randrange(256)
            await attempt(bytes(damaged))

    asyncio.run(attempts())


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_no_voice(seed: int) -> None:
    dice = random.Random(seed)
    begin = dice.choice(
        [b"", b"ID3\x04", b"OggS\0", b"fLaC", b"\0\0\0\x20ftypM4A ", b"\x1a\x45\xdf\xa3", b"RF64"]
    )
    refusal(begin + dice.randbytes(200_000))


# --- what a file names is not opened ----------------------------------------------------------------------


@contextmanager
def listener() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A port, and whether anybody has knocked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def knocked() -> bool:
            try:
                server.accept()[0].close()
            except TimeoutError:
                return False
            return True

        yield server.getsockname()[1], knocked


def naming(target: str) -> dict[str, bytes]:
    """Files that say: the sound is over there."""
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
    playlist = f"[playlist]\nFile1={target}\nNumberOfEntries=1\n"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}" width="9" height="9"/></svg>'
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        f'<AdaptationSet><Representation id="1"><BaseURL>{target}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    )
    session = (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"a=control:{target}\nm=audio 9 RTP/AVP 0\n"
    )
    return {
        "hls": hls.encode(),
        "hls with a key": hls.replace(
            "#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'
        ).encode(),
        "ffconcat": f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        "concat": f"file '{target}'\n".encode(),
        "pls": playlist.encode(),
        "cue": f'FILE "{target}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n'.encode(),
        "svg": svg.encode(),
        "dash": mpd.encode(),
        "sdp": session.encode(),
        "smil": f'<smil><body><audio src="{target}"/></body></smil>'.encode(),
        "rtsp": f"RTSPtext {target}\n".encode(),
        "asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'.encode(),
        "ffmetadata": f";FFMETADATA1\ntitle={target}\n".encode(),
        "m4a elsewhere": elsewhere(target),
    }


def elsewhere(target: str) -> bytes:
    """An M4A that says its sound is in another file."""
    alias = b"alis" + struct.pack(">I", 0) + target.encode() + b"\0"
    content = saved("m4a", "-movflags", "faststart")
    at = content.index(b"url \0\0\0\x01") - 4
    return content[:at] + struct.pack(">I", 4 + len(alias)) + alias + content[at + 12 :]


@pytest.mark.parametrize("kind", naming("x"))
def test_a_file_that_names_another_gets_nothing_of_it(kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encode(hum()))
    for target in (str(secret), f"file:{secret}", f"../../..{secret}", "/etc/passwd"):
        refusal(naming(target)[kind])


@pytest.mark.parametrize("kind", naming("x"))
def test_a_file_that_names_a_server_reaches_none(kind: str) -> None:
    with listener() as (port, knocked):
        for scheme in ("http", "tcp", "rtsp"):
            refusal(naming(f"{scheme}://127.0.0.1:{port}/voice.wav")[kind])
        assert not knocked()


@pytest.mark.parametrize(
    "scheme", ["", "file:", "concat:", "subfile,,start,0,end,9,,:", "cache:", "async:", "crypto:"]
)
def test_nothing_on_the_disk_can_be_opened_even_if_asked_for(scheme: str, tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(encode(hum()))
    run = Run((*uploads.READING, "-i", f"{scheme}{path}", *uploads.WRITING), bounds=uploads.BOUNDS)

    async def read() -> None:
        async for _ in run.output():
            pytest.fail("it was read")

    with pytest.raises(Failed):
        asyncio.run(read())
    assert "not on whitelist" in run.said


# --- nothing costs more than it may -----------------------------------------------------------------------


def peak_kib() -> int:
    """The most memory that this process has had since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def patched(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    at = content.index(mark) + offset
    return content[:at] + value + content[at + len(value) :]


@cache
def silence(hours: int, *options: str) -> bytes:
    return ffmpeg("-f", "lavfi", "-i", f"anullsrc=r=8000:cl=mono:d={3600 * hours}", *options, "pipe:1")


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("voice.wav", bytes(2**26))
    return file.getvalue()


HUGE = b"\xff\xff\xff\xf0"
BOMBS = {
    "hours of flac": lambda: silence(3, "-c:a", "flac", "-f", "flac"),
    "hours of ogg": lambda: silence(3, "-c:a", "flac", "-f", "ogg"),
    "hours of matroska": lambda: silence(3, "-c:a", "flac", "-f", "matroska"),
    "a zip": zipped,
    "a gzip": lambda: gzip.compress(bytes(2**26)),
    "a wav of ever": lambda: patched(encode(hum()), b"data", 4, b"\xff\xff\xff\xff"),
    "a wav of every channel": lambda: patched(encode(hum()), b"fmt ", 10, b"\xff\xff"),
    "a wav of every rate": lambda: patched(encode(hum()), b"fmt ", 12, b"\xff\xff\xff\x7f"),
    "a wav of no rate": lambda: patched(encode(hum()), b"fmt ", 12, bytes(4)),
    "a wav of blocks without end": lambda: patched(encode(hum()), b"fmt ", 20, b"\xff\xff\xff\xff"),
    "a flac of 2**36 samples": lambda: patched(saved("flac"), b"fLaC", 21, b"\xff\xff\xff\xff\xff"),
    "an m4a with a huge moov": lambda: patched(saved("m4a"), b"moov", -4, HUGE),
    "an m4a of many samples": lambda: patched(saved("m4a"), b"stsz", 12, HUGE),
    "an m4a of many times": lambda: patched(saved("m4a"), b"stts", 8, HUGE),
    "an m4a of many chunks": lambda: patched(saved("m4a"), b"stco", 8, HUGE),
    "an m4a of long samples": lambda: patched(saved("m4a"), b"stsz", 16, HUGE),
    "an mp3 with a huge tag": lambda: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + saved("mp3"),
    "an mp3 with a huge picture": lambda: (
        b"ID3\x03\0\0\x07\x7f\x7f\x7fAPIC"
        + struct.pack(">I", 2**24 - 11)
        + bytes(2 + 2**24 - 11)
        + saved("mp3")
    ),
    "a webm with a huge element": lambda: patched(
        saved("webm"), b"\x18\x53\x80\x67", 4, b"\x01" + b"\xff" * 7
    ),
    "an ogg of many pages": lambda: saved("ogg")[:4000] + saved("ogg")[:27] * 400_000,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_costs_the_studio_no_memory_and_little_time(kind: str) -> None:
    content = BOMBS[kind]()
    assert len(content) <= uploads.MAX_BYTES
    convert(encode(hum()))
    forget_peak()
    before, start = peak_kib(), time.monotonic()
    with suppress(VoiceError):
        convert(content)
    # A minute of sound is 6 MB, and there are a few copies of it at the end.
    assert peak_kib() - before < 30 * 1024
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("kind", ["hours of flac", "hours of ogg", "hours of matroska"])
def test_hours_of_sound_are_too_long(kind: str) -> None:
    assert refusal(BOMBS[kind]()) == TOO_LONG


def test_who_reads_a_file_is_bounded_by_the_system() -> None:
    limits: dict[str, str] = {}

    async def stuck() -> None:
        reader = Run(("-f", "s16le", "-i", "pipe:0", *uploads.WRITING), pcm=waiting(), bounds=uploads.BOUNDS)
        async with asyncio.timeout(10):
            async for _ in reader.output():
                pass

    async def waiting() -> AsyncIterator[bytes]:
        yield bytes(1000)
        await asyncio.sleep(0.5)
        [child] = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        for line in Path(f"/proc/{child}/limits").read_text().splitlines()[1:]:
            limits[line[:26].strip()] = line[26:].split()[0]
        assert b"ffmpeg" in Path(f"/proc/{child}/cmdline").read_bytes()

    asyncio.run(stuck())
    assert limits["Max address space"] == str(400 * 2**20)
    assert limits["Max cpu time"] == "40"
    assert limits["Max file size"] == limits["Max core file size"] == "0"


def test_a_file_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PATIENCE_S", 0.001)
    assert refusal(encode(hum(50))) == (
        "The voice's file takes more than 0.001 s to read; save it as WAV or MP3 again."
    )
    assert not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()


def test_many_uploads_at_once_take_turns_and_get_their_own_voice() -> None:
    async def all_at_once() -> list[Samples]:
        return await asyncio.gather(*(uploads.convert(encode(hum(pitch=200 + 50 * n))) for n in range(8)))

    for n, voice in enumerate(asyncio.run(all_at_once())):
        np.testing.assert_allclose(voice, hum(pitch=200 + 50 * n), atol=1e-4)
