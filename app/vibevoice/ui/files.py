"""The page's own files: style, script, words, examples, under an address that changes with their content."""

import hashlib
import json
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from . import words

PREFIX = "/page"
STATIC = Path(__file__).parent / "static"
EXAMPLES = Path(__file__).parent / "examples"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
_FOR_EVER = "public, max-age=31536000, immutable"


class Files:
    """All of them, read once."""

    def __init__(self) -> None:
        self._content = {
            path.name: path.read_bytes()
            for folder in (STATIC, EXAMPLES)
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES
        }
        for language in words.LANGUAGES:
            said = json.dumps(words.page(language), ensure_ascii=False)
            self._content[f"words-{language}.js"] = f"export default {said};\n".encode()
        digest = hashlib.sha256()
        for name, content in sorted(self._content.items()):
            digest.update(f"{name} {len(content)} ".encode() + content)
        self.version = digest.hexdigest()[:12]

    def address(self, name: str) -> str:
        """Where the page finds a file, relative to itself."""
        return f".{PREFIX}/{self.version}/{name}"

    @property
    def links(self) -> str:
        """HTML for the page's head."""
        # In order of use: the browser fetches them side by side, not one after the other.
        scripts = sorted(
            name for name in self._content if name.endswith(".js") and not name.startswith("words-")
        )
        return "".join(
            [
                '<link rel="icon" type="image/svg+xml" href="./favicon.ico">',
                '<meta name="color-scheme" content="light dark">',
                '<meta name="robots" content="noindex">',
                *(
                    f'<link rel="stylesheet" href="{self.address(name)}">'
                    for name in sorted(self._content)
                    if name.endswith(".css")
                ),
                *(f'<link rel="modulepreload" href="{self.address(name)}">' for name in scripts),
                f'<script type="module" src="{self.address("main.js")}"></script>',
            ]
        )

    def routes(self) -> APIRouter:
        """Serve them."""
        router = APIRouter(include_in_schema=False)

        @router.get("/favicon.ico")
        async def icon() -> Response:
            return self._respond("icon.svg", "public, max-age=86400")

        @router.get(f"{PREFIX}/{{version}}/{{name}}")
        async def file(version: str, name: str) -> Response:
            # A page of another version, opened while studios are exchanged: what we have, but not to keep.
            return self._respond(name, _FOR_EVER if version == self.version else "no-store")

        return router

    def _respond(self, name: str, keep: str) -> Response:
        if name not in self._content:
            raise HTTPException(404, f"The page has no file {name[:80]!r}.")
        kind = _TYPES[Path(name).suffix]
        return Response(self._content[name], media_type=kind, headers={"Cache-Control": keep})
