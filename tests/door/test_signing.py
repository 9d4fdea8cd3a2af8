"""What the door signs is good for one purpose, for some time, and made by one secret whoever starts first."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from asking import HOUR_S, Clock, Post
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from door.signing import Signing, once
from itsdangerous import BadSignature


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signing(tmp_path: Path, clock: Clock) -> Signing:
    return Signing(tmp_path, clock)


def test_processes_that_start_together_make_one_secret(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from door.signing import Signing\n"
        "sys.stdin.read(); print(Signing(Path(sys.argv[1]), time.time).probe('podcast').count('.'))"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    for process in starting:
        # They have imported all there is, or soon will have; now they all look at an empty folder.
        assert process.stdin
        process.stdin.close()
    for process in starting:
        assert process.wait(60) == 0
        assert process.stdout
        process.stdout.close()
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["limits.key", "limits.pub", "secret"]
    assert len((tmp_path / "secret").read_bytes()) == 32


def test_the_files_are_for_the_door_alone_but_for_the_public_key(tmp_path: Path, signing: Signing) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"secret": 0o600, "limits.key": 0o600, "limits.pub": 0o644}


def test_a_file_is_made_once(tmp_path: Path) -> None:
    assert once(tmp_path / "a", lambda: b"first") == b"first"
    assert once(tmp_path / "a", lambda: b"second") == b"first"


def test_a_torn_secret_is_named(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"secret has 5 bytes instead of 32\. Delete it"):
        Signing(tmp_path, clock)


def test_a_signature_is_for_one_purpose(signing: Signing) -> None:
    with pytest.raises(BadSignature):
        signing.signer("session").loads(signing.signer("device").dumps("x"))


def test_another_sites_signature_is_worth_nothing(tmp_path: Path, signing: Signing, clock: Clock) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(BadSignature):
        Signing(tmp_path / "other", clock).signer("session").loads(signing.signer("session").dumps("x"))


def test_a_form_is_good_for_whom_it_was_made(signing: Signing, clock: Clock) -> None:
    token = signing.forms.issue("ana's session")
    assert signing.forms.valid(token, "ana's session")
    assert not signing.forms.valid(token, "li's session")
    assert not signing.forms.valid(token + "x", "ana's session")
    assert not signing.forms.valid("", "")
    clock.turn(12 * HOUR_S + 1)
    assert not signing.forms.valid(token, "ana's session")


def test_a_form_does_not_tell_what_binds_it(signing: Signing) -> None:
    token = signing.forms.issue("secret binding")
    content = base64.urlsafe_b64decode(token.split(".")[0] + "==")
    assert b"secret" not in content


def test_a_probe_lives_two_minutes(signing: Signing, clock: Clock) -> None:
    token = signing.probe("podcast")
    assert signing.probed(token) == "podcast"
    clock.turn(121)
    assert signing.probed(token) is None


def test_a_form_is_no_probe(signing: Signing) -> None:
    assert signing.probed("vvprobe_" + signing.forms.issue("podcast")) is None


def test_studios_can_verify_their_limits_with_the_public_key(tmp_path: Path) -> None:
    with Post(tmp_path) as post:
        header, until = post.desk.signing.limits.of(post.project(), "ana", post.clock())
        public = base64.b64decode((post.data / "limits.pub").read_text())
    signed, _, signature = header.rpartition(b".")
    Ed25519PublicKey.from_public_bytes(public).verify(base64.urlsafe_b64decode(signature + b"=="), signed)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(
            base64.urlsafe_b64decode(signature + b"=="), signed.replace(b"v1", b"v2")
        )
    version, payload = signed.split(b".")
    assert version == b"v1"
    assert b"=" not in header
    assert json.loads(base64.urlsafe_b64decode(payload + b"==")) == {
        "project": "podcast",
        "user": "ana",
        "streams": 32,
        "upload_bytes": 104857600,
        "minutes_per_day": None,
        "exp": post.clock() + 120,
    }
    assert until == post.clock() + 60


def test_limits_are_signed_once_a_minute(tmp_path: Path) -> None:
    with Post(tmp_path) as post:
        limits, project = post.desk.signing.limits, post.project()
        first, _ = limits.of(project, "ana", 1000)
        assert limits.of(project, "ana", 1059)[0] is first
        assert limits.of(project, "ana", 1060)[0] != first
        assert limits.of(project, "li", 1060)[0] != limits.of(project, "ana", 1060)[0]
