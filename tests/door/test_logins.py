"""Guessing passwords is slow; whom the password belongs to hardly notices."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import DAY_S, HOUR_S, Post
from door.attempts import Attempts
from door.desk import Desk
from door.people import NotInvitable, Person, Refused, Slowed, WeakPassword
from visiting import ANA, LI

HOME, CAFE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with Post(tmp_path) as post:
        yield post


def fail(post: Post, name: str = "ana", address: str = HOME, cookie: str = "", times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Refused):
            post.log_in(name, "a wrong password", address, cookie)


def wait_of(
    post: Post, name: str = "ana", password: str = ANA, address: str = HOME, cookie: str = ""
) -> float:
    """Seconds to wait, as told to somebody who is slowed."""
    with pytest.raises(Slowed) as slowed:
        post.log_in(name, password, address, cookie)
    return slowed.value.retry_after_s


def failures_from(*addresses: str) -> list[str]:
    return [f"{address}.{n}" for address in addresses for n in range(1, 250)]


# --- who is slowed ---


def test_the_right_password_is_enough(post: Post) -> None:
    assert post.log_in("ana", ANA) == Person("ana")
    assert post.audited("login")[0]["user"] == "ana"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        *[
            ("ana", LI),
            ("ANA", ANA),
            ("ana ", ANA),
            ("", ""),
            ("new", ""),
            ("eve", ANA),
            ("ana", "x" * 100_000),
        ],
        *[("corp:ida@example.com", ANA), ("ana", "\ud800"), ("\ud800", ANA), ("a\0", "b\0")],
    ],
)
def test_nothing_else_is(post: Post, name: str, password: str) -> None:
    with pytest.raises(Refused):
        post.log_in(name, password)


def test_ten_failures_of_an_address_and_then_one_every_six_seconds(post: Post) -> None:
    fail(post, times=10)
    assert wait_of(post) == 6
    post.clock.turn(5)
    assert wait_of(post) == 1
    post.clock.turn(1)
    fail(post)
    assert wait_of(post) == 6
    post.clock.turn(6)
    assert post.log_in("ana", ANA)


def test_twenty_failures_of_a_name_from_anywhere(post: Post) -> None:
    for address in failures_from("203.0.113")[:20]:
        fail(post, address=address)
    assert wait_of(post, address=CAFE) == 6
    assert post.log_in("li", LI, CAFE)


def test_success_costs_nothing(post: Post) -> None:
    for _ in range(30):
        post.log_in("ana", ANA)


def test_a_name_that_nobody_has_is_slowed_all_the_same(post: Post) -> None:
    for address in failures_from("203.0.113")[:20]:
        fail(post, "eve", address)
    assert wait_of(post, "eve", address=CAFE) == 6


def test_the_owner_is_never_locked_out_of_a_device_they_used(post: Post) -> None:
    _, device = post.cookies()
    for address in failures_from("203.0.113")[:20]:
        fail(post, address=address)
    fail(post, "li", HOME, times=10)
    assert wait_of(post, address=HOME)
    assert post.log_in("ana", ANA, HOME, device)


def test_nor_at_an_address_they_came_from(post: Post) -> None:
    post.log_in("ana", ANA, HOME)
    for address in failures_from("203.0.113")[:20]:
        fail(post, address=address)
    assert wait_of(post, address=CAFE)
    assert post.log_in("ana", ANA, HOME)
    post.clock.turn(30 * DAY_S)
    for address in failures_from("203.0.113")[:20]:
        fail(post, address=address)
    assert wait_of(post, address=HOME)


def test_a_stolen_device_is_slowed_by_itself(post: Post) -> None:
    _, device = post.cookies()
    fail(post, cookie=device, times=10)
    assert wait_of(post, cookie=device) == 6
    assert post.log_in("ana", ANA)


def test_a_device_is_of_the_name_that_logged_in_there(post: Post) -> None:
    _, device = post.cookies("li")
    fail(post, times=10)
    assert wait_of(post, cookie=device)


def test_a_device_is_forgotten_after_half_a_year(post: Post) -> None:
    _, device = post.cookies()
    post.clock.turn(180 * DAY_S + 1)
    fail(post, times=10)
    assert wait_of(post, cookie=device)


def test_one_household_is_one_address(post: Post) -> None:
    for n in range(10):
        fail(post, "eve", f"2001:db8:1:2::{n}")
    assert wait_of(post, "ana", address="2001:db8:1:2:ffff::1")
    assert post.log_in("ana", ANA, "2001:db8:1:3::1")


def test_an_address_in_another_coat_is_the_same(post: Post) -> None:
    fail(post, "eve", HOME, times=10)
    assert wait_of(post, address=f"::ffff:{HOME}")


def test_all_failures_are_in_the_audit_log(post: Post) -> None:
    fail(post, times=10)

    async def more() -> list[object]:
        tries = (post.desk.log_in("ana", str(n), HOME, "") for n in range(50))
        return await asyncio.gather(*tries, return_exceptions=True)

    assert all(isinstance(result, Slowed) for result in post.run(more()))
    assert [line["user"] for line in post.audited("login_failed")] == ["ana"] * 10
    assert len(post.audited("login_slowed")) == 50


def test_a_password_in_the_wrong_field_is_not_in_the_audit_log(post: Post) -> None:
    fail(post, "my secret password")
    (line,) = post.audited("login_failed")
    assert "user" not in line and line["reason"] == "unknown_user"


def test_a_clock_set_back_locks_nobody_out(post: Post) -> None:
    fail(post, times=10)
    post.clock.turn(-DAY_S)
    assert post.log_in("ana", ANA)


def test_both_processes_count_together(post: Post) -> None:
    other = Desk(post.path, post.data, post.clock)
    fail(post, times=5)
    for _ in range(5):
        with pytest.raises(Refused):
            asyncio.run(other.log_in("ana", "wrong", HOME, ""))
    assert wait_of(post) == 6
    with pytest.raises(Slowed):
        asyncio.run(other.log_in("ana", ANA, HOME, ""))
    other.close()


def test_many_at_once_gain_nothing(post: Post) -> None:
    async def storm() -> list[object]:
        tries = (post.desk.log_in("eve", str(n), f"203.0.113.{n}", "") for n in range(40))
        return await asyncio.gather(*tries, return_exceptions=True)

    results = post.run(storm())
    assert sum(isinstance(result, Refused) for result in results) == 20
    assert sum(isinstance(result, Slowed) for result in results) == 20


def test_an_attack_holds_up_only_its_own_address(post: Post) -> None:
    """Others' logins are through while most of the attack still waits for itself."""

    async def attacked() -> int:
        attack = [asyncio.create_task(post.desk.log_in("eve", str(n), CAFE, "")) for n in range(30)]
        await asyncio.sleep(0)
        await post.desk.log_in("ana", ANA, HOME, "")
        over = sum(task.done() for task in attack)
        await asyncio.gather(*attack, return_exceptions=True)
        return over

    assert post.run(attacked()) < 5


