"""The lab's own pyinfra operation: do a thing unless it is done."""

from __future__ import annotations

from collections.abc import Callable

from pyinfra import host
from pyinfra.api import FunctionCommand, operation


@operation()
def once(is_done: Callable[[], bool], do: Callable[[], object]):
    """Call ``do`` on the machine unless ``is_done()``; a run that finds everything done changes nothing."""
    if is_done():
        host.noop("is done")
        return
    yield FunctionCommand(lambda: do(), [], {})
