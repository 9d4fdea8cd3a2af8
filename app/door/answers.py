"""Answers of the check, as ASGI messages: made once where they are always the same. Pure."""

import json
import math
from collections.abc import Iterable
from typing import Any

Headers = Iterable[tuple[bytes, bytes]]
Answer = tuple[dict[str, Any], dict[str, Any]]
EMPTY: dict[str, Any] = {"type": "http.response.body", "body": b""}
NO_STORE = (b"cache-control", b"no-store")
# Never Basic: a browser would open its own dialog over an open page.
CHALLENGE = (b"www-authenticate", b'Bearer realm="vibevoice"')


def answer(status: int, headers: Headers = (), body: bytes = b"") -> Answer:
    """The two messages of an answer."""
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    return start, {"type": "http.response.body", "body": body}


def envelope(status: int, type: str, code: str, message: str, headers: Headers = ()) -> Answer:
    """An error as OpenAI's clients understand it."""
    error = {"message": message, "type": type, "param": None, "code": code}
    body = json.dumps({"error": error}).encode()
    return answer(status, [(b"content-type", b"application/json"), NO_STORE, *headers], body)


def retry_after(seconds: float) -> tuple[bytes, bytes]:
    """Rounded up: who comes back then is not early."""
    return b"retry-after", str(max(1, math.ceil(seconds))).encode()


def unauthenticated(message: str) -> Answer:
    return envelope(401, "authentication_error", "invalid_api_key", message, [CHALLENGE])


NOT_LOGGED_IN = unauthenticated(
    "Log in, or send an API key of this project in the header Authorization: Bearer <key>."
)
WRONG_CREDENTIALS = unauthenticated("The key, token or password in the header Authorization is not valid.")
UNVERIFIABLE = envelope(
    401,
    "authentication_error",
    "token_unverifiable",
    "The token's issuer cannot be reached right now, so nobody can say whether it is valid. Try again soon.",
    [CHALLENGE, retry_after(5)],
)
NOT_IN_PROJECT = envelope(
    403, "permission_error", "project_forbidden", "These credentials are valid, but not for this project."
)
NO_SUCH_PROJECT = envelope(404, "invalid_request_error", "project_not_found", "There is no such project.")
ONLY_GET = envelope(
    405, "invalid_request_error", "method_not_allowed", "A check is a GET.", [(b"allow", b"GET, HEAD")]
)
# Not a 5xx: the proxy counts those as a dead door, and no request may close it for others.
FAILED = envelope(403, "server_error", "door_error", "The door failed to judge this request: refused.")
OUT_OF_ORDER = envelope(
    503, "server_error", "door_unavailable", "The door is out of order. Try again soon.", [retry_after(5)]
)


def too_many_requests(wait_s: float) -> Answer:
    words = "This project gets more requests than it may have. Try again later."
    return envelope(429, "rate_limit_error", "rate_limit_exceeded", words, [retry_after(wait_s)])


def too_many_failures(wait_s: float) -> Answer:
    words = "Too many wrong passwords came from here. Try again later."
    return envelope(429, "rate_limit_error", "too_many_failures", words, [retry_after(wait_s)])


def redirect(location: str) -> Answer:
    return answer(303, [(b"location", location.encode("ascii")), NO_STORE])


def page(status: int, html: bytes, headers: dict[str, str]) -> Answer:
    fixed = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return answer(status, [(b"content-type", b"text/html; charset=utf-8"), *fixed], html)
