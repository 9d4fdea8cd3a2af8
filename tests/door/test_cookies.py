"""The door's cookies stay at the door, and nobody can plant one."""

import pytest
from door.cookies import DEVICE, PREFIX, SESSION, split
from hypothesis import given
from hypothesis import strategies as st

OURS = PREFIX.lower().encode()
# Pieces that attackers put cookies together of.
pieces = st.sampled_from(
    [
        b"; ",
        b";",
        b"=",
        b" ",
        b"\t",
        b",",
        b'"',
        b"__Host-vv_session",
        b"__HOST-VV_device",
        b"__host-vv_",
        b"a",
        b"\xff",
    ]
)


def test_a_browsers_cookies_are_taken_apart() -> None:
    found = split(b"theme=dark; __Host-vv_session=abc; lang=en; __Host-vv_device=d=e")
    assert found.own == {SESSION: "abc", DEVICE: "d=e"}
    assert found.rest == b"theme=dark; lang=en"


def test_without_others_nothing_is_left() -> None:
    assert split(b"__Host-vv_session=abc").rest == b""
    assert split(b"").rest == b""


@pytest.mark.parametrize(
    "header",
    [
        b"__Host-vv_session=mine; __Host-vv_session=planted",
        b"__Host-vv_session=mine; __host-VV_session=planted",
        b"__host-vv_Session=planted; __Host-vv_session=mine",
        b"__Host-vv_session=mine; a=b; __Host-vv_session",
    ],
)
def test_two_of_a_name_are_none(header: bytes) -> None:
    assert SESSION not in split(header).own


def test_another_spelling_is_not_ours() -> None:
    assert split(b"__HOST-vv_session=abc").own == {}


@given(st.lists(pieces | st.binary(max_size=6), max_size=12).map(b"".join))
def test_no_cookie_of_ours_ever_passes(header: bytes) -> None:
    found = split(header)
    assert OURS not in found.rest.lower()
    assert split(found.rest) == type(found)({}, found.rest)


@given(
    st.lists(
        st.tuples(st.text("abcXYZ_-.", min_size=1, max_size=8), st.text("abc123=%+/", max_size=8)), max_size=6
    ),
    st.integers(0, 6),
)
def test_everybody_elses_pass_as_they_are(pairs: list[tuple[str, str]], at: int) -> None:
    others = [f"{name}={value}".encode() for name, value in pairs]
    header = b"; ".join([*others[:at], b"__Host-vv_session=s3cret", *others[at:]])
    assert split(header).rest == b"; ".join(others)
    assert split(header).own == {SESSION: "s3cret"}
