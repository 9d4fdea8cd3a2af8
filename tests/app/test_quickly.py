"""What a studio's start does without: half of Gradio's import."""

import subprocess
import sys

COUNT = """
import ast, inspect
parse, parsed = ast.parse, []
def noted(source, *args, **options):
    # Its sources, not the fragments and annotations that other packages parse.
    if isinstance(source, str) and "class " in source and "EVENTS" in source:
        parsed.append(source)
    return parse(source, *args, **options)
ast.parse = noted
file = inspect.getfile
{importing}
assert inspect.getfile is file
print(len(parsed), gr.Audio.__module__, "change" in dir(gr.Audio))
"""


def imported(importing: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", COUNT.format(importing=importing)], capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


def test_gradio_is_imported_without_its_sources_being_parsed() -> None:
    assert imported("from vibevoice.ui.quickly import gr") == ["0", "gradio.components.audio", "True"]


def test_without_that_they_are() -> None:
    """Once they are not, there is nothing left to avoid."""
    parsed, *rest = imported("import gradio as gr")
    assert int(parsed) > 100
    assert rest == ["gradio.components.audio", "True"]
