"""A session lasts as long as it should, and not one request longer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import DAY_S, HOUR_S, Post
from door.desk import Desk
from door.people import Person
from visiting import _cheap, project, site

IDA = Person("corp:ida@example.com", frozenset({"corp:podcast-team"}), "corp")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with Post(tmp_path) as post:
        yield post


def test_the_cookie_is_the_browsers_alone(post: Post) -> None:
    session, device = post.desk.open_session(post.known("ana"), "password")
    assert session.startswith("__Host-vv_session=")
    assert session.endswith("; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert device.startswith("__Host-vv_device=")
    assert device.endswith("; Max-Age=15552000; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_a_session_lasts_its_hours(post: Post) -> None:
    cookie = post.cookie()
    post.clock.turn(168 * HOUR_S - 1)
    session = post.desk.session(cookie)
    assert session and session.person == Person("ana") and session.via == "password"
    post.clock.turn(1)
    assert post.desk.session(cookie) is None


def test_a_sign_on_lasts_its_own_hours(post: Post) -> None:
    post.desk.remember(IDA)
    cookie = post.cookie(IDA.name)
    session = post.desk.session(cookie)
    assert session and session.person == IDA and session.via == "sso"
    post.clock.turn(12 * HOUR_S)
    assert post.desk.session(cookie) is None


def test_what_is_stored_opens_nothing(post: Post) -> None:
    cookie = post.cookie()
    session = post.desk.session(cookie)
    assert session
    value = cookie.partition("=")[2]
    raw = b"".join(file.read_bytes() for file in post.data.glob("door.db*"))
    assert value.encode() not in raw and post.desk.signer("session").loads(value).encode() not in raw
    assert session.id_hash in raw


def test_a_logout_is_for_good(post: Post) -> None:
    cookie, other = post.cookie(), post.cookie()
    session = post.desk.session(cookie)
    assert session
    assert post.desk.close_session(session).startswith("__Host-vv_session=; Max-Age=0; ")
    assert post.desk.session(cookie) is None
    assert post.desk.session(other)


def test_a_forged_cookie_never_reaches_the_database(post: Post) -> None:
    cookie = post.cookie()
    post.desk.store.close()
    for forged in (
        cookie[:-1] + "!",
        "__Host-vv_session=x",
        "__Host-vv_session=",
        "",
        cookie.replace(".", ""),
    ):
        assert post.desk.session(forged) is None


def test_a_device_cookie_is_no_session(post: Post) -> None:
    _, device = post.cookies()
    assert post.desk.session(device.replace("device", "session")) is None


def test_a_second_session_cookie_spoils_the_first(post: Post) -> None:
    cookie = post.cookie()
    assert post.desk.session(f"{cookie}; __Host-vv_session=planted") is None


def test_another_password_in_the_inventory_ends_sessions_even_if_it_comes_back(post: Post) -> None:
    cookie, users = post.cookie(), site()["users"]
    was = post.desk.config.users["ana"]
    post.configure(users={**users, "ana": _cheap.hash("another good password")})
    assert post.desk.session(cookie) is None
    post.configure(users={**users, "ana": was})
    assert post.desk.session(cookie) is None


def test_a_password_set_by_invitation_ends_sessions(post: Post) -> None:
    post.desk.set_password("new", "a good first password")
    cookie = post.cookie("new")
    assert post.desk.session(cookie)
    post.desk.set_password("new", "a good second password")
    assert post.desk.session(cookie) is None


def test_who_leaves_the_inventory_leaves_nothing_behind(post: Post) -> None:
    told = site()
    post.desk.set_password("new", "a good first password")
    post.configure(projects=[project("podcast", ["ana", "li", "new"], [])])
    cookie, key = post.cookie("new"), post.key("new")
    post.configure(users={"ana": told["users"]["ana"]}, projects=[project("podcast", ["ana"], [])])
    assert post.desk.session(cookie) is None
    assert post.ask(authorization=f"Bearer {key}").status == 401
    post.configure(users=told["users"], projects=[project("podcast", ["ana", "li", "new"], [])])
    assert post.desk.config.users["new"] is None
    assert post.desk.session(cookie) is None
    assert post.ask(authorization=f"Bearer {key}").status == 401
    assert post.desk.store.password("new") is None


def test_a_provider_that_leaves_takes_its_people_along(post: Post) -> None:
    post.desk.remember(IDA)
    cookie, sign_on = post.cookie(IDA.name), site()["sign_on"]
    post.configure(sign_on=[], projects=[project("podcast", ["ana"], [])])
    assert post.desk.session(cookie) is None
    post.configure(sign_on=sign_on)
    assert post.desk.session(cookie) is None
    assert post.desk.person(IDA.name) is None


def test_a_password_in_the_inventory_replaces_the_one_of_an_invitation_for_good(post: Post) -> None:
    post.desk.set_password("new", "a good first password")
    users: dict[str, Any] = site()["users"]
    post.configure(users={**users, "new": _cheap.hash("the site's password")})
    assert post.desk.config.users["new"]
    post.configure(users=users)
    assert post.desk.config.users["new"] is None
    assert post.desk.store.password("new") is None


def test_groups_count_as_they_were_at_the_last_sign_on(post: Post) -> None:
    post.desk.remember(IDA)
    cookie = post.cookie(IDA.name)
    assert post.ask(cookie=cookie).status == 200
    post.desk.remember(Person(IDA.name, frozenset({"corp:other-team"}), "corp"))
    assert post.ask(cookie=cookie).status == 403


def test_nobodys_word_counts_but_their_own_providers(post: Post) -> None:
    issuer = {"name": "ci", "issuer": "https://ci.example.com", "audience": "vibevoice"}
    post.configure(issuers=[issuer])
    podcast = post.project()
    assert post.desk.may_enter(IDA, podcast)
    assert not post.desk.may_enter(Person("ci:ida", IDA.groups, "ci"), podcast)
    assert not post.desk.may_enter(Person("gone:ida", IDA.groups, "gone"), podcast)
    assert not post.desk.may_enter(Person("corp:ana", frozenset(), "corp"), podcast)
    with pytest.raises(ValueError, match="not of a sign-on provider"):
        post.desk.remember(Person("ana", frozenset(), "corp"))


def test_a_star_is_everybody_of_that_provider(post: Post) -> None:
    post.configure(projects=[project("podcast", [], ["corp:*"])])
    assert post.desk.may_enter(Person("corp:x", frozenset(), "corp"), post.project())
    assert not post.desk.may_enter(Person("ana"), post.project())


def test_ending_somebody_ends_all_they_have(post: Post) -> None:
    cookies, key = [post.cookie(), post.cookie()], post.key()
    assert post.desk.end("ana") == (2, 1)
    assert [post.desk.session(cookie) for cookie in cookies] == [None, None]
    assert post.ask(authorization=f"Bearer {key}").status == 401


def test_nobody_fills_the_disk_with_logins(post: Post) -> None:
    first = post.cookie()
    post.clock.turn(1)
    later = [post.cookie() for _ in range(100)]
    assert post.desk.session(first) is None
    assert post.desk.session(later[-1])


def test_sessions_and_keys_that_are_over_are_deleted(post: Post) -> None:
    post.cookie()
    post.key(days=1)
    post.clock.turn(7 * DAY_S)
    post.desk.tidy()
    assert post.desk.store.counts() == {}


def test_a_new_process_knows_what_the_old_one_knew(post: Post) -> None:
    cookie = post.cookie()
    again = Desk(post.path, post.data, post.clock)
    assert again.session(cookie)
    again.close()
