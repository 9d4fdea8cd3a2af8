"""The page: a script, a button, the speech to hear and to keep. Its state is in this process."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from fastapi import FastAPI

from ..audio import pcm16
from ..counters import LimitReached
from ..engine import EngineError, Speech, Stream
from ..script import ScriptError
from ..studio import Studio
from .icon import Icon
from .waiting import Waiting

EXAMPLE = """Speaker 1: Welcome to the show. Today we ask how a machine learns to speak.
Speaker 2: Thank you for having me. Let us start with what a voice is made of."""
FRAME_S = 3200 / 24000
POLL_S = 0.25
# Sounds are kept in memory (a tmpfs): forget them after an hour, look every ten minutes.
KEEP_S, SWEEP_S = 3600, 600


def mount(app: FastAPI, studio: Studio) -> FastAPI:
    """Serve the page at the root of `app`, below the path where the proxy offers it."""
    app.add_middleware(Icon)
    app.add_middleware(Waiting, studio=studio)
    return gr.mount_gradio_app(
        app,
        page(studio),
        path="/",
        root_path=studio.settings.root_path or None,
        footer_links=["api"],
        run_history=False,
        show_error=True,
        ssr_mode=False,
        # Gradio takes uploads whether or not the page asks for any, and they land in memory.
        max_file_size="1mb",
    )


def page(studio: Studio) -> gr.Blocks:
    """The page of one studio."""
    title = f"{studio.settings.project} · VibeVoice"

    async def generate(script: str, request: gr.Request) -> AsyncIterator[tuple[Any, str]]:
        """Speak a script; yields (sound, status) as it gets on."""
        allowance = request.state.allowance
        try:
            with studio.hold_stream(allowance):
                await studio.check_minutes(allowance)
                stream = studio.submit(script)
                try:
                    async for status in _progress(stream):
                        yield gr.skip(), status
                    speech = stream.future.result()
                finally:
                    # A visitor who closes the page gives the GPU back.
                    stream.cancel()
        except (ScriptError, EngineError, LimitReached) as error:
            raise gr.Error(str(error), title="Not spoken", print_exception=False) from error
        sound = await asyncio.to_thread(pcm16, speech.samples)
        yield (speech.sample_rate, sound), _summary(speech)

    with gr.Blocks(title=title, delete_cache=(SWEEP_S, KEEP_S), analytics_enabled=False) as blocks:
        gr.Markdown(f"# {studio.settings.project}")
        script = gr.Textbox(
            EXAMPLE,
            label="Script",
            info="One line for each turn, with who speaks: “Ana: …”, up to four. (Directions) are not read,"
            " [pause:500ms] is silence.",
            lines=10,
            max_lines=30,
            elem_id="script",
        )
        button = gr.Button("Generate", variant="primary", elem_id="generate")
        status = gr.Markdown(elem_id="status")
        speech = gr.Audio(
            label="Speech", format="wav", interactive=False, buttons=["download"], elem_id="speech"
        )
        button.click(
            generate,
            inputs=script,
            outputs=[speech, status],
            api_name="generate",
            # The engine has the queue; this one must not hold the visitors' progress back.
            concurrency_limit=None,
            show_progress="hidden",
        )
    return blocks


async def _progress(stream: Stream) -> AsyncIterator[str]:
    """A line on how far it is, each time that changes, until the end."""
    last = ""
    while not stream.future.done():
        line = "Waiting for the GPU …"
        if stream.started is not None:
            line = f"Speaking: {stream.count * FRAME_S:.1f} s so far …"
        if line != last:
            yield line
        last = line
        await asyncio.sleep(POLL_S)


def _summary(speech: Speech) -> str:
    line = f"{speech.duration:.1f} s of speech in {speech.seconds:.1f} s, seed {speech.seed}."
    if speech.capped:
        line += " The model did not come to an end and was cut off: try again, or shorten the script."
    return line
