"""The lab from the command line: python -m lab VERB [HOST…]."""

from __future__ import annotations

import argparse
import json
import sys

from lab import hosts, info, topology
from lab.internet import apt
from lab.paths import CA_ROOT
from lab.topology import Host

VERBS = {
    "boot": hosts.boot,
    "halt": hosts.halt,
    "kill": hosts.kill,
    "reboot": hosts.reboot,
    "reset": hosts.reset,
}


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("status", help="which hosts are up")
    verbs.add_parser("info", help="everything about the lab as one JSON object")
    verbs.add_parser("show", help="addresses and logins of the projects")
    for verb, action in VERBS.items():
        described = (action.__doc__ or "").splitlines()[0]
        verbs.add_parser(verb, help=described).add_argument(
            "hosts", nargs="+", metavar="HOST", help="or: all"
        )
    offers = verbs.add_parser("publish", help="offer a newer version in the lab's package repositories")
    offers.add_argument(
        "versions", nargs="+", metavar="WHAT=VERSION", help="driver=580.190.01, docker=26.1.6"
    )
    verbs.add_parser("withdraw", help="take back whatever was published")
    options = parser.parse_args(arguments)
    if options.verb == "status":
        return _status()
    if options.verb == "info":
        print(json.dumps(info.info(), indent=2))
        return 0
    if options.verb == "show":
        return _show()
    if options.verb == "withdraw":
        apt.withdraw()
        return 0
    try:
        if options.verb == "publish":
            return _publish(options.versions)
        hosts.all_at_once(VERBS[options.verb], _chosen(options.hosts))
    except (KeyError, RuntimeError) as error:
        print(error.args[0], file=sys.stderr)
        return 1
    return 0


def _publish(versions: list[str]) -> int:
    for what, _, version in (entry.partition("=") for entry in versions):
        apt.publish(what, version)
    return 0


def _chosen(names: list[str]) -> list[Host]:
    return topology.hosts() if names == ["all"] else [topology.host(name) for name in names]


def _status() -> int:
    states = info.states()
    for host in topology.hosts():
        gpus = f"{len(host.gpus)} GPU" if host.gpus else ""
        print(f"{host.name:10} {host.address:12} {host.release:10} {gpus:6} {states[host.name]}")
    return 0 if set(states.values()) == {"up"} else 1


def _show() -> int:
    facts = info.info()
    for project, login in facts["projects"].items():
        print(f"{project:10} {login['url']}  user {login['user']}  password {login['password']}")
    print(f"\n{facts['domain']} is {facts['gateway_ip']}; its certificate is signed by {CA_ROOT}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
