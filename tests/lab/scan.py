"""Which TCP ports of some hosts answer: python3 scan.py ADDRESS… prints {"address": [ports]}.

Runs on the visitor, with nothing but Python. A port that refuses is closed, one that is silent is
filtered; neither is printed.
"""

import asyncio
import json
import resource
import sys

AT_ONCE = 4000
# Longer than the second it takes until a lost packet is sent again.
PATIENCE_S = 1.5
PORTS = range(1, 65536)


async def scan(address: str, ports: "range | list[int]", at_once: int) -> list[int]:
    """The open ports among ``ports`` of one host."""
    free = asyncio.Semaphore(at_once)
    found = []

    async def knock(port: int) -> None:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE_S)
            found.append(port)
            writer.close()
        except OSError:  # a timeout is one
            pass
        finally:
            free.release()

    knocks = set()
    for port in ports:
        await free.acquire()
        task = asyncio.ensure_future(knock(port))
        knocks.add(task)
        task.add_done_callback(knocks.discard)
    await asyncio.gather(*knocks)
    return sorted(found)


async def main(addresses: list[str]) -> None:
    """All hosts at the same time."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = await asyncio.gather(*(scan(address, PORTS, AT_ONCE) for address in addresses))
    print(json.dumps(dict(zip(addresses, found, strict=True))))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
