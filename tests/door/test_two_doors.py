"""Two real doors on one folder see one truth, at the very next request, whatever happens to them."""

import base64
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import HTML, Post
from door.live import alive
from doors import Process, free_port, wait_for
from visiting import ANA, LIMITS, _cheap, project, site


class Pair:
    """A folder, a desk on it (a third process of sorts), and two doors."""

    def __init__(self, folder: Path) -> None:
        self.post = Post(folder, time.time)
        self.a, self.b = (Process(self.post.path, self.post.data) for _ in range(2))

    def other(self) -> Process:
        """Another door on the same folder."""
        return Process(self.post.path, self.post.data)

    def both(self, **headers: str) -> list[int]:
        return [door.check(**headers) for door in (self.a, self.b)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    with pair.post, pair.a, pair.b:
        pair.a.wait_until_it_serves()
        pair.b.wait_until_it_serves()
        yield pair


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_revoked_key_stops_at_the_next_request_of_both(pair: Pair) -> None:
    for _ in range(20):
        key = pair.post.key()
        assert pair.both(authorization=f"Bearer {key}") == [200, 200]
        assert pair.both(authorization=f"Bearer {key}") == [200, 200]
        pair.post.desk.revoke_key(pair.post.known("ana"), key[3:11])
        assert pair.both(authorization=f"Bearer {key}") == [401, 401]


def test_a_logout_and_a_config_change_too(pair: Pair) -> None:
    cookie, other = pair.post.cookie(), pair.post.cookie()
    assert pair.both(cookie=cookie) == [200, 200]
    session = pair.post.desk.session(cookie)
    assert session
    pair.post.desk.close_session(session)
    assert pair.both(cookie=cookie) == [401, 401]
    assert pair.both(cookie=other) == [200, 200]
    pair.post.configure(projects=[project("podcast", ["li"], [])])
    assert pair.both(cookie=other) == [403, 403]
    digest = pair.post.desk.config.digest
    assert [door.client.get("/health").json()["config"] for door in (pair.a, pair.b)] == [digest] * 2


def test_a_config_that_does_not_parse_leaves_the_old_one_in_force(pair: Pair) -> None:
    cookie, digest = pair.post.cookie(), pair.post.desk.config.digest
    pair.post.path.write_text('{"users": ')
    assert pair.both(cookie=cookie) == [200, 200]
    pair.post.path.unlink()
    assert pair.both(cookie=cookie) == [200, 200]
    assert pair.a.client.get("/health").json()["config"] == digest
    pair.a.signal(signal.SIGTERM)
    _, errors = pair.a.end()
    assert "the file is not JSON" in errors and "The configuration from before stays in force." in errors


def test_guesses_at_one_count_at_the_other(pair: Pair) -> None:
    doors = [pair.a, pair.b] * 5
    assert [door.check(authorization=basic("ana", f"wrong {n}")) for n, door in enumerate(doors)] == [
        401
    ] * 10
    assert pair.both(authorization=basic("ana", ANA)) == [429, 429]
    assert pair.a.check(authorization=basic("ana", ANA), x_forwarded_for="198.51.100.9") == 200


def test_a_stop_fails_no_request(pair: Pair) -> None:
    limits = {**LIMITS, "requests_per_s": 1_000_000}
    pair.post.configure(projects=[{**project("podcast", ["ana"], []), "limits": limits}])
    cookie, stopped, statuses = pair.post.cookie(), threading.Event(), []

    def keep_asking() -> None:
        # The proxy would have turned to the other door by the end of the lame duck's time.
        while not stopped.is_set():
            statuses.append(pair.a.check(cookie=cookie))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    wait_for(lambda: len(statuses) > 50)
    pair.a.signal(signal.SIGTERM)
    wait_for(lambda: pair.b.client.get(f"{pair.a.url}/health").status_code == 503)
    unwell = time.monotonic()
    before = len(statuses)
    assert alive("127.0.0.1", pair.a.port)
    # No connection is left for the proxy to use at the moment it is cut.
    answer = pair.b.client.get(f"{pair.a.url}/check/podcast", headers={"cookie": cookie})
    assert answer.status_code == 200 and answer.headers["connection"] == "close"
    wait_for(lambda: time.monotonic() - unwell > 2)
    stopped.set()
    asking.join()
    assert len(statuses) > before + 50 and set(statuses) == {200}
    code, errors = pair.a.end()
    assert code == 0, errors
    assert pair.b.check(cookie=cookie) == 200


def test_a_restart_logs_nobody_out(pair: Pair) -> None:
    cookie, key = pair.post.cookie(), pair.post.key()
    pair.a.signal(signal.SIGTERM)
    assert pair.a.end()[0] == 0
    with pair.other().wait_until_it_serves() as again:
        assert again.check(cookie=cookie) == 200
        assert again.check(authorization=f"Bearer {key}") == 200


def test_a_kill_loses_nothing(pair: Pair) -> None:
    cookies, key = [pair.post.cookie(), pair.post.cookie()], pair.post.key()
    assert pair.both(cookie=cookies[0]) == [200, 200]
    session = pair.post.desk.session(cookies[1])
    assert session
    pair.post.desk.close_session(session)
    for door in (pair.a, pair.b):
        door.signal(signal.SIGKILL)
        door.end()
    assert pair.both(cookie=cookies[0]) == [0, 0]
    with pair.other().wait_until_it_serves() as again:
        assert again.check(cookie=cookies[0]) == 200
        assert again.check(authorization=f"Bearer {key}") == 200
        assert again.check(cookie=cookies[1]) == 401


def test_doors_that_start_together_on_nothing_agree(tmp_path: Path) -> None:
    post = Post(tmp_path)
    post.desk.close()
    empty = tmp_path / "new" / "data"
    doors = [Process(post.path, empty) for _ in range(3)]
    for door in doors:
        door.wait_until_it_serves()
    page = doors[0].client.get("/vibevoice/login", headers={"accept": HTML})
    assert page.status_code == 200
    assert [door.check() for door in doors] == [401] * 3
    assert empty.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in empty.glob("*.db*")} == {0o600}
    assert sorted(file.name for file in empty.iterdir() if "db" not in file.name) == [
        *("audit", "limits.key", "limits.pub", "lock", "secret")
    ]
    for door in doors:
        door.signal(signal.SIGTERM)
    assert [door.end()[0] for door in doors] == [0, 0, 0]


