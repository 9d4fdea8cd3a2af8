"""HTTP over TLS as nobody should speak it: exactly these bytes go out, and every answer that comes is kept.

An ordinary client repairs what is wrong with a request before it sends it, and reads one answer. Break-ins
need what is wrong, and show in the second answer.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

# Without any answer for so long, a connection is given up.
PATIENCE_S = 5.0
# After an answer, another one that is still to come does so within this time.
QUIET_S = 0.4
Fields = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Place:
    """A site as a client finds it: address, port, the name it asks for; ``root`` signs its certificate."""

    address: str
    port: int
    domain: str
    root: Path

    def connect(self, protocol: str, source: str | None = None) -> ssl.SSLSocket:
        """A TLS connection for a protocol of ALPN, from an address of this machine."""
        context = ssl.create_default_context(cafile=str(self.root))
        context.set_alpn_protocols([protocol])
        plain = socket.create_connection(
            (self.address, self.port), PATIENCE_S, source_address=(source, 0) if source else None
        )
        # Or the request waits for 40 ms until the handshake's last packet is acknowledged.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return context.wrap_socket(plain, server_hostname=self.domain)
        except BaseException:
            plain.close()
            raise


@dataclass(frozen=True)
class Answer:
    """One response. Header names are in lower case; ``whole`` is False for one that broke off."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool = True

    def header(self, name: str) -> str:
        """The first value of a header, empty without one."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, empty if it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def __str__(self) -> str:
        return f"{self.status} {dict(self.headers)} {self.body[:300]!r}"


@dataclass(frozen=True)
class Exchange:
    """What came back on a connection, in order. ``rest`` are bytes that are no response; ``end`` says how it
    ended: "closed", "reset" (a stream of HTTP/2 too), "quiet"."""

    answers: tuple[Answer, ...] = ()
    rest: bytes = b""
    end: str = "closed"

    def __str__(self) -> str:
        rest = f"; then {self.rest[:300]!r}" if self.rest else ""
        return " | ".join(map(str, self.answers)) + f"{rest} ({self.end})"


def http1(
    place: Place,
    sent: bytes,
    *,
    source: str | None = None,
    patience_s: float = PATIENCE_S,
    quiet_s: float = QUIET_S,
) -> Exchange:
    """Send bytes; read until the other side closes, or falls silent after its answers.

    The answers must not be those of HEAD, whose lengths are of what does not come.
    """
    received = bytearray()
    with place.connect("http/1.1", source) as tls:
        # Whoever refuses a request may do so before all of it has been sent.
        with contextlib.suppress(OSError):
            tls.sendall(sent)
        end = _drain(tls, received, patience_s, quiet_s)
    answers, rest = parse(bytes(received), closed=end != "quiet")
    return Exchange(tuple(answers), rest, end)


def _drain(tls: ssl.SSLSocket, received: bytearray, patience_s: float, quiet_s: float) -> str:
    deadline = time.monotonic() + patience_s
    while True:
        answers, rest = parse(bytes(received), closed=False)
        settled = any(answer.status >= 200 for answer in answers) and not rest
        left = min(quiet_s, deadline - time.monotonic()) if settled else deadline - time.monotonic()
        if left <= 0:
            return "quiet"
        tls.settimeout(left)
        try:
            piece = tls.recv(65536)
        except TimeoutError:
            return "quiet"
        except OSError:
            return "reset"
        if not piece:
            return "closed"
        received += piece


def parse(received: bytes, *, closed: bool) -> tuple[list[Answer], bytes]:
    """The responses in a stream of bytes, and what is left of it.

    ``closed``: nothing more will come, so a body without a length is whole.
    """
    answers: list[Answer] = []
    while received.startswith(b"HTTP/1."):
        head, blank, rest = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        status = line.split(" ", 2)[1:2]
        if not blank or not status or not status[0].isdecimal():
            break
        pairs = (part.partition(":") for part in lines)
        headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        found = _body(int(status[0]), dict(headers), rest, closed)
        if found is None:
            if not closed:
                break
            found = rest, b"", False
        body, received, whole = found
        answers.append(Answer(int(status[0]), headers, body, whole))
    return answers, received


def _body(
    status: int, headers: dict[str, str], rest: bytes, closed: bool
) -> tuple[bytes, bytes, bool] | None:
    """Body, what comes after it, whether it is whole; None: it is not there yet."""
    if status < 200 or status in (204, 304):
        return b"", rest, True
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _chunks(rest)
    length = headers.get("content-length", "")
    if length.isdecimal():
        size = int(length)
        return (rest[:size], rest[size:], True) if len(rest) >= size else None
    return (rest, b"", True) if closed else None


def _chunks(rest: bytes) -> tuple[bytes, bytes, bool] | None:
    body = b""
    while True:
        line, newline, rest = rest.partition(b"\r\n")
        if not newline:
            return None
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            _, end, rest = (b"\r\n" + rest).partition(b"\r\n\r\n")
            return (body, rest, True) if end else None
        if len(rest) < size + 2:
            return None
        body, rest = body + rest[:size], rest[size + 2 :]


@dataclass
class Request:
    """A request of HTTP/2: its header fields exactly as given, pseudo-headers among them."""

    fields: Fields
    body: bytes = b""


@dataclass
class _Stream:
    fields: Fields | None = None
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: bool = False


def http2(place: Place, *requests: Request, patience_s: float = PATIENCE_S) -> Exchange:
    """Send requests on streams of one connection; read until each has its answer or was reset."""
    streams: dict[int, _Stream] = {}
    with place.connect("h2") as tls:
        assert tls.selected_alpn_protocol() == "h2", "no HTTP/2 there"
        connection = _connection()
        connection.initiate_connection()
        for request in requests:
            number = connection.get_next_available_stream_id()
            streams[number] = _Stream()
            connection.send_headers(number, list(request.fields), end_stream=not request.body)
            if request.body:
                connection.send_data(number, request.body, end_stream=True)
        with contextlib.suppress(OSError):
            tls.sendall(connection.data_to_send())
        end = _follow(tls, connection, streams, patience_s)
    answers = tuple(_answer(stream) for stream in streams.values() if stream.fields is not None)
    return Exchange(answers, b"", "reset" if any(one.reset for one in streams.values()) else end)


def http2_given_up(place: Place, *requests: Request) -> None:
    """Send requests on one connection, and give each up before there can be an answer."""
    with place.connect("h2") as tls:
        connection = _connection()
        connection.initiate_connection()
        numbers = []
        for request in requests:
            numbers.append(connection.get_next_available_stream_id())
            connection.send_headers(numbers[-1], list(request.fields), end_stream=True)
        tls.sendall(connection.data_to_send())
        for number in numbers:
            connection.reset_stream(number)
        tls.sendall(connection.data_to_send())


def _connection() -> h2.connection.H2Connection:
    configuration = h2.config.H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
    )
    return h2.connection.H2Connection(configuration)


def _follow(
    tls: ssl.SSLSocket, connection: h2.connection.H2Connection, streams: dict[int, _Stream], patience_s: float
) -> str:
    deadline = time.monotonic() + patience_s
    while not all(stream.ended or stream.reset for stream in streams.values()):
        left = deadline - time.monotonic()
        if left <= 0:
            return "quiet"
        tls.settimeout(left)
        try:
            piece = tls.recv(65536)
            events = connection.receive_data(piece) if piece else []
            tls.sendall(connection.data_to_send())
        except TimeoutError:
            return "quiet"
        except (OSError, h2.exceptions.ProtocolError):
            return "reset"
        if not piece or any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
            _take(connection, streams, events)
            return "closed"
        _take(connection, streams, events)
    return "quiet"


def _take(
    connection: h2.connection.H2Connection, streams: dict[int, _Stream], events: Sequence[h2.events.Event]
) -> None:
    for event in events:
        stream = streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            continue
        match event:
            case h2.events.ResponseReceived(headers=headers):
                stream.fields = [(bytes(name), bytes(value)) for name, value in headers or []]
            case h2.events.DataReceived(data=data, flow_controlled_length=length):
                stream.body += data or b""
                connection.acknowledge_received_data(length or 0, event.stream_id or 0)
            case h2.events.StreamEnded():
                stream.ended = True
            case h2.events.StreamReset():
                stream.reset = True


def _answer(stream: _Stream) -> Answer:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in stream.fields or ()]
    status = next((int(value) for name, value in pairs if name == ":status"), 0)
    headers = tuple((name.lower(), value) for name, value in pairs if not name.startswith(":"))
    return Answer(status, headers, bytes(stream.body), whole=stream.ended)
