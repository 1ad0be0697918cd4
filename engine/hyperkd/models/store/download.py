"""Fetch one large file over HTTPS, with resume, retries and a cancel that is heard at once.

The transfer runs in a thread of its own: a read that waits for a slow server
must not keep the job from noticing that it was cancelled.

What has arrived lies in ``<name>.part``, and ``<name>.part.json`` says of which
version of the file (its ETag) it is a part. Both stay after a failure and after
a cancel; the next call goes on from there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final, Optional
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request

from hyperkd.errors import HyperKDError
from hyperkd.files import create_new, open_own, read_regular
from hyperkd.models.store.https import (
    BY_HAND,
    HttpsSettings,
    failed,
    make_opener,
    require_secure,
    shown,
)
from hyperkd.types import Reporter

_CHUNK: Final = 1 << 18
_POLL_S: Final = 0.1  # how late a cancel may be noticed
_LONGEST_WAIT_S: Final = 60.0  # that a server may ask for with Retry-After
_PROGRESS: Final = 1 << 20  # bytes that make a broken attempt a success: patience starts again
_LONGEST_NOTES: Final = 1 << 16  # bytes
_TRY_LATER: Final = (408, 425, 429)


def download(
    url: str,
    part: Path,
    report: Reporter,
    *,
    title: str,
    size: Optional[int] = None,
    network: HttpsSettings,
) -> None:
    """Bring the file at ``url`` to ``part``, going on from what lies there already.

    The caller checks the content and gives the file its name.

    Args:
        url: an HTTPS address; plain HTTP is taken on this machine alone.
        part: the partial file; its folder exists.
        report: receives the stage ``title``, progress in MB, and every new attempt.
        title: what the user reads above the progress bar.
        size: bytes of the right file, where known.
        network: proxy, certificates, patience.

    Raises:
        HyperKDError: ``download_failed`` where the file cannot be had,
            ``bad_model`` where the server offers a file of another size,
            ``out_of_disk``, ``bad_job`` for an address, proxy or certificate
            file that makes no sense, ``cancelled``.
    """
    require_secure(url)
    _Transfer(url, part, report, title, size, network).run()


def forget(part: Path) -> None:
    """Remove a partial file and what was noted about it."""
    for path in (part, _notes_of(part)):
        path.unlink(missing_ok=True)


def kept_bytes(part: Path) -> int:
    """Return how much of a file lies in ``part``."""
    return part.stat().st_size if part.is_file() else 0


class _Broken(Exception):
    """An attempt ended early; another one may help."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True)
class _Version:
    """Which version of the file the part belongs to."""

    etag: Optional[str]
    total: int


class _Pace:
    """Ends an attempt that brings some bytes and never enough, as a server that drips does."""

    def __init__(self, position: int, network: HttpsSettings) -> None:
        self._least = network.least_rate * network.pace_s
        self._pace_s = network.pace_s
        self._mark = position, time.monotonic()

    def require(self, position: int) -> None:
        """Raise ``_Broken`` where too little came since the last mark.

        Args:
            position: how much of the file is here.
        """
        since = time.monotonic() - self._mark[1]
        if since < self._pace_s:
            return
        came = position - self._mark[0]
        if came < self._least * since / self._pace_s:
            raise _Broken(f"only {came} bytes came in {since:.0f} s")
        self._mark = position, time.monotonic()


