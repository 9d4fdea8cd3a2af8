"""A key opens one project for one person, for as long as both may."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import DAY_S, Post
from door.people import KeyRefused, Person
from visiting import project, site

IDA = Person("corp:ida@example.com", frozenset({"corp:podcast-team"}), "corp")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with Post(tmp_path) as post:
        yield post


def opens(post: Post, key: str, project: str = "podcast") -> int:
    return post.ask(project, authorization=f"Bearer {key}").status


def test_a_key_is_shown_once_and_stored_nowhere(post: Post) -> None:
    key = post.key()
    assert re.fullmatch(r"vv_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}", key)
    raw = b"".join(file.read_bytes() for file in post.data.rglob("*") if file.is_file())
    assert key.encode() not in raw and key[12:].encode() not in raw


def test_a_key_opens_its_project_and_no_other(post: Post) -> None:
    key = post.key("ana", "podcast")
    assert opens(post, key) == 200
    assert opens(post, key, "debate") == 403


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1], lambda key: key[:-1] + "!", lambda key: key.swapcase()]
)
def test_no_other_key_does(post: Post, change) -> None:
    assert opens(post, change(post.key())) == 401


def test_the_id_with_another_secret_is_nothing(post: Post) -> None:
    one, other = post.key(), post.key()
    assert opens(post, one[:12] + other[12:]) == 401


def test_a_revoked_key_stops_at_the_next_request(post: Post) -> None:
    key = post.key()
    assert opens(post, key) == 200
    assert post.desk.revoke_key(post.known("ana"), key[3:11])
    assert opens(post, key) == 401
    assert not post.desk.revoke_key(post.known("ana"), key[3:11])


def test_nobody_revokes_anothers_key(post: Post) -> None:
    key = post.key("ana")
    assert not post.desk.revoke_key(post.known("li"), key[3:11])
    assert opens(post, key) == 200


def test_a_key_expires(post: Post) -> None:
    key = post.key(days=2)
    post.clock.turn(2 * DAY_S - 1)
    assert opens(post, key) == 200
    post.clock.turn(1)
    assert opens(post, key) == 401
    assert post.desk.keys_of(post.known("ana")) == []
    assert post.audited("refused")[-1]["reason"] == "expired_key"


def test_who_loses_a_project_loses_its_keys_for_good(post: Post) -> None:
    key, projects = post.key("li"), site()["projects"]
    post.configure(projects=[project("podcast", ["ana"], [])])
    assert opens(post, key) == 401
    post.configure(projects=projects)
    assert opens(post, key) == 401


def test_keys_of_who_signs_on_need_a_sign_on_now_and_then(post: Post) -> None:
    post.desk.remember(IDA)
    key = post.key(IDA.name, days=365)
    assert opens(post, key) == 200
    post.clock.turn(30 * DAY_S - 1)
    assert opens(post, key) == 200
    post.clock.turn(1)
    assert opens(post, key) == 401
    post.desk.remember(IDA)
    assert opens(post, key) == 200


def test_an_owner_sees_when_a_key_was_used(post: Post) -> None:
    key = post.key()
    assert [seen.last_used for seen in post.desk.keys_of(post.known("ana"))] == [None]
    opens(post, key)
    (seen,) = post.desk.keys_of(post.known("ana"))
    assert seen.last_used == post.clock() and seen.project == "podcast" and seen.name == "a key"


def test_use_is_noted_once_a_minute_and_address(post: Post) -> None:
    key = post.key()
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        post.ask(authorization=f"Bearer {key}", address=address)
    assert [line["address"] for line in post.audited("key_used")] == ["192.0.2.1", "192.0.2.2"]
    post.clock.turn(60)
    post.ask(authorization=f"Bearer {key}", address="192.0.2.1")
    assert post.audited("key_used")[-1] | {"time": ""} == {
        "time": "",
        "event": "key_used",
        "user": "ana",
        "project": "podcast",
        "address": "192.0.2.1",
        "via": "key",
        "key": key[3:11],
    }
    assert len(post.audited("key_used")) == 3


def test_noting_a_use_disturbs_no_cache(post: Post) -> None:
    before = post.desk.snapshot()
    key = post.key()
    made = post.desk.snapshot()
    assert made != before
    opens(post, key)
    assert post.desk.snapshot() == made


@pytest.mark.parametrize(
    ("name", "days", "reason"),
    [
        *[("", 1, "name"), ("x" * 101, 1, "name"), ("a\nb", 1, "name"), ("a", 0, "days"), ("a", 366, "days")],
        *[("a", math.nan, "days"), ("a", math.inf, "days"), ("a", -1, "days")],
    ],
)
def test_a_senseless_key_is_refused(post: Post, name: str, days: float, reason: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        post.desk.create_key(post.known("ana"), post.project(), name, days)
    assert refused.value.reason == reason


def test_nobody_makes_a_key_of_a_project_they_may_not_enter(post: Post) -> None:
    with pytest.raises(KeyRefused) as refused:
        post.key("li", "debate")
    assert refused.value.reason == "project"


def test_nobody_has_keys_without_end(post: Post) -> None:
    for _ in range(100):
        post.key()
    with pytest.raises(KeyRefused) as refused:
        post.key()
    assert refused.value.reason == "many"
