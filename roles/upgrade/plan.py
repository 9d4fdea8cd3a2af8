"""What an upgrade of a host consists of, and what speaks against it. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet import Gateway, Member
from steps.packages import APT

KINDS = ("driver", "docker", "kernel")
# Packages are unpacked beside those that they replace, and dkms builds a module.
LEAST_FREE = {"/": 2 * 2**30, "/boot": 200 * 2**20}
_INST = re.compile(r"^Inst (\S+) (?:\[(\S+)\] )?\((\S+)")
_REMV = re.compile(r"^Remv (\S+)")


def kinds(words: str) -> tuple[str, ...]:
    """The kinds that `--data what=driver,docker` names; all of them without a word.

    Raises:
        ValueError: one is not known; the message says which there are.
    """
    named = [word.strip() for word in words.split(",") if word.strip()] or list(KINDS)
    if strange := [word for word in named if word not in KINDS]:
        raise ValueError(f"what={strange[0]}? There are: {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in named)


@dataclass(frozen=True)
class Steps:
    """What apt is told.

    Args:
        install: packages by name, or `name=version.*`; held ones among them are moved all the same.
        everything: whether all that is not held is upgraded as well, the kernel with it.
    """

    install: tuple[str, ...]
    everything: bool

    @property
    def names(self) -> list[str]:
        return [entry.partition("=")[0] for entry in self.install]

    def commands(self, simulate: bool = False) -> list[str]:
        """The calls of apt-get, in order: headers come before the kernel whose module they build."""
        apt = f"{APT} -s" if simulate else APT
        options = "--allow-change-held-packages --no-install-recommends"
        found = [f"{apt} install {options} {shlex.join(self.install)}"] if self.install else []
        return [*found, *([f"{apt} --with-new-pkgs upgrade"] if self.everything else [])]


@dataclass(frozen=True)
class Package:
    """A package that would change: its version now ("" where it is new) and then."""

    name: str
    now: str
    then: str


@dataclass(frozen=True)
class Prospect:
    """What apt says of an upgrade, and the host of its state.

    Args:
        packages: that would change. removed: that would go. errors: why apt cannot do it.
        broken: packages that a former run left half-installed. free: bytes by folder.
        newest, kernel: the newest installed kernel, the running one; newest is "" where the host has none.
        asks: whether something on the host has asked for a reboot.
    """

    packages: tuple[Package, ...] = ()
    removed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    free: tuple[tuple[str, int], ...] = ()
    newest: str = ""
    kernel: str = ""
    asks: bool = False


# The kernels that the boot loader offers, newest last; a container has none.
STATE = r"""
echo "kernel $(uname -r)"
echo "newest $(ls /boot/vmlinuz-* 2>/dev/null | sed 's,.*/vmlinuz-,,' | sort -V | tail -n 1)"
[ -e /run/reboot-required ] && echo "asks yes"
dpkg --audit 2>/dev/null | sed -n 's/^ \([a-z0-9][^ ]*\) .*/broken \1/p'
for folder in / /boot; do
    [ -d "$folder" ] && echo "free $folder $(df -PB1 "$folder" | awk 'NR == 2 {print $4}')"
done
true"""


def question(steps: Steps) -> str:
    """Shell that reads the package lists anew and prints what an upgrade would do. It installs nothing."""
    lines = [f"{APT} update >/dev/null 2>/tmp/vv-apt || sed -n '/^[EW]:/s/^/apt /p' /tmp/vv-apt"]
    lines += [f"{command} 2>&1" for command in steps.commands(simulate=True)]
    return "\n".join([*lines, "rm -f /tmp/vv-apt", STATE])


def read(lines: Iterable[str]) -> Prospect:
    """The `Prospect` that the lines of `question` describe."""
    lines = list(lines)
    packages: dict[str, Package] = {}
    for line in lines:
        if match := _INST.match(line):
            packages[match[1]] = Package(match[1], match[2] or "", match[3])

    def rest(word: str) -> list[str]:
        return [line[len(word) + 1 :].strip() for line in lines if line.startswith(f"{word} ")]

    errors = [line[2:].strip() for line in lines if line.startswith("E:")]
    errors += [line[2:].strip() for line in rest("apt") if line.startswith("E:")]
    return Prospect(
        packages=tuple(packages.values()),
        removed=tuple(match[1] for line in lines if (match := _REMV.match(line))),
        errors=tuple(dict.fromkeys(errors)),
        broken=tuple(rest("broken")),
        free=tuple((words[0], int(words[1])) for row in rest("free") if len(words := row.split()) == 2),
        newest=next(iter(rest("newest")), ""),
        kernel=next(iter(rest("kernel")), ""),
        asks="yes" in rest("asks"),
    )


def objections(prospect: Prospect) -> list[str]:
    """Why the host must not be touched, a sentence each."""
    found = [f"apt cannot do it: {error}" for error in prospect.errors]
    if prospect.broken:
        found.append(f"{', '.join(prospect.broken)} are half-installed. Run dpkg --configure -a there first.")
    if prospect.removed:
        found.append(
            f"apt would remove {', '.join(prospect.removed)}. Look at apt-get -s dist-upgrade there, and "
            "settle it by hand."
        )
    for folder, free in prospect.free:
        if prospect.packages and free < LEAST_FREE.get(folder, 0):
            need = LEAST_FREE[folder] // 2**20
            found.append(f"{free // 2**20} MiB are free on {folder}, {need} MiB are needed. Make room there.")
    return found


def reason_to_reboot(prospect: Prospect) -> str | None:
    """Why the host has to be rebooted, apart from its driver; None where it has not."""
    if prospect.newest and prospect.newest != prospect.kernel:
        return f"kernel {prospect.kernel} runs, {prospect.newest} is installed"
    return "an upgraded package asks for it (/run/reboot-required)" if prospect.asks else None


def in_words(packages: Sequence[Package], most: int = 6) -> str:
    """ "docker-ce 5:26.1.5 → 5:26.1.6, …and 12 more"."""
    shown = [f"{one.name} {f'{one.now} → ' if one.now else ''}{one.then}" for one in packages[:most]]
    more = len(packages) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


def headers(kernel: str, architecture: str) -> tuple[str, ...]:
    """Packages that a new kernel needs beside it, or its NVIDIA module is not built; held by the deploy."""
    cloud = "cloud-" if "-cloud-" in kernel else ""
    return ("dkms", f"linux-headers-{cloud}{architecture}")


def what_for(member: Member, what: Sequence[str]) -> tuple[str, ...]:
    """The kinds that a host has: the gateway has no driver."""
    return tuple(kind for kind in what if kind != "driver" or not isinstance(member, Gateway))
