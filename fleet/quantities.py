"""The plain values an inventory is made of: sizes, names, addresses, ports, URLs, periods.

Each is an annotated type, so that a model says `gpu_memory: Size` and every message about a wrong one
comes from a single place.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def wrong(message: str) -> PydanticCustomError:
    """A mistake in the operator's words; `plain.py` shows it as it is."""
    return PydanticCustomError("inventory", "{words}", {"words": message})


def parse_size(value: object) -> int:
    """Bytes of "48GiB", "512MiB", …; binary units only, because GPUs are sold in those."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB)", value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        raise wrong('is not a memory size. Write a number with its unit, such as "48GiB".')
    return int(float(match[1]) * UNITS[match[2]])


def show_size(size: int) -> str:
    """The shortest way to write so many bytes: 48GiB, 1.5GiB, 10B."""
    unit = next((u for u in reversed(UNITS) if size >= UNITS[u]), "B")
    return f"{size / UNITS[unit]:.4g}{unit}"


def is_hostname(value: str) -> bool:
    """Whether DNS could carry this name (RFC 1123; a trailing number alone is an address gone wrong)."""
    labels = value.lower().split(".")
    return (
        len(value) <= 253
        and all(len(label) <= 63 and LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def is_address(value: str) -> bool:
    """Whether this is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _check(holds: Callable[[str], bool], message: str) -> AfterValidator:
    def validate(value: str) -> str:
        if not holds(value):
            raise wrong(message)
        return value

    return AfterValidator(validate)


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and (is_hostname(host) or is_address(host))


def _is_key_source(value: str) -> bool:
    return _is_url(value) or value.startswith(("/", "~/"))


def _is_restic_repository(value: str) -> bool:
    kind, colon, rest = value.partition(":")
    if value.startswith("/"):
        return value != "/"
    if kind == "rest":
        return re.match(r"https?://[^/]+/", rest) is not None
    if kind == "sftp":
        # Either of restic's forms; without a host there is nobody to dial.
        return re.fullmatch(r"//[^/]+//?[^/].*|(?!/)[^/:]+:.+", rest) is not None
    return bool(colon and rest) and kind in ("s3", "b2", "azure", "gs", "swift", "rclone")


def _is_time_of_day(value: str) -> bool:
    return re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is not None


def _is_email(value: str) -> bool:
    user, at, domain = value.partition("@")
    return bool(user and at and re.fullmatch(r"[^\s@]+", user) and "." in domain and is_hostname(domain))


def _network(value: object) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(value)
    except (ValueError, TypeError):
        raise wrong(
            'is not an IPv4 network. Write its first address and its length, such as "10.88.0.0/24".'
        ) from None


Size = Annotated[int, BeforeValidator(parse_size)]
Count = Annotated[int, Field(ge=1, strict=True)]
Number = Annotated[int, Field(ge=0, strict=True)]
Seconds = Annotated[int, Field(ge=0, strict=True)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1, strict=True)]
File = Annotated[Path, AfterValidator(Path.expanduser)]
Network = Annotated[ipaddress.IPv4Network, BeforeValidator(_network)]

Url = Annotated[Text, _check(_is_url, "is not an http(s) URL.")]
HttpsUrl = Annotated[
    Text,
    _check(lambda value: _is_url(value) and value.startswith("https://"), "is not an https URL."),
]
Sentence = Annotated[
    Text,
    _check(
        lambda value: value.isprintable() and value.strip() != "" and len(value) <= 500,
        "is not a sentence: words on one line, at most 500 characters.",
    ),
]
KeySource = Annotated[
    Text, _check(_is_key_source, "is neither an https URL nor the absolute path of a file here.")
]
Email = Annotated[Text, _check(_is_email, "is not an e-mail address.")]
Label = Annotated[
    Text,
    _check(
        lambda value: len(value) <= 63 and bool(LABEL.fullmatch(value)),
        "is not a label: small letters, digits and hyphens inside, no more.",
    ),
]
Domain = Annotated[
    Text,
    _check(
        lambda value: is_hostname(value) and "." in value,
        'is not a domain. Write the name that browsers use, such as "studio.example.com".',
    ),
]
Address = Annotated[Text, _check(is_address, 'is not an IP address, such as "192.0.2.10".')]
Endpoint = Annotated[
    Text,
    _check(
        lambda value: is_hostname(value) or is_address(value), "is neither a host name nor an IP address."
    ),
]
TimeOfDay = Annotated[
    Text, _check(_is_time_of_day, 'is not a time of day. Write hours and minutes, such as "03:30".')
]
ResticRepository = Annotated[
    Text,
    _check(
        _is_restic_repository,
        "is not a repository as restic names it: sftp:user@host:/path, rest:https://host/path, "
        "s3:https://host/bucket, or a path.",
    ),
]
Repository = Annotated[
    Text, _check(lambda value: bool(REPOSITORY.fullmatch(value)), 'is not of the form "owner/name".')
]