def test_failures_are_forgotten_when_they_are_over(post: Post) -> None:
    fail(post, times=10)
    post.clock.turn(60)
    post.desk.tidy()
    fail(post, times=10)


def test_a_torn_file_of_attempts_keeps_nobody_out(post: Post) -> None:
    path = post.data / "torn.db"
    attempts = Attempts(path, post.clock)
    attempts.take(attempts.judge("ana", HOME, None))
    attempts.close()
    content = bytearray(path.read_bytes())
    content[100:5000] = b"\xff" * 4900
    path.write_bytes(content)
    again = Attempts(path, post.clock)
    again.take(again.judge("ana", HOME, None))
    again.close()


# --- passwords and invitations ---


def test_an_invitation_sets_a_password_once(post: Post) -> None:
    token = post.desk.invite("new")
    assert post.desk.invited(token) == "new"
    post.desk.set_password("new", "a good first password")
    assert post.desk.invited(token) is None
    assert post.log_in("new", "a good first password") == Person("new")
    again = post.desk.invite("new")
    assert again != token and post.desk.invited(again) == "new"


def test_an_invitation_expires(post: Post) -> None:
    token = post.desk.invite("new")
    post.clock.turn(72 * HOUR_S + 1)
    assert post.desk.invited(token) is None


def test_a_forged_invitation_is_none(post: Post) -> None:
    token = post.desk.invite("new")
    for forged in (
        "",
        "x",
        token[:-1] + "!",
        post.desk.forms.issue("new"),
        post.desk.signer("device").dumps(["new", ""]),
    ):
        assert post.desk.invited(str(forged)) is None


def test_who_has_a_password_of_the_site_cannot_be_invited(post: Post) -> None:
    with pytest.raises(NotInvitable, match="Change it there and deploy"):
        post.desk.invite("ana")
    with pytest.raises(NotInvitable, match="Add the name, and deploy"):
        post.desk.invite("eve")
    with pytest.raises(WeakPassword) as weak:
        post.desk.set_password("ana", "a good first password")
    assert weak.value.reason == "elsewhere"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        *[("eleven char", "short"), ("x" * 1001, "long"), ("aaaaaaaaaaaaaa", "text")],
        *[("twelve chars\n", "text"), ("a good\0password", "text"), ("Ann.Other123", "name")],
    ],
)
def test_a_weak_password_is_refused(post: Post, password: str, reason: str) -> None:
    post.configure(users={"ann.other": None}, projects=[])
    with pytest.raises(WeakPassword) as weak:
        post.desk.set_password("ann.other", password)
    assert weak.value.reason == reason


@pytest.mark.parametrize(
    "password", ["十二个字符的密码也可以用啊", "correct horse battery", "ñ" * 6 + "abc def"]
)
def test_a_strong_one_of_any_script_is_taken(post: Post, password: str) -> None:
    post.desk.set_password("new", password)
    assert post.log_in("new", password) == Person("new")


def test_a_password_that_changes_while_it_is_verified_is_refused(post: Post) -> None:
    post.desk.set_password("new", "a good first password")

    async def changing() -> Person:
        task = asyncio.create_task(post.desk.log_in("new", "a good first password", HOME, ""))
        await asyncio.sleep(0)
        post.desk.set_password("new", "a good second password")
        return await task

    with pytest.raises(Refused):
        post.run(changing())
