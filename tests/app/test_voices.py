"""Any voice that the engine gets is mono, 24 kHz and long enough to clone; else one line says why not."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from vibevoice.engine.generation import Refused
from vibevoice.voices import MAX_BYTES, SAMPLE_RATE, VoiceError, check, content_hash, read


def hum(seconds: float = 3.0, rate: int = SAMPLE_RATE, peak: float = 0.5) -> np.ndarray:
    """A tone that swells and fades, as speech does."""
    time = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * 180 * time) * np.abs(np.sin(2 * time))).astype(np.float32)


def encode(samples: np.ndarray, format: str = "WAV", rate: int = SAMPLE_RATE, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, **options)
    return file.getvalue()


def refusal(call: Callable[[], object]) -> str:
    """The one line that says why."""
    with pytest.raises(VoiceError) as refused:
        call()
    [line] = str(refused.value).splitlines()
    return line


def test_a_clip_of_somebody_speaking_is_taken_as_it_is() -> None:
    clip = hum()
    taken = check(clip, SAMPLE_RATE)
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, clip)


def test_what_the_engine_takes_is_a_copy() -> None:
    clip = hum()
    check(clip, SAMPLE_RATE)[:] = 0
    assert clip.any()


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_floats_of_any_size_are_taken(dtype: str) -> None:
    np.testing.assert_allclose(check(hum().astype(dtype), SAMPLE_RATE), hum(), atol=1e-3)


def test_a_lossy_formats_overshoot_is_scaled_down_not_clipped() -> None:
    clip = hum(peak=1.2)
    np.testing.assert_allclose(check(clip, SAMPLE_RATE), clip / np.abs(clip).max(), rtol=1e-6)


@pytest.mark.parametrize(
    ("samples", "rate", "complaint"),
    [
        (hum(0.1), 24_000, "The voice has 0.10 s; use at least 1 s, better 10 to 30."),
        (hum(600), 24_000, "The voice has 600 s; use at most 60 s, 10 to 30 are best."),
        (hum()[:0], 24_000, "The voice is empty; record at least a few seconds."),
        (hum(), 44_100, "The voice has 44100 samples per second; resample it to 24000."),
        (hum(), 0, "The voice has 0 samples per second; resample it to 24000."),
        (np.stack([hum(), hum()], axis=1), 24_000, "The voice is stereo; mix it down to mono."),
        (np.stack([hum(), hum()]), 24_000, "The voice is stereo; mix it down to mono."),
        (np.stack([hum()] * 6, axis=1), 24_000, "The voice is sound of 6 channels; mix it down to mono."),
        (hum()[:, None], 24_000, "The voice has shape [72000, 1]; pass one dimension, of mono samples."),
        (
            np.array(0.5),
            24_000,
            "The voice has shape []; pass one dimension, of mono samples.",
        ),
        (
            np.append(hum(), np.nan),
            24_000,
            "The voice has samples that are NaN or infinite; export it again.",
        ),
        (
            np.append(hum(), -np.inf),
            24_000,
            "The voice has samples that are NaN or infinite; export it again.",
        ),
        (
            np.zeros(72_000, np.float32),
            24_000,
            "The voice is silent; record it louder, or pick another part of the recording.",
        ),
        (
            np.full(72_000, 0.5, np.float32),
            24_000,
            "The voice is silent; record it louder, or pick another part of the recording.",
        ),
        (
            hum(peak=1e-4),
            24_000,
            "The voice is silent; record it louder, or pick another part of the recording.",
        ),
        (
            np.round(hum(peak=20_000)),
            24_000,
            "The voice has samples up to 2e+04, but floats end at 1; divide 16-bit integers by 32768.",
        ),
        (
            hum(peak=20_000).astype(np.int16),
            24_000,
            "The voice is of type int16; pass floats in -1..1 (16-bit integers: divide by 32768).",
        ),
        (
            list(hum()),
            24_000,
            "The voice is of type list; pass floats in -1..1 (16-bit integers: divide by 32768).",
        ),
    ],
)
def test_a_clip_that_is_no_voice_is_refused_in_one_line(samples: Any, rate: int, complaint: str) -> None:
    assert refusal(lambda: check(samples, rate)) == complaint


def test_a_bad_voice_is_a_refused_request() -> None:
    with pytest.raises(Refused):
        check(hum(0.1), SAMPLE_RATE)


@given(
    arrays.arrays(
        st.one_of(
            arrays.floating_dtypes(), arrays.integer_dtypes(), arrays.complex_number_dtypes(), st.just("O")
        ),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    ),
    st.integers(),
)
def test_any_array_is_taken_or_refused(samples: np.ndarray, rate: int) -> None:
    refusal(lambda: check(samples, rate))


@given(
    arrays.arrays(np.float64, 50, elements=st.floats(width=64)),
    st.integers(min_value=1, max_value=2000),
)
def test_what_passes_is_in_range_and_passes_again_unchanged(pattern: np.ndarray, times: int) -> None:
    try:
        taken = check(np.tile(pattern, times), SAMPLE_RATE)
    except VoiceError:
        return
    assert np.abs(taken).max() <= 1
    np.testing.assert_array_equal(check(taken, SAMPLE_RATE), taken)


@pytest.mark.parametrize(
    ("format", "options", "error"),
    [
        ("WAV", {"subtype": "PCM_16"}, 1e-4),
        ("WAV", {"subtype": "PCM_24"}, 1e-6),
        ("WAV", {"subtype": "PCM_U8"}, 1e-2),
        ("WAV", {"subtype": "FLOAT"}, 0),
        ("WAVEX", {}, 1e-4),
        ("FLAC", {}, 1e-4),
        ("AIFF", {}, 1e-4),
        ("OGG", {"subtype": "VORBIS"}, 0.05),
        ("MP3", {}, 0.05),
    ],
)
def test_a_file_gives_the_sound_that_went_in(format: str, options: dict[str, Any], error: float) -> None:
    np.testing.assert_allclose(read(encode(hum(), format, **options)), hum(), rtol=0, atol=error)


def test_a_wav_from_a_pipe_without_a_known_size_is_read() -> None:
    content = bytearray(encode(hum()))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    np.testing.assert_allclose(read(bytes(content)), hum(), atol=1e-4)


def test_an_mp3_without_a_note_of_its_length_is_read() -> None:
    content = encode(hum(20), "MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    # The length stands in a first frame of its own, which other programs do not write.
    content = content[content.index(content[:2], 4) :]
    assert len(read(content)) == pytest.approx(20 * SAMPLE_RATE, rel=0.01)


NOT_AUDIO = "The voice's file is not audio, or damaged; save it as WAV, FLAC, Ogg, MP3 or AIFF again."
CUT_OFF = "The voice's file ends before its sound does; upload the whole of it."


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("voice.wav", content)
    return file.getvalue()


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The voice's file is empty; upload it again."),
        (b"RIFF", CUT_OFF),
        (b"Speaker 1: Hello.\n" * 1000, NOT_AUDIO),
        (json.dumps({"voice": "anna"}).encode(), NOT_AUDIO),
        (bytes(range(256)) * 1000, NOT_AUDIO),
        (zipped(encode(hum())), "The voice's file is a ZIP archive; save it as WAV, FLAC, Ogg, MP3 or AIFF."),
        (
            b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(5000),
            "The voice's file is M4A or MP4; save it as WAV, FLAC, Ogg, MP3 or AIFF.",
        ),
        (
            b"\x1a\x45\xdf\xa3" + bytes(5000),
            "The voice's file is WebM or Matroska; save it as WAV, FLAC, Ogg, MP3 or AIFF.",
        ),
        (
            encode(hum(), "VOC"),
            "The voice's file is VOC (Creative Labs); save it as WAV, FLAC, Ogg, MP3 or AIFF.",
        ),
        (half(encode(hum(), "MP3")), CUT_OFF),
        (half(encode(hum(), "WAV")), CUT_OFF),
        (half(encode(hum(), "AIFF")), CUT_OFF),
        (half(encode(hum(), "FLAC")), NOT_AUDIO),
        (encode(hum(0.1)), "The voice has 0.10 s; use at least 1 s, better 10 to 30."),
        (encode(hum(), rate=48_000), "The voice has 48000 samples per second; resample it to 24000."),
        (encode(np.stack([hum(), hum()], axis=1)), "The voice is stereo; mix it down to mono."),
        (
            encode(np.append(hum(), np.nan), subtype="FLOAT"),
            "The voice has samples that are NaN or infinite; export it again.",
        ),
        (
            encode(np.round(hum(peak=20_000)), subtype="FLOAT"),
            "The voice has samples up to 2e+04, but floats end at 1; divide 16-bit integers by 32768.",
        ),
        (
            encode(np.zeros(72_000)),
            "The voice is silent; record it louder, or pick another part of the recording.",
        ),
        (
            bytes(MAX_BYTES + 1),
            "The voice's file has 16 MiB, more than 60 s of mono sound need; cut it shorter.",
        ),
    ],
)
def test_a_file_that_is_no_voice_is_refused_in_one_line(content: bytes, complaint: str) -> None:
    assert refusal(lambda: read(content)) == complaint


def test_ten_minutes_are_refused_by_the_header_before_they_are_decoded() -> None:
    # A FLAC of ten minutes whose sound is cut away behind the header: decoding would complain of that.
    content = encode(hum(600), "FLAC")[:5000]
    assert refusal(lambda: read(content)) == "The voice has 600 s; use at most 60 s, 10 to 30 are best."


def test_a_header_that_tells_less_than_there_is_bounds_what_is_decoded() -> None:
    content = bytearray(encode(hum(600), "FLAC"))
    # The number of samples: the last 36 bits before the checksum.
    content[21] &= 0xF0
    content[22:26] = (72_000).to_bytes(4, "big")
    assert len(read(bytes(content))) == 72_000


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused(content: bytes) -> None:
    refusal(lambda: read(content))


FILES = [encode(hum(2), format) for format in ("WAV", "WAVEX", "FLAC", "AIFF", "OGG", "MP3")]


@given(st.sampled_from(FILES), st.data())
def test_a_damaged_file_is_read_or_refused(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    # Mostly the header: what is damaged behind it is mere noise.
    end = data.draw(st.sampled_from([60, 400, len(content)]))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    try:
        taken = read(bytes(damaged[: data.draw(st.integers(1, len(content)))]))
    except VoiceError:
        return
    np.testing.assert_array_equal(check(taken, SAMPLE_RATE), taken)


def test_a_voice_is_known_by_its_samples() -> None:
    assert content_hash(check(hum(), SAMPLE_RATE)) == content_hash(read(encode(hum(), subtype="FLOAT")))
    assert content_hash(check(hum(), SAMPLE_RATE)) != content_hash(check(hum(peak=0.4), SAMPLE_RATE))
