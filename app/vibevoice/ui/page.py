"""The page: written and heard in the browser, by its own script and the API; Gradio is the frame around it.

What the page shows is in the store. It may be closed at any time, and opened again on another studio.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request

from ..api.errors import ApiError
from ..studio import Studio
from . import program, scripts
from .files import PREFIX, Files
from .head import Head
from .quickly import Base, gr

FRAME = Path(__file__).parent / "frame.html"
# Gradio's own faces are fetched from Google.
FONTS = ("system-ui", "sans-serif")
# What Gradio hands out is kept in memory (a tmpfs): forget it after an hour, look every ten minutes.
KEEP_S, SWEEP_S = 3600, 600
# Gradio's queue asks itself a thousand times a second whether anybody came, which takes a twelfth of a core
# of a studio at rest. Nobody who generates speech notices this instead.
LOOK_S = 0.05


def mount(app: FastAPI, studio: Studio) -> FastAPI:
    """Serve the page at the root of `app`, below the path where the proxy offers it."""
    files = Files()
    app.add_middleware(Head, links=files.links, facts=lambda: facts(studio, files))
    app.include_router(files.routes())
    app.include_router(_scripts())
    return gr.mount_gradio_app(
        app,
        page(studio),
        path="/",
        root_path=studio.settings.root_path or None,
        theme=Base(font=FONTS, font_mono=FONTS),
        footer_links=[],
        run_history=False,
        show_error=True,
        ssr_mode=False,
        # Gradio takes uploads whether or not the page asks for any, and they land in memory.
        max_file_size="1mb",
    )


def page(studio: Studio) -> gr.Blocks:
    """The page of one studio."""

    async def generate(script: str, request: gr.Request) -> AsyncIterator[program.Step]:
        visitor = studio.visitor(request.state.allowance)
        async for step in program.generate(studio, script, visitor):
            yield step

    title = f"{studio.settings.project} · VibeVoice"
    with gr.Blocks(title=title, delete_cache=(SWEEP_S, KEEP_S), analytics_enabled=False) as blocks:
        gr.HTML(FRAME.read_text(), elem_id="frame", js_on_load=None, apply_default_css=False)
        # For gradio_client alone: an endpoint has the types of the components that it is made of.
        with gr.Group(visible=False):
            script = gr.Textbox(label="script")
            speech = gr.Audio(label="speech", format="wav")
            status, job = gr.Textbox(label="status"), gr.Textbox(label="job")
            gr.Button("Generate").click(
                generate,
                inputs=script,
                outputs=[speech, status, job],
                api_name="generate",
                # The store has the queue; this one must not hold the visitors' progress back.
                concurrency_limit=None,
            )
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = LOOK_S
    return blocks


def facts(studio: Studio, files: Files) -> dict[str, object]:
    """What the page's script must know of the studio, as JSON."""
    settings = studio.settings
    return {
        "project": settings.project,
        "model": settings.model_name,
        "shared": settings.shared,
        "steps": settings.steps,
        "max_chars": settings.max_input_chars,
        "max_minutes": settings.job_minutes,
        "keep_days": settings.job_days,
        "disclaimer": settings.disclaimer,
        "door": bool(settings.door_key),
        "script_suffixes": scripts.SUFFIXES,
        "files": files.address(""),
    }


def _scripts() -> APIRouter:
    """POST /page/scripts?name=…: a file as the request's body; the script in it, as JSON."""
    router = APIRouter(include_in_schema=False)

    @router.post(f"{PREFIX}/scripts")
    async def read(request: Request, name: str = "") -> dict[str, str]:
        content = bytearray()
        async for block in request.stream():
            content += block
            if len(content) > scripts.LARGEST:
                break
        try:
            return {"script": scripts.read(name, bytes(content))}
        except scripts.UnreadableScript as error:
            raise ApiError(400, str(error), param="name", code=error.code) from error

    return router
