"""Takes out of a text what is nobody else's business: passwords, and who the user is."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable
from pathlib import Path

_HIDDEN = "***"
# What stands before the host of an address, also where it holds an @ itself.
_CREDENTIALS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)(?:[^\s/]*|[^\s/:@]+:[^\s@]*)@")
# A name that ends so, as HF_TOKEN or "api-key", and its value, quoted or not.
_TOKENS = re.compile(
    r"(?i)(?<![a-z0-9])((?:password|passwd|pwd|token|secret|authorization|credential|signature|sig"
    r"|(?:api|access|secret)[_-]?key(?:[_-]?id)?)[\"']?)"
    r"(\s*[=:]\s*)(?:[\"'](?:[^\"'\\]|\\.)*[\"']?|(?:(?:basic|bearer)\s+)?[^\s,;&\"']+)"
)
# Tokens that tell by themselves what they are, whatever stands before them.
_KNOWN = re.compile(r"\b(?:hf_|ghp_|github_pat_|glpat-|sk-|AKIA|ASIA)[A-Za-z0-9_-]{12,}")
# What follows the path of an address may be a signature of any name.
_QUERIES = re.compile(r"(?i)\b(https?://[^\s?#\"'<>]+)[?#][^\s\"'<>]+")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without credentials and without the user's name and home folder.

    Args:
        text: a log, or part of one.
        secrets: what must not appear in it, for instance the password of the proxy.
    """
    for secret in sorted({each for each in secrets if each}, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _CREDENTIALS.sub(rf"\1{_HIDDEN}@", text)
    text = _QUERIES.sub(rf"\1?{_HIDDEN}", text)
    text = _TOKENS.sub(rf"\1\2{_HIDDEN}", text)
    text = _KNOWN.sub(_HIDDEN, text)
    home = str(Path.home())
    if len(home) > 1:  # "/" is the home of some services, and is in every path
        for written in {home, home.replace("\\", "/"), home.replace("\\", "\\\\")}:
            text = re.sub(re.escape(written) + r"(?![\w.-])", "~", text, flags=re.IGNORECASE)
    name = _user_name()
    # A name of one or two letters would tear words apart, and tells nobody anything.
    if len(name) > 2:
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", "<user>", text)
    return text


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
        return ""
