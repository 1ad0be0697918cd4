"""Fetching a file from servers and through proxies that do everything wrong."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.store import download as module
from hyperkd.models.store import https as network_module
from hyperkd.models.store.download import download, forget, kept_bytes
from hyperkd.models.store.https import HttpsSettings, shown
from tests.engine.model_server import Notes, Proxy, Server

MB = 1 << 20
CONTENT = random.Random(0).randbytes(3 * MB + 17)
OTHER = random.Random(1).randbytes(len(CONTENT))


def settings(proxy=None, ca_file=None, **patience) -> HttpsSettings:
    return HttpsSettings(proxy, ca_file, **patience)


FAST = settings(idle_s=10.0, pauses_s=(0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "no", "all"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        made.behaviour.content = CONTENT
        yield made


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "model@abc.pt.part"


def fetch(
    server: Server,
    part: Path,
    report: Notes | None = None,
    network: HttpsSettings = FAST,
    **more: Any,
) -> Notes:
    report = report or Notes()
    url = f"{server.address}/owner/model/resolve/abc/file.pt"
    download(url, part, report, title="Fetching", network=network, **more)
    return report


def begin(server: Server, part: Path, size: int) -> None:
    """Fetch the first ``size`` bytes, as after a connection that broke off."""
    server.behaviour.drops = [size]
    with pytest.raises(HyperKDError, match="failed 1 times in a row"):
        fetch(server, part, network=settings(pauses_s=()))
    assert part.read_bytes() == server.behaviour.content[:size]
    server.requests.clear()


def test_a_file_arrives_whole_with_its_progress(server: Server, part: Path) -> None:
    report = fetch(server, part, size=len(CONTENT))
    assert part.read_bytes() == CONTENT
    assert report.stages == ["Fetching"]
    assert report.steps[-1] == (len(CONTENT) / 1e6, len(CONTENT) / 1e6, "MB")
    assert report.steps == sorted(report.steps)
    (path, headers), *more = server.requests
    assert (path, more) == ("/owner/model/resolve/abc/file.pt", [])
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("hyperkd/")
    assert "Authorization" not in headers


def test_dropped_connections_are_resumed_where_they_broke(server: Server, part: Path) -> None:
    server.behaviour.drops = [MB, 2 * MB - 5]
    report = fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges() == [None, f"bytes={MB}-", f"bytes={3 * MB - 5}-"]
    assert [headers.get("If-Range") for _, headers in server.requests] == [
        None,
        '"first"',
        '"first"',
    ]
    assert report.logs[0] == (
        "warning",
        "the connection ended after 1.0 of 3.1 MB; trying again in 0 s.",
    )


def test_a_later_call_goes_on_and_a_whole_part_asks_nobody(server: Server, part: Path) -> None:
    begin(server, part, MB)
    fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges() == [f"bytes={MB}-"]
    fetch(server, part)
    assert len(server.requests) == 1


def test_patience_ends_and_keeps_what_came(server: Server, part: Path) -> None:
    server.behaviour.drops = [10] * 20
    with pytest.raises(HyperKDError, match=r"failed 4 times in a row: the connection") as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"
    assert caught.value.context == {"kept_bytes": 40}
    assert "hyperkd models add FILE" in caught.value.hint
    assert part.read_bytes() == CONTENT[:40]


def test_attempts_that_bring_much_renew_patience(server: Server, part: Path) -> None:
    server.behaviour.content = CONTENT * 3
    server.behaviour.drops = [MB] * 9
    fetch(server, part, network=settings(pauses_s=(0.0,)))
    assert part.read_bytes() == CONTENT * 3
    assert len(server.requests) == 10


def test_a_server_that_ignores_ranges_starts_anew(server: Server, part: Path) -> None:
    begin(server, part, MB)
    server.behaviour.ignore_range = True
    report = fetch(server, part)
    assert server.ranges() == [f"bytes={MB}-"]
    assert part.read_bytes() == CONTENT
    assert report.stages == ["Fetching", "Fetching"]
    assert ("info", "The server sends the file from its beginning.") in report.logs


def test_a_file_that_changed_is_not_mixed_with_the_old_one(server: Server, part: Path) -> None:
    begin(server, part, MB)
    server.behaviour.content, server.behaviour.etags = OTHER, ['"second"']
    fetch(server, part)
    assert part.read_bytes() == OTHER


@pytest.mark.parametrize(
    "wrong", [{"ignore_if_range": True, "etags": ['"second"']}, {"shift": 7}], ids=["etag", "start"]
)
def test_a_continuation_of_another_file_is_thrown_away(
    server: Server, part: Path, wrong: dict[str, Any]
) -> None:
    begin(server, part, MB)
    server.behaviour.content = OTHER
    for name, value in wrong.items():
        setattr(server.behaviour, name, value)
    report = fetch(server, part)
    assert part.read_bytes() == OTHER
    assert server.ranges() == [f"bytes={MB}-", None]
    assert report.logs == [
        ("warning", "the file on the server has changed meanwhile; trying again in 0 s.")
    ]


def test_a_continuation_of_another_length_is_thrown_away(server: Server, part: Path) -> None:
    begin(server, part, MB)
    server.behaviour.content = CONTENT + b"more"
    fetch(server, part)
    assert part.read_bytes() == CONTENT + b"more"
    assert server.ranges() == [f"bytes={MB}-", None]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_resumed(server: Server, part: Path, etag: str) -> None:
    server.behaviour.etags = [etag]
    server.behaviour.drops = [MB]
    fetch(server, part)
    assert server.ranges() == [None, None]
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("notes", ["", "[]", '{"etag": 1}', '{"etag": "x", "total": 5}', None])
def test_a_part_whose_notes_are_wrong_is_begun_anew(
    server: Server, part: Path, notes: str | None
) -> None:
    part.write_bytes(OTHER[:MB])
    if notes is not None:
        part.with_name(part.name + ".json").write_text(notes)
    fetch(server, part)
    assert server.ranges() == [None]
    assert part.read_bytes() == CONTENT


def test_a_range_that_the_server_has_not_is_begun_anew(server: Server, part: Path) -> None:
    begin(server, part, MB)
    server.behaviour.statuses = [416]
    fetch(server, part)
    assert server.ranges() == [f"bytes={MB}-", None]
    assert part.read_bytes() == CONTENT


def test_a_cut_file_is_not_taken_for_a_whole_one(server: Server, part: Path) -> None:
    """The server closes the connection properly, but early, each time."""
    server.behaviour.ignore_range = True
    server.behaviour.drops = [2 * MB] * 20
    with pytest.raises(HyperKDError, match="ended after 2.1 of 3.1 MB") as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"


def test_server_errors_are_tried_again(server: Server, part: Path) -> None:
    server.behaviour.statuses = [500, 503, 429]
    report = fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert [message for _, message in report.logs] == [
        f"localhost answered HTTP {status}; trying again in 0 s." for status in (500, 503, 429)
    ]


def test_a_server_that_asks_to_wait_is_obeyed(server: Server, part: Path) -> None:
    server.behaviour.statuses = [429]
    server.behaviour.headers = {"Retry-After": "1"}
    began = time.monotonic()
    report = fetch(server, part)
    assert time.monotonic() - began > 0.9
    assert report.logs[0][1] == "localhost answered HTTP 429; trying again in 1 s."


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"There is no file http://localhost:\d+/owner/model/resolve/abc/file.pt \(HTTP 404"),
        (410, "There is no file"),
        (401, "The server refuses"),
        (403, "The server refuses"),
        (418, r"The server does not give .* \(HTTP 418\)"),
    ],
)
def test_an_answer_that_will_not_change_ends_at_once(
    server: Server, part: Path, status: int, message: str
) -> None:
    server.behaviour.statuses = [status] * 9
    with pytest.raises(HyperKDError, match=message) as caught:
        fetch(server, part)
    assert (caught.value.code, caught.value.exit_status) == ("download_failed", 4)
    assert caught.value.context == {"status": status}
    assert "hyperkd models add FILE" in caught.value.hint
    assert len(server.requests) == 1


def test_nobody_listens(part: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}/x"
        with pytest.raises(HyperKDError, match="failed 4 times in a row: the connection") as caught:
            download(url, part, Notes(), title="", network=FAST)
    assert caught.value.code == "download_failed"


def test_a_silent_server_is_given_up(server: Server, part: Path) -> None:
    server.behaviour.stall_after = 1000
    with pytest.raises(HyperKDError, match="nothing came for 0.2 s") as caught:
        fetch(server, part, network=settings(idle_s=0.2, pauses_s=(0.0,)))
    assert caught.value.code == "download_failed"
    assert kept_bytes(part) == 2000


@pytest.mark.parametrize("stall_after", [0, MB])
def test_a_cancel_is_heard_within_a_second_and_keeps_the_part(
    server: Server, part: Path, stall_after: int
) -> None:
    server.behaviour.stall_after = stall_after
    report = Notes(cancel_at=stall_after / 1e6)
    if not stall_after:
        report.cancelled_at = time.monotonic()
    with pytest.raises(HyperKDError, match="was cancelled") as caught:
        fetch(server, part, report)
    assert report.cancelled_at is not None
    assert time.monotonic() - report.cancelled_at < 1.0
    assert caught.value.code == "cancelled"
    if stall_after:
        assert report.logs == [("info", "1.0 MB are kept.")]
        server.behaviour.released.set()
        time.sleep(0.2)
        assert part.read_bytes() == CONTENT[:MB]  # what comes too late is not written
        server.behaviour.stall_after = None
        fetch(server, part)
        assert server.ranges() == [None, f"bytes={MB}-"]
        assert part.read_bytes() == CONTENT


def test_a_page_instead_of_the_file_is_refused_before_it_is_read(
    server: Server, part: Path
) -> None:
    server.behaviour.content = b"<html>Please log in</html>"
    server.behaviour.headers = {"Content-Type": "text/html"}
    with pytest.raises(HyperKDError, match="gives 26 bytes of text/html.* has 1000") as caught:
        fetch(server, part, size=1000)
    assert caught.value.code == "bad_model"
    assert not part.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": ""}, "length unknown"),
        ({"headers": {"Content-Encoding": "gzip"}}, "encoding gzip"),
    ],
)
def test_an_answer_whose_end_is_unknown_is_refused(
    server: Server, part: Path, change: dict[str, Any], message: str
) -> None:
    for name, value in change.items():
        setattr(server.behaviour, name, value)
    with pytest.raises(
        HyperKDError, match=f"does not give a plain file: HTTP 200, .*{message}"
    ) as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"


def test_a_full_disk_is_noticed_before_the_transfer(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(part.parent)._replace(free=MB)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(HyperKDError, match="takes 3 MB, but .* has 1 MB left") as caught:
        fetch(server, part)
    assert caught.value.code == "out_of_disk"
    assert not part.exists()


def test_a_redirect_to_another_host_is_followed(server: Server, part: Path) -> None:
    with Server() as hub:
        hub.behaviour.statuses = [302, 307, 308]
        for _ in range(3):
            hub.behaviour.headers = {"Location": f"http://127.0.0.1:{server.server_port}/blob?s=1"}
            fetch(hub, part)
            assert part.read_bytes() == CONTENT
            forget(part)
    assert [path for path, _ in server.requests] == ["/blob?s=1"] * 3


@pytest.mark.parametrize(
    "target", ["http://models.example.org/file.pt?signature=abc", "ftp://127.0.0.1/file.pt"]
)
def test_a_redirect_away_from_https_is_refused(server: Server, part: Path, target: str) -> None:
    server.behaviour.statuses = [302]
    server.behaviour.headers = {"Location": target}
    with pytest.raises(HyperKDError, match="redirects to .*/file.pt, which is not HTTPS") as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"
    assert "signature" not in str(caught.value)


def test_a_redirect_to_a_file_of_this_machine_is_refused(
    server: Server, part: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    server.behaviour.statuses = [302]
    server.behaviour.headers = {"Location": (tmp_path / "secret").as_uri()}
    with pytest.raises(HyperKDError, match=r"does not give .* \(HTTP 302\)") as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"
    assert not part.exists()


@pytest.mark.parametrize(
    "url", ["http://models.example.org/x", "file:///etc/passwd", "ftp://localhost/x", "x.pt", ""]
)
def test_only_https_is_fetched(url: str, part: Path) -> None:
    with pytest.raises(HyperKDError, match="is not an HTTPS address") as caught:
        download(url, part, Notes(), title="", network=FAST)
    assert caught.value.code == "bad_job"


PASSWORD = "Basic dXNlcjpzZXNhbWU="  # user:sesame


@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_proxy_with_a_password_is_used_and_never_named(
    server: Server, part: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour.drops = [MB]
    with Proxy(PASSWORD) as proxy:
        address = f"http://user:sesame@localhost:{proxy.server_port}"
        if where == "environment":
            monkeypatch.setenv("http_proxy", address)
        network = settings(address if where == "option" else None, pauses_s=(0.0,))
        report = fetch(server, part, network=network)
        assert proxy.seen[0] == ("GET", f"{server.address}/owner/model/resolve/abc/file.pt")
    assert part.read_bytes() == CONTENT
    assert server.requests[0][1]["Via"] == "1.1 test"
    assert "sesame" not in report.text()


def test_a_proxy_can_be_left_out(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy("never") as proxy:
        monkeypatch.setenv("http_proxy", f"http://localhost:{proxy.server_port}")
        fetch(server, part, network=settings("none", pauses_s=()))
        monkeypatch.setenv("no_proxy", "localhost")
        forget(part)
        fetch(server, part, network=settings(pauses_s=()))
        assert proxy.seen == []


def test_the_password_of_a_proxy_does_not_follow_a_redirect_past_it(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as hub, Proxy(PASSWORD) as proxy:
        hub.behaviour.statuses = [302]
        hub.behaviour.headers = {"Location": f"http://127.0.0.1:{server.server_port}/blob"}
        network = settings(f"user:sesame@localhost:{proxy.server_port}", pauses_s=())
        fetch(hub, part, network=network)
        assert len(proxy.seen) == 1
    (_, headers), *_ = server.requests
    assert part.read_bytes() == CONTENT
    assert "Proxy-Authorization" not in {key.title() for key in headers}


@pytest.mark.parametrize("url", ["http://localhost:{}/x", "https://models.example.org/x"])
def test_a_proxy_that_wants_a_login_is_named_as_such(server: Server, part: Path, url: str) -> None:
    """Plain HTTP answers 407 itself, HTTPS in the CONNECT before it."""
    with Proxy(PASSWORD) as proxy:
        network = settings(f"user:wrong@localhost:{proxy.server_port}", pauses_s=(0.0,))
        with pytest.raises(HyperKDError, match="proxy asks for a user and a password") as caught:
            download(url.format(server.server_port), part, Notes(), title="", network=network)
        assert len(proxy.seen) == 1
    assert caught.value.code == "download_failed"
    assert caught.value.context == {"status": 407}
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://user:sesame@host:1", "ftp://host", "http://"])
def test_a_proxy_that_is_none_is_refused_without_its_password(part: Path, proxy: str) -> None:
    with pytest.raises(HyperKDError, match="is not an HTTP proxy") as caught:
        download("https://localhost/x", part, Notes(), title="", network=settings(proxy))
    assert caught.value.code == "bad_job"
    assert "sesame" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate of localhost that nobody trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    key, pem = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt"]
        + ["ec_paramgen_curve:prime256v1", "-keyout", str(key), "-out", str(pem), "-subj"]
        + ["/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )
    return key, pem


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    with Server(context) as made:
        made.behaviour.content = CONTENT
        yield made


def test_a_certificate_that_nobody_trusts_ends_at_once(secure: Server, part: Path) -> None:
    with pytest.raises(HyperKDError, match="is not trusted: self.signed certificate") as caught:
        fetch(secure, part)
    assert caught.value.code == "download_failed"
    assert "the option ca_file" in caught.value.hint
    assert secure.requests == []


@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_certificate_of_ones_own_can_be_trusted(
    secure: Server,
    part: Path,
    certificate: tuple[Path, Path],
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pem = str(certificate[1])
    if where == "environment":
        monkeypatch.setenv("SSL_CERT_FILE", pem)
    fetch(secure, part, network=settings(ca_file=pem if where == "option" else None, pauses_s=()))
    assert part.read_bytes() == CONTENT


def test_https_does_not_fall_back_to_http_on_this_machine(
    secure: Server, server: Server, part: Path, certificate: tuple[Path, Path]
) -> None:
    secure.behaviour.statuses = [302]
    secure.behaviour.headers = {"Location": f"{server.address}/x"}
    with pytest.raises(HyperKDError, match="which is not HTTPS") as caught:
        fetch(secure, part, network=settings(ca_file=str(certificate[1])))
    assert caught.value.code == "download_failed"


def test_certificates_that_are_none(part: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        network = settings(ca_file=str(tmp_path / name))
        with pytest.raises(HyperKDError, match=f"{name} holds no certificates") as caught:
            download("https://localhost/x", part, Notes(), title="", network=network)
        assert caught.value.code == "bad_job"


def test_a_python_without_ssl_says_so(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_module, "find_spec", lambda name: None)
    with pytest.raises(HyperKDError, match="has no ssl module") as caught:
        download("https://localhost/x", part, Notes(), title="", network=FAST)
    assert caught.value.code == "missing_dependency"


def test_addresses_are_shown_without_what_may_be_secret() -> None:
    assert shown("https://user:pw@host:8/a/b?token=1#c") == "https://host:8/a/b"


def test_what_lies_beside_a_part_is_readable_and_goes_with_it(server: Server, part: Path) -> None:
    begin(server, part, MB)
    notes = part.with_name(part.name + ".json")
    assert json.loads(notes.read_text()) == {"etag": '"first"', "total": len(CONTENT)}
    forget(part)
    assert list(part.parent.iterdir()) == []
    forget(part)


# --- servers that never come to an end ---------------------------------------------------------


def test_a_server_that_changes_the_file_at_each_try_is_given_up(server: Server, part: Path) -> None:
    """Each attempt brings a megabyte and more, and none of it is ever more than was there."""
    server.behaviour.etags = [f'"{number}"' for number in range(50)]
    server.behaviour.drops = [2 * MB] * 50
    with pytest.raises(HyperKDError, match="failed 4 times in a row") as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"
    assert len(server.requests) == 4


def test_a_server_that_lies_about_its_ranges_is_given_up(server: Server, part: Path) -> None:
    server.behaviour.shift = 1
    server.behaviour.drops = [2 * MB] * 50
    with pytest.raises(HyperKDError, match="in a row") as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"
    assert len(server.requests) < 12


def test_a_server_that_drips_is_given_up(server: Server, part: Path) -> None:
    server.behaviour.drip = 0.02
    network = settings(idle_s=10.0, pauses_s=(0.0,), least_rate=1000.0, pace_s=0.3)
    started = time.monotonic()
    with pytest.raises(HyperKDError, match=r"only \d+ bytes came in 0 s") as caught:
        fetch(server, part, network=network)
    assert caught.value.code == "download_failed"
    assert time.monotonic() - started < 5


def test_a_slow_server_that_is_fast_enough_is_waited_for(server: Server, part: Path) -> None:
    server.behaviour.content = CONTENT[:400]
    server.behaviour.drip = 0.001
    network = settings(idle_s=10.0, pauses_s=(), least_rate=20.0, pace_s=0.1)
    fetch(server, part, network=network)
    assert part.read_bytes() == CONTENT[:400]


@pytest.mark.parametrize("wait", ["²", "9" * 5000, "-1", "1e3", "soon", "\u0663"])
def test_a_wait_that_is_no_number_is_none(server: Server, part: Path, wait: str) -> None:
    server.behaviour.statuses = [429]
    server.behaviour.headers = {"Retry-After": wait.encode().decode("latin-1")}
    report = Notes()
    fetch(server, part, report)
    assert "trying again in 0 s" in report.logs[0][1]


@pytest.mark.parametrize("length", ["²", "9" * 5000, "-5", "+7", " ", "1_000", "0x10"])
def test_a_length_that_is_no_number_is_refused(server: Server, part: Path, length: str) -> None:
    server.behaviour.length = length.encode().decode("latin-1")
    with pytest.raises(
        HyperKDError, match="does not give a plain file: HTTP 200, length"
    ) as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("target", ["http://[::1", "https://[", "https://a:b/", "https://a]b/"])
def test_a_redirect_to_what_is_no_address(server: Server, part: Path, target: str) -> None:
    server.behaviour.statuses = [302]
    server.behaviour.headers = {"Location": target}
    with pytest.raises(HyperKDError) as caught:
        fetch(server, part)
    assert caught.value.code == "download_failed"


@pytest.mark.parametrize("url", ["http://[::1", "https://[", "https://a:b/", ""])
def test_an_address_that_is_none_is_refused(part: Path, url: str) -> None:
    with pytest.raises(HyperKDError, match="is not an HTTPS address") as caught:
        download(url, part, Notes(), title="Fetching", network=FAST)
    assert caught.value.code == "bad_job"
    with pytest.raises(HyperKDError, match="is not an HTTP proxy"):
        download("https://a/", part, Notes(), title="F", network=settings(proxy=url or "http://["))


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX's")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_part_that_is_no_file_is_not_followed(server: Server, part: Path, kind: str) -> None:
    victim = part.with_name("victim")
    victim.write_text("untouched")
    if kind == "link":
        part.symlink_to(victim)
    else:
        os.mkfifo(part)
    notes = part.with_name(part.name + ".json")
    os.mkfifo(notes)
    fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize(
    "notes",
    ["[" * 100_000, '{"etag": 7, "total": 5}', '{"etag": "a", "total": "5"}', "[]", "7", ""],
)
def test_notes_that_nobody_wrote_are_forgotten(server: Server, part: Path, notes: str) -> None:
    part.write_bytes(b"12345")
    part.with_name(part.name + ".json").write_text(notes)
    fetch(server, part)
    assert part.read_bytes() == CONTENT