class _Transfer:
    """One call of ``download``."""

    def __init__(
        self,
        url: str,
        part: Path,
        report: Reporter,
        title: str,
        size: Optional[int],
        network: HttpsSettings,
    ) -> None:
        self._url = url
        self._part = part
        self._report = report
        self._title = title
        self._size = size
        self._network = network
        self._opener = make_opener(network)
        self._stopped = threading.Event()
        self._failure: Optional[Exception] = None

    def run(self) -> None:
        """Transfer, and stop waiting as soon as the job is cancelled."""
        self._report.stage(self._title)
        # A daemon, because a read in it may outlast the job by `idle_s`.
        thread = threading.Thread(target=self._work, name="download", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                self._report.check_cancelled()
                thread.join(_POLL_S)
        except HyperKDError:
            self._report.log("info", f"{kept_bytes(self._part) / 1e6:.1f} MB are kept.")
            raise
        finally:
            self._stopped.set()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            self._attempts()
        except Exception as error:  # noqa: BLE001 - raised again by `run`, in the caller's thread
            self._failure = error

    def _attempts(self) -> None:
        # A server that gives the same first bytes again and again brings nothing new.
        failures, most = 0, kept_bytes(self._part)
        while not self._stopped.is_set():
            try:
                self._attempt()
                return
            except _Broken as broken:
                kept = kept_bytes(self._part)
                if kept - most >= _PROGRESS:
                    failures, most = 0, kept
                if failures == len(self._network.pauses_s):
                    raise failed(
                        f"Fetching {shown(self._url)} failed {failures + 1} times in a row: "
                        f"{broken}.",
                        "Check the connection (options proxy and ca_file) and start "
                        f"again: the {kept / 1e6:.1f} MB that have arrived are kept. {BY_HAND}",
                        kept_bytes=kept,
                    ) from broken
                pause = max(self._network.pauses_s[failures], broken.wait_s)
                failures += 1
                self._report.log("warning", f"{broken}; trying again in {pause:g} s.")
                self._stopped.wait(pause)

    def _attempt(self) -> None:
        """Ask for what is missing and write it.

        Raises:
            _Broken: where another attempt may help.
        """
        version, start = self._kept()
        if version is not None and start == version.total:
            return
        headers = {"Accept-Encoding": "identity"}  # a range of compressed bytes means nothing
        if version is not None and version.etag is not None and start:
            headers.update({"Range": f"bytes={start}-", "If-Range": version.etag})
        with self._open(headers) as response:
            if response.status == 206 and "Range" in headers and version is not None:
                self._require_continuation(response, start, version)
            else:
                self._restart(start)
                start, version = 0, self._offered(response)
            self._require_space(version.total - start)
            self._receive(response, start, version)

    def _kept(self) -> tuple[Optional[_Version], int]:
        """Return which version lies in the part and how much of it; nothing usable is (None, 0)."""
        try:
            noted = json.loads(read_regular(_notes_of(self._part), _LONGEST_NOTES))
            version = _Version(**noted)
            if type(version.total) is not int or not isinstance(version.etag, (str, type(None))):
                return None, 0
        except (OSError, RecursionError, TypeError, ValueError):
            return None, 0
        kept = kept_bytes(self._part)
        fits = self._size in (None, version.total) and kept <= version.total
        # Without an ETag nobody can say whether the rest belongs to the same file.
        resumable = version.etag is not None or kept == version.total
        return (version, kept) if fits and resumable else (None, 0)

    def _open(self, headers: Mapping[str, str]) -> HTTPResponse:
        # The address was checked by `require_secure`, and the opener knows HTTP(S) only.
        request = Request(self._url, headers=dict(headers))  # noqa: S310
        try:
            response: HTTPResponse = self._opener.open(request, timeout=self._network.idle_s)
            return response
        except HTTPError as error:
            with error:
                if error.code == 416:
                    forget(self._part)
                raise self._answer(
                    error.code, error.url, error.headers.get("Retry-After")
                ) from error
        except URLError as error:
            raise self._unreachable(error.reason) from error
        except (OSError, HTTPException) as error:
            raise _Broken(self._why(error)) from error
        except ValueError as error:
            raise failed(
                f"{shown(self._url)} redirects to an invalid address ({error}).", BY_HAND
            ) from error

    def _answer(self, status: int, url: str, retry_after: Optional[str] = None) -> Exception:
        """Return what an answer without a file means: to try again, or to give up."""
        if status in (*_TRY_LATER, 416) or status >= 500:
            asked = retry_after or ""  # seconds; a date is not worth the trouble
            wait_s = min(float(_count(asked) or 0), _LONGEST_WAIT_S)
            return _Broken(f"{urlsplit(url).hostname} answered HTTP {status}", wait_s)
        where = f"{shown(url)} (HTTP {status})"
        if status == 407:
            return failed(
                "The proxy asks for a user and a password (HTTP 407).",
                "Give them in HTTPS_PROXY, before the host of the proxy and an @. " + BY_HAND,
                status=status,
            )
        if status in (401, 403, 451):
            return failed(
                f"The server refuses {where}.",
                "The file needs a login, or your network blocks the site. " + BY_HAND,
                status=status,
            )
        if status in (404, 410):
            return failed(
                f"There is no file {where}.",
                "Check name and revision; the publisher may have moved the file. " + BY_HAND,
                status=status,
            )
        return failed(f"The server does not give {where}.", BY_HAND, status=status)

    def _unreachable(self, reason: Any) -> Exception:
        """Return what a connection that did not come about means."""
        import ssl

        if isinstance(reason, ssl.SSLCertVerificationError):
            return failed(
                f"The certificate behind {shown(self._url)} is not trusted: "
                f"{reason.verify_message}.",
                "Where your organisation inspects the traffic, give its certificate with "
                "the option ca_file or in SSL_CERT_FILE. " + BY_HAND,
            )
        tunnel = re.search(r"Tunnel connection failed: (\d{3})", str(reason))
        if tunnel:
            return self._answer(int(tunnel[1]), self._url)
        return _Broken(self._why(reason))

    def _why(self, error: Any) -> str:
        if isinstance(error, (TimeoutError, socket.timeout)):
            return f"nothing came for {self._network.idle_s:g} s"
        return f"the connection broke off ({error or type(error).__name__})"

    def _require_continuation(self, response: HTTPResponse, start: int, version: _Version) -> None:
        """Make sure that the answer goes on exactly where the part ends."""
        stated = response.headers.get("Content-Range", "")
        given = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", stated)
        numbers = None if given is None else (int(given[1]), int(given[2]))
        if numbers != (start, version.total) or response.headers.get("ETag") not in (
            None,
            version.etag,
        ):
            forget(self._part)
            raise _Broken("the file on the server has changed meanwhile")

    def _offered(self, response: HTTPResponse) -> _Version:
        """Return which version of the file a whole answer holds."""
        stated = response.headers.get("Content-Length", "")
        length = _count(stated)
        encoding = response.headers.get("Content-Encoding", "identity")
        if response.status != 200 or length is None or encoding != "identity":
            raise failed(
                f"{shown(self._url)} does not give a plain file: HTTP {response.status}, "
                f"length {stated[:40] or 'unknown'}, encoding {encoding[:40]}.",
                BY_HAND,
            )
        if self._size not in (None, length):
            kind = response.headers.get_content_type()
            raise HyperKDError(
                "bad_model",
                f"{shown(self._url)} gives {length} bytes of {kind}; the published file has "
                f"{self._size}.",
                "A login page or a block page of your network may stand in the way. Where the "
                "publisher changed the file, give its revision and sha256.",
            )
        etag = response.headers.get("ETag", "")
        return _Version(None if not etag or etag.startswith("W/") else etag, length)

    def _restart(self, start: int) -> None:
        if start:
            self._report.log("info", "The server sends the file from its beginning.")
            self._report.stage(self._title)

    def _require_space(self, wanted: int) -> None:
        free = shutil.disk_usage(self._part.parent).free
        if free < wanted:
            raise HyperKDError(
                "out_of_disk",
                f"The download takes {wanted / 1e6:.0f} MB, but {self._part.parent} has "
                f"{free / 1e6:.0f} MB left.",
                "Free some disk space, or put the model store elsewhere with HYPERKD_MODELS.",
            )

    def _receive(self, response: HTTPResponse, start: int, version: _Version) -> None:
        position, total = start, version.total
        pace = _Pace(position, self._network)
        if not start:  # whatever lies there is not followed and not waited for
            forget(self._part)
        descriptor = open_own(self._part) if start else create_new(self._part)
        with os.fdopen(descriptor, "r+b") as file:
            # The file is empty or a true part of this version at this moment, so what is
            # noted about it is right whenever the process is killed.
            _notes_of(self._part).write_text(json.dumps(asdict(version)), encoding="utf-8")
            file.seek(start)
            while position < total:
                chunk = self._read(response, min(_CHUNK, total - position))
                if self._stopped.is_set():
                    return
                if not chunk:
                    raise _Broken(
                        f"the connection ended after {position / 1e6:.1f} of {total / 1e6:.1f} MB"
                    )
                file.write(chunk)
                file.flush()
                position += len(chunk)
                pace.require(position)
                self._report.progress(position / 1e6, total / 1e6, "MB")

    def _read(self, response: HTTPResponse, most: int) -> bytes:
        try:
            return response.read1(most)
        except (OSError, HTTPException) as error:
            raise _Broken(self._why(error)) from error


def _count(text: str) -> Optional[int]:
    """Return a number of bytes or seconds in a header, or None where it is none."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def _notes_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")
