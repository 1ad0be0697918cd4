"""From what pip, venv or an import said last to a sentence that the user can act on.

Pure Python. The texts come from many versions of pip and of Windows, so this looks for
short, old fragments, the most telling first; what it does not know is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..messages import tr
from .pins import TORCH_INDEX_VARIABLE, Tier


@dataclass(frozen=True)
class Reason:
    """Why a step failed.

    Attributes:
        code: short and stable, for tests and bug reports.
    """

    code: str
    message: str
    hint: str = ""

    @property
    def text(self) -> str:
        """Both as one text."""
        return f"{self.message} {self.hint}".strip()


_PATTERNS = (
    ("proxy_password", r"\b407\b|Proxy Authentication Required"),
    ("socks", r"SOCKS"),
    ("certificate", r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError"),
    ("proxy", r"ProxyError|Cannot connect to proxy|Tunnel connection failed"),
    ("disk", r"No space left|ENOSPC|\[Errno 28\]|WinError 112\b|Disk quota exceeded"),
    (
        "folder",
        r"Read-only file system|Permission denied|\[Errno 13\]|\[Errno 30\]|WinError 5\b|EACCES",
    ),
    ("no_ssl", r"ssl module .*not available|No module named '?_ssl"),
    ("venv", r"No module named '?venv|No module named '?ensurepip|ensurepip is not available"),
    ("dll", r"DLL load failed|WinError (?:1114|126|127)\b"),
    ("library", r"cannot open shared object file|GLIBC_|Library not loaded|image not found"),
    (
        "no_network",
        r"NewConnectionError|Name or service not known|Temporary failure in name resolution|"
        r"getaddrinfo failed|ConnectTimeoutError|Network is unreachable|Connection refused|"
        r"ReadTimeoutError|Connection reset|RemoteDisconnected|IncompleteRead|Max retries",
    ),
    ("not_there", r"No matching distribution found|Could not find a version"),
    # pip's word since 25.1 for a package that is missing and stands among its constraints too.
    ("conflict", r"ResolutionImpossible"),
    ("hash", r"DO NOT MATCH THE HASHES|BadZipFile|has an invalid wheel|Wheel .* is invalid"),
)


def explain(lines: Sequence[str], *, offline: bool, step: str) -> Reason:
    """Return why a step failed.

    Args:
        lines: what it said.
        offline: it was told to use a folder of wheels only.
        step: what was being done, for the sentence where nothing else is known.
    """
    text = "\n".join(lines)
    for code, pattern in _PATTERNS:
        found = re.search(pattern, text, re.IGNORECASE if code == "disk" else 0)
        if found:
            return _reason(code, text, offline)
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    message = tr("{step} failed.").format(step=step)
    if said:
        message = tr("{step} failed: {said}").format(step=step, said=said)
    return Reason("unknown", message, tr("The log above has the details."))


def no_build(wanted: str, index: str, tier: Tier) -> Reason:
    """Return why PyTorch is not installed in another build than was chosen.

    Args:
        wanted: version and build of PyTorch.
        index: address of PyTorch's own index.
        tier: what it belongs to.
    """
    hint = tr(
        "Name a mirror of that index in the variable {name}, take a folder of wheels, or choose "
        "the other kind of machine under Computes on."
    ).format(name=TORCH_INDEX_VARIABLE)
    message = tr(
        "torch {wanted} is not available: {index} does not answer, or does not have it."
    ).format(wanted=wanted, index=index)
    if wanted.endswith("+cpu"):
        other = tr(
            "The package index has a build for NVIDIA GPUs instead, about {download} GB to "
            "download and {disk} GB on the disk; nothing of it was fetched."
        ).format(
            download=f"{tier.download_mb['gpu'] / 1000:.1f}",
            disk=f"{tier.disk_mb['gpu'] / 1000:.1f}",
        )
        message = f"{message} {other}"
    return Reason("no_build", message, hint)


def _reason(code: str, text: str, offline: bool) -> Reason:
    if code == "not_there":
        return _not_there(text, offline)
    if code == "conflict":
        return _conflict(text)
    message, hint = {**_of_the_network(), **_of_the_machine()}[code]
    return Reason(code, message, hint)


def _of_the_network() -> dict[str, tuple[str, str]]:
    return {
        "proxy_password": (
            tr("The proxy requires a user name and a password."),
            tr("Enter them under Settings › Options › Network in QGIS, and try again."),
        ),
        "socks": (
            tr("The proxy is a SOCKS proxy, which pip cannot use."),
            tr("Choose an HTTP proxy under Settings › Options › Network, or a folder of wheels."),
        ),
        "certificate": (
            tr("The certificate of the package index is not trusted."),
            tr(
                "A company's network often brings its own. Add it in QGIS under Settings › "
                "Options › Authentication › Manage Certificates, and try again; or use a folder "
                "of wheels."
            ),
        ),
        "proxy": (
            tr("The proxy refused or did not answer."),
            tr("Check Settings › Options › Network in QGIS, and try again."),
        ),
        "no_network": (
            tr("The package index cannot be reached, or the connection broke."),
            tr(
                "Check the network and Settings › Options › Network in QGIS, and try again: what "
                "was downloaded is kept. Without a network use a folder of wheels."
            ),
        ),
        "hash": (
            tr("A package arrived damaged."),
            tr("Try again. If it happens again, something in the network changes the files."),
        ),
    }


def _of_the_machine() -> dict[str, tuple[str, str]]:
    return {
        "disk": (
            tr("There is no space left on the disk."),
            tr("Free some space, or move the engine with the variable HYPERKD_ENGINES."),
        ),
        "folder": (
            tr("A file or folder of the environment cannot be written."),
            tr(
                "Check who may write there, and whether a virus scanner holds the file; or move "
                "the engine with the variable HYPERKD_ENGINES."
            ),
        ),
        "no_ssl": (
            tr("QGIS's Python cannot make secure connections (it lacks the module ssl)."),
            tr("Use a folder of wheels, or an interpreter that you already have."),
        ),
        "venv": (
            tr("QGIS's Python cannot make virtual environments."),
            tr(
                "On Debian and Ubuntu install the package python3-venv and try again; elsewhere "
                "use an interpreter that you already have."
            ),
        ),
        "dll": (
            tr("A library of Windows that a package needs is missing or too old."),
            tr(
                "Install Microsoft's Visual C++ Redistributable (x64, 2015 to 2022), restart "
                "Windows, and try again."
            ),
        ),
        "library": (
            tr("A system library that a package needs is missing or too old."),
            tr("The log above names it. A newer system, or QGIS from conda-forge, has it."),
        ),
    }


def _not_there(text: str, offline: bool) -> Reason:
    found = re.search(r"No matching distribution found for ([^\s(]+)", text) or re.search(
        r"satisfies the requirement ([^\s(]+)", text
    )
    name = found.group(1).rstrip(".,") if found else "?"
    if offline:
        return Reason(
            "not_there",
            tr("The folder of wheels has no {name} for this Python.").format(name=name),
            tr("Add the wheel that fits this Python and this system, and try again."),
        )
    return Reason(
        "not_there",
        tr("The package index has no {name} for this Python, or does not answer.").format(
            name=name
        ),
        tr(
            "Check the network and an index of your company's (pip's configuration); on an "
            "unusual system use an interpreter that you already have."
        ),
    )


def _conflict(text: str) -> Reason:
    wanted = re.search(r"Cannot install (.+?) because", text)
    constraints = re.findall(r"The user requested \(constraint\) (\S+)", text)
    return Reason(
        "conflict",
        tr("No {name} fits pip's settings on this machine (constraints: {constraints}).").format(
            name=wanted.group(1) if wanted else "?",
            constraints=", ".join(dict.fromkeys(constraints)) or tr("none"),
        ),
        tr(
            "It is neither in the index nor in the folder of wheels, or a constraint excludes "
            "it: “pip config list” shows the constraints."
        ),
    )
