"""Gradio, imported in half the time: the rest of the studio has it from here.

For the sake of editors, Gradio parses the source of each of its components several times, whenever it is
imported, and writes stubs beside it. That is half of the CPU time of its import, which is most of a web
process's start, and a host that boots starts all its studios at once. A component that has no source, such as
one typed into a notebook, is passed over.
"""

import inspect
from typing import Any

_file = inspect.getfile


def _no_component(thing: Any) -> str:
    if isinstance(thing, type) and thing.__module__.startswith("gradio."):
        raise FileNotFoundError(f"the source of {thing} is nobody's concern")
    return _file(thing)


inspect.getfile = _no_component
try:
    import gradio as gr
    from gradio.themes import Base
finally:
    inspect.getfile = _file

__all__ = ["Base", "gr"]
