"""How the engine reaches the outside: HTTPS alone, through proxies, with extra certificates.

``urllib`` of the standard library is enough for this and brings proxies from the
environment, so that fetching a model needs no package beyond the engine's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPMessage
from importlib.util import find_spec
from typing import IO, Any, Final, Optional
from urllib.parse import SplitResult, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
    getproxies,
)

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.files import require_regular

NO_PROXY: Final = "none"
BY_HAND: Final = (
    "Or fetch the file by other means, for instance a browser, and add it: hyperkd models add FILE."
)

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class HttpsSettings:
    """Settings of a connection.

    Attributes:
        proxy: ``[http://][user:password@]host:port``; ``none`` goes without
            one; None takes the settings of the environment (``HTTPS_PROXY``,
            ``NO_PROXY``) or, on Windows and macOS, of the system.
        ca_file: certificates (PEM) that are trusted besides the system's.
        idle_s: how long a server may be silent before the connection is given up.
        pauses_s: waits before the attempts that follow a failure; a transfer ends when
            that many attempts in a row brought nothing new.
        least_rate, pace_s: bytes a second that must come, on average over so many seconds.
    """

    proxy: Optional[str]
    ca_file: Optional[str]
    idle_s: float = 30.0
    pauses_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    least_rate: float = 1000.0
    pace_s: float = 60.0


def shown(url: str) -> str:
    """Return an address without user, password and query, which may be secrets."""
    parts = _split(url)
    if parts is None:
        return "an invalid address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def failed(message: str, hint: str, **context: Any) -> HyperKDError:
    """Return the refusal of everything that keeps a file from being fetched."""
    return HyperKDError("download_failed", message, hint, **context)


class _SecureRedirects(HTTPRedirectHandler):
    """Follows redirects over HTTPS alone, and takes no proxy password along."""

    # Python up to 3.10 does not know this status.
    http_error_308 = HTTPRedirectHandler.http_error_302

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request:
        """Return the request for the new address."""
        require_secure(newurl, req.full_url)
        kept = {k: v for k, v in req.headers.items() if k.lower() != "proxy-authorization"}
        return Request(newurl, headers=kept)  # noqa: S310 - checked above


def require_secure(url: str, origin: Optional[str] = None) -> None:
    """Refuse an address that is not HTTPS, unless this machine talks to itself.

    Args:
        origin: the one that redirects to it, or None.

    Raises:
        HyperKDError: ``bad_job``, or ``download_failed`` for a redirect.
    """
    parts = _split(url)
    local = parts is not None and parts.scheme == "http" and parts.hostname in _LOCAL
    if (
        parts is not None
        and parts.hostname
        and (parts.scheme == "https" or (local and _is_local(origin)))
    ):
        return
    if origin is not None:
        raise failed(
            f"{shown(origin)} redirects to {shown(url)}, which is not HTTPS.",
            "What arrives unencrypted can be changed on its way. " + BY_HAND,
        )
    raise HyperKDError(
        "bad_job", f"{shown(url)} is not an HTTPS address.", "Give one that begins with https://."
    )


def _split(url: str) -> Optional[SplitResult]:
    """Return the parts of an address, or None where it is none, as ``http://[::1``."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is not a number
    except ValueError:
        return None
    return parts


def _is_local(origin: Optional[str]) -> bool:
    return origin is None or urlsplit(origin).scheme == "http"


def make_opener(network: HttpsSettings) -> OpenerDirector:
    """Return what opens HTTP and HTTPS addresses and nothing else: no files, no FTP.

    Raises:
        HyperKDError: ``bad_job`` for a proxy or certificates of no use,
            ``missing_dependency`` where Python has no ssl.
    """
    if find_spec("_ssl") is None:
        raise HyperKDError(
            "missing_dependency",
            "This Python has no ssl module, so it cannot fetch anything over HTTPS.",
            "Use another interpreter for the engine. " + BY_HAND,
        )
    import ssl

    context = ssl.create_default_context()
    if network.ca_file is not None:
        try:
            require_regular(network.ca_file)  # a pipe would never end
            context.load_verify_locations(network.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise HyperKDError(
                "bad_job",
                f"{network.ca_file} holds no certificates: {error.strerror or error}.",
                "Give a file of certificates in PEM format.",
            ) from error
    opener = OpenerDirector()
    opener.addheaders = [("User-Agent", f"hyperkd/{hyperkd.__version__}")]
    for handler in (
        ProxyHandler(_proxies(network.proxy)),
        HTTPHandler(),
        HTTPSHandler(context=context),
        _SecureRedirects(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _proxies(proxy: Optional[str]) -> dict[str, str]:
    if proxy == NO_PROXY:
        return {}
    if proxy is None:
        proxies = {key: value for key, value in getproxies().items() if key in ("http", "https")}
    else:
        proxies = dict.fromkeys(("http", "https"), proxy)
    for scheme, value in proxies.items():
        address = value if "://" in value else f"http://{value}"
        parts = _split(address)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            # The value itself may hold a password, so it is not shown.
            begins = "nothing" if parts is None else f"{parts.scheme}://"
            raise HyperKDError(
                "bad_job",
                f"The proxy for {scheme} is not an HTTP proxy (its address begins with {begins}).",
                "Give it as http://host:port, or 'none' to go without one.",
            )
        proxies[scheme] = address
    return proxies
