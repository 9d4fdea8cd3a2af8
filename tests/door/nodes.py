"""A node that answers for its studios as it is told, on the loopback."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Node:
    """Answers GET with the status set for a project; notes what it was asked.

    `states`: status by project; 0 closes the connection without an answer. `delay_s`: before each answer.
    """

    def __init__(self, states: dict[str, int], delay_s: float = 0) -> None:
        self.states, self.delay_s = states, delay_s
        self.asked: list[str] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                node.asked.append(self.path)
                time.sleep(node.delay_s)
                status = node.states.get(self.path.split("/")[2], 404)
                if not status:
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/vibevoice/podcast/health/live")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
