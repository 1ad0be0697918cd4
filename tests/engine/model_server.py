"""A web server that misbehaves on request, a small proxy, and a reporter that remembers."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import urlsplit

from hyperkd.errors import HyperKDError


@dataclass
class Behaviour:
    """How the server treats its next requests.

    Attributes:
        content: the file, whatever its path.
        etags: one per request, the last for all later ones; "" sends none.
        drops: bytes after which a request's connection breaks, one per request.
        statuses: answers without a file, one per request; 0 gives the file.
        ignore_range: answers a range with the whole file.
        ignore_if_range: gives the range though the file is another one.
        shift: how many bytes too late a range begins.
        length: what Content-Length says instead of the truth; "" leaves it out.
        stall_after: bytes after which nothing comes until ``released``, and then the rest.
        headers: added to every answer.
        drip: seconds between two bytes.
    """

    content: bytes = b""
    etags: list[str] = field(default_factory=lambda: ['"first"'])
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ignore_range: bool = False
    ignore_if_range: bool = False
    shift: int = 0
    length: Optional[str] = None
    stall_after: Optional[int] = None
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        how = self.server.behaviour
        self.server.requests.append((self.path, dict(self.headers)))
        status = how.statuses.pop(0) if how.statuses else 0
        if status:
            self.send_response(status)
            for name, value in how.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        etag = how.etags.pop(0) if len(how.etags) > 1 else how.etags[0]
        start = self._start(etag)
        self._headers(etag, start)
        self._body(how.content[(start or 0) :])

    def _start(self, etag: str) -> Optional[int]:
        how = self.server.behaviour
        wanted = self.headers.get("Range")
        if wanted is None or how.ignore_range:
            return None
        if self.headers.get("If-Range") not in (None, etag) and not how.ignore_if_range:
            return None
        return int(wanted.removeprefix("bytes=").removesuffix("-")) + how.shift

    def _headers(self, etag: str, start: Optional[int]) -> None:
        how, total = self.server.behaviour, len(self.server.behaviour.content)
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        length = str(total - (start or 0)) if how.length is None else how.length
        if length:
            self.send_header("Content-Length", length)
        if etag:
            self.send_header("ETag", etag)
        for name, value in how.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, content: bytes) -> None:
        how = self.server.behaviour
        if how.drip:
            for place in range(len(content)):
                self.wfile.write(content[place : place + 1])
                time.sleep(how.drip)
        elif how.stall_after is not None:
            self.wfile.write(content[: how.stall_after])
            self.wfile.flush()
            if how.released.wait(30):
                self.wfile.write(content[how.stall_after :])
        elif how.drops:
            self.wfile.write(content[: how.drops.pop(0)])
        else:
            self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """Serves ``behaviour.content`` on this machine, at any path."""

    daemon_threads = True
    # A client that goes away in the middle is what the tests are about.
    handle_error = staticmethod(lambda *arguments: None)  # type: ignore[assignment]

    def __init__(self, context: Optional[ssl.SSLContext] = None, handler: Any = _Handler) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.behaviour = Behaviour()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"{self.scheme}://localhost:{self.server_port}"

    def ranges(self) -> list[Optional[str]]:
        return [headers.get("Range") for _, headers in self.requests]

    def __exit__(self, *arguments: Any) -> None:
        self.behaviour.released.set()
        self.shutdown()
        self.server_close()


class _ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _let_in(self) -> bool:
        self.server.seen.append((self.command, self.path))
        if self.headers.get("Proxy-Authorization") == self.server.password:
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_CONNECT(self) -> None:
        if self._let_in():
            self.send_error(501)

    def do_GET(self) -> None:
        if not self._let_in():
            return
        target = urlsplit(self.path)
        client = http.client.HTTPConnection(target.hostname or "", target.port, timeout=10)
        hop = ("proxy-authorization", "host", "connection")
        headers = {key: value for key, value in self.headers.items() if key.lower() not in hop}
        client.request("GET", target.path, headers={**headers, "Via": "1.1 test"})
        answer = client.getresponse()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("server", "date"):
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(answer.read())


class Proxy(Server):
    """A proxy for plain HTTP; ``password`` is the whole header that it wants, None for none."""

    def __init__(self, password: Optional[str] = None) -> None:
        super().__init__(handler=_ProxyHandler)
        self.password = password
        self.seen: list[tuple[str, str]] = []


class Notes:
    """A reporter that remembers, and cancels when told or when ``cancel_at`` MB have come."""

    def __init__(self, cancel_at: float = float("inf")) -> None:
        self.stages: list[str] = []
        self.steps: list[tuple[float, float, str]] = []
        self.logs: list[tuple[str, str]] = []
        self.artifacts: list[tuple[str, str]] = []
        self.cancel_at = cancel_at
        self.cancelled_at: Optional[float] = None

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def progress(self, done: float, total: float, unit: str) -> None:
        self.steps.append((done, total, unit))
        if done >= self.cancel_at and self.cancelled_at is None:
            self.cancelled_at = time.monotonic()

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        raise AssertionError("no metrics are expected")

    def log(self, level: str, message: str) -> None:
        self.logs.append((level, message))

    def artifact(self, role: str, path: str) -> None:
        self.artifacts.append((role, path))

    def check_cancelled(self) -> None:
        if self.cancelled_at is not None:
            raise HyperKDError("cancelled", "The job was cancelled.", "Start it again.")

    def text(self) -> str:
        """Return everything that a user would see."""
        return "\n".join([*self.stages, *(message for _, message in self.logs)])
