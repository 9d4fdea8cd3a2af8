"""Only the door's own pass opens a studio, and only as long as it holds."""

import json
import time

import pytest
from door_keeper import Clock, DoorKeeper, base64url
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.door import KNOWN_HEADERS, LEEWAY_S, Door, NotThroughTheDoor

CLOCK = Clock()
KEEPER = DoorKeeper(CLOCK)
GOOD = KEEPER.header()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(clock: Clock) -> DoorKeeper:
    return DoorKeeper(clock)


@pytest.fixture
def door(keeper: DoorKeeper, clock: Clock) -> Door:
    return Door(keeper.public_key, "podcast", clock)


def test_a_pass_says_who_comes_and_what_they_may(door: Door, keeper: DoorKeeper) -> None:
    allowance = door.allowance(keeper.header(user="li", streams=3, minutes_per_day=600).encode())
    assert (allowance.user, allowance.streams, allowance.upload_bytes) == ("li", 3, 100_000)
    assert allowance.minutes_per_day == 600


def test_what_a_later_door_says_besides_is_ignored(door: Door, keeper: DoorKeeper) -> None:
    assert door.allowance(keeper.header(requests_per_s=100).encode())


def test_a_pass_holds_until_it_expires_and_a_little_longer(
    door: Door, keeper: DoorKeeper, clock: Clock
) -> None:
    header = keeper.header().encode()
    clock.now += 120 + LEEWAY_S
    assert door.allowance(header)
    clock.now += 1
    with pytest.raises(NotThroughTheDoor, match="expired"):
        door.allowance(header)


def test_a_remembered_pass_expires_too(door: Door, keeper: DoorKeeper, clock: Clock) -> None:
    header = keeper.header().encode()
    assert door.allowance(header) is door.allowance(header)
    clock.now += 120 + LEEWAY_S + 1
    for _ in range(2):
        with pytest.raises(NotThroughTheDoor, match="expired"):
            door.allowance(header)


def test_a_remembered_pass_costs_no_signature_check(door: Door, keeper: DoorKeeper) -> None:
    header = keeper.header().encode()

    def took(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            door.allowance(header)
        return time.perf_counter() - began

    first = took(1)
    assert took(1000) < first * 1000 / 10


def test_as_many_passes_as_there_are_visitors_fit_into_a_bounded_memory(
    door: Door, keeper: DoorKeeper
) -> None:
    headers = [keeper.header(user=f"u{number}").encode() for number in range(KNOWN_HEADERS + 10)]
    allowances = [door.allowance(header) for header in headers]
    assert door.allowance(headers[-1]) is allowances[-1]
    # Forgotten and read again, not refused.
    assert door.allowance(headers[0]) == allowances[0]
    assert door.allowance(headers[0]) is not allowances[0]


@pytest.mark.parametrize(
    "change",
    [
        {"project": "podcast2"},
        {"project": "Podcast"},
        {"project": None},
        {"user": ""},
        {"user": 7},
        {"streams": "32"},
        {"streams": True},
        {"streams": -1},
        {"streams": 1.5},
        {"upload_bytes": None},
        {"upload_bytes": -1},
        {"minutes_per_day": "600"},
        {"minutes_per_day": -1},
        {"exp": None},
        {"exp": "2100-01-01"},
        {"exp": float("inf")},
        {"exp": float("nan")},
    ],
)
def test_a_signed_pass_without_sense_is_refused(
    door: Door, keeper: DoorKeeper, change: dict[str, object]
) -> None:
    with pytest.raises(NotThroughTheDoor):
        door.allowance(keeper.header(**change).encode())


@pytest.mark.parametrize("name", KEEPER.allowance())
def test_a_signed_pass_lacks_nothing(door: Door, keeper: DoorKeeper, name: str) -> None:
    less = {key: value for key, value in keeper.allowance().items() if key != name}
    with pytest.raises(NotThroughTheDoor, match=name):
        door.allowance(keeper.sign(json.dumps(less).encode()).encode())


def test_another_doors_signature_is_none(door: Door, clock: Clock) -> None:
    with pytest.raises(NotThroughTheDoor, match="not signed"):
        door.allowance(DoorKeeper(clock).header().encode())


def test_a_signature_belongs_to_one_payload(door: Door, keeper: DoorKeeper) -> None:
    ours = json.dumps(keeper.allowance(streams=10_000)).encode()
    _, _, signature = keeper.header().split(".")
    with pytest.raises(NotThroughTheDoor, match="not signed"):
        door.allowance(f"v1.{base64url(ours)}.{signature}".encode())


def test_the_version_is_signed_too(door: Door, keeper: DoorKeeper) -> None:
    with pytest.raises(NotThroughTheDoor, match="form"):
        door.allowance(keeper.header().replace("v1", "v2").encode())


def test_of_a_pass_there_is_one_spelling(door: Door, keeper: DoorKeeper) -> None:
    header = keeper.header()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character of 64 bytes carries two bits; the other four must be zero.
    twin = header[:-1] + alphabet[alphabet.index(header[-1]) ^ 1]
    for other in (twin, header + "==", header + "\n", " " + header, header + "."):
        with pytest.raises(NotThroughTheDoor):
            door.allowance(other.encode())
    assert door.allowance(header.encode())


def refused(header: bytes) -> bool:
    try:
        Door(KEEPER.public_key, "podcast", CLOCK).allowance(header)
    except NotThroughTheDoor:
        return True
    return False


def test_the_example_that_is_bent_below_is_good() -> None:
    assert not refused(GOOD.encode())


@given(st.binary(max_size=300))
def test_garbage_never_gets_in(header: bytes) -> None:
    assert refused(header)


PARTS = st.text("ABCxyz019-_=+/. ", max_size=120)


@given(PARTS, PARTS)
def test_garbage_in_the_right_places_never_gets_in(payload: str, signature: str) -> None:
    assert refused(f"v1.{payload}.{signature}".encode())


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_good_pass_with_one_changed_byte_never_gets_in(place: int, change: int) -> None:
    bent = bytearray(GOOD.encode())
    bent[place] ^= change
    assert refused(bytes(bent))


@given(st.integers(0, len(GOOD) - 1))
def test_a_part_of_a_good_pass_never_gets_in(length: int) -> None:
    assert refused(GOOD[:length].encode())


@given(st.binary(max_size=200))
def test_signed_garbage_never_gets_in(payload: bytes) -> None:
    assert refused(KEEPER.sign(payload).encode())


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none())


@given(st.dictionaries(st.sampled_from(sorted(KEEPER.allowance())), VALUES, min_size=6))
def test_signed_json_is_either_understood_or_refused(values: dict[str, object]) -> None:
    assert refused(KEEPER.sign(json.dumps(values).encode()).encode()) or values["project"] == "podcast"
