"""How QGIS reaches the network, as the programs of a set-up understand it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from qgis.core import QgsApplication, QgsNetworkAccessManager
from qgis.PyQt.QtNetwork import QNetworkProxy

from ..messages import tr

_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy")
_CERTIFICATE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Network:
    """Proxy and certificates.

    Attributes:
        variables: what a program gets besides its environment.
        secrets: what must not appear in a log.
        certificates: authorities to trust, PEM; empty where a program's own are right.
        summary: what a bug report says of it, without names.
        problem: why it cannot work, as a sentence, or nothing.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    certificates: str = ""
    summary: str = ""
    problem: str = ""


def from_qgis() -> Network:
    """Return the network settings of QGIS; call it in the main thread.

    A proxy of QGIS goes before one of the environment: who has set it there means it. With
    none, programs look for that of the environment or of the system, as they always do.
    """
    manager = QgsNetworkAccessManager.instance()
    proxy = manager.fallbackProxy()
    excluded = [*manager.excludeList(), *manager.noProxyList()]
    certificates = _certificates()
    trust = "QGIS's certificates" if certificates else "own certificates"
    kinds = QNetworkProxy.ProxyType
    if proxy.type() == kinds.Socks5Proxy:
        return Network(
            certificates=certificates,
            summary=f"SOCKS proxy of QGIS, {trust}",
            problem=tr(
                "QGIS is set to a SOCKS proxy, which pip cannot use. Choose an HTTP proxy under "
                "Settings › Options › Network, or a folder of wheels."
            ),
        )
    if proxy.type() not in (kinds.HttpProxy, kinds.HttpCachingProxy) or not proxy.hostName():
        named = any(os.environ.get(name) for name in _PROXY_VARIABLES)
        origin = "proxy of the environment" if named else "no proxy of QGIS"
        return Network(certificates=certificates, summary=f"{origin}, {trust}")
    user, password = proxy.user(), proxy.password()
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    address = f"http://{login}{proxy.hostName()}:{proxy.port()}"
    variables = dict.fromkeys(_PROXY_VARIABLES, address)
    if excluded:
        # QGIS excludes by the beginning of an address, programs by the end of a host's name.
        hosts = ",".join(_host(each) for each in excluded)
        variables.update(NO_PROXY=hosts, no_proxy=hosts)
    return Network(
        variables=variables,
        secrets=(password, quote(password, safe="")),
        certificates=certificates,
        summary=f"HTTP proxy of QGIS{' with a login' if user else ''}, {trust}",
    )


def _certificates() -> str:
    """Return the authorities that QGIS trusts, where the user has added to the system's."""
    if any(os.environ.get(name) for name in _CERTIFICATE_VARIABLES):
        return ""  # somebody has chosen already
    manager = QgsApplication.authManager()
    if manager is None or manager.isDisabled():
        return ""
    text = bytes(manager.trustedCaCertsPemText()).decode("ascii", "ignore")
    return text if "BEGIN CERTIFICATE" in text else ""


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0] or address.strip("/")
