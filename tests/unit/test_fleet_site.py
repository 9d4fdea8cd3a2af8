"""From an inventory file to what pyinfra and the commands get of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import inventories
import pytest
from inventories import change

import fleet
from fleet import Gateway, WrongInventory, hostkeys, models, names, reference, ssh_config

REPO = Path(__file__).resolve().parents[2]
# The inventory listens where its only host should be reached: whoever connects is counted.
LISTENER = """\
import atexit, socket
from fleet import site
door = socket.create_server(("127.0.0.1", 0))
door.settimeout(0.2)

def count():
    try:
        door.accept()
        print("SOMEBODY CONNECTED")
    except TimeoutError:
        print("nobody connected")

atexit.register(count)
gateway, gpu = site(__file__, {
    "domain": "studio",
    "acme": {"email": "ops@example.com"},
    "gateway": {"host": "127.0.0.1", "ssh": {"port": door.getsockname()[1]}},
    "nodes": [{"host": "gpu-1", "gpus": "two", "gpu_memory": "48GiB"}],
})
"""


def write(folder: Path, whole: object, name: str = "site.py") -> Path:
    """An inventory file of that dictionary."""
    file = folder / name
    file.write_text(f"from fleet import site\n\ngateway, gpu = site(__file__, {whole!r})\n")
    return file


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in the repository's root."""
    command = [sys.executable, "-m", *map(str, argv)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60, check=False)


def test_a_wrong_inventory_ends_pyinfra_with_1_before_any_connection(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(LISTENER)
    done = run("pyinfra", "-y", file, "deploy.py")
    assert done.returncode == 1
    assert "nobody connected" in done.stdout
    assert f'{file}: domain is "studio", which is not a domain.' in done.stderr
    assert f'{file}: nodes.gpu-1.gpus is "two", but must be a whole number, without quotes.' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_that_nobody_watches_is_plain_text(tmp_path: Path) -> None:
    done = run("fleet", write(tmp_path, {}))
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert done.stdout == ""


def test_pyinfra_gets_two_groups_with_the_typed_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "STATE", tmp_path / "state")
    whole = inventories.inventory(tmp_path)
    gateway, gpu = fleet.site(str(tmp_path / "site.py"), whole)
    assert [host for host, _ in gateway[0]] == ["gw.example.com"]
    assert [host for host, _ in gpu[0]] == ["gpu-1.example.com", "gpu-2.lan"]
    data = gpu[0][1][1]
    assert data["member"] == data["site"].node("gpu-2.lan")
    assert data["_sudo"] is True
    assert gateway[0][0][1]["_sudo"] is False
    assert Path(data["ssh_config_file"]).read_text().count("StrictHostKeyChecking yes") == 3


def test_a_right_inventory_is_loaded_without_pyinfra(tmp_path: Path) -> None:
    file = write(tmp_path, inventories.inventory(tmp_path))
    code = (
        f"import sys, fleet; fleet.load({str(file)!r}); assert not [m for m in sys.modules if 'pyinfra' in m]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_loading_raises_every_mistake(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "domain", None)
    change(whole, "acme.email", None)
    with pytest.raises(WrongInventory, match=r"domain is missing[\s\S]*acme\.email is missing"):
        fleet.load(write(tmp_path, whole))


def test_an_unprepared_site_loads_without_its_made_files(tmp_path: Path) -> None:
    file = write(tmp_path, inventories.inventory(tmp_path))
    for made in ("tiny.lock.json", "site.known_hosts", "site.secrets.toml", "id_ed25519"):
        (tmp_path / made).unlink()
    assert fleet.load(file, prepared=False).secrets == {}


@pytest.mark.parametrize("inventory", ["lab", "prod", "staging"])
def test_the_inventories_that_come_with_it_are_right(inventory: str) -> None:
    assert fleet.load(REPO / "inventory" / f"{inventory}.py", prepared=False).name == inventory


def test_what_is_deployed_is_the_revision_of_the_lock(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "models.0.revision", "main")
    assert inventories.site(tmp_path, whole).model("tiny").revision == "c" * 40


def test_an_inventory_may_describe_a_model_of_the_catalogue_anew(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "models.+", {"name": "1.5b", "repo": "own/copy", "memory": "9GiB"})
    assert inventories.site(tmp_path, whole).model("1.5b").repo == "own/copy"


def test_addresses_on_the_private_network_follow_the_inventory(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "nodes.0.wg_address", "10.88.0.77")
    site = inventories.site(tmp_path, whole)
    hosts = [member.host for member in site.members]
    assert [site.wg_address(host) for host in hosts] == ["10.88.0.1", "10.88.0.77", "10.88.0.12"]
    assert site.registry_address == "10.88.0.1:5000"
    assert site.wg_endpoint == "192.0.2.10:51820"


def test_ssh_itself_reads_the_configuration_as_meant(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "nodes.1.ssh.port", 2222)
    (tmp_path / "site.known_hosts").write_text(
        "".join(
            f"{host} {inventories.KEY}\n"
            for host in ("gw.example.com", "gpu-1.example.com", "[10.1.2.3]:2222")
        )
    )
    site = inventories.site(tmp_path, whole)
    config = tmp_path / "ssh_config"
    config.write_text(ssh_config.render(site.members, site.known_hosts))
    argv = ["ssh", "-G", "-F", str(config), "gpu-2.lan"]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {
        "hostname 10.1.2.3", "port 2222", "user ops", "proxyjump gw.example.com",
        "stricthostkeychecking true", f"userknownhostsfile {site.known_hosts}",
    } <= set(lines)  # fmt: skip


def test_a_chain_of_jumps_is_written_from_the_outside_in() -> None:
    inner = Gateway.model_validate({"host": "c", "ssh": {"jump": "b"}})
    middle = Gateway.model_validate({"host": "b", "ssh": {"jump": "a", "address": "10.0.0.2"}})
    outer = Gateway(host="a")
    text = ssh_config.render([inner, middle, outer], Path("/k"))
    assert "ProxyJump a,10.0.0.2\n" in text
    assert "Host b 10.0.0.2\n" in text


def test_hashed_known_hosts_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"gpu-1 {inventories.KEY}\n[gpu-2]:2222 {inventories.KEY}\n")
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], capture_output=True, check=False)
    keys = hostkeys.parse(file.read_text())
    assert hostkeys.of(keys, "gpu-1", 22)
    assert hostkeys.of(keys, "gpu-2", 2222)
    assert not hostkeys.of(keys, "gpu-2", 22)


def test_every_knob_says_what_it_does() -> None:
    rows = list(reference.rows())
    assert len(rows) > 60
    assert not [key for key, _, meaning in rows if meaning.startswith("None")]
    assert len({key for key, _, _ in rows}) == len(rows)


def test_the_resolved_site_is_printed_as_json_without_secrets() -> None:
    done = run("fleet", "inventory/prod.py")
    assert json.loads(done.stdout)["domain"] == "studio.example.com"


def test_a_changed_specification_is_another_name() -> None:
    spec = {"image": "a", "env": {"x": 1, "y": 2}}
    assert names.spec8(spec) == names.spec8({"env": {"y": 2, "x": 1}, "image": "a"})
    assert names.spec8(spec) != names.spec8(spec | {"image": "b"})
    assert names.container("podcast", 1, names.spec8(spec)).startswith("vv-podcast-1-")


def test_both_tiers_never_share_a_cookie_name() -> None:
    assert names.node_cookie("podcast") != names.gpu_cookie("podcast")
