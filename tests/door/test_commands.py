"""The operator's commands: what they do, and what they say when they cannot."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import Post
from doors import Process, command
from visiting import ANA


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with Post(tmp_path, time.time) as post:
        yield post


def run(post: Post, *arguments: str) -> tuple[int, str, str]:
    done = command(post.path, post.data, *arguments)
    return done.returncode, done.stdout, done.stderr


def test_an_invitation_is_an_address(post: Post) -> None:
    code, out, _ = run(post, "invite", "new")
    assert code == 0
    prefix = "https://studio.lab.test/vibevoice/door/invite/"
    assert out.startswith(prefix) and out.count("\n") == 1
    assert post.desk.invited(out.strip().removeprefix(prefix)) == "new"


def test_who_cannot_be_invited_is_told_why(post: Post) -> None:
    assert run(post, "invite", "ana")[::2] == (
        1,
        "The password of 'ana' is in the site's secrets. Change it there and deploy; or take it out there, "
        "deploy, and invite again.\n",
    )
    assert run(post, "invite", "eve")[::2] == (
        1,
        "'eve' is not among the users of any project. Add the name, and deploy.\n",
    )


def test_an_end_is_of_everything(post: Post) -> None:
    cookie = post.cookie()
    post.key()
    post.key()
    assert run(post, "end", "ana")[:2] == (0, "Ended 1 sessions and 2 keys of ana.\n")
    assert post.ask(cookie=cookie).status == 401
    code, _, errors = run(post, "end", "eve")
    assert (code, errors) == (1, "Nobody is called 'eve'. `python -m door people` lists everybody.\n")


def test_probes_are_a_line_each(post: Post) -> None:
    code, out, _ = run(post, "probe", "podcast", "debate")
    assert code == 0
    lines = [line.split(" ") for line in out.splitlines()]
    assert [name for name, _ in lines] == ["podcast", "debate"]
    for name, token in lines:
        uri = f"/vibevoice/{name}/health/ready"
        assert post.ask(name, authorization=f"Bearer {token}", uri=uri).status == 200
    assert run(post, "probe", "podcast", "nothing") == (
        1,
        "",
        "No project is called 'nothing'. There are: podcast, debate.\n",
    )


def test_everybody_is_listed(post: Post) -> None:
    post.log_in("ana", ANA)
    post.cookie()
    post.key()
    post.desk.set_password("new", "a good first password")
    code, out, _ = run(post, "people")
    assert code == 0
    ana, li, new = json.loads(out)["people"]
    assert (
        ana["name"] == "ana" and ana["password"] == "inventory" and ana["projects"] == ["podcast", "debate"]
    )
    assert (ana["sessions"], ana["keys"]) == (1, 1) and ana["last_login"].endswith("+00:00")
    assert (li["sessions"], li["keys"], li["last_login"]) == (0, 0, None)
    assert new["password"] == "invitation"


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    done = command(tmp_path / "site.json", tmp_path / "data", "serve")
    assert (done.returncode, done.stderr) == (
        1,
        f"{tmp_path}/site.json is missing. The deploy writes it: run it again.\n",
    )


def test_a_wrong_configuration_is_named_with_its_place(post: Post) -> None:
    post.configure(session_hours="long")
    code, _, errors = run(post, "serve")
    assert code == 1
    assert errors.startswith(f"{post.path}: session_hours: should be a number above 0") and errors.endswith(
        "Correct the inventory, and deploy again.\n"
    )


def test_a_folder_that_is_none_is_named(post: Post) -> None:
    done = command(post.path, post.path, "people")
    assert done.returncode == 1
    assert done.stderr.startswith(f"The door cannot start on {post.path}: ")


def test_a_port_that_is_none_is_named(post: Post) -> None:

    done = command(post.path, post.data, "serve", port="http")
    assert (done.returncode, done.stderr) == (
        1,
        "DOOR_PORT is 'http', which is no port. Set it to a number from 0 to 65535.\n",
    )


def test_a_port_that_is_taken_is_named(post: Post) -> None:
    with Process(post.path, post.data).wait_until_it_serves() as first:
        done = command(post.path, post.data, "serve", port=first.port)
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"The door could not start on 127.0.0.1:{first.port}. Is another one running there?\n"
    )
