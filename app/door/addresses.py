"""The address that somebody is counted under. Pure."""

import ipaddress
from functools import lru_cache


@lru_cache(10_000)
def counted(address: str) -> str:
    """An IPv4 address, the /64 of an IPv6 one (a household's), or "unknown" for what is neither."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