def test_a_full_disk_keeps_in_who_is_in_and_out_who_is_out(pair: Pair) -> None:
    cookie, key = pair.post.cookie(), pair.post.key()
    assert pair.a.check(cookie=cookie) == 200
    pair.a.fill_the_disk()
    assert pair.a.check(cookie=cookie) == 200
    assert pair.a.check(cookie=pair.post.cookie()) == 200
    assert pair.a.check(authorization=f"Bearer {key}") == 200
    assert pair.a.check(authorization=basic("ana", ANA)) == 403
    assert pair.a.check(authorization="Bearer vv_") == 401
    assert pair.a.check(cookie="__Host-vv_session=forged") == 401
    assert pair.a.status("/health") == 200
    pair.a.fill_the_disk(False)
    assert pair.a.check(authorization=basic("ana", ANA)) == 200


def test_a_full_disk_keeps_nobody_in_whose_password_changed(pair: Pair) -> None:
    cookie, key = pair.post.cookie(), pair.post.key()
    assert pair.a.check(cookie=cookie) == 200
    pair.a.fill_the_disk()
    # The other door, which could delete what is void, has not looked yet.
    pair.post.configure(users={**site()["users"], "ana": _cheap.hash("another good password")})
    assert pair.a.check(cookie=cookie) == 401
    assert pair.a.check(authorization=f"Bearer {key}") == 401


def test_it_speaks_of_itself_to_nobody(pair: Pair) -> None:
    answer = pair.a.client.get("/health")
    assert "server" not in answer.headers and "date" not in answer.headers


def test_websockets_and_bad_requests_are_just_refused(pair: Pair) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    assert pair.a.check(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==", **upgrade) == 401
    assert pair.a.client.request("POST", "/check/podcast", content=b"x" * 100_000).status_code == 405
    assert pair.a.check(cookie="a" * 30_000) == 401


def test_nobody_listens_on_a_closed_port() -> None:
    assert not alive("127.0.0.1", free_port())
